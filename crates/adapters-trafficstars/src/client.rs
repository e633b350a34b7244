//! A typed client over any service: for teams that take this crate alone.

use std::borrow::Cow;

use bytes::Bytes;
use http::{Request, Response};
use postback_core::{
    Call, ClickId, Goal, Money, Result, Verdict,
    client::{self, BoxError, ClientError, answered_at},
};
use tower_service::Service;

use crate::{TrafficStars, postback::Action, verdict::verdict};

impl TrafficStars {
    /// A lead of a click: whatever the campaign counts, an order too (TS-3).
    pub fn lead(&self, click: ClickId) -> Lead<'_> {
        let click = Cow::Owned(click);
        Lead {
            account: self,
            action: Action { click, goal: None, value: None, price: None, lead_code: None },
        }
    }
}

/// A lead that is to be told.
#[derive(Clone, Debug)]
#[must_use = "a lead is told when it is sent"]
pub struct Lead<'a> {
    account: &'a TrafficStars,
    action: Action<'static>,
}

impl Lead<'_> {
    /// Your own code of this lead, by which the network tells a repeat from a new one (TS-4, TS-11). Needed
    /// where the account has a key, refused where it has none (TS-6).
    pub fn lead_code(mut self, code: impl Into<String>) -> Self {
        self.action.lead_code = Some(Cow::Owned(code.into()));
        self
    }

    /// What it is worth to you: 0.01 to 200.0 of the account's currency (TS-5). Needs the account's key.
    pub fn value(mut self, value: Money) -> Self {
        self.action.value = Some(value);
        self
    }

    /// What you pay for it on a CPA campaign, in the same range. Needs the query form (TS-7).
    pub fn price(mut self, price: Money) -> Self {
        self.action.price = Some(price);
        self
    }

    /// Which goal it is. Needs the query form (TS-7).
    pub fn goal(mut self, goal: Goal) -> Self {
        self.action.goal = Some(Cow::Owned(goal));
        self
    }

    /// The call, without sending it.
    ///
    /// # Errors
    /// `InvalidArgument` at `click_id`, `lead_code`, `value` or `price`; `FailedPrecondition` where the account
    /// lacks the key or the form.
    pub fn call(&self) -> Result<Call> {
        self.action.call(self.account.settings())
    }

    /// Tells it. With a lead code it may be sent again after a failure.
    ///
    /// # Errors
    /// [`ClientError::Refused`] as [`Lead::call`], [`ClientError::Service`] where the service failed.
    pub async fn send<S>(&self, service: &mut S) -> Result<Verdict, ClientError>
    where
        S: Service<Request<Bytes>, Response = Response<Bytes>, Error: Into<BoxError>>,
    {
        let answer = client::send(service, self.call()?.request).await?;
        Ok(verdict(&answer, answered_at(&answer)).masked(&self.account.secrets()))
    }
}
