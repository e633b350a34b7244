//! Page sizes and page tokens.

use postback_core::{Error, Result};

const USUAL: usize = 50;
const MOST: usize = 1_000;

/// How many items a page holds: 50 where not said, 1000 at most.
pub(crate) fn size(asked: i32) -> Result<usize> {
    bounded(asked, USUAL, MOST)
}

/// How many items are wanted: `usual` where not said, `most` at most.
pub(crate) fn bounded(asked: i32, usual: usize, most: usize) -> Result<usize> {
    match usize::try_from(asked) {
        Ok(0) => Ok(usual),
        Ok(size) => Ok(size.min(most)),
        Err(_) => Err(Error::invalid("page_size", format!("`{asked}` is negative"))),
    }
}

/// Where a page begins, from the token that the last one ended with.
pub(crate) fn after(token: &str) -> Result<Option<[u8; 16]>> {
    if token.is_empty() {
        return Ok(None);
    }
    let refuse = || Error::invalid("page_token", "is not one that an earlier page ended with");
    if token.len() != 32 || !token.is_ascii() {
        return Err(refuse());
    }
    u128::from_str_radix(token, 16).map(|id| Some(id.to_be_bytes())).map_err(|_| refuse())
}

/// The token for the next page; empty at the end.
pub(crate) fn token(next: Option<[u8; 16]>) -> String {
    next.map(|id| format!("{:032x}", u128::from_be_bytes(id))).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_brings_back_its_place_and_nothing_else_is_a_token() {
        let place = [7; 16];
        assert_eq!(after(&token(Some(place))).unwrap(), Some(place));
        assert_eq!((after("").unwrap(), token(None)), (None, String::new()));
        for wrong in ["1", "zz", &"é".repeat(16), &"0".repeat(33)] {
            assert!(after(wrong).is_err(), "{wrong}");
        }
        assert!(size(-1).is_err());
        assert_eq!((size(0).unwrap(), size(5).unwrap(), size(i32::MAX).unwrap()), (50, 5, 1_000));
    }
}
