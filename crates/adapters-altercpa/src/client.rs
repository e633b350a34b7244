//! A typed client over any service: for teams that take this crate alone.

use bytes::Bytes;
use http::{Request, Response};
use postback_core::{
    FoundClick, FoundFlow, FoundOffer, LookUpSource, Result, Verdict,
    client::{self, BoxError, ClientError, answered_at},
};
use tower_service::Service;

use crate::{AlterCpa, ClickQuery, Lead, Origin, action::Action, found, look_up, verdict::verdict};

impl AlterCpa {
    /// A lead to create (AC-2). Without `exto` a repeat makes a second lead.
    pub fn lead(&self, origin: Origin) -> Lead<'_> {
        Lead::new(self, Action::Create, origin)
    }

    /// A lead to change (AC-10), named by what created it.
    pub fn change(&self, origin: Origin) -> Lead<'_> {
        Lead::new(self, Action::Change, origin)
    }

    /// The latest click of a visitor (AC-14).
    ///
    /// # Errors
    /// [`ClientError::Refused`] with `NotFound` where there is none, `FailedPrecondition` for a wrong token,
    /// `InvalidArgument` for a missing offer, `Unavailable` for an answer that cannot be read.
    pub async fn find_click<S>(&self, query: &ClickQuery, service: &mut S) -> Result<FoundClick, ClientError>
    where
        S: Service<Request<Bytes>, Response = Response<Bytes>, Error: Into<BoxError>>,
    {
        let answer = client::send(service, look_up::click(self, query)?.request).await?;
        Ok(found::click(&answer)?)
    }

    /// A flow, by click, number or code (AC-15).
    ///
    /// # Errors
    /// As [`AlterCpa::find_click`]; `InvalidArgument` for an offer, which has many flows.
    pub async fn find_flow<S>(&self, by: &LookUpSource, service: &mut S) -> Result<FoundFlow, ClientError>
    where
        S: Service<Request<Bytes>, Response = Response<Bytes>, Error: Into<BoxError>>,
    {
        let answer = client::send(service, look_up::flow(self, by)?.request).await?;
        Ok(found::flow(&answer)?)
    }

    /// An offer, by its number, a click or a flow (AC-16).
    ///
    /// # Errors
    /// As [`AlterCpa::find_click`].
    pub async fn find_offer<S>(&self, by: &LookUpSource, service: &mut S) -> Result<FoundOffer, ClientError>
    where
        S: Service<Request<Bytes>, Response = Response<Bytes>, Error: Into<BoxError>>,
    {
        let answer = client::send(service, look_up::offer(self, by)?.request).await?;
        Ok(found::offer(&answer)?)
    }
}

impl Lead<'_> {
    /// Tells the network.
    ///
    /// # Errors
    /// [`ClientError::Refused`] where nothing was sent, [`ClientError::Service`] where the service failed.
    pub async fn send<S>(&self, service: &mut S) -> Result<Verdict, ClientError>
    where
        S: Service<Request<Bytes>, Response = Response<Bytes>, Error: Into<BoxError>>,
    {
        let answer = client::send(service, self.call()?.request).await?;
        Ok(verdict(self.action(), &answer, answered_at(&answer)).masked(&self.private()))
    }
}
