//! Bare hyper: calls of a network, as many at once as it is told, with nothing kept and nothing settled.

use std::net::SocketAddr;

use anyhow::ensure;
use bytes::Bytes;
use clap::Args;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::{
    net::TcpStream,
    task::{JoinSet, spawn_local},
};

/// Whom it calls.
#[derive(Debug, Args)]
pub(super) struct Caller {
    /// The network.
    #[arg(long)]
    to: SocketAddr,
    /// How many calls are under way, each on a connection of its own that is kept.
    #[arg(long)]
    in_flight: usize,
}

/// Calls until it is ended, or a call fails.
pub(super) async fn run(Caller { to, in_flight }: Caller) -> anyhow::Result<()> {
    let mut callers = JoinSet::new();
    for _ in 0..in_flight {
        callers.spawn_local(call(to));
    }
    while let Some(caller) = callers.join_next().await {
        caller??;
    }
    Ok(())
}

async fn call(to: SocketAddr) -> anyhow::Result<()> {
    let stream = TcpStream::connect(to).await?;
    stream.set_nodelay(true)?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    spawn_local(connection);
    let mut random = fastrand::Rng::new();
    loop {
        let (click, code) = (random.u128(..), random.u64(..));
        let path = format!(
            "/api/v1/cpa/action/{click:032x}{tail:08x}?value=49.90&lead_code=order-{code:016x}\
             &key=123456789012345678901234567890abcdef",
            tail = random.u32(..)
        );
        let request = Request::get(path)
            .header("host", to.to_string())
            .header("user-agent", "a bare caller")
            .header("x-forwarded-proto", "https")
            .body(Empty::<Bytes>::new())?;
        sender.ready().await?;
        let answer = sender.send_request(request).await?;
        let status = answer.status();
        let body = answer.into_body().collect().await?.to_bytes();
        let said: serde_json::Value = serde_json::from_slice(&body)?;
        ensure!(status == StatusCode::OK && said["ok"] == true, "the network answers {status}: {said}");
    }
}
