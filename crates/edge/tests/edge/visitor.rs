//! A visitor who speaks raw bytes and reads what comes back.

use std::time::Duration;

use http::{HeaderMap, HeaderName};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

/// Past it a test has failed: nothing here takes a hundredth of it.
const PATIENCE: Duration = Duration::from_secs(20);

/// One answer of the edge.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) version: u8,
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    /// A header that is there at most once, in ASCII.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.get_all(name).iter();
        let value = values.next()?;
        assert!(values.next().is_none(), "{name} is there twice");
        Some(value.to_str().unwrap())
    }

    pub(crate) fn location(&self) -> &str {
        assert_eq!(self.status, 302, "{self:?}");
        self.header("location").unwrap()
    }
}

/// One connection.
pub(crate) struct Visitor {
    stream: TcpStream,
    heard: Vec<u8>,
}

impl Visitor {
    pub(crate) fn new(stream: TcpStream) -> Self {
        Self { stream, heard: Vec::new() }
    }

    pub(crate) async fn say(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).await.unwrap();
    }

    /// Says as much as the edge takes.
    pub(crate) async fn say_what_is_taken(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.stream.write_all(bytes.as_ref()).await;
    }

    /// Has nothing more to say.
    pub(crate) async fn finish(&mut self) {
        self.stream.shutdown().await.unwrap();
    }

    /// The next answer to a request that was no HEAD.
    pub(crate) async fn hear(&mut self) -> Answer {
        self.next(true).await.expect("an answer, and the connection ended")
    }

    /// The next answer, unless the connection ends without one.
    pub(crate) async fn hear_if_any(&mut self) -> Option<Answer> {
        self.next(true).await
    }

    /// The next answer, which was to a HEAD.
    pub(crate) async fn hear_without_body(&mut self) -> Answer {
        self.next(false).await.expect("an answer, and the connection ended")
    }

    /// Asserts that the connection ends without another byte.
    pub(crate) async fn hear_the_end(&mut self) {
        assert!(!self.more().await, "more came: {:?}", String::from_utf8_lossy(&self.heard));
        assert!(self.heard.is_empty(), "more came: {:?}", String::from_utf8_lossy(&self.heard));
    }

    async fn next(&mut self, with_body: bool) -> Option<Answer> {
        loop {
            let mut lines = [httparse::EMPTY_HEADER; 32];
            let mut head = httparse::Response::new(&mut lines);
            if let httparse::Status::Complete(length) = head.parse(&self.heard).unwrap() {
                let mut headers = HeaderMap::new();
                for line in head.headers.iter() {
                    let name: HeaderName = line.name.parse().unwrap();
                    headers.append(name, line.value.try_into().unwrap());
                }
                let (version, status) = (head.version.unwrap(), head.code.unwrap());
                self.heard.drain(..length);
                let body = if with_body { self.body(&headers).await } else { String::new() };
                return Some(Answer { version, status, headers, body });
            }
            if !self.more().await {
                assert!(self.heard.is_empty(), "cut off: {:?}", String::from_utf8_lossy(&self.heard));
                return None;
            }
        }
    }

    async fn body(&mut self, headers: &HeaderMap) -> String {
        let length: usize = headers["content-length"].to_str().unwrap().parse().unwrap();
        while self.heard.len() < length {
            assert!(self.more().await, "cut off");
        }
        String::from_utf8(self.heard.drain(..length).collect()).unwrap()
    }

    /// Reads once; returns whether anything came.
    async fn more(&mut self) -> bool {
        let reading = timeout(PATIENCE, self.stream.read_buf(&mut self.heard));
        reading.await.expect("nothing came, and no end").unwrap() > 0
    }
}
