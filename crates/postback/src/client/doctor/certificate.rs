//! Until when a certificate holds.

use std::{fs, path::Path};

use jiff::{SignedDuration, Timestamp};
use rustls::pki_types::{CertificateDer, pem::PemObject};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::Check;

/// Below this a certificate is to be renewed.
const SOON: SignedDuration = SignedDuration::from_hours(21 * 24);

/// The certificate file of a listener.
pub(super) fn file(section: &str, file: &Path, now: Timestamp) -> Check {
    let chain = fs::read(file)
        .ok()
        .and_then(|pem| CertificateDer::pem_slice_iter(&pem).collect::<Result<Vec<_>, _>>().ok());
    let found = file.display().to_string();
    check(
        section,
        &found,
        &chain.unwrap_or_default(),
        now,
        "renew it; the new files are taken over by themselves",
    )
}

/// The first of a chain to end.
pub(super) fn check(
    what: &str,
    whose: &str,
    chain: &[CertificateDer<'_>],
    now: Timestamp,
    to_do: &str,
) -> Check {
    let Some(end) = chain.iter().map(end).collect::<Option<Vec<_>>>().and_then(|ends| ends.into_iter().min())
    else {
        return Check::wrong(what, format!("{whose}: no certificate can be read"), to_do);
    };
    let left = end.duration_since(now);
    let found = format!("{whose}: the certificate ends {end}, in {} days", left.as_hours() / 24);
    if left.is_negative() {
        return Check::wrong(what, format!("{whose}: the certificate ended {end}"), to_do);
    }
    if left < SOON { Check::warning(what, found, to_do) } else { Check::ok(what, found) }
}

fn end(certificate: &CertificateDer<'_>) -> Option<Timestamp> {
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    Timestamp::from_second(certificate.validity().not_after.timestamp()).ok()
}

#[cfg(test)]
mod tests {
    use super::{super::Verdict, *};

    #[test]
    fn a_certificate_is_warned_of_three_weeks_before_its_end() {
        let file = std::env::temp_dir().join(format!("postback-certificate-{}.pem", std::process::id()));
        let ends: Timestamp = "2026-12-31T00:00:00Z".parse().unwrap();
        let mut params = rcgen::CertificateParams::new(["hub.internal".to_owned()]).unwrap();
        params.not_after = rcgen::date_time_ymd(2026, 12, 31);
        let key = rcgen::KeyPair::generate().unwrap();
        fs::write(&file, params.self_signed(&key).unwrap().pem()).unwrap();
        let at = |days: i64| super::file("api.tls", &file, ends - SignedDuration::from_hours(24 * days));
        let verdicts = [at(22).verdict, at(20).verdict, at(-1).verdict];
        assert_eq!(verdicts, [Verdict::Ok, Verdict::Warning, Verdict::Wrong]);
        assert!(
            at(20).found.ends_with("the certificate ends 2026-12-31T00:00:00Z, in 20 days"),
            "{:?}",
            at(20)
        );
        fs::remove_file(&file).unwrap();
        assert_eq!(at(22).verdict, Verdict::Wrong, "it is gone");
    }
}
