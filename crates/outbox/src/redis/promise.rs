//! What an acknowledgement promises under a Redis server's own settings.

use std::collections::HashMap;

use postback_core::{Error, Result};
use postback_redis_link::Link;
use redis::cmd;

/// What one server says of itself; `None` where it does not tell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Facts {
    eviction: Option<String>,
    append: Option<String>,
    sync: Option<String>,
}

/// Asks all masters, and says what holds on each of them.
pub(super) async fn promise(link: &Link, replicas: usize) -> Result<String> {
    let mut all = Vec::new();
    match settings(link).await {
        Ok(settings) => all.extend(settings.iter().map(from_settings)),
        // A server that hides its settings may still tell how it is doing.
        Err(_) => {
            for info in link.ask_masters::<String>(&cmd("INFO")).await? {
                all.push(from_info(&info));
            }
        }
    }
    judge(&all, replicas)
}

async fn settings(link: &Link) -> Result<Vec<HashMap<String, String>>> {
    let names = ["maxmemory-policy", "appendonly", "appendfsync"];
    link.ask_masters(cmd("CONFIG").arg("GET").arg(&names)).await
}

fn from_settings(settings: &HashMap<String, String>) -> Facts {
    let of = |name: &str| settings.get(name).cloned();
    Facts { eviction: of("maxmemory-policy"), append: of("appendonly"), sync: of("appendfsync") }
}

fn from_info(info: &str) -> Facts {
    let of = |name: &str| {
        info.lines().find_map(|line| line.trim().strip_prefix(name)?.strip_prefix(':')).map(str::to_owned)
    };
    let append = of("aof_enabled").map(|on| if on == "1" { "yes" } else { "no" }.to_owned());
    Facts { eviction: of("maxmemory_policy"), append, sync: None }
}

/// The weakest promise of all servers.
fn judge(all: &[Facts], replicas: usize) -> Result<String> {
    for facts in all {
        match facts.eviction.as_deref() {
            None | Some("noeviction") => {}
            Some(policy) => {
                let message = format!(
                    "redis drops conversions when its memory is full (maxmemory-policy is {policy}); set \
                     maxmemory-policy to noeviction"
                );
                return Err(Error::precondition("EVICTION_POLICY", message));
            }
        }
    }
    let disk = all.iter().map(on_disk).max().unwrap_or(Disk::Unknown);
    let mut promise = disk.words().to_owned();
    if replicas > 0 {
        promise += &format!(", and has reached {replicas} more of its replicas (wait_replicas)");
    }
    if all.iter().any(|facts| facts.eviction.is_none()) {
        promise += "; it does not tell its maxmemory-policy, which must be noeviction";
    }
    Ok(promise)
}

/// What a crash costs, from the best to the worst.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Disk {
    Always,
    EverySecond,
    Unknown,
    Whenever,
    Snapshots,
}

fn on_disk(facts: &Facts) -> Disk {
    match (facts.append.as_deref(), facts.sync.as_deref()) {
        (Some("yes"), Some("always")) => Disk::Always,
        (Some("yes"), Some("everysec")) => Disk::EverySecond,
        (Some("yes"), Some(_)) => Disk::Whenever,
        (Some("yes"), None) | (None, _) => Disk::Unknown,
        (Some(_), _) => Disk::Snapshots,
    }
}

impl Disk {
    const fn words(self) -> &'static str {
        match self {
            Self::Always => "what is acknowledged is on redis's disk (appendfsync always)",
            Self::EverySecond => {
                "what is acknowledged is on redis's disk within a second, which a power cut may cost \
                 (appendfsync everysec)"
            }
            Self::Unknown => {
                "what is acknowledged is in redis's memory; it does not tell when it is on its disk"
            }
            Self::Whenever => {
                "what is acknowledged is on redis's disk when its system sees fit, and a power cut may cost \
                 half a minute (appendfsync no)"
            }
            Self::Snapshots => {
                "what is acknowledged is in redis's memory alone, and a restart costs all since its last \
                 snapshot (appendonly no)"
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(eviction: &str, append: &str, sync: &str) -> Facts {
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Facts { eviction: some(eviction), append: some(append), sync: some(sync) }
    }

    #[test]
    fn the_weakest_server_says_what_holds() {
        let always = facts("noeviction", "yes", "always");
        let second = facts("noeviction", "yes", "everysec");
        let memory = facts("noeviction", "no", "everysec");
        let says = |all: &[&Facts]| judge(&all.iter().copied().cloned().collect::<Vec<_>>(), 0).unwrap();
        assert!(says(&[&always]).contains("appendfsync always"));
        assert!(says(&[&always, &second]).contains("within a second"));
        assert!(says(&[&always, &memory, &second]).contains("memory alone"));
        assert!(says(&[&facts("noeviction", "yes", "no")]).contains("half a minute"));
        assert!(says(&[&facts("", "yes", "")]).ends_with("must be noeviction"));
        assert!(judge(&[always], 2).unwrap().ends_with("2 more of its replicas (wait_replicas)"));
    }

    #[test]
    fn a_server_that_drops_conversions_is_refused() {
        let refused =
            judge(&[facts("noeviction", "yes", "always"), facts("allkeys-lru", "yes", "always")], 0);
        let refused = refused.unwrap_err();
        assert_eq!(refused.reason(), "EVICTION_POLICY");
        assert_eq!(
            refused.to_string(),
            "redis drops conversions when its memory is full (maxmemory-policy is allkeys-lru); set \
             maxmemory-policy to noeviction"
        );
    }

    #[test]
    fn a_server_that_hides_its_settings_is_read_by_its_state() {
        let info = "# Memory\r\nmaxmemory_policy:noeviction\r\n# Persistence\r\naof_enabled:1\r\n";
        assert_eq!(from_info(info), facts("noeviction", "yes", ""));
        assert_eq!(from_info("aof_enabled:0\r\n"), facts("", "no", ""));
    }
}
