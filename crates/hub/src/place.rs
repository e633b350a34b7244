//! Places in lists, as they stand between two pages.

use postback_core::{Error, Result};

/// The token of a place in a list: 32 hexadecimal digits.
pub fn page_token(place: [u8; 16]) -> String {
    format!("{:032x}", u128::from_be_bytes(place))
}

/// The place in a list that a token stands for; none where it is empty.
///
/// # Errors
/// `InvalidArgument` at `page_token`.
pub fn place_of(token: &str) -> Result<Option<[u8; 16]>> {
    if token.is_empty() {
        return Ok(None);
    }
    let digits = token.len() == 32 && token.bytes().all(|byte| byte.is_ascii_hexdigit());
    let place = if digits { u128::from_str_radix(token, 16).ok() } else { None };
    let refuse = || Error::invalid("page_token", "is not one that an earlier page ended with");
    place.map(|place| Some(place.to_be_bytes())).ok_or_else(refuse)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_token_brings_back_its_place_and_nothing_else_is_one() {
        assert_eq!(place_of(&page_token([7; 16])).unwrap(), Some([7; 16]));
        assert_eq!(place_of("").unwrap(), None);
        let sign = format!("+{}", "0".repeat(31));
        for wrong in ["1", "zz", &"é".repeat(16), &"0".repeat(33), &sign] {
            assert!(place_of(wrong).is_err(), "{wrong}");
        }
    }
}
