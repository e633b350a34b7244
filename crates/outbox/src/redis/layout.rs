//! How the records lie, so that no version touches those that lie otherwise.

use postback_core::{Error, Result};
use postback_redis_link::Link;
use redis::cmd;

use super::{PARTITIONS, runner::base};

/// The layout that this version reads and writes.
const LAYOUT: &str = "1";

/// Refuses records of another layout. An outbox without records is named by the first who looks.
///
/// # Errors
/// `FailedPrecondition` with reason `STORE_FORMAT`; the link's own.
pub(super) async fn check(link: &Link, prefix: &str) -> Result<()> {
    let key = base(prefix, PARTITIONS.start) + ":layout";
    let mut get = cmd("GET");
    get.arg(&key);
    let mut found: Option<String> = link.ask(&get).await?;
    if found.is_none() && is_empty(link, prefix).await? {
        found = link.ask(cmd("SET").arg(&key).arg(LAYOUT).arg("NX").arg("GET")).await?;
        found.get_or_insert_with(|| LAYOUT.to_owned());
    } else if found.is_none() {
        // Who recorded something meanwhile has named it before.
        found = link.ask(&get).await?;
    }
    let found = found.unwrap_or_else(|| "none".to_owned());
    if found == LAYOUT {
        return Ok(());
    }
    let message = format!(
        "the records under `{key}` are of layout `{found}`, and this version reads `{LAYOUT}`; want the version that \
         wrote them, or another prefix"
    );
    Err(Error::precondition("STORE_FORMAT", message))
}

async fn is_empty(link: &Link, prefix: &str) -> Result<bool> {
    for partition in PARTITIONS {
        let accounts = base(prefix, partition) + ":accounts";
        if link.ask::<bool>(cmd("EXISTS").arg(accounts)).await? {
            return Ok(false);
        }
    }
    Ok(true)
}
