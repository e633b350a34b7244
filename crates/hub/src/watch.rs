//! watch
use crate::Hub;
use jiff::Timestamp;
use postback_core::{AccountId, Delivery, Result};
use tokio_stream::Stream;
impl Hub {
    /// Watch.
    pub fn watch(
        &self,
        _account: Option<AccountId>,
        _since: Option<Timestamp>,
    ) -> impl Stream<Item = Result<Delivery>> + Send + 'static + use<> {
        tokio_stream::empty()
    }
}
