//! Which accounts' breakers are not closed, and since when.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use postback_core::AccountId;
use tokio::time::Instant;

/// The breakers of one dispatcher's deliveries. Clones share everything.
#[derive(Clone, Debug, Default)]
pub struct Breakers(Arc<Mutex<BTreeMap<AccountId, Instant>>>);

impl Breakers {
    /// The accounts whose breaker is not closed, each with when it left that state.
    pub fn open(&self) -> BTreeMap<AccountId, Instant> {
        self.lock().clone()
    }

    pub(crate) fn opened(&self, account: &AccountId) {
        self.lock().entry(account.clone()).or_insert_with(Instant::now);
    }

    pub(crate) fn closed(&self, account: &AccountId) {
        self.lock().remove(account);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<AccountId, Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
