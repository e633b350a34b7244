//! The faults: where each applies, how it is done, and what it must leave untouched.

use std::{fmt, ops::Range, time::Duration};

use clap::ValueEnum;
use serde::Serialize;
use tokio::{task::block_in_place, time::sleep};

use crate::{disk::Disk, house::House};

/// Where the hub under fault keeps things.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Engine {
    Embedded,
    Redis,
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Fault {
    /// The hub is killed with SIGKILL and started again.
    Kill,
    /// The process with the dispatch role alone is killed with SIGKILL and started again.
    KillDispatch,
    /// The hub is asked to end with SIGTERM, and started again once it has.
    Term,
    /// Redis is killed with SIGKILL and started again.
    RedisKill,
    /// Redis is stopped with SIGSTOP for three seconds.
    RedisFreeze,
    /// The power fails: the hub is killed, and what it had not fsynced is gone.
    PowerLoss,
    /// The power fails over a disk that lies about fsync: the negative control, which must lose.
    LyingDisk,
}

/// How long a frozen Redis stays frozen: longer than every timeout of the hub.
const FROZEN: Duration = Duration::from_secs(3);

impl Fault {
    pub(crate) const ALL: [Self; 7] = [
        Self::Kill,
        Self::KillDispatch,
        Self::Term,
        Self::RedisKill,
        Self::RedisFreeze,
        Self::PowerLoss,
        Self::LyingDisk,
    ];

    pub(crate) const fn engines(self) -> &'static [Engine] {
        match self {
            Self::Kill | Self::Term => &[Engine::Embedded, Engine::Redis],
            Self::KillDispatch | Self::RedisKill | Self::RedisFreeze => &[Engine::Redis],
            Self::PowerLoss | Self::LyingDisk => &[Engine::Embedded],
        }
    }

    /// What each process of the hub does.
    pub(crate) const fn roles(self) -> &'static [&'static str] {
        match self {
            Self::KillDispatch => &["edge,api", "dispatch"],
            _ => &["edge,api,dispatch"],
        }
    }

    /// The disk under the embedded store.
    pub(crate) const fn disk(self) -> Disk {
        match self {
            Self::PowerLoss => Disk::LosesUnsynced,
            Self::LyingDisk => Disk::Lies,
            _ => Disk::Machine,
        }
    }

    /// Whether the audit must find losses, or else it finds none where there are some.
    pub(crate) const fn must_lose(self) -> bool {
        matches!(self, Self::LyingDisk)
    }

    /// Whether every visitor who reaches the edge must be sent on.
    pub(crate) const fn spares_redirects(self) -> bool {
        !matches!(self, Self::Kill | Self::PowerLoss | Self::LyingDisk)
    }

    /// Whether no request that reaches the hub may fail.
    pub(crate) const fn spares_requests(self) -> bool {
        matches!(self, Self::Term | Self::KillDispatch)
    }

    /// Whether the hub knows of every call what became of it.
    pub(crate) const fn spares_answers(self) -> bool {
        matches!(self, Self::Term)
    }

    /// How long deliveries may take once the load has ended: a lease and two retries of the schedule. What waits for
    /// a conversion that is lost waits for ever.
    pub(crate) const fn patience(self) -> Duration {
        Duration::from_secs(if self.must_lose() { 5 } else { 60 })
    }

    /// How long to wait between two of these faults, in milliseconds.
    const fn rest_ms(self) -> Range<u64> {
        match self {
            Self::Kill | Self::KillDispatch => 20..800,
            Self::Term | Self::PowerLoss => 20..1_000,
            Self::RedisKill | Self::RedisFreeze => 20..2_000,
            // Long enough for the file's beginning to outlive the lie: the hub rightly refuses a file without one.
            Self::LyingDisk => 500..1_500,
        }
    }

    /// Waits for a random moment.
    pub(crate) async fn wait(self, random: &mut fastrand::Rng) {
        sleep(Duration::from_millis(random.u64(self.rest_ms()))).await;
    }

    /// Does it once, and undoes it; returns how many faults that were.
    pub(crate) async fn strike(self, house: &mut House, random: &mut fastrand::Rng) -> anyhow::Result<u64> {
        match self {
            Self::Kill | Self::KillDispatch | Self::PowerLoss => return kill(house, random).await,
            Self::LyingDisk => {
                house.victim().kill().await?;
                house.victim().start().await?;
            }
            Self::Term => {
                house.victim().terminate().await?;
                house.victim().start().await?;
            }
            Self::RedisKill => {
                block_in_place(|| house.redis().map(|redis| redis.kill()))?;
                sleep(Duration::from_millis(random.u64(..500))).await;
                block_in_place(|| house.redis().map(|redis| redis.restart()))?;
            }
            Self::RedisFreeze => {
                house.redis()?.freeze();
                sleep(FROZEN).await;
                house.redis()?.thaw();
            }
        }
        Ok(1)
    }
}

/// Kills the hub, now and then again while it starts.
async fn kill(house: &mut House, random: &mut fastrand::Rng) -> anyhow::Result<u64> {
    let hub = house.victim();
    hub.kill().await?;
    let mut kills = 1;
    while random.u8(..4) == 0 {
        hub.spawn()?;
        sleep(Duration::from_millis(random.u64(..150))).await;
        hub.kill().await?;
        kills += 1;
    }
    hub.start().await?;
    Ok(kills)
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Kill => "kill",
            Self::KillDispatch => "kill-dispatch",
            Self::Term => "term",
            Self::RedisKill => "redis-kill",
            Self::RedisFreeze => "redis-freeze",
            Self::PowerLoss => "power-loss",
            Self::LyingDisk => "lying-disk",
        })
    }
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Embedded => "embedded",
            Self::Redis => "redis",
        })
    }
}
