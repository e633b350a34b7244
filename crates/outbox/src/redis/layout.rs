//! The layout of the records: where they lie, and its number, by which a hub refuses records of another layout.

use postback_core::{Error, Result};
use postback_redis_link::Link;
use redis::cmd;

use super::PARTITIONS;

/// The layout that this version reads and writes.
const LAYOUT: &str = "1";

/// Refuses records of another layout. Where none is named, by the first who looks or since Redis lost its data, it is
/// this one.
///
/// # Errors
/// `FailedPrecondition` with reason `STORE_FORMAT`; the link's own.
pub(super) async fn check(link: &Link, prefix: &str) -> Result<()> {
    let key = base(prefix, PARTITIONS.start) + ":layout";
    let mut found: Option<String> = link.ask(cmd("GET").arg(&key)).await?;
    if found.is_none() {
        found = link.ask(cmd("SET").arg(&key).arg(LAYOUT).arg("NX").arg("GET")).await?;
    }
    match found.as_deref() {
        None | Some(LAYOUT) => Ok(()),
        Some(other) => {
            let message = format!(
                "the records under `{key}` are of layout `{other}`, and this version reads `{LAYOUT}`; want the version \
                 that wrote them, or another prefix"
            );
            Err(Error::precondition("STORE_FORMAT", message))
        }
    }
}

/// What every key of a partition begins with.
pub(super) fn base(prefix: &str, partition: u8) -> String {
    format!("{prefix}{{o:{partition:02}}}")
}
