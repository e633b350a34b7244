//! Two filled Redis servers, which more than one group measures.

use std::{cell::OnceCell, time::Duration};

use crate::{
    bench::Bench,
    redis::Redis,
    seed::{Most, Stores},
};

/// One with clicks, one with conversions that nobody delivers.
pub(crate) struct Stock {
    pub(super) clicks: Filled,
    pub(super) pending: Filled,
}

/// A Redis that holds so many records of one kind.
pub(super) struct Filled {
    pub(super) redis: Redis,
    pub(super) count: u64,
    /// The memory that it took when it was empty.
    empty: u64,
    /// The memory that each record takes, in bytes.
    pub(super) each: f64,
}

/// How long conversions are recorded at most: the rest of the rows wants its time as well.
const FILLING: Duration = Duration::from_secs(40);

impl Stock {
    /// The run's stock, which is filled when it is first asked for.
    pub(super) fn of<'a>(bench: &Bench, stock: &'a OnceCell<Self>) -> anyhow::Result<&'a Self> {
        if stock.get().is_none() {
            let most = |full| Most { count: if bench.quick { full / 50 } else { full }, time: FILLING };
            let clicks = Filled::with(bench, |stores| stores.clicks(fastrand::u64(..), most(1_000_000)))?;
            let pending = Filled::with(bench, |stores| stores.orders(fastrand::u64(..), most(1_000_000)))?;
            return Ok(stock.get_or_init(|| Self { clicks, pending }));
        }
        stock.get().ok_or_else(|| anyhow::anyhow!("a stock that was there is gone"))
    }
}

impl Filled {
    /// A new Redis with what `fill` brings into it.
    pub(super) fn with(
        bench: &Bench,
        fill: impl FnOnce(&Stores) -> anyhow::Result<u64>,
    ) -> anyhow::Result<Self> {
        let redis = Redis::start(bench, &[])?;
        let empty = redis.info("memory", "used_memory")?;
        let count = fill(&Stores::redis(bench, &redis)?)?;
        let mut filled = Self { redis, count, empty, each: f64::NAN };
        filled.each = filled.each_now()?;
        Ok(filled)
    }

    /// The memory that each takes now, whatever became of it.
    pub(super) fn each_now(&self) -> anyhow::Result<f64> {
        let held = self.redis.info("memory", "used_memory")?.saturating_sub(self.empty);
        Ok(held as f64 / self.count as f64)
    }
}
