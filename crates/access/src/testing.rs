//! What a test of TLS needs: an authority that signs certificates, and clients that believe it.

// What a test needs fails as a test does, by panicking.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::{fs, net::SocketAddr, path::Path, sync::Arc};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::{
    ClientConfig, RootCertStore,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::TlsFiles;

/// An authority.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate with its private key, both in PEM.
#[derive(Clone)]
pub struct Signed {
    /// The certificate.
    pub certificate: String,
    /// The private key.
    pub key: String,
}

impl Authority {
    /// A new authority, which nobody else believes.
    pub fn new() -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "an authority of a test");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// The authority's own certificate in PEM.
    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// Signs a certificate for a DNS name or IP address.
    pub fn sign(&self, name: &str) -> Signed {
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        Signed { certificate: params.signed_by(&key, &self.0).unwrap().pem(), key: key.serialize_pem() }
    }

    /// Writes a certificate for 127.0.0.1, its key, and this authority as that of the clients.
    pub fn files(&self, folder: &Path) -> TlsFiles {
        let file = |name: &str| folder.join(name);
        let files =
            TlsFiles { certificate: file("tls.pem"), key: file("tls.key"), clients: Some(file("ca.pem")) };
        self.write(&files);
        files
    }

    /// Writes anew what [`Authority::files`] wrote.
    pub fn write(&self, files: &TlsFiles) {
        let signed = self.sign("127.0.0.1");
        fs::write(&files.certificate, signed.certificate).unwrap();
        fs::write(&files.key, signed.key).unwrap();
        if let Some(clients) = &files.clients {
            fs::write(clients, self.pem()).unwrap();
        }
    }

    /// A client that believes this authority and shows a certificate, where it has one.
    pub fn client(&self, shown: Option<&Signed>, protocol: &str) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        roots.add(self.0.der().clone()).unwrap();
        let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        let mut config = match shown {
            None => builder.with_no_client_auth(),
            Some(signed) => {
                let certificate = CertificateDer::from_pem_slice(signed.certificate.as_bytes()).unwrap();
                let key = PrivateKeyDer::from_pem_slice(signed.key.as_bytes()).unwrap();
                builder.with_client_auth_cert(vec![certificate], key).unwrap()
            }
        };
        config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
        config
    }

    /// A connection under TLS of a client that believes this authority.
    ///
    /// # Errors
    /// Why the handshake failed. A server that refuses the client's certificate says so at the first read.
    pub async fn connect(
        &self,
        address: SocketAddr,
        shown: Option<&Signed>,
        protocol: &str,
    ) -> std::io::Result<TlsStream<TcpStream>> {
        let stream = TcpStream::connect(address).await.unwrap();
        let name = ServerName::from(address.ip());
        TlsConnector::from(Arc::new(self.client(shown, protocol))).connect(name, stream).await
    }
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}
