//! Page sizes and page tokens.

use postback_core::{Error, Result, ports::Page};
use postback_hub::page_token;
use prost::Message;

const USUAL: usize = 50;
const MOST: usize = 1_000;
/// How many bytes of items an answer holds: an ordinary client takes one of 4 MiB at most.
const ROOM: usize = 3 << 20;
/// How many bytes an item costs beside its own.
const FRAME: usize = 6;

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

/// What of a page goes into one answer, one item at least, and the token for the next page.
pub(crate) fn told<T, M>(found: &Page<T>, place: impl Fn(&T) -> [u8; 16]) -> (Vec<M>, String)
where
    M: Message + for<'a> From<&'a T>,
{
    let (mut told, mut bytes, mut last) = (Vec::new(), 0, None);
    for item in &found.items {
        let message = M::from(item);
        bytes += FRAME + message.encoded_len();
        if bytes > ROOM && last.is_some() {
            return (told, token(last));
        }
        told.push(message);
        last = Some(place(item));
    }
    (told, token(found.next))
}

/// The token for the next page; empty at the end.
pub(crate) fn token(next: Option<[u8; 16]>) -> String {
    next.map(page_token).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use postback_core::Reason;
    use postback_hub::place_of;
    use postback_proto::v1;

    use super::*;

    #[test]
    fn a_page_of_large_items_ends_before_an_ordinary_client_refuses_it() {
        let large = |number: usize| Reason::new(number.to_string(), "x".repeat(10 << 10));
        let page = Page { items: (0..1_000).map(large).collect(), next: Some([9; 16]) };
        let place = |item: &Reason| item.code.parse::<u128>().unwrap().to_be_bytes();
        let (told, token) = told::<_, v1::Reason>(&page, place);
        let bytes: usize = told.iter().map(|message| message.encoded_len() + FRAME).sum();
        assert!((2 << 20..=3 << 20).contains(&bytes), "{bytes}");
        let last = told.last().unwrap().code.parse::<u128>().unwrap();
        assert_eq!(place_of(&token).unwrap(), Some(last.to_be_bytes()));
        let few = Page { items: vec![large(1)], next: Some([9; 16]) };
        assert_eq!(super::told::<_, v1::Reason>(&few, place).1, page_token([9; 16]));
        let huge = Page { items: vec![Reason::new("1", "x".repeat(4 << 20))], next: None };
        let (told, token) = super::told::<_, v1::Reason>(&huge, place);
        assert_eq!((told.len(), token), (1, String::new()));
    }

    #[test]
    fn a_page_has_a_size_within_bounds() {
        assert!(size(-1).is_err());
        assert_eq!((size(0).unwrap(), size(5).unwrap(), size(i32::MAX).unwrap()), (50, 5, 1_000));
    }
}
