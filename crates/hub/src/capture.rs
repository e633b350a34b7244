//! capture
use crate::{Captured, Hub, Landing, Visit};
use postback_core::{ClickRef, ClickToken, Result};
impl Hub {
    /// The edge's way.
    pub async fn land(&self, _visit: Visit<'_>) -> Result<Landing> {
        todo!()
    }
    /// HEAD.
    pub fn peek(&self, _visit: &Visit<'_>) -> Result<Landing> {
        todo!()
    }
    /// gRPC's way.
    pub async fn capture(&self, _visit: Visit<'_>) -> Result<Captured> {
        todo!()
    }
    /// The token of a click.
    pub fn token(&self, _click: &ClickRef) -> Result<ClickToken> {
        todo!()
    }
}
