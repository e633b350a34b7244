//! record
use crate::{Hub, SourceBy};
use jiff::Timestamp;
use postback_core::{
    Click, Conversion, ConversionId, DeliveryId, Details, RequestId, Result,
    ports::{ConversionFilter, Page, Story},
};
/// A conversion as a caller reports it.
#[derive(Clone, Debug)]
pub struct Report {
    /// Where it comes from.
    pub source: SourceBy,
    /// What is told of it.
    pub details: Details,
    /// When it happened; now by default.
    pub occurred_at: Option<Timestamp>,
    /// The caller's id of this request.
    pub request_id: Option<RequestId>,
}
/// A call as the network will see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendered {
    /// Method, URL and form, with secrets and personal data as `***`.
    pub call: String,
    /// What the caller should mend, though it is taken.
    pub warnings: Vec<String>,
}
/// A conversion that is durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedConversion {
    /// Its id.
    pub conversion: ConversionId,
    /// Its delivery.
    pub delivery: DeliveryId,
    /// Whether it had been recorded before.
    pub already: bool,
    /// The call that the network will see.
    pub rendered: Rendered,
}
impl Hub {
    /// Validate.
    pub async fn validate(&self, _report: Report) -> Result<Rendered> {
        todo!()
    }
    /// Record.
    pub async fn record(&self, _report: Report) -> Result<RecordedConversion> {
        todo!()
    }
    /// Story.
    pub async fn story(&self, _id: ConversionId) -> Result<(Story, Option<Click>)> {
        todo!()
    }
    /// List.
    pub async fn conversions(
        &self,
        _filter: ConversionFilter,
        _limit: usize,
        _after: Option<[u8; 16]>,
    ) -> Result<Page<Conversion>> {
        todo!()
    }
}
