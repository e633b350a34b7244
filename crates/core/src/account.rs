//! An account: one set of credentials at one network, with the limits under which it is worked.

use std::{
    collections::BTreeMap,
    num::{NonZeroU32, NonZeroUsize},
    sync::Arc,
};

use crate::{AccountId, Adapter};

/// One account at one network.
#[derive(Clone, Debug)]
pub struct Account {
    /// Its name in the config.
    pub id: AccountId,
    /// Its settings in its network's dialect.
    pub adapter: Arc<dyn Adapter>,
    /// How many calls may be under way at once.
    pub concurrency: NonZeroUsize,
    /// How many calls may begin in a second; no limit where absent.
    pub per_second: Option<NonZeroU32>,
    /// A hash of all that the config says of it: where that stays, so does the account.
    pub settings: u64,
}

/// All accounts by name.
pub type Accounts = BTreeMap<AccountId, Account>;
