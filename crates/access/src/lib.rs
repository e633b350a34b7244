//! Who calls and what they may: how connections are taken in, the TLS under which they come, bearer tokens, client
//! certificates, scopes.
//!
//! Nothing here knows a protocol: a server brings the token and the certificate that it was shown, and is told the
//! [`Caller`]. Where nothing is configured [`Access`] is open and everybody is `local`; a config refuses that for
//! listeners that other machines reach.

mod accept;
mod access;
mod certificate;
mod rules;
mod scope;
mod socket;
mod tls;
mod token;

#[cfg(feature = "testing")]
pub mod testing;

pub use accept::{accept, close};
pub use access::{Access, Caller, Stranger};
pub use certificate::Certificate;
pub use rules::Rules;
pub use scope::Scope;
pub use socket::Socket;
pub use tls::{Tls, TlsFiles};
pub use token::{Token, TokenHash, bearer};
