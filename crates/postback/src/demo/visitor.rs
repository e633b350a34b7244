//! The demo's visitors: they click, follow the redirect, land, and become conversions.

use anyhow::{Context, ensure};
use bytes::Bytes;
use http::{
    HeaderValue, Request, StatusCode, Uri,
    header::{LOCATION, USER_AGENT},
};
use http_body_util::{BodyExt, Empty};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use postback_proto::v1::{
    ConversionDetails, Kind, Money, RecordConversionRequest, Source,
    conversion_service_client::ConversionServiceClient, record_conversions_response, source,
};
use postback_sandbox::Network;
use url::Url;

use super::Places;

type Browser = Client<HttpConnector, Empty<Bytes>>;

/// How many visitors come at once.
const AT_ONCE: usize = 32;

/// Sends every click through the edge to the landing page; returns the click tokens that the page was given.
pub(super) async fn visit_all(
    places: &Places,
    network: Network,
    clicks: &[String],
) -> anyhow::Result<Vec<String>> {
    let browser: Browser = Client::builder(TokioExecutor::new()).build_http();
    let mut tokens = Vec::with_capacity(clicks.len());
    for some in clicks
        .chunks(clicks.len().div_ceil(AT_ONCE).max(1))
        .map(<[String]>::to_vec)
        .map(|some| {
            let (browser, edge) = (browser.clone(), places.edge.clone());
            tokio::spawn(async move {
                let mut tokens = Vec::with_capacity(some.len());
                for click in some {
                    tokens.push(visit(&browser, &edge, network, &click).await?);
                }
                anyhow::Ok(tokens)
            })
        })
        .collect::<Vec<_>>()
    {
        tokens.extend(some.await??);
    }
    Ok(tokens)
}

/// The landing query as each network sends it.
fn query(network: Network, click: &str) -> String {
    let click = percent_encoding::utf8_percent_encode(click, percent_encoding::NON_ALPHANUMERIC);
    match network {
        Network::Powerspace => format!("clickId={click}&utm_source=powerspace"),
        Network::Altercpa => format!("click={click}"),
        Network::Trafficstars => format!("some_param=1234567&click_id={click}"),
    }
}

async fn visit(browser: &Browser, edge: &str, network: Network, click: &str) -> anyhow::Result<String> {
    let link: Uri = format!("{edge}/c/{network}?{}", query(network, click)).parse()?;
    let mut request = Request::new(Empty::new());
    *request.uri_mut() = link;
    request.headers_mut().insert(USER_AGENT, HeaderValue::from_static("Mozilla/5.0 (demo visitor)"));
    let redirect = browser.request(request).await?;
    ensure!(redirect.status() == StatusCode::FOUND, "the edge answered {}", redirect.status());
    let location =
        redirect.headers().get(LOCATION).context("a redirect without a location")?.to_str()?.to_owned();
    redirect.into_body().collect().await?;
    let page = browser.get(location.parse()?).await?;
    ensure!(page.status() == StatusCode::OK, "the landing page answered {}", page.status());
    page.into_body().collect().await?;
    let location = Url::parse(&location)?;
    let token = location.query_pairs().find(|(name, _)| name == "token");
    Ok(token.context("a landing without a click token")?.1.into_owned())
}

/// Reports one conversion for each token; returns how many were taken.
pub(super) async fn report_all(api: &str, network: Network, tokens: Vec<String>) -> anyhow::Result<u64> {
    let requests = tokens.into_iter().enumerate().map(move |(index, token)| request(network, index, token));
    let mut client = ConversionServiceClient::connect(api.to_owned()).await?;
    let mut answers = client.record_conversions(tokio_stream::iter(requests)).await?.into_inner();
    let mut taken = 0;
    while let Some(answer) = answers.message().await? {
        match answer.result.context("an answer without a result")? {
            record_conversions_response::Result::Recorded(_) => taken += 1,
            record_conversions_response::Result::Refusal(refusal) => {
                anyhow::bail!("conversion {} was refused: {}", answer.index, refusal.message)
            }
        }
    }
    Ok(taken)
}

/// Every second one a lead, every second one an order with its value.
fn request(network: Network, index: usize, token: String) -> RecordConversionRequest {
    let cents = 100 + index % 19_900;
    let value = Money { amount: format!("{}.{:02}", cents / 100, cents % 100), currency: "USD".into() };
    let order = index % 2 == 1;
    RecordConversionRequest {
        source: Some(Source { source: Some(source::Source::ClickToken(token)) }),
        details: Some(ConversionDetails {
            kind: if order { Kind::Order } else { Kind::Lead }.into(),
            value: order.then_some(value),
            transaction_id: format!("{network}-{index}"),
            ..ConversionDetails::default()
        }),
        request_id: format!("demo-{network}-{index}"),
        ..RecordConversionRequest::default()
    }
}
