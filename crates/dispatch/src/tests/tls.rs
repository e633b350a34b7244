//! TLS: a server is believed where its root is, and a refusal sends nothing.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use postback_core::{DeliveryState, Outcome, Repeat};
use rustls::{
    ClientConfig, RootCertStore, ServerConfig, ServerConnection, StreamOwned,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer},
};

use super::{
    adapter::{HOLD, keyed},
    rig::{MAIN, Rig, account},
};
use crate::{network::Network, stack::Leaf};

const TIMEOUT: Duration = Duration::from_secs(5);

struct TlsServer {
    address: SocketAddr,
    certificate: CertificateDer<'static>,
    requests: Arc<AtomicUsize>,
    connections: Arc<AtomicUsize>,
}

/// Answers each connection's first request with 200, under a certificate that it signed itself.
fn server() -> TlsServer {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let certificate = made.cert.der().clone();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key)
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (requests, connections) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
    let (config, served, connected) = (Arc::new(config), requests.clone(), connections.clone());
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            connected.fetch_add(1, Ordering::SeqCst);
            if answer(stream, config.clone()).is_ok() {
                served.fetch_add(1, Ordering::SeqCst);
            }
        }
    });
    TlsServer { address, certificate, requests, connections }
}

fn answer(stream: TcpStream, config: Arc<ServerConfig>) -> std::io::Result<()> {
    let mut stream = StreamOwned::new(ServerConnection::new(config).unwrap(), stream);
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok")?;
    stream.conn.send_close_notify();
    stream.flush()
}

fn believing(certificate: CertificateDer<'static>) -> Network {
    let mut roots = RootCertStore::empty();
    roots.add(certificate).unwrap();
    let tls = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    Network::with_tls(tls, TIMEOUT)
}

fn rig(server: &TlsServer, repeat: Repeat, network: Network) -> Rig {
    let base = format!("https://{}", server.address);
    Rig::new([account(MAIN, &base, repeat)]).leads(MAIN, ["c"]).run(Leaf::new(network))
}

#[tokio::test]
async fn a_server_whose_root_is_believed_is_told() {
    for repeat in [HOLD, keyed()] {
        let server = server();
        let rig = rig(&server, repeat, believing(server.certificate.clone()));
        rig.settled().await;
        assert_eq!(rig.outbox.delivery("c").state, DeliveryState::Delivered);
        assert_eq!(rig.outbox.delivery("c").attempts[0].answer, "ok");
    }
}

#[tokio::test]
async fn a_server_that_vouches_for_itself_is_told_nothing_and_tried_again_later() {
    for repeat in [HOLD, keyed()] {
        let server = server();
        let rig = rig(&server, repeat, Network::new(TIMEOUT).unwrap());
        let delivery = rig.attempted("c", 1).await;
        assert_eq!(
            (delivery.state, delivery.attempts[0].outcome),
            (DeliveryState::Pending, Outcome::NotSent)
        );
        let reason = delivery.attempts[0].reason.as_ref().unwrap();
        assert_eq!(reason.code, "tls_failed", "{reason}");
        assert!(reason.message.contains("UnknownIssuer"), "{reason}");
        assert!(delivery.due_at.is_some());
        assert_eq!(server.requests.load(Ordering::SeqCst), 0);
        assert_eq!(server.connections.load(Ordering::SeqCst), 1, "a wrong certificate is no blip");
    }
}
