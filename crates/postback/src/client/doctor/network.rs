//! The ways to the networks: TCP, TLS, and an answer's date. No conversion is sent.

use std::{io, sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp, fmt::rfc2822};
use postback_core::{Accounts, BaseUrl};
use rustls::{
    ClientConfig, RootCertStore,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, ServerName},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
    time::timeout,
};
use tokio_rustls::TlsConnector;
use url::Url;

use super::{Check, certificate};

/// How long each step may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// The most of an answer's head that is read.
const HEAD: usize = 16 * 1024;

/// What a network told: how far its clock is ahead of ours.
pub(super) type Times = Vec<(String, SignedDuration)>;

/// What was found at one address.
struct Reached {
    chain: Vec<CertificateDer<'static>>,
    ahead: Option<SignedDuration>,
}

/// Looks at the address of each account.
pub(super) async fn checks(accounts: &Accounts) -> (Vec<Check>, Times) {
    let tls = match trust() {
        Ok(tls) => Arc::new(tls),
        Err(error) => return (vec![Check::wrong("networks", error.to_string(), "report it")], Vec::new()),
    };
    let mut looks = JoinSet::new();
    for account in accounts.values() {
        let Some(address) = account.adapter.base_url() else { continue };
        let (id, address, tls) = (account.id.to_string(), address.clone(), tls.clone());
        looks.spawn(async move {
            let reached = reach(&address, tls).await;
            (id, address, reached)
        });
    }
    let mut reached = looks.join_all().await;
    reached.sort_by(|one, other| one.0.cmp(&other.0));
    let (mut checks, mut times) = (Vec::new(), Vec::new());
    for (id, address, reached) in reached {
        let what = format!("accounts.{id}");
        match reached {
            Err(error) => {
                let to_do = "is its base_url right, and may this machine call it?";
                checks.push(Check::wrong(what, format!("{address}: {error}"), to_do));
            }
            Ok(Reached { chain, ahead }) => {
                times.extend(ahead.map(|ahead| (id, ahead)));
                checks.push(if address.is_https() {
                    let to_do = "the network must renew it; ask them before its end";
                    certificate::check(&what, &address.to_string(), &chain, Timestamp::now(), to_do)
                } else {
                    Check::ok(what, format!("{address}: answers"))
                });
            }
        }
    }
    (checks, times)
}

/// The authorities that the dispatcher believes.
fn trust() -> Result<ClientConfig, rustls::Error> {
    let roots: RootCertStore = webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect();
    Ok(ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth())
}

async fn within<T>(step: &str, work: impl Future<Output = io::Result<T>>) -> Result<T, String> {
    match timeout(PATIENCE, work).await {
        Ok(done) => done.map_err(|error| format!("{step}: {error}")),
        Err(_) => Err(format!("{step}: no answer in {} s", PATIENCE.as_secs())),
    }
}

async fn reach(address: &BaseUrl, tls: Arc<ClientConfig>) -> Result<Reached, String> {
    let url = Url::parse(&address.to_string()).map_err(|error| error.to_string())?;
    let host = url.host_str().unwrap_or_default().to_owned();
    let name = host.trim_matches(['[', ']']).to_owned();
    let port = url.port_or_known_default().unwrap_or_default();
    let stream = within("cannot be reached", TcpStream::connect((name.as_str(), port))).await?;
    if !address.is_https() {
        return Ok(Reached { chain: Vec::new(), ahead: date(stream, &host).await });
    }
    let server = ServerName::try_from(name).map_err(|error| error.to_string())?;
    let stream = within("no TLS", TlsConnector::from(tls).connect(server, stream)).await?;
    let chain = stream.get_ref().1.peer_certificates().unwrap_or_default();
    let chain = chain.iter().map(|certificate| certificate.clone().into_owned()).collect();
    Ok(Reached { chain, ahead: date(stream, &host).await })
}

/// How far the server's clock is ahead of ours, where its answer says so.
async fn date(mut stream: impl AsyncRead + AsyncWrite + Unpin, host: &str) -> Option<SignedDuration> {
    let ask = format!(
        "HEAD / HTTP/1.1\r\nhost: {host}\r\nuser-agent: postback-doctor\r\nconnection: close\r\n\r\n"
    );
    let asked = Timestamp::now();
    let answer = async {
        stream.write_all(ask.as_bytes()).await?;
        let mut head = Vec::new();
        while !head.windows(4).any(|end| end == b"\r\n\r\n") && head.len() < HEAD {
            if stream.read_buf(&mut head).await? == 0 {
                break;
            }
        }
        Ok(head)
    };
    let head = within("no answer", answer).await.ok()?;
    let answered = Timestamp::now();
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut response = httparse::Response::new(&mut headers);
    response.parse(&head).ok()?;
    let date = response.headers.iter().find(|header| header.name.eq_ignore_ascii_case("date"))?;
    let date = rfc2822::DateTimeParser::new().parse_timestamp(date.value).ok()?;
    // The date is of some instant between the question and the answer, in whole seconds.
    Some(if date > answered {
        date.duration_since(answered)
    } else if date < asked {
        date.duration_since(asked)
    } else {
        SignedDuration::ZERO
    })
}
