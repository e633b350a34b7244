//! What an acknowledgement promises under a Redis server's own settings.

use std::collections::HashMap;

use postback_core::{Error, Result, ports::Promise};
use postback_redis_link::Link;
use redis::cmd;

/// What one server says of itself; `None` where it does not tell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Facts {
    eviction: Option<String>,
    append: Option<String>,
    sync: Option<String>,
    /// Whether it does not sync while it rewrites its log.
    rests: Option<String>,
    /// Whether it loads a log that was cut short without a word.
    shortens: Option<String>,
}

/// Asks all servers, and says what holds on each of them.
pub(super) async fn promise(link: &Link, replicas: usize) -> Result<Promise> {
    if !link.is_cluster() && is_node(link).await {
        let message =
            "redis is a node of a Cluster, and conversions would lie on other nodes; set cluster to true";
        return Err(Error::precondition("CLUSTER_NODE", message));
    }
    let all = facts(link).await?;
    let connected = if replicas > 0 { connected(link).await } else { None };
    judge(&all, replicas, connected)
}

/// Whether the one server is a node of a Cluster; not where it does not tell.
async fn is_node(link: &Link) -> bool {
    let info: Result<String> = link.ask(cmd("INFO").arg("cluster")).await;
    info.is_ok_and(|info| stated(&info, "cluster_enabled").as_deref() == Some("1"))
}

async fn facts(link: &Link) -> Result<Vec<Facts>> {
    let names =
        ["maxmemory-policy", "appendonly", "appendfsync", "no-appendfsync-on-rewrite", "aof-load-truncated"];
    let settings = cmd("CONFIG").arg("GET").arg(&names).take();
    // A replica of a Cluster is a master tomorrow; one that is away keeps the others from nothing.
    if let Ok(all) = link.ask_all(&settings).await {
        return Ok(all.iter().map(from_settings).collect());
    }
    if let Ok(masters) = link.ask_masters(&settings).await {
        return Ok(masters.iter().map(from_settings).collect());
    }
    // A server that hides its settings may still tell how it is doing.
    if let Ok(masters) = link.ask_masters::<String>(&cmd("INFO")).await {
        return Ok(masters.iter().map(|info| from_info(info)).collect());
    }
    link.ask::<String>(&cmd("PING")).await?;
    Ok(vec![Facts::default()])
}

/// How many replicas follow the master that has the fewest.
async fn connected(link: &Link) -> Option<usize> {
    let masters = link.ask_masters::<String>(cmd("INFO").arg("replication")).await.ok()?;
    masters.iter().map(|info| stated(info, "connected_slaves")?.parse().ok()).min()?
}

fn from_settings(settings: &HashMap<String, String>) -> Facts {
    let of = |name: &str| settings.get(name).cloned();
    Facts {
        eviction: of("maxmemory-policy"),
        append: of("appendonly"),
        sync: of("appendfsync"),
        rests: of("no-appendfsync-on-rewrite"),
        shortens: of("aof-load-truncated"),
    }
}

fn from_info(info: &str) -> Facts {
    let append = stated(info, "aof_enabled").map(|on| if on == "1" { "yes" } else { "no" }.to_owned());
    Facts { eviction: stated(info, "maxmemory_policy"), append, ..Facts::default() }
}

/// What a line of INFO says.
fn stated(info: &str, name: &str) -> Option<String> {
    info.lines().find_map(|line| line.trim().strip_prefix(name)?.strip_prefix(':')).map(str::to_owned)
}

