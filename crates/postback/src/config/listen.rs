//! The listeners that ask who calls, and the TLS of every listener.

use std::{net::SocketAddr, path::PathBuf};

use postback_access::{Rules, Tls, TlsFiles};
use serde::Deserialize;

use super::{
    Problem,
    address::{address, local},
    de::read,
    tree::{Node, Origins},
};

/// The name by which HTTP/1.1 is agreed on under TLS.
pub(super) const HTTP: &str = "http/1.1";

/// A listener's section, and what differs between them.
pub(super) struct Place {
    section: &'static str,
    port: u16,
    protocol: &'static str,
}

/// Where services call gRPC.
pub(super) const API: Place = Place { section: "api", port: 50_051, protocol: "h2" };
/// Where operators look.
pub(super) const CONSOLE: Place = Place { section: "console", port: 9090, protocol: HTTP };

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TlsSection {
    certificate: PathBuf,
    key: PathBuf,
    pub(super) clients: Option<PathBuf>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Section {
    #[serde(deserialize_with = "some_address")]
    listen: Option<SocketAddr>,
    tls: Option<TlsSection>,
    tls_in_front: bool,
}

fn some_address<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<SocketAddr>, D::Error> {
    address(deserializer).map(Some)
}

/// A listener that asks who calls.
#[derive(Clone, Debug)]
pub(crate) struct Listen {
    pub(crate) listen: SocketAddr,
    pub(crate) tls: Option<Tls>,
    /// Whether a proxy in front ends TLS.
    pub(crate) tls_in_front: bool,
}

impl Listen {
    /// Whether a caller may show a certificate.
    pub(super) fn asks_for_certificates(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.files().clients.is_some())
    }
}

/// Reads a listener; `access` is nothing where it could not be read.
pub(super) fn listen(
    mut node: Node,
    place: &Place,
    access: Option<&Rules>,
    problems: &mut Vec<Problem>,
) -> Option<Listen> {
    let origins = Origins::of(&mut node);
    let name = place.section;
    let section: Section = read(node, name, problems)?;
    let before = problems.len();
    let listen = section.listen.unwrap_or(local(place.port));
    if let Some(access) = access
        && let Some((key, message)) = refusal(listen, &section, access, place)
    {
        problems.push(origins.problem(name, key, message));
    }
    let tls = open(section.tls.as_ref(), name, place.protocol, &origins, problems);
    (problems.len() == before).then_some(Listen { listen, tls, tls_in_front: section.tls_in_front })
}

/// Why callers cannot be let in so, at which setting.
fn refusal(
    listen: SocketAddr,
    section: &Section,
    access: &Rules,
    place: &Place,
) -> Option<(&'static str, String)> {
    let (name, port) = (place.section, listen.port());
    let asks = section.tls.as_ref().is_some_and(|tls| tls.clients.is_some());
    if section.tls.is_some() && section.tls_in_front {
        return Some(("tls_in_front", format!("is set beside {name}.tls; want one of them")));
    }
    if asks && !access.have_certificates() {
        let want = "is set, but no certificate is named; want [access.certificates.\"a.name.in.it\"]";
        return Some(("tls.clients", want.to_owned()));
    }
    if listen.ip().is_loopback() {
        return None;
    }
    if access.is_open() {
        return Some((
            "listen",
            format!(
                "`{listen}` can be reached from other machines, and nobody is asked who they are; want callers in \
                 [access] (`postback token NAME --scope read` makes one), or an address of this machine alone such \
                 as 127.0.0.1:{port}"
            ),
        ));
    }
    (section.tls.is_none() && !section.tls_in_front).then(|| {
        let message = format!(
            "`{listen}` can be reached from other machines, and tokens would cross the network in the clear; want \
             {name}.tls = {{ certificate = \"FILE\", key = \"FILE\" }}, {name}.tls_in_front = true where a proxy \
             ends TLS, or an address of this machine alone such as 127.0.0.1:{port}"
        );
        ("listen", message)
    })
}

/// Reads the certificate files of a listener.
pub(super) fn open(
    section: Option<&TlsSection>,
    name: &str,
    protocol: &'static str,
    origins: &Origins,
    problems: &mut Vec<Problem>,
) -> Option<Tls> {
    let TlsSection { certificate, key, clients } = section?.clone();
    Tls::open(TlsFiles { certificate, key, clients }, protocol)
        .map_err(|error| {
            let key = error.field().map_or("tls".to_owned(), |field| format!("tls.{field}"));
            problems.push(origins.problem(name, &key, error.message()));
        })
        .ok()
}
