//! What is asked of a network.

use postback_core::{AccountId, Found, LookUp, Result};

use crate::Hub;

impl Hub {
    /// Asks a network about a click, a flow or an offer.
    ///
    /// # Errors
    /// `NotFound` for an unknown account or where the network knows none; `FailedPrecondition` where it has no
    /// look-ups; `Unavailable` where no answer came.
    pub async fn look_up(&self, account: &AccountId, ask: LookUp) -> Result<Found> {
        let registry = self.registry();
        let adapter = &registry.account(account)?.adapter;
        let answer = self.inner.caller.call(account, adapter.look_up(&ask)?).await?;
        adapter.found(&ask, &answer)
    }
}
