//! The store: what an acknowledgement promises, and how much room is left.

use std::{path::Path, sync::Arc, time::Duration};

use postback_core::ErrorKind;
use postback_hub::SystemClock;
use tokio::time::timeout;

use super::Check;
use crate::{
    config::{Engine, Store},
    stores::Stores,
};

/// How long a Redis may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// Below these an embedded store's disk is small, and too small: 2 GiB and 256 MiB.
const SMALL: u64 = 2 << 30;
const TOO_SMALL: u64 = 256 << 20;

/// Looks at the store of a config.
pub(super) async fn checks(store: &Store) -> Vec<Check> {
    match store.engine {
        Engine::Redis => vec![promise(store).await],
        Engine::Embedded if store.path.join("outbox.redb").exists() => {
            vec![promise(store).await, room(&store.path)]
        }
        Engine::Embedded => {
            let found = format!("`{}` holds none yet; it is made when a hub starts", store.path.display());
            vec![Check::ok("store", found), room(&store.path)]
        }
    }
}

async fn promise(store: &Store) -> Check {
    let look = async {
        let stores = Stores::open(store, Arc::new(SystemClock)).await?;
        anyhow::Ok(stores.outbox.promise().await)
    };
    match timeout(PATIENCE, look).await {
        Err(_) => Check::wrong("store", "no answer in 10 s", "is it started, and is its address right?"),
        Ok(Ok(Ok(promise))) => Check::ok("store", promise),
        Ok(Ok(Err(error))) if error.kind() == ErrorKind::FailedPrecondition => Check::wrong(
            "store",
            error.to_string(),
            "change the server's setting; the hub does not start with it",
        ),
        Ok(Ok(Err(error))) => {
            Check::wrong("store", error.to_string(), "is it started, and is its address right?")
        }
        Ok(Err(error)) => match format!("{error:#}") {
            held if held.contains("held by another process") => Check::ok("store", "held by a hub at work"),
            damaged => Check::wrong("store", damaged, "the hub does not start with it"),
        },
    }
}

/// The room on the disk of a folder, or of the first above it that is there.
fn room(folder: &Path) -> Check {
    let there = folder.ancestors().find(|folder| folder.exists()).unwrap_or(Path::new("."));
    match rustix::fs::statvfs(there) {
        Err(error) => Check::warning("disk", format!("{}: {error}", there.display()), "look at it by hand"),
        Ok(disk) => free(disk.f_bavail.saturating_mul(disk.f_frsize)),
    }
}

fn free(bytes: u64) -> Check {
    let found = format!("{} MiB free", bytes >> 20);
    let to_do = "make room: a full disk refuses conversions";
    match bytes {
        ..TOO_SMALL => Check::wrong("disk", found, to_do),
        TOO_SMALL..SMALL => Check::warning("disk", found, to_do),
        SMALL.. => Check::ok("disk", found),
    }
}

#[cfg(test)]
mod tests {
    use super::{super::Verdict, *};

    #[test]
    fn a_disk_is_small_before_it_is_too_small() {
        let verdicts = [SMALL, SMALL - 1, TOO_SMALL - 1].map(|bytes| free(bytes).verdict);
        assert_eq!(verdicts, [Verdict::Ok, Verdict::Warning, Verdict::Wrong]);
        assert_eq!(room(Path::new("/nowhere/at/all")).what, "disk");
    }
}
