//! The HTTP edge: a visitor with a click id comes in, the hub keeps the click, the visitor is sent on.
//!
//! `GET /c/{campaign}?...` is answered with a 302 to the campaign's landing page and a first-party cookie that
//! carries the click token. `HEAD` answers alike and stores nothing. Everything else is refused with a short
//! plain text: 400, 404, 405, 408, 414 or 431.
//!
//! HTTP/1.0 and HTTP/1.1 alone are spoken: what stands in front of an edge speaks no other to its backends.
//! Between the socket and hyper stands a gate that holds each request head back until it is whole, and
//! refuses what hyper would let through or answer without a word: a bare line feed, no or two `Host`, a
//! `Content-Length` beside a `Transfer-Encoding`, a head past its limits, a head that comes too slowly.

mod answer;
mod connection;
mod cookie;
mod deadline;
mod flags;
mod gate;
mod head;
mod measure;
mod proxies;
mod refusal;
mod server;
mod settings;

pub use cookie::CookieSettings;
pub use proxies::{Network, Proxies};
pub use server::serve;
pub use settings::{Limits, ReferrerPolicy, Settings};
