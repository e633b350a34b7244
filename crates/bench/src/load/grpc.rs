//! Services that report conversions over gRPC, several at a time on each connection.

use std::{future::poll_fn, rc::Rc};

use anyhow::{Context, ensure};
use bytes::{BufMut, Bytes, BytesMut};
use clap::Args;
use h2::client::SendRequest;
use http::{HeaderMap, HeaderValue, Request, StatusCode, Version, header};
use postback_core::{Key, Keyring};
use postback_proto::v1::RecordConversionResponse;
use prost::Message;
use tokio::net::TcpStream;

use super::{
    meter::Meter,
    traffic::{By, Reporter},
};

/// What is reported.
#[derive(Clone, Debug, Args)]
pub(super) struct Options {
    /// The deployment's key.
    #[arg(long)]
    key: Key,
    /// Gives each report a request id beside its transaction id.
    #[arg(long)]
    request_id: bool,
}

/// How much may come before more is allowed: more than all answers that are under way.
const WINDOW: u32 = 8 << 20;

pub(super) async fn send(options: &super::Options, more: &Options, meter: &Rc<Meter>) -> anyhow::Result<()> {
    let reporter = Rc::new(Reporter::new(Keyring::new(more.key.clone(), [])?, By::Token, more.request_id)?);
    let mut services = Vec::new();
    for _ in 0..options.connections {
        let stream = TcpStream::connect(options.to).await?;
        stream.set_nodelay(true)?;
        let (calls, connection) = h2::client::Builder::new()
            .initial_window_size(WINDOW)
            .initial_connection_window_size(WINDOW)
            .handshake(stream)
            .await?;
        tokio::task::spawn_local(connection);
        for _ in 0..options.streams {
            let service = Service {
                calls: calls.clone(),
                uri: format!("http://{}/postback.v1.ConversionService/RecordConversion", options.to)
                    .parse()?,
                headers: headers(),
                reporter: Rc::clone(&reporter),
                seed: options.seed,
            };
            services.push(service.work(Rc::clone(meter)));
        }
    }
    meter.run(services).await
}

fn headers() -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    headers.insert(header::TE, HeaderValue::from_static("trailers"));
    headers.insert(header::USER_AGENT, HeaderValue::from_static("grpc-go/1.76.0"));
    headers
}

struct Service {
    calls: SendRequest<Bytes>,
    uri: http::Uri,
    headers: HeaderMap,
    reporter: Rc<Reporter>,
    seed: u64,
}

impl Service {
    async fn work(mut self, meter: Rc<Meter>) -> anyhow::Result<()> {
        while let Some(turn) = meter.next().await {
            self.call(turn.number).await?;
            meter.answered(&turn);
        }
        Ok(())
    }

    async fn call(&mut self, number: u64) -> anyhow::Result<()> {
        let report = self.reporter.report(self.seed, number)?;
        let length = report.encoded_len();
        let mut body = BytesMut::with_capacity(5 + length);
        body.put_u8(0);
        body.put_u32(u32::try_from(length)?);
        report.encode(&mut body)?;

        let mut request = Request::post(self.uri.clone()).version(Version::HTTP_2).body(())?;
        *request.headers_mut() = self.headers.clone();
        poll_fn(|context| self.calls.poll_ready(context)).await?;
        let (answer, mut stream) = self.calls.send_request(request, false)?;
        stream.send_data(body.freeze(), true)?;

        let answer = answer.await?;
        ensure!(answer.status() == StatusCode::OK, "an answer is {}", answer.status());
        refused(answer.headers())?;
        let mut body = answer.into_body();
        let mut message = BytesMut::new();
        while let Some(data) = body.data().await {
            let data = data?;
            body.flow_control().release_capacity(data.len())?;
            message.extend_from_slice(&data);
        }
        let trailers = body.trailers().await?.context("an answer without trailers")?;
        refused(&trailers)?;
        ensure!(trailers.contains_key("grpc-status"), "an answer without a status");
        ensure!(message.len() >= 5, "an answer without a message");
        let recorded = RecordConversionResponse::decode(&message[5..])?;
        ensure!(!recorded.conversion_id.is_empty() && !recorded.already_recorded, "not recorded anew");
        Ok(())
    }
}

fn refused(headers: &HeaderMap) -> anyhow::Result<()> {
    let text = |name| headers.get(name).map(|value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()));
    let status = text("grpc-status");
    ensure!(
        status.as_deref().is_none_or(|status| status == "0"),
        "an answer is {}: {}",
        status.unwrap_or_default(),
        text("grpc-message").unwrap_or_default()
    );
    Ok(())
}
