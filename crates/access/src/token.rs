//! A bearer token, and the hash by which a config knows it.

use std::{fmt, str::FromStr};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use postback_core::{Error, Result};
use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};

/// What every token begins with, so that a leaked one is found by searching for it.
const PREFIX: &str = "pbt_";

/// A new token: `pbt_` and 256 random bits. Never shown but by [`Token::reveal`].
pub struct Token(String);

impl Token {
    /// A token of the system's randomness.
    ///
    /// # Errors
    /// `Internal` where the system gives none.
    pub fn generate() -> Result<Self> {
        let mut secret = [0; 32];
        getrandom::fill(&mut secret)
            .map_err(|error| Error::internal("the system gave no randomness").caused_by(error))?;
        Ok(Self(format!("{PREFIX}{}", BASE64.encode(secret))))
    }

    /// The token as text, for whoever will show it.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// The hash by which a config knows it.
    pub fn hash(&self) -> TokenHash {
        TokenHash::of(&self.0)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token")
    }
}

/// The SHA-256 of a token. A token has 256 random bits, so a plain hash cannot be turned back. Written as 64 hex
/// digits.
#[derive(Clone, Copy)]
pub struct TokenHash([u8; 32]);

impl TokenHash {
    /// The hash of what was shown as a token.
    pub fn of(token: &str) -> Self {
        Self(Sha256::digest(token.as_bytes()).into())
    }

    /// Whether both are of one token, told in the same time whatever they hold.
    pub(crate) fn is(&self, other: &Self) -> Choice {
        self.0.ct_eq(&other.0)
    }
}

impl FromStr for TokenHash {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        let refuse = || {
            Error::invalid(
                "sha256",
                "is not 64 hex digits, as `postback token` prints; never the token itself",
            )
        };
        if text.len() != 64 || !text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(refuse());
        }
        let mut bytes = [0; 32];
        for (byte, at) in bytes.iter_mut().zip((0..64).step_by(2)) {
            *byte = u8::from_str_radix(&text[at..at + 2], 16).map_err(|_| refuse())?;
        }
        Ok(Self(bytes))
    }
}

impl fmt::Display for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenHash")
    }
}

/// The token in an `Authorization` header; empty, which is nobody's, where the header holds no bearer token.
pub fn bearer(authorization: &[u8]) -> &str {
    let text = std::str::from_utf8(authorization).unwrap_or_default();
    match text.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token.trim(),
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_long_printable_and_never_the_same() {
        let (one, other) = (Token::generate().unwrap(), Token::generate().unwrap());
        assert_eq!(one.reveal().len(), 47);
        assert!(one.reveal().starts_with("pbt_"));
        assert!(one.reveal().bytes().all(|c| c.is_ascii_alphanumeric() || b"-_".contains(&c)));
        assert_ne!(one.reveal(), other.reveal());
        assert!(!bool::from(one.hash().is(&other.hash())));
    }

    #[test]
    fn a_token_never_shows_itself() {
        let token = Token::generate().unwrap();
        assert_eq!(format!("{token:?} {:?}", token.hash()), "Token TokenHash");
    }

    #[test]
    fn a_hash_is_the_one_that_sha256sum_prints() {
        let hash = TokenHash::of("abc");
        let hex = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(hash.to_string(), hex);
        assert!(bool::from(hex.to_uppercase().parse::<TokenHash>().unwrap().is(&hash)));
    }

    #[test]
    fn what_is_no_hash_is_refused_and_not_repeated() {
        let token = Token::generate().unwrap();
        for wrong in [token.reveal(), "", &"g".repeat(64), &"+1".repeat(32), &"é".repeat(32)] {
            let said = wrong.parse::<TokenHash>().unwrap_err().to_string();
            let want = "sha256: is not 64 hex digits, as `postback token` prints; never the token itself";
            assert_eq!(said, want);
        }
    }

    #[test]
    fn a_bearer_token_is_read_whatever_the_case_of_its_scheme() {
        for header in ["Bearer abc", "bearer abc", "BEARER  abc "] {
            assert_eq!(bearer(header.as_bytes()), "abc");
        }
        for header in [&b"Basic abc"[..], b"abc", b"", b"Bearer", b"Bearer \xff"] {
            assert_eq!(bearer(header), "");
        }
    }
}
