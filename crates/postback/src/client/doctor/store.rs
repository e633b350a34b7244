//! The store: what an acknowledgement promises, and how much room is left.

use std::{path::Path, sync::Arc, time::Duration};

use postback_clickstore::Embedded as Clicks;
use postback_core::{ErrorKind, ports::Outbox as _};
use postback_hub::SystemClock;
use postback_logbook::Embedded as Logbook;
use postback_outbox::Embedded as Outbox;
use tokio::time::timeout;

use super::{super::failure::chain, Check};
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
        Engine::Embedded => vec![embedded(store).await, room(&store.path)],
    }
}

/// Opens the files that are there, and makes none.
async fn embedded(store: &Store) -> Check {
    let clock = || Arc::new(SystemClock);
    let there = |name: &str| store.path.join(name).with_extension("redb").exists();
    let open = async {
        if there("clicks") {
            Clicks::open(&store.path, clock())?;
        }
        if there("logbook") {
            Logbook::open(&store.path, clock())?;
        }
        match there("outbox") {
            true => {
                Some(Outbox::open(&store.path, clock(), store.retention()).await?.promise().await).transpose()
            }
            false => Ok(None),
        }
    };
    match open.await {
        Ok(Some(promise)) => Check::ok("store", promise.words),
        Ok(None) => {
            let folder = store.path.display();
            Check::ok("store", format!("`{folder}` holds no conversions yet; it is made when a hub starts"))
        }
        Err(error) if error.to_string().contains("held by another process") => {
            Check::ok("store", "held by a hub at work")
        }
        Err(error) => Check::wrong("store", chain(&error), "the hub does not start with it"),
    }
}

async fn promise(store: &Store) -> Check {
    let look = async {
        let stores = Stores::open(store, Arc::new(SystemClock)).await?;
        anyhow::Ok(stores.outbox.promise().await)
    };
    match timeout(PATIENCE, look).await {
        Err(_) => Check::wrong("store", "no answer in 10 s", "is it started, and is its address right?"),
        Ok(Ok(Ok(promise))) if promise.weak => {
            Check::warning("store", promise.words, "set Redis as \"Redis' settings\" of docs/operate.md says")
        }
        Ok(Ok(Ok(promise))) => Check::ok("store", promise.words),
        Ok(Ok(Err(error))) if error.kind() == ErrorKind::FailedPrecondition => Check::wrong(
            "store",
            error.to_string(),
            "change the server's setting; the hub does not start with it",
        ),
        Ok(Ok(Err(error))) => {
            let let_in = !error.message().contains("user or password");
            let to_do = if let_in {
                "is it started, and is its address right?"
            } else {
                "are user and password right?"
            };
            Check::wrong("store", error.to_string(), to_do)
        }
        Ok(Err(error)) => Check::wrong("store", format!("{error:#}"), "the hub does not start with it"),
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
