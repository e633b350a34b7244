//! TLS from certificate files, which are followed when they change.

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use arc_swap::ArcSwap;
use postback_core::{Error, Result};
use rustls::{
    RootCertStore, ServerConfig,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::{NoServerSessionStorage, WebPkiClientVerifier},
};
use sha2::{Digest, Sha256};
use tokio::{net::TcpStream, task::spawn_blocking, time::interval};
use tokio_rustls::TlsAcceptor;

use crate::Socket;

/// How often the files are looked at.
const EVERY: Duration = Duration::from_secs(2);

/// The PEM files of a listener's TLS.
#[derive(Clone, Debug)]
pub struct TlsFiles {
    /// The listener's certificate, and those between it and its root.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// The authorities whose client certificates are believed. Where they are named, a client may show a
    /// certificate; one that they did not sign ends the handshake.
    pub clients: Option<PathBuf>,
}

/// TLS from certificate files. Clones share what [`Tls::refresh`] brings.
#[derive(Clone)]
pub struct Tls {
    files: Arc<TlsFiles>,
    protocol: &'static str,
    config: Arc<ArcSwap<ServerConfig>>,
    /// The digest of what the files held when they were last looked at.
    seen: Arc<Mutex<[u8; 32]>>,
}

impl Tls {
    /// Reads the files; `protocol` is the one name that is agreed on by ALPN, such as `h2`.
    ///
    /// # Errors
    /// `InvalidArgument` at `certificate`, `key` or `clients`: a file that cannot be read or holds something else.
    pub fn open(files: TlsFiles, protocol: &'static str) -> Result<Self> {
        let pem = Pem::read(&files)?;
        let config = ArcSwap::from_pointee(pem.config(protocol)?);
        let seen = Mutex::new(pem.digest());
        Ok(Self { files: Arc::new(files), protocol, config: Arc::new(config), seen: Arc::new(seen) })
    }

    /// Lets a connection in: under TLS, with a handshake that ends `within` that time, or as it is where there is
    /// no TLS.
    ///
    /// # Errors
    /// Why the handshake failed; `TimedOut` where it took too long.
    pub async fn enter(tls: Option<&Self>, stream: TcpStream, within: Duration) -> io::Result<Socket> {
        let Some(tls) = tls else { return Ok(stream.into()) };
        let handshake = TlsAcceptor::from(tls.config.load_full()).accept(stream);
        match tokio::time::timeout(within, handshake).await {
            Ok(stream) => Ok(stream?.into()),
            Err(_) => {
                Err(io::Error::new(io::ErrorKind::TimedOut, "the TLS handshake was not finished in time"))
            }
        }
    }

    /// Looks at the files every two seconds, for as long as it is polled.
    pub async fn follow(self) {
        let mut look = interval(EVERY);
        loop {
            look.tick().await;
            let tls = self.clone();
            // A panic there is a defect that the next look would meet again; it ends nothing here.
            let _ = spawn_blocking(move || tls.refresh()).await;
        }
    }

    /// Takes over the files where they changed: new connections come under what they hold now. Wrong files change
    /// nothing; the log says why, once for each change.
    pub fn refresh(&self) {
        let pem = Pem::read(&self.files);
        let news = match &pem {
            Ok(pem) => pem.digest(),
            Err(error) => Sha256::digest(error.to_string()).into(),
        };
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if std::mem::replace(&mut *seen, news) == news {
            return;
        }
        let file = self.files.certificate.display();
        match pem.and_then(|pem| pem.config(self.protocol)) {
            Ok(config) => {
                self.config.store(Arc::new(config));
                tracing::info!(%file, "the certificate is reloaded");
            }
            Err(error) => {
                tracing::error!(%file, %error, "the new certificate is wrong; the one before holds on")
            }
        }
    }

    /// The files that are followed.
    pub fn files(&self) -> &TlsFiles {
        &self.files
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("files", &self.files).finish_non_exhaustive()
    }
}

/// What the files hold.
struct Pem {
    certificate: Vec<u8>,
    key: Vec<u8>,
    clients: Option<Vec<u8>>,
}

impl Pem {
    fn read(files: &TlsFiles) -> Result<Self> {
        Ok(Self {
            certificate: read("certificate", &files.certificate)?,
            key: read("key", &files.key)?,
            clients: files.clients.as_deref().map(|file| read("clients", file)).transpose()?,
        })
    }

    fn digest(&self) -> [u8; 32] {
        let mut digest = Sha256::new();
        for part in [Some(&self.certificate), Some(&self.key), self.clients.as_ref()].into_iter().flatten() {
            digest.update(Sha256::digest(part));
        }
        digest.finalize().into()
    }

    fn config(&self, protocol: &str) -> Result<ServerConfig> {
        let chain = certificates("certificate", &self.certificate)?;
        let key = PrivateKeyDer::from_pem_slice(&self.key)
            .map_err(|_| Error::invalid("key", "holds no private key in PEM without a passphrase"))?;
        let provider = Arc::new(aws_lc_rs::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| Error::internal("TLS cannot be set up").caused_by(error))?;
        let builder = match &self.clients {
            None => builder.with_no_client_auth(),
            Some(clients) => {
                let wrong = |error: &dyn fmt::Display| {
                    Error::invalid("clients", format!("is not an authority: {error}"))
                };
                let mut roots = RootCertStore::empty();
                for root in certificates("clients", clients)? {
                    roots.add(root).map_err(|error| wrong(&error))?;
                }
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
                let verifier = verifier.allow_unauthenticated().build().map_err(|error| wrong(&error))?;
                builder.with_client_cert_verifier(verifier)
            }
        };
        let mut config = builder
            .with_single_cert(chain, key)
            .map_err(|error| Error::invalid("certificate", format!("does not go with the key: {error}")))?;
        config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
        if self.clients.is_some() {
            // A certificate is looked at for each connection: none is remembered past its end.
            config.session_storage = Arc::new(NoServerSessionStorage {});
            config.send_tls13_tickets = 0;
        }
        Ok(config)
    }
}

fn read(field: &'static str, file: &Path) -> Result<Vec<u8>> {
    let shown = file.to_string_lossy();
    if shown.contains("-----BEGIN") {
        return Err(Error::invalid(field, "is PEM itself; want the path of a file that holds it"));
    }
    fs::read(file).map_err(|error| Error::invalid(field, format!("`{shown}` cannot be read: {error}")))
}

fn certificates(field: &'static str, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let read = read.ok().filter(|certificates| !certificates.is_empty());
    read.ok_or_else(|| Error::invalid(field, "holds no certificate in PEM"))
}
