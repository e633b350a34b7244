//! A visitor's browser: one request at a time, redirects not followed.

use std::net::SocketAddr;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};

/// What a server answered.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body as text.
    pub body: String,
}

impl Answer {
    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The query parameter `token` of the redirect's target.
    pub fn token(&self) -> Option<String> {
        let location = url::Url::parse(self.header("location")?).ok()?;
        let token = location.query_pairs().find(|(name, _)| name == "token")?.1.into_owned();
        (!token.is_empty()).then_some(token)
    }
}

/// A browser.
#[derive(Clone, Debug)]
pub struct Visitor {
    client: Client<HttpConnector, Full<Bytes>>,
    at: String,
}

impl Visitor {
    /// A browser that visits one server.
    pub fn of(server: SocketAddr) -> Self {
        Self { client: Client::builder(TokioExecutor::new()).build_http(), at: format!("http://{server}") }
    }

    /// GET.
    pub async fn get(&self, path: &str) -> Answer {
        self.ask(Method::GET, path, &[], "").await
    }

    /// Any request.
    pub async fn ask(&self, method: Method, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.at));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::from(body.to_owned())).expect("a request of a test is well formed");
        let (head, body) = self.client.request(request).await.expect("the server answers").into_parts();
        let body = body.collect().await.expect("the answer is whole").to_bytes();
        Answer {
            status: head.status,
            headers: head.headers,
            body: String::from_utf8_lossy(&body).into_owned(),
        }
    }
}
