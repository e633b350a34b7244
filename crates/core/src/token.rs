//! The click token: a sealed, URL-safe string that by itself suffices to attribute a conversion.

use std::{fmt, str::FromStr};

use aes_siv::{KeyInit, siv::Aes256Siv};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use jiff::Timestamp;

use crate::{AccountId, ClickId, Error, Keyring, Result, id::all, lane::digest};

/// What a token carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenClaims {
    /// The account.
    pub account: AccountTag,
    /// The network's click id.
    pub click: ClickId,
    /// When the click was captured, to the second, by the clock of the machine that captured it.
    pub captured_at: Timestamp,
}

impl TokenClaims {
    /// Claims of a click of an account.
    pub fn new(account: AccountTag, click: ClickId, captured_at: Timestamp) -> Self {
        let second = Timestamp::from_second(captured_at.as_second()).unwrap_or(captured_at);
        Self { account, click, captured_at: second }
    }
}

/// By what a token names its account: the first bytes of a digest of the account's name. The accounts of one
/// deployment must differ in it; of 100 names two are alike one time in a million.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AccountTag([u8; 4]);

impl AccountTag {
    /// The tag of an account.
    pub fn of(account: &AccountId) -> Self {
        let [a, b, c, d, ..] = digest(&["account", account.as_str()]);
        Self([a, b, c, d])
    }
}

/// A sealed [`TokenClaims`]: 51 characters for a click id of 12, 62 for one of 40 hex digits. Equal claims under
/// the same key make equal tokens. It cannot be forged, changed or guessed.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct ClickToken(String);

const RAW: u8 = 0;
const HEX: u8 = 1;
const LONGEST: usize = 1_024;
/// Where what is sealed begins: after the key's number and the seal.
const PLAIN: usize = 1 + aes_siv::siv::IV_SIZE;

impl ClickToken {
    /// Seals claims under the ring's current key.
    ///
    /// # Errors
    /// `InvalidArgument` for a capture time outside 1970 to 2106.
    pub fn seal(claims: &TokenClaims, ring: &Keyring) -> Result<Self> {
        let time = u32::try_from(claims.captured_at.as_second())
            .map_err(|_| Error::invalid("captured_at", "is outside 1970 to 2106"))?;
        let key = ring.current();
        let mut bytes = Vec::with_capacity(PLAIN + 9 + claims.click.as_str().len());
        bytes.push(key.id());
        bytes.resize(PLAIN, 0);
        bytes.extend_from_slice(&claims.account.0);
        bytes.extend_from_slice(&time.to_be_bytes());
        match pack_hex(claims.click.as_str()) {
            Some(packed) => {
                bytes.push(HEX);
                bytes.extend_from_slice(&packed);
            }
            None => {
                bytes.push(RAW);
                bytes.extend_from_slice(claims.click.as_str().as_bytes());
            }
        }
        let tag = Aes256Siv::new(key.sealing().into())
            .encrypt_inout_detached([[key.id()]], (&mut bytes[PLAIN..]).into())
            .map_err(|_| Error::internal("a click token could not be sealed"))?;
        bytes[1..PLAIN].copy_from_slice(&tag);
        Ok(Self(BASE64.encode(&bytes)))
    }

    /// Opens the token.
    ///
    /// # Errors
    /// `InvalidArgument` for anything that this deployment did not seal.
    pub fn open(&self, ring: &Keyring) -> Result<TokenClaims> {
        self.opened(ring).ok_or_else(|| {
            Error::invalid("click_token", "is not one that this deployment made")
                .because("INVALID_CLICK_TOKEN")
        })
    }

    fn opened(&self, ring: &Keyring) -> Option<TokenClaims> {
        let bytes = BASE64.decode(&self.0).ok()?;
        let (&id, sealed) = bytes.split_first()?;
        let key = ring.find(id)?;
        let plain = Aes256Siv::new(key.sealing().into()).decrypt([[id]], sealed).ok()?;
        let (account, rest) = plain.split_first_chunk::<4>()?;
        let (time, rest) = rest.split_first_chunk::<4>()?;
        let (&form, id) = rest.split_first()?;
        let click = match form {
            RAW => String::from_utf8(id.to_vec()).ok()?,
            HEX => {
                let mut digits = Vec::with_capacity(2 * id.len());
                for byte in id {
                    digits.extend_from_slice(&[hex_digit(byte >> 4), hex_digit(byte & 15)]);
                }
                String::from_utf8(digits).ok()?
            }
            _ => return None,
        };
        Some(TokenClaims {
            account: AccountTag(*account),
            click: ClickId::parse(click).ok()?,
            captured_at: Timestamp::from_second(u32::from_be_bytes(*time).into()).ok()?,
        })
    }