/// The weakest promise of all servers.
fn judge(all: &[Facts], replicas: usize, connected: Option<usize>) -> Result<Promise> {
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
    let mut weak = matches!(disk, Disk::Whenever | Disk::Snapshots);
    if replicas > 0 {
        promise += &format!(", and has reached {replicas} more of its replicas (wait_replicas)");
    }
    let synced = |facts: &&Facts| matches!(on_disk(facts), Disk::Always | Disk::EverySecond);
    if all.iter().filter(synced).any(|facts| facts.rests.as_deref() == Some("yes")) {
        weak = true;
        promise += "; but not while redis rewrites its log: then a power cut may cost half a minute \
                    (no-appendfsync-on-rewrite yes)";
    }
    if let Some(connected) = connected.filter(|connected| *connected < replicas) {
        weak = true;
        promise += &format!(
            "; now {connected} of {replicas} replicas are connected, and until the rest are, nothing is \
             acknowledged"
        );
    }
    if all.iter().any(|facts| facts.eviction.is_none()) {
        promise += "; it does not tell its maxmemory-policy, which must be noeviction";
    }
    let logs = |facts: &&Facts| facts.append.as_deref() == Some("yes");
    if all.iter().filter(logs).any(|facts| facts.shortens.as_deref() == Some("yes")) {
        promise += "; advice: a log that was cut short is loaded as far as it goes, without a word; set \
                    aof-load-truncated to no";
    }
    Ok(Promise { words: promise, weak })
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
        Facts { eviction: some(eviction), append: some(append), sync: some(sync), ..Facts::default() }
    }

    fn says(all: &[&Facts]) -> String {
        judge(&all.iter().copied().cloned().collect::<Vec<_>>(), 0, None).unwrap().words
    }

    #[test]
    fn the_weakest_server_says_what_holds() {
        let always = facts("noeviction", "yes", "always");
        let second = facts("noeviction", "yes", "everysec");
        let memory = facts("noeviction", "no", "everysec");
        assert!(says(&[&always]).ends_with("(appendfsync always)"));
        assert!(says(&[&always, &second]).contains("within a second"));
        assert!(says(&[&always, &memory, &second]).contains("memory alone"));
        assert!(says(&[&facts("noeviction", "yes", "no")]).contains("half a minute"));
        assert!(says(&[&facts("", "yes", "")]).ends_with("must be noeviction"));
        assert!(says(&[&Facts::default()]).contains("does not tell when it is on its disk"));
    }

    #[test]
    fn what_costs_more_than_a_second_is_weak() {
        let weak = |facts: Facts, connected| judge(&[facts], 1, connected).unwrap().weak;
        for (sync, want) in [("always", false), ("everysec", false), ("no", true)] {
            assert_eq!(weak(facts("noeviction", "yes", sync), Some(1)), want, "{sync}");
        }
        let rests = Facts { rests: Some("yes".into()), ..facts("noeviction", "yes", "always") };
        assert!(weak(rests, None) && weak(facts("noeviction", "no", ""), None));
        assert!(weak(facts("noeviction", "yes", "always"), Some(0)), "nothing is acknowledged");
        assert!(!weak(Facts::default(), None), "it does not tell");
    }

    #[test]
    fn replicas_that_are_asked_for_and_not_connected_are_named() {
        let says = |connected| judge(&[facts("noeviction", "yes", "always")], 2, connected).unwrap().words;
        assert!(says(Some(2)).ends_with("2 more of its replicas (wait_replicas)"));
        assert!(says(None).ends_with("2 more of its replicas (wait_replicas)"));
        assert!(says(Some(1)).ends_with(
            "; now 1 of 2 replicas are connected, and until the rest are, nothing is acknowledged"
        ));
    }

    #[test]
    fn a_rewrite_that_stops_the_syncing_weakens_the_promise_where_there_is_one() {
        let with = |sync: &str| Facts { rests: Some("yes".into()), ..facts("noeviction", "yes", sync) };
        let whole = facts("noeviction", "yes", "always");
        for sync in ["always", "everysec"] {
            let says = says(&[&whole, &with(sync)]);
            assert!(says.ends_with("cost half a minute (no-appendfsync-on-rewrite yes)"), "{says}");
        }
        assert!(!says(&[&with("no")]).contains("rewrite"));
        let memory = Facts { append: Some("no".into()), ..with("always") };
        assert!(!says(&[&memory]).contains("rewrite"));
    }

    #[test]
    fn a_log_that_is_loaded_though_it_was_cut_short_is_worth_an_advice() {
        let with =
            |append: &str| Facts { shortens: Some("yes".into()), ..facts("noeviction", append, "always") };
        assert!(says(&[&with("yes")]).ends_with("set aof-load-truncated to no"));
        assert!(!says(&[&with("no")]).contains("aof-load-truncated"));
        let no = Facts { shortens: Some("no".into()), ..with("yes") };
        assert!(!says(&[&no]).contains("aof-load-truncated"));
    }

    #[test]
    fn a_server_that_drops_conversions_is_refused() {
        let all = [facts("noeviction", "yes", "always"), facts("allkeys-lru", "yes", "always")];
        let refused = judge(&all, 0, None).unwrap_err();
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
        assert_eq!(stated("role:master\r\nconnected_slaves:2\r\n", "connected_slaves").unwrap(), "2");
    }
}
