//! Reports of conversions that were refused, by reason: of one account, and of none that is known.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use postback_core::{AccountId, Refusal, Result, ports::COUNTS_KEPT};
use postback_hub::Hub;

/// How much time one piece of what is read covers.
const STEP: SignedDuration = SignedDuration::from_hours(2);

/// What was refused.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Refusals {
    /// Of each account.
    pub(crate) accounts: BTreeMap<AccountId, BTreeMap<Refusal, u64>>,
    /// Of no account that is known.
    pub(crate) nobodys: BTreeMap<Refusal, u64>,
}

/// Reports refused for one reason.
pub(crate) struct Row {
    /// Whether their account is known.
    pub(crate) known: bool,
    pub(crate) reason: Refusal,
    pub(crate) count: u64,
}

impl Refusals {
    /// Reads what was refused in a time, as far back as counts are kept.
    ///
    /// # Errors
    /// The logbook's own.
    pub(crate) async fn read(hub: &Hub, since: Option<Timestamp>, until: Timestamp) -> Result<Self> {
        let kept = until.saturating_sub(COUNTS_KEPT).unwrap_or(Timestamp::MIN);
        let since = since.map_or(kept, |since| since.max(kept));
        let mut refusals = Self::default();
        for period in hub.history(None, since, until, STEP).await? {
            add(&mut refusals.nobodys, period.refused);
            for (account, counts) in period.accounts {
                add(refusals.accounts.entry(account).or_default(), counts.refused);
            }
        }
        Ok(refusals)
    }

    /// How many were refused of an account.
    pub(crate) fn of(&self, account: &AccountId) -> u64 {
        self.accounts.get(account).map_or(0, |refused| refused.values().sum())
    }

    /// How many were refused of no account that is known.
    pub(crate) fn of_nobody(&self) -> u64 {
        self.nobodys.values().sum()
    }

    /// What was refused of an account, where one is named, and of none that is known.
    pub(crate) fn rows(&self, account: Option<&AccountId>) -> Vec<Row> {
        let own = account.and_then(|account| self.accounts.get(account)).into_iter().flatten();
        let own = own.map(|(&reason, &count)| Row { known: true, reason, count });
        let nobodys = self.nobodys.iter().map(|(&reason, &count)| Row { known: false, reason, count });
        own.chain(nobodys).collect()
    }
}

fn add(sum: &mut BTreeMap<Refusal, u64>, more: BTreeMap<Refusal, u64>) {
    for (reason, count) in more {
        *sum.entry(reason).or_default() += count;
    }
}
