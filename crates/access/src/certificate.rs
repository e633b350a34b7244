//! A client's certificate, by the names in it.

use postback_core::{Error, Result};
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

/// The names of a certificate that a handshake has proved genuine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    names: Vec<String>,
}

impl Certificate {
    /// Reads the names: every DNS name and URI, and the common name only where there is none of them.
    ///
    /// # Errors
    /// `InvalidArgument` where the bytes are no X.509 certificate in DER.
    pub fn read(der: &[u8]) -> Result<Self> {
        let refuse = || Error::invalid("certificate", "is not an X.509 certificate");
        let (_, certificate) = X509Certificate::from_der(der).map_err(|_| refuse())?;
        let alternative = certificate.subject_alternative_name().map_err(|_| refuse())?;
        let alternative = alternative.map(|names| names.value.general_names.as_slice()).unwrap_or_default();
        let mut names: Vec<String> = alternative
            .iter()
            .filter_map(|name| match name {
                GeneralName::DNSName(name) | GeneralName::URI(name) => Some((*name).to_owned()),
                _ => None,
            })
            .collect();
        if names.is_empty() {
            let common = certificate.subject().iter_common_name().filter_map(|name| name.as_str().ok());
            names.extend(common.map(str::to_owned));
        }
        Ok(Self { names })
    }

    /// The names, in the certificate's order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DnType, KeyPair, SanType};

    use super::*;

    fn names(common: &str, alternative: Vec<SanType>) -> Vec<String> {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, common);
        params.subject_alt_names = alternative;
        let certificate = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        Certificate::read(certificate.der()).unwrap().names
    }

    #[test]
    fn dns_names_and_uris_count_before_the_common_name() {
        let dns = SanType::DnsName("billing.internal".try_into().unwrap());
        let uri = SanType::URI("spiffe://example/billing".try_into().unwrap());
        assert_eq!(names("ops", vec![dns, uri]), ["billing.internal", "spiffe://example/billing"]);
    }

    #[test]
    fn the_common_name_counts_where_there_is_no_other() {
        assert_eq!(names("ops", Vec::new()), ["ops"]);
        assert_eq!(names("ops", vec![SanType::IpAddress([127, 0, 0, 1].into())]), ["ops"]);
    }

    #[test]
    fn what_is_no_certificate_is_refused() {
        assert!(Certificate::read(b"-----BEGIN").is_err() && Certificate::read(b"").is_err());
    }
}
