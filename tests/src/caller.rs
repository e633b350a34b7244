//! An internal service that calls the hub over gRPC.

use postback_proto::v1::{
    ChangeConversionStatusRequest, ChangeConversionStatusResponse, ConversionDetails, ConversionStory,
    GetConversionRequest, Kind, Money, NetworkClick, RecordConversionRequest, RecordConversionResponse,
    Source, UserSource, click_service_client::ClickServiceClient,
    conversion_service_client::ConversionServiceClient, delivery_service_client::DeliveryServiceClient,
    network_service_client::NetworkServiceClient, source,
};
use tonic::{
    Request, Status,
    service::{Interceptor, interceptor::InterceptedService},
    transport::Channel,
};

/// A channel whose calls carry a token, where the service has one.
pub type Signed = InterceptedService<Channel, Credentials>;

/// What a service shows of itself.
#[derive(Clone, Default)]
pub struct Credentials(Option<String>);

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Credentials")
    }
}

impl Interceptor for Credentials {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(token) = &self.0 {
            let value = format!("Bearer {token}").parse().expect("a token is a header's value");
            request.metadata_mut().insert("authorization", value);
        }
        Ok(request)
    }
}

/// A service with a channel to the hub.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Clicks.
    pub clicks: ClickServiceClient<Signed>,
    /// Conversions.
    pub conversions: ConversionServiceClient<Signed>,
    /// Deliveries.
    pub deliveries: DeliveryServiceClient<Signed>,
    /// Look-ups.
    pub networks: NetworkServiceClient<Signed>,
}

/// A click by its token.
pub fn token(token: &str) -> Source {
    Source { source: Some(source::Source::ClickToken(token.to_owned())) }
}

/// A click by the network's id.
pub fn click(account: &str, click_id: &str) -> Source {
    let click = NetworkClick { account: account.to_owned(), click_id: click_id.to_owned() };
    Source { source: Some(source::Source::NetworkClick(click)) }
}

/// A user's last click.
pub fn user(user_id: &str) -> Source {
    let user = UserSource { user_id: user_id.to_owned(), ..UserSource::default() };
    Source { source: Some(source::Source::User(user)) }
}

/// Details of a kind.
pub fn details(kind: Kind) -> ConversionDetails {
    ConversionDetails { kind: kind.into(), ..ConversionDetails::default() }
}

/// A lead.
pub fn lead() -> ConversionDetails {
    details(Kind::Lead)
}

/// A goal of this name.
pub fn goal(name: &str) -> ConversionDetails {
    ConversionDetails { goal: name.to_owned(), ..details(Kind::Goal) }
}

/// An order of this value in US dollars.
pub fn order(value: &str) -> ConversionDetails {
    ConversionDetails { value: money(value, "USD"), ..details(Kind::Order) }
}

/// Money.
pub fn money(amount: &str, currency: &str) -> Option<Money> {
    Some(Money { amount: amount.to_owned(), currency: currency.to_owned() })
}

impl Caller {
    /// A service that calls the hub at this URI, once it has something to say.
    pub fn of(api: &str) -> Self {
        Self::over(Channel::from_shared(api.to_owned()).expect("a URI").connect_lazy(), None)
    }

    /// A service that calls over this channel, and shows this token.
    pub fn over(channel: Channel, token: Option<&str>) -> Self {
        let signed = InterceptedService::new(channel, Credentials(token.map(str::to_owned)));
        Self {
            clicks: ClickServiceClient::new(signed.clone()),
            conversions: ConversionServiceClient::new(signed.clone()),
            deliveries: DeliveryServiceClient::new(signed.clone()),
            networks: NetworkServiceClient::new(signed),
        }
    }

    /// Records a conversion.
    pub async fn record(
        &self,
        source: Source,
        details: ConversionDetails,
    ) -> Result<RecordConversionResponse, Status> {
        self.send(RecordConversionRequest {
            source: Some(source),
            details: Some(details),
            ..Default::default()
        })
        .await
    }

    /// Records a conversion by its whole request.
    pub async fn send(&self, request: RecordConversionRequest) -> Result<RecordConversionResponse, Status> {
        Ok(self.conversions.clone().record_conversion(request).await?.into_inner())
    }

    /// Changes a conversion.
    pub async fn change(
        &self,
        request: ChangeConversionStatusRequest,
    ) -> Result<ChangeConversionStatusResponse, Status> {
        Ok(self.conversions.clone().change_conversion_status(request).await?.into_inner())
    }

    /// A conversion's story.
    pub async fn story(&self, conversion_id: &str) -> ConversionStory {
        let request = GetConversionRequest { conversion_id: conversion_id.to_owned() };
        self.conversions.clone().get_conversion(request).await.expect("the conversion is kept").into_inner()
    }
}
