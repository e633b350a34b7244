//! The faults: on which stores each applies, how its trial goes, and how it strikes.

use std::fmt;

use clap::ValueEnum;
use postback_tests::POINTS;
use serde::Serialize;

use crate::{
    house::House,
    plan::{Plan, WHOLE},
    shim::Disk,
    store::Store,
    strike::{clock, disk, failpoint, network, process, redis},
};

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Fault {
    /// The hub is killed with SIGKILL and started again.
    Kill,
    /// The process with the dispatch role alone is killed with SIGKILL and started again.
    KillDispatch,
    /// The hub ends itself with SIGKILL at a named point of a conversion's path, and is started again.
    KillAt,
    /// The hub is asked to end with SIGTERM, and started again once it has; over Redis another one serves meanwhile.
    Term,
    /// A process that delivers is stopped with SIGSTOP for two leases, and goes on where it stood.
    Freeze,
    /// The power fails: the hub, or Redis, is killed, and what it had not fsynced is gone.
    PowerLoss,
    /// The power fails over a disk that lies about fsync: the negative control, which must lose.
    LyingDisk,
    /// The disk under the embedded store is full for one to two seconds.
    DiskFull,
    /// Redis is killed with SIGKILL and started again, now and then with a hub that starts in between.
    RedisKill,
    /// Redis is stopped with SIGSTOP for three seconds.
    RedisFreeze,
    /// Redis holds back all commands, or all writes, for up to two seconds (CLIENT PAUSE).
    RedisPause,
    /// Redis has no memory left for up to two seconds (maxmemory with noeviction).
    RedisFull,
    /// The master is killed, the sentinel promotes the replica, and the old master follows it.
    Failover,
    /// A slot moves from one node of the Cluster to another, key by key.
    SlotMove,
    /// A node of the Cluster is killed with SIGKILL and started again.
    NodeKill,
    /// The wall clock, under the hub and under Redis, leaps 31 days ahead for a second or two, and back.
    Clock,
    /// Nobody listens where a network was, for up to two seconds, as in all that follow.
    Refuse,
    /// A network takes calls, counts them and never answers.
    BlackHole,
    /// A network resets the connection, and counts nothing.
    ResetBefore,
    /// A network counts the call and resets the connection.
    ResetAfter,
    /// A network answers 500, 502, 503 or 504.
    ServerError,
    /// A network answers 429 with a Retry-After.
    TooMany,
    /// A network answers 200 with an error of its own that passes, or that breaks off.
    ErrorInside,
    /// A network counts the call and answers 200 with garbage.
    Garbage,
    /// A network counts the call and answers with a body that never ends.
    EndlessBody,
    /// A network counts the call and answers a byte a second.
    SlowBody,
    /// A network redirects each call to itself.
    RedirectLoop,
    /// A network is away for hours, by the clock under the hub and under Redis, while thousands of deliveries wait.
    Outage,
}

impl Fault {
    /// The stores on which it is tried.
    pub(crate) const fn stores(self) -> &'static [Store] {
        match self {
            Self::DiskFull => &[Store::Embedded],
            Self::KillDispatch | Self::RedisKill | Self::RedisFreeze | Self::RedisPause | Self::RedisFull => {
                &[Store::Redis]
            }
            Self::Failover => &[Store::Sentinel],
            Self::SlotMove | Self::NodeKill => &[Store::Cluster],
            _ => &[Store::Embedded, Store::Redis],
        }
    }

    /// Whether it can be tried here.
    pub(crate) fn is_possible(self) -> anyhow::Result<()> {
        match self {
            Self::DiskFull => disk::may_mount(),
            _ => Ok(()),
        }
    }

    /// How its trial goes.
    pub(crate) fn plan(self, store: Store) -> Plan {
        let shared = store != Store::Embedded;
        match self {
            Self::Kill => Plan::of_death(),
            Self::KillAt => Plan { points: POINTS.to_vec(), ..Plan::of_death() },
            Self::KillDispatch => {
                Plan { roles: &["edge,api", "dispatch"], spares_requests: true, ..Plan::default() }
            }
            Self::Term => Plan {
                roles: if shared { &[WHOLE, WHOLE] } else { &[WHOLE] },
                spares_requests: true,
                spares_answers: true,
                ..Plan::default()
            },
            Self::Freeze if shared => {
                Plan { roles: &["edge,api", "dispatch", "dispatch"], ..Plan::default() }
            }
            Self::PowerLoss => {
                Plan { disk: Disk::LosesUnsynced, spares_redirects: shared, ..Plan::of_death() }
            }
            Self::LyingDisk => Plan::of_lies(),
            Self::DiskFull => Plan { disk: Disk::Small, ..Plan::default() },
            Self::RedisKill
            | Self::RedisFreeze
            | Self::RedisPause
            | Self::RedisFull
            | Self::Failover
            | Self::NodeKill => Plan { rest_ms: 20..2_000, ..Plan::default() },
            // By a clock that leapt past a click's life its deliveries are too late, one whose call is under way too.
            Self::Clock => {
                Plan { shifts_clock: true, spares_deliveries: false, rest_ms: 200..2_000, ..Plan::default() }
            }
            Self::Freeze | Self::SlotMove => Plan::default(),
            Self::Outage => {
                Plan { shifts_clock: true, waiting: Some(0), spares_requests: true, ..Plan::default() }
            }
            // An answer that says that nothing was counted leaves no doubt.
            Self::ServerError | Self::TooMany | Self::ErrorInside | Self::RedirectLoop => {
                Plan { spares_requests: true, spares_answers: true, ..Plan::default() }
            }
            // The networks' own.
            _ => Plan { spares_requests: true, ..Plan::default() },
        }
    }

    /// Does it once, and undoes it; returns how many faults that were.
    pub(crate) async fn strike(self, house: &mut House, random: &mut fastrand::Rng) -> anyhow::Result<u64> {
        match self {
            Self::Kill | Self::KillDispatch => process::kill(house, random).await,
            Self::KillAt => failpoint::die(house, random).await,
            Self::Term => process::terminate(house).await,
            Self::Freeze => process::freeze(house).await,
            Self::PowerLoss if house.store == Store::Embedded => process::kill(house, random).await,
            Self::LyingDisk if house.store == Store::Embedded => process::cut(house).await,
            Self::PowerLoss | Self::LyingDisk => redis::cut(house),
            Self::DiskFull => disk::fill(house, random).await,
            Self::RedisKill => redis::kill(house, random).await,
            Self::RedisFreeze => redis::freeze(house).await,
            Self::RedisPause => redis::pause(house, random).await,
            Self::RedisFull => redis::fill(house, random).await,
            Self::Failover => redis::fail_over(house),
            Self::SlotMove => redis::move_slot(house, random).await,
            Self::NodeKill => redis::kill_node(house, random).await,
            Self::Clock => clock::leap(house, random).await,
            Self::Refuse => network::refuse(house, random).await,
            Self::BlackHole
            | Self::ResetBefore
            | Self::ResetAfter
            | Self::ServerError
            | Self::TooMany
            | Self::ErrorInside
            | Self::Garbage
            | Self::EndlessBody
            | Self::SlowBody
            | Self::RedirectLoop => network::misbehave(self, house, random).await,
            // Its trial is one of its own.
            Self::Outage => Ok(0),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.to_possible_value().ok_or(fmt::Error)?.get_name())
    }
}
