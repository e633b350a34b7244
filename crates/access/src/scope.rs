//! What a caller may do.

use std::{fmt, str::FromStr};

use postback_core::{Error, Result};

/// A kind of work that a caller is let do. None implies another; who may operate also looks, in the console alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Capture clicks, record conversions and change them.
    Report,
    /// Look: get, list, watch, count.
    Read,
    /// Decide: replay, resolve, pause, resume, erase.
    Operate,
}

impl Scope {
    /// Every scope.
    pub const ALL: [Self; 3] = [Self::Report, Self::Read, Self::Operate];

    /// The scope's word, as configs write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Report => "report",
            Self::Read => "read",
            Self::Operate => "operate",
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Scope {
    type Err = Error;
    fn from_str(word: &str) -> Result<Self> {
        let found = Self::ALL.into_iter().find(|scope| scope.as_str() == word);
        found.ok_or_else(|| {
            Error::invalid("scopes", format!("`{word}` is no scope; want report, read or operate"))
        })
    }
}

/// Some scopes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Scopes([bool; Scope::ALL.len()]);

impl Scopes {
    pub(crate) const ALL: Self = Self([true; Scope::ALL.len()]);

    pub(crate) const fn hold(self, scope: Scope) -> bool {
        self.0[scope as usize]
    }
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        scopes.into_iter().fold(Self::default(), |mut held, scope| {
            held.0[scope as usize] = true;
            held
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_survives_as_its_word() {
        for scope in Scope::ALL {
            assert_eq!(scope.as_str().parse::<Scope>().unwrap(), scope);
        }
        let refused = "admin".parse::<Scope>().unwrap_err().to_string();
        assert_eq!(refused, "scopes: `admin` is no scope; want report, read or operate");
    }
}
