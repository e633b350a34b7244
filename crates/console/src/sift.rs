//! A page of those items of a list that fit a filter which its store does not know.

use postback_core::{Result, ports::Page};

/// How many stand on a page.
pub(crate) const PAGE: usize = 50;

/// After which item one begins to read.
pub(crate) type After = Option<[u8; 16]>;

/// A page of what fits, and after which item the next one begins. Of a list where little fits, at most `looked` items
/// are looked at, `piece` at a time; the next page goes on there.
pub(crate) async fn sift<T, R: Future<Output = Result<Page<T>>>>(
    (piece, looked): (usize, usize),
    mut after: After,
    read: impl Fn(usize, After) -> Result<R>,
    fits: impl Fn(&T) -> bool,
    id: impl Fn(&T) -> [u8; 16],
) -> Result<(Vec<T>, After)> {
    let mut found = Vec::new();
    for _ in 0..looked.div_ceil(piece) {
        let page = read(piece, after)?.await?;
        for item in page.items.into_iter().filter(&fits) {
            if found.len() == PAGE {
                let last = found.last().map(&id);
                return Ok((found, last));
            }
            found.push(item);
        }
        after = page.next;
        if after.is_none() || found.len() == PAGE {
            break;
        }
    }
    Ok((found, after))
}
