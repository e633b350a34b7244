//! Lists that come page by page.

use tonic::Status;

use super::{Desk, failure::Failure};

/// How many items are asked for at once.
const PAGE: usize = 500;

/// Asks for page after page until the end, or until `take` has enough. Returns whether the end was reached.
pub(super) async fn all<T>(
    mut next: impl AsyncFnMut(i32, String) -> Result<(Vec<T>, String), Status>,
    mut take: impl FnMut(T) -> bool,
) -> Result<bool, Failure> {
    let mut token = String::new();
    loop {
        let (items, following) = next(PAGE as i32, token).await?;
        let last = following.is_empty();
        let mut items = items.into_iter();
        while let Some(item) = items.next() {
            if !take(item) {
                return Ok(last && items.len() == 0);
            }
        }
        if last {
            return Ok(true);
        }
        token = following;
    }
}

/// The first `limit` items that are `wanted`; says on standard error where there are more.
pub(super) async fn first<T>(
    desk: &mut Desk<'_>,
    limit: usize,
    mut next: impl AsyncFnMut(&mut Desk<'_>, i32, String) -> Result<(Vec<T>, String), Status>,
    wanted: impl Fn(&T) -> bool,
) -> Result<Vec<T>, Failure> {
    let mut found = Vec::new();
    let mut token = String::new();
    // The first page is enough where all are wanted.
    let mut size = limit.clamp(1, PAGE);
    loop {
        let (items, following) = next(desk, size as i32, token).await?;
        found.extend(items.into_iter().filter(&wanted));
        if following.is_empty() || found.len() >= limit {
            let more = !following.is_empty() || found.len() > limit;
            found.truncate(limit);
            if more && limit > 0 {
                writeln!(desk.err, "the latest {limit} are shown; --limit shows more")?;
            }
            return Ok(found);
        }
        (token, size) = (following, PAGE);
    }
}
