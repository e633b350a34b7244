//! What is asked of a network.

use postback_core::{AccountId, Found, LookUp, Result};

use crate::Hub;

impl Hub {
    /// Asks a network about a click, a flow or an offer.
    ///
    /// # Errors
    /// `NotFound` for an unknown account, or where the network knows none; `FailedPrecondition` where it has no
    /// look-ups or refuses the account; `InvalidArgument` for a wrong question; `Unavailable` where no answer came.
    pub async fn look_up(&self, account: &AccountId, ask: LookUp) -> Result<Found> {
        let adapter = self.registry().account(account)?.adapter.clone();
        let call = adapter.look_up(&ask)?;
        let answer = self.inner.caller.call(account, call).await?;
        adapter.found(&ask, &answer)
    }
}
