//! change
use crate::{Hub, Rendered, SourceBy};
use postback_core::{Change, ConversionId, DeliveryId, Goal, Kind, RequestId, Result, TransactionId};
/// A change as a caller reports it.
#[derive(Clone, Debug)]
pub struct ChangeReport {
    /// Which conversion.
    pub target: ChangeTarget,
    /// What changed.
    pub change: Change,
    /// The caller's id of this request.
    pub request_id: Option<RequestId>,
}
/// Which conversion a change is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChangeTarget {
    /// A recorded one.
    Conversion(ConversionId),
    /// The one with this key; the change waits where it is not recorded yet.
    Key {
        /// Where it comes from.
        source: SourceBy,
        /// Its kind.
        kind: Kind,
        /// Its goal, for [`Kind::Goal`].
        goal: Option<Goal>,
        /// Its transaction id.
        transaction_id: TransactionId,
    },
}
/// A change that is durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedChange {
    /// The conversion; for one that is not recorded yet, the id that it will have.
    pub conversion: ConversionId,
    /// The change's delivery.
    pub delivery: DeliveryId,
    /// Whether it waits for its conversion.
    pub waiting: bool,
    /// Whether the same request had been made before.
    pub already: bool,
    /// The call that the network will see.
    pub rendered: Rendered,
}
impl Hub {
    /// Validate.
    pub async fn validate_change(&self, _report: ChangeReport) -> Result<Rendered> {
        todo!()
    }
    /// Change.
    pub async fn change(&self, _report: ChangeReport) -> Result<RecordedChange> {
        todo!()
    }
}