    /// The token as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A lower-case hex digit for 0 to 15.
fn hex_digit(value: u8) -> u8 {
    if value < 10 { b'0' + value } else { b'a' + value - 10 }
}

/// Halves an id of lower-case hex digits.
fn pack_hex(id: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let (pairs, rest) = id.as_bytes().as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    let mut packed = Vec::with_capacity(pairs.len());
    for &[high, low] in pairs {
        packed.push(digit(high)? << 4 | digit(low)?);
    }
    Some(packed)
}

impl FromStr for ClickToken {
    type Err = Error;
    fn from_str(value: &str) -> Result<Self> {
        if value.is_empty() {
            return Err(Error::invalid("click_token", "is empty").because("MISSING"));
        }
        let is_url_safe = |b: u8| b.is_ascii_alphanumeric() | (b == b'-') | (b == b'_');
        if value.len() > LONGEST || !all(value, is_url_safe) {
            return Err(Error::invalid("click_token", "is not one that this deployment made")
                .because("INVALID_CLICK_TOKEN"));
        }
        Ok(Self(value.to_owned()))
    }
}

impl fmt::Display for ClickToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ClickToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Key;
    use proptest::prelude::*;

    fn ring() -> Keyring {
        Keyring::new(Key::new(1, [7; 32]), []).unwrap()
    }

    fn claims(click: &str) -> TokenClaims {
        let account = AccountTag::of(&AccountId::parse("trafficstars").unwrap());
        TokenClaims::new(account, ClickId::parse(click).unwrap(), "2026-03-04T05:06:07Z".parse().unwrap())
    }

    fn seal(click: &str) -> ClickToken {
        ClickToken::seal(&claims(click), &ring()).unwrap()
    }

    #[test]
    fn a_token_brings_back_what_was_sealed() {
        for click in [
            "abc123xyz789",
            "c86b8a88b91228911e723b93c65a5900bb49bc99",
            "+&=%/ é",
            "00",
            "0",
            "ABCD",
            &"x".repeat(512),
        ] {
            let token = seal(click);
            assert_eq!(token.as_str().parse::<ClickToken>().unwrap().open(&ring()).unwrap(), claims(click));
            let other = AccountTag::of(&AccountId::parse("powerspace").unwrap());
            assert_ne!(token.open(&ring()).unwrap().account, other);
        }
    }

    #[test]
    fn a_token_is_short_url_safe_and_the_same_each_time() {
        let token = seal("c86b8a88b91228911e723b93c65a5900bb49bc99");
        assert_eq!(token, seal("c86b8a88b91228911e723b93c65a5900bb49bc99"));
        assert_eq!((seal("abc123xyz789").as_str().len(), token.as_str().len()), (51, 62));
    }

    #[test]
    fn a_token_outlives_a_rotation_until_its_key_is_dropped() {
        let token = seal("abc");
        let new = Key::new(2, [8; 32]);
        let rotated = Keyring::new(new.clone(), [Key::new(1, [7; 32])]).unwrap();
        assert_eq!(token.open(&rotated).unwrap(), claims("abc"));
        assert_ne!(ClickToken::seal(&claims("abc"), &rotated).unwrap(), token);
        assert!(token.open(&Keyring::new(new, []).unwrap()).is_err());
    }

    #[test]
    fn no_token_with_one_bit_changed_is_accepted() {
        let token = seal("c86b8a88b91228911e723b93c65a5900bb49bc99");
        let bytes = BASE64.decode(token.as_str()).unwrap();
        for bit in 0..bytes.len() * 8 {
            let mut mutant = bytes.clone();
            mutant[bit / 8] ^= 1 << (bit % 8);
            let mutant: ClickToken = BASE64.encode(mutant).parse().unwrap();
            assert!(mutant.open(&ring()).is_err(), "bit {bit}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_096))]

        #[test]
        fn no_mutated_token_is_accepted(at in 0_usize..51, with in "[A-Za-z0-9_-]{1,3}", cut in 0_usize..3) {
            let token = seal("abc123xyz789");
            let mut text = token.as_str().to_owned();
            let end = (at + with.len().saturating_sub(cut)).min(text.len());
            text.replace_range(at..end, &with);
            prop_assume!(text != token.as_str());
            let opened = text.parse::<ClickToken>().and_then(|mutant| mutant.open(&ring()));
            prop_assert!(opened.is_err(), "{}", text);
        }

        #[test]
        fn no_text_from_outside_is_accepted(text in "\\PC{0,80}") {
            prop_assert!(text.parse::<ClickToken>().and_then(|token| token.open(&ring())).is_err());
        }
    }
}
