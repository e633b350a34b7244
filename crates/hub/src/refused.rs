//! Reports of conversions that are refused, counted by account and reason.

use postback_core::{AccountId, Error, Refusal, Series};

use crate::{Hub, SourceBy, meters};

impl Hub {
    /// Counts a report of a conversion that was refused, of the account that its source names. One that may be taken
    /// the next time is no refusal.
    pub fn refused(&self, source: Option<&SourceBy>, error: &Error) {
        meters::refused(error.reason());
        if let Some(refusal) = Refusal::of(error) {
            let account = source.and_then(|source| self.account_named(source));
            self.inner.tally.count(self.inner.clock.now(), Series::Refused(account, refusal), 1);
        }
    }

    /// Counts a change that was refused.
    pub fn refused_change(&self, error: &Error) {
        meters::refused(error.reason());
    }

    /// The account that a source names, where the hub has it.
    fn account_named(&self, source: &SourceBy) -> Option<AccountId> {
        let account = match source {
            SourceBy::Token(token) => self.open(token).ok()?.account,
            SourceBy::Network { account, .. } => account.parse().ok()?,
            SourceBy::User { account, .. } => account.clone()?,
            SourceBy::Flow { account, .. } | SourceBy::FlowCode { account, .. } => account.clone(),
        };
        self.registry().account(&account).is_ok().then_some(account)
    }
}
