//! The trace in which something happened, as the W3C writes it.

use std::{fmt, str::FromStr};

use crate::{Error, Result};

/// A place in a trace: a W3C `traceparent` of version 00, such as
/// `00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceParent {
    trace: [u8; 16],
    span: [u8; 8],
    flags: u8,
}

impl TraceParent {
    /// A place in a trace; nothing where an id is all zeros, which stands for none.
    pub fn new(trace: [u8; 16], span: [u8; 8], flags: u8) -> Option<Self> {
        (trace != [0; 16] && span != [0; 8]).then_some(Self { trace, span, flags })
    }

    /// The trace's id.
    pub const fn trace(&self) -> [u8; 16] {
        self.trace
    }

    /// The span's id.
    pub const fn span(&self) -> [u8; 8] {
        self.span
    }

    /// The flags; the lowest bit says that the trace is kept.
    pub const fn flags(&self) -> u8 {
        self.flags
    }
}

impl fmt::Display for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (trace, span) = (u128::from_be_bytes(self.trace), u64::from_be_bytes(self.span));
        write!(f, "00-{trace:032x}-{span:016x}-{:02x}", self.flags)
    }
}

impl FromStr for TraceParent {
    type Err = Error;

    /// Reads version 00, and the beginning of a later one.
    fn from_str(text: &str) -> Result<Self> {
        read(text).ok_or_else(|| Error::invalid("traceparent", "is not a W3C traceparent"))
    }
}

fn read(text: &str) -> Option<TraceParent> {
    let mut parts = text.split('-');
    let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let hex = |part: &str, digits: usize| {
        let lower = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        (part.len() == digits && part.bytes().all(lower)).then(|| u128::from_str_radix(part, 16).ok())?
    };
    let version = hex(version, 2)?;
    if version == 255 || (version == 0 && parts.next().is_some()) {
        return None;
    }
    let span = u64::try_from(hex(span, 16)?).ok()?;
    let flags = u8::try_from(hex(flags, 2)?).ok()?;
    TraceParent::new(hex(trace, 32)?.to_be_bytes(), span.to_be_bytes(), flags)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn a_traceparent_survives_its_text() {
        let parent: TraceParent = GOOD.parse().unwrap();
        assert_eq!((parent.to_string().as_str(), parent.flags()), (GOOD, 1));
        let later: TraceParent = format!("cc{}-what-comes", &GOOD[2..]).parse().unwrap();
        assert_eq!(later, parent);
    }

    #[test]
    fn what_is_no_traceparent_is_refused() {
        for wrong in [
            "",
            "00",
            &GOOD[..54],
            &format!("{GOOD}-more"),
            &format!("ff{}", &GOOD[2..]),
            &GOOD.to_uppercase(),
            &GOOD.replace("b7ad6b7169203331", "0000000000000000"),
            &GOOD.replace("0af7651916cd43dd8448eb211c80319c", &"0".repeat(32)),
            &GOOD.replace("-01", "-+1"),
        ] {
            assert!(wrong.parse::<TraceParent>().is_err(), "{wrong}");
        }
    }
}
