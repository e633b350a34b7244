//! A sandbox on a free port with a clock that stands still, and a client that shows every byte.

use std::{collections::BTreeMap, io, net::SocketAddr};

use jiff::Timestamp;
use postback_sandbox::{Clock, Meant, Network, Sandbox, Seed};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// When every test begins.
pub(crate) const START: &str = "2026-01-15T12:00:00Z";

pub(crate) struct Site {
    pub(crate) sandbox: Sandbox,
    pub(crate) address: SocketAddr,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Got {
    pub(crate) status: u16,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
}

impl Got {
    /// Reads an answer that came whole.
    pub(crate) fn parse(bytes: &[u8]) -> io::Result<Self> {
        let broken = || io::Error::new(io::ErrorKind::UnexpectedEof, "no whole answer");
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").ok_or_else(broken)?;
        let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
        let mut lines = head.lines();
        let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok()).ok_or_else(broken)?;
        let headers = lines.filter_map(|line| line.split_once(": "));
        let headers = headers.map(|(name, value)| (name.to_lowercase(), value.to_owned())).collect();
        Ok(Self { status, headers, body: bytes[end + 4..].to_vec() })
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

impl Site {
    /// The documented networks.
    pub(crate) async fn open() -> Self {
        Self::of(Seed::documented()).await
    }

    pub(crate) async fn of(seed: Seed) -> Self {
        let start: Timestamp = START.parse().unwrap();
        let sandbox = Sandbox::with_clock(seed, Clock::from_fn(move || start)).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let serving = sandbox.clone();
        tokio::spawn(async move { serving.serve(listener, std::future::pending()).await });
        Self { sandbox, address }
    }

    /// Sends these bytes, and returns every byte of the answer up to the connection's end.
    pub(crate) async fn raw(&self, request: &str) -> io::Result<Vec<u8>> {
        let mut stream = TcpStream::connect(self.address).await?;
        stream.write_all(request.as_bytes()).await?;
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).await?;
        Ok(bytes)
    }

    /// One request on a connection of its own.
    pub(crate) async fn send(
        &self,
        method: &str,
        target: &str,
        headers: &str,
        body: &str,
    ) -> io::Result<Got> {
        let length = body.len();
        let request = format!(
            "{method} {target} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n{headers}content-length: {length}\r\n\
             \r\n{body}",
            self.address
        );
        Got::parse(&self.raw(&request).await?)
    }

    pub(crate) async fn get(&self, target: &str) -> Got {
        self.send("GET", target, "", "").await.unwrap()
    }

    /// A GET for which TLS ended in front.
    pub(crate) async fn get_https(&self, target: &str) -> Got {
        self.send("GET", target, "x-forwarded-proto: https\r\n", "").await.unwrap()
    }

    pub(crate) async fn post_form(&self, target: &str, form: &str) -> Got {
        self.control("POST", target, form).await
    }

    /// What `curl -d` sends to the control API.
    pub(crate) async fn control(&self, method: &str, target: &str, body: &str) -> Got {
        let headers = "content-type: application/x-www-form-urlencoded\r\n";
        self.send(method, target, headers, body).await.unwrap()
    }

    /// What the last call of a network meant.
    pub(crate) fn meant(&self, network: Network) -> Meant {
        self.sandbox.received(network).pop().expect("a call").meant
    }

    /// What a reviewer should see about the last call.
    pub(crate) fn remarks(&self, network: Network) -> Vec<String> {
        self.sandbox.received(network).pop().expect("a call").remarks
    }

    /// `GET /api/site/{call}.json?token=12-abc&{query}`, whose answer is always 200.
    pub(crate) async fn site(&self, call: &str, query: &str) -> String {
        let got = self.get(&format!("/api/site/{call}.json?token=12-abc&{query}")).await;
        assert_eq!((got.status, &*got.headers["content-type"]), (200, "application/json"), "{got:?}");
        got.text()
    }

    /// Creates a lead and returns its number.
    pub(crate) async fn lead(&self, query: &str) -> u64 {
        let text = self.site("click", query).await;
        let answer: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(answer["status"], "ok", "{text}");
        answer["id"].as_u64().unwrap()
    }
}

/// The error that AlterCPA answers.
pub(crate) fn error(code: &str) -> String {
    format!(r#"{{"status":"error","error":"{code}"}}"#)
}

/// The success that AlterCPA answers.
pub(crate) fn ok(id: u64) -> String {
    format!(r#"{{"status":"ok","id":{id}}}"#)
}
