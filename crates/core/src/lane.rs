//! A lane: the line in which all deliveries for one source wait, first in, first out.

use std::fmt;

use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::{AccountId, Source, TransactionId};

/// The part of a store in which a lane and all its records lie together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Shard(u8);

impl Shard {
    /// The shard with this byte.
    pub const fn from_byte(byte: u8) -> Self {
        Self(byte)
    }

    /// One of 256, evenly spread; a store folds them into as many parts as it has.
    pub const fn byte(self) -> u8 {
        self.0
    }
}

/// The name of a lane: a digest of the account and the source, so no byte of a visitor is in a store's key.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LaneId([u8; 16]);

impl LaneId {
    /// The lane of a source. All conversions of one click share a lane. A flow brings many visitors, so each
    /// of its leads has a lane of its own, told apart by `lead` (see [`LaneId::lead`]).
    pub fn of(account: &AccountId, source: &Source, lead: &str) -> Self {
        let (kind, id, lead) = match source {
            Source::Click(id) => ("click", id.as_str(), ""),
            Source::Flow(id) => ("flow", id.as_str(), lead),
            Source::FlowCode(code) => ("code", code.as_str(), lead),
        };
        Self(digest(&[account.as_str(), kind, id, lead]))
    }

    /// What tells one lead of a flow from another: the caller's transaction id, else `fallback`, which is
    /// unique to the request.
    pub fn lead(transaction: Option<&TransactionId>, fallback: &str) -> String {
        transaction.map_or_else(|| fallback.to_owned(), |id| format!("t:{id}"))
    }

    /// The lane that was stored as these bytes.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The lane's bytes.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// Where the lane lies.
    pub const fn shard(&self) -> Shard {
        Shard(self.0[0])
    }
}

impl fmt::Display for LaneId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(Uuid::from_bytes_ref(&self.0).as_simple(), f)
    }
}

impl fmt::Debug for LaneId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The first 16 bytes of the SHA-256 of the parts, each preceded by its length.
pub(crate) fn digest(parts: &[&str]) -> [u8; 16] {
    let mut text = Vec::with_capacity(parts.iter().map(|part| 8 + part.len()).sum());
    for part in parts {
        text.extend_from_slice(&(part.len() as u64).to_be_bytes());
        text.extend_from_slice(part.as_bytes());
    }
    let mut first = [0; 16];
    first.copy_from_slice(&Sha256::digest(text)[..16]);
    first
}

/// 16 bytes as 26 characters of base 32.
pub(crate) fn base32(bytes: [u8; 16]) -> String {
    const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
    let mut rest = u128::from_be_bytes(bytes);
    let mut key = [b'0'; 26];
    for place in key.iter_mut().rev() {
        *place = ALPHABET[(rest & 31) as usize];
        rest >>= 5;
    }
    String::from_utf8_lossy(&key).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ClickId;

    fn account(name: &str) -> AccountId {
        AccountId::parse(name).unwrap()
    }

    #[test]
    fn all_conversions_of_a_click_share_a_lane_and_flows_do_not() {
        let click = Source::Click(ClickId::parse("abc").unwrap());
        let flow = Source::Flow("1234".parse().unwrap());
        let a = account("a");
        assert_eq!(LaneId::of(&a, &click, "1"), LaneId::of(&a, &click, "2"));
        assert_ne!(LaneId::of(&a, &flow, "1"), LaneId::of(&a, &flow, "2"));
        assert_ne!(LaneId::of(&a, &click, ""), LaneId::of(&account("b"), &click, ""));
    }

    #[test]
    fn base_32_keeps_every_bit() {
        let key = |byte| base32([byte; 16]);
        assert_eq!(key(255), "7zzzzzzzzzzzzzzzzzzzzzzzzz");
        assert_eq!(key(0), "0".repeat(26));
        assert_ne!(key(1), key(2));
    }
}
