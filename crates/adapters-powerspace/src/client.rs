//! A typed client over any service: for teams that take this crate alone.

use bytes::Bytes;
use http::{Request, Response};
use postback_core::{
    Call, ClickId, Details, Kind, Money, Result, Verdict,
    client::{self, BoxError, ClientError, answered_at},
};
use rust_decimal::Decimal;
use tower_service::Service;

use crate::{Powerspace, postback, verdict};

impl Powerspace {
    /// A lead of a click (PS-4).
    pub fn lead(&self, click: ClickId) -> Lead<'_> {
        Lead { account: self, click }
    }

    /// An order of a click (PS-5).
    pub fn order(&self, click: ClickId) -> Order<'_> {
        Order { account: self, click, details: Details::new(Kind::Order) }
    }
}

/// A lead that is to be told.
#[derive(Clone, Debug)]
#[must_use = "a lead is told when it is sent"]
pub struct Lead<'a> {
    account: &'a Powerspace,
    click: ClickId,
}

impl Lead<'_> {
    /// The call, without sending it.
    ///
    /// # Errors
    /// `InvalidArgument` at `click_id` where the id is a macro that nobody replaced.
    pub fn call(&self) -> Result<Call> {
        postback::notice(self.account.settings(), &self.click, &Details::new(Kind::Lead))
    }

    /// Tells it. Sent twice, it counts twice (PS-12).
    ///
    /// # Errors
    /// [`ClientError::Refused`] as [`Lead::call`], [`ClientError::Service`] where the service failed.
    pub async fn send<S>(&self, service: &mut S) -> Result<Verdict, ClientError>
    where
        S: Service<Request<Bytes>, Response = Response<Bytes>, Error: Into<BoxError>>,
    {
        send(self.call()?, service).await
    }
}

/// An order that is to be told.
#[derive(Clone, Debug)]
#[must_use = "an order is told when it is sent"]
pub struct Order<'a> {
    account: &'a Powerspace,
    click: ClickId,
    details: Details,
}

impl Order<'_> {
    /// The customer's total, with shipping and tax in it.
    pub fn value(mut self, value: Money) -> Self {
        self.details.value = Some(value);
        self
    }

    /// The part of the value that is shipping, in the value's currency.
    pub fn shipping(mut self, part: Decimal) -> Self {
        self.details.shipping = Some(part);
        self
    }

    /// The part of the value that is tax, in the value's currency.
    pub fn tax(mut self, part: Decimal) -> Self {
        self.details.tax = Some(part);
        self
    }

    /// The call, without sending it; its warnings say what an exact value lacks (PS-5, PS-8).
    ///
    /// # Errors
    /// `InvalidArgument` at `click_id`, `value.currency`, `shipping` or `tax`.
    pub fn call(&self) -> Result<Call> {
        postback::notice(self.account.settings(), &self.click, &self.details)
    }

    /// Tells it. Sent twice, it counts twice (PS-12).
    ///
    /// # Errors
    /// [`ClientError::Refused`] as [`Order::call`], [`ClientError::Service`] where the service failed.
    pub async fn send<S>(&self, service: &mut S) -> Result<Verdict, ClientError>
    where
        S: Service<Request<Bytes>, Response = Response<Bytes>, Error: Into<BoxError>>,
    {
        send(self.call()?, service).await
    }
}

async fn send<S>(call: Call, service: &mut S) -> Result<Verdict, ClientError>
where
    S: Service<Request<Bytes>, Response = Response<Bytes>, Error: Into<BoxError>>,
{
    let answer = client::send(service, call.request).await?;
    Ok(verdict::verdict(&answer, answered_at(&answer)))
}
