//! Page sizes and page tokens.

use postback_core::{Error, Result};
use postback_hub::page_token;

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

/// The token for the next page; empty at the end.
pub(crate) fn token(next: Option<[u8; 16]>) -> String {
    next.map(page_token).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_a_size_within_bounds() {
        assert!(size(-1).is_err());
        assert_eq!((size(0).unwrap(), size(5).unwrap(), size(i32::MAX).unwrap()), (50, 5, 1_000));
    }
}
