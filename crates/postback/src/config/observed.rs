//! The sections by which the hub is watched from outside: traces and alerts.

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use url::Url;

use super::{Problem, de::read, sections::Origins, tree::Node};

/// Where traces go.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Traces {
    /// The collector.
    pub(crate) otlp: Option<Url>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct AlertsSection {
    webhook: Option<SecretString>,
    secret: Option<SecretString>,
}

/// Whom the hub tells of trouble by itself.
#[derive(Clone, Debug)]
pub(crate) struct Alerts {
    /// The URL that is called; it may hold a secret.
    pub(crate) webhook: SecretString,
    /// The key of the signature, where calls are signed.
    pub(crate) secret: Option<SecretString>,
}

fn is_http(url: &Url) -> bool {
    matches!(url.scheme(), "http" | "https") && url.has_host()
}

pub(super) fn traces(mut node: Node, problems: &mut Vec<Problem>) -> Option<Traces> {
    let origins = Origins::of(&mut node);
    let traces: Traces = read(node, "traces", problems)?;
    if let Some(url) = traces.otlp.as_ref().filter(|url| !is_http(url)) {
        let message = format!("`{url}` is not a URL such as http://127.0.0.1:4317");
        problems.push(origins.problem("traces", "otlp", message));
        return None;
    }
    Some(traces)
}

/// The alerts, where they are wanted.
pub(super) fn alerts(mut node: Node, problems: &mut Vec<Problem>) -> Option<Option<Alerts>> {
    let origins = Origins::of(&mut node);
    let section: AlertsSection = read(node, "alerts", problems)?;
    let Some(webhook) = section.webhook else {
        if section.secret.is_some() {
            problems.push(origins.problem("alerts", "secret", "is set, but alerts.webhook is not"));
            return None;
        }
        return Some(None);
    };
    if !Url::parse(webhook.expose_secret()).is_ok_and(|url| is_http(&url)) {
        problems.push(origins.problem(
            "alerts",
            "webhook",
            "is not a URL such as https://alerts.example/postback",
        ));
        return None;
    }
    if section.secret.as_ref().is_some_and(|secret| secret.expose_secret().len() < 16) {
        problems.push(origins.problem("alerts", "secret", "is shorter than 16 bytes"));
        return None;
    }
    Some(Some(Alerts { webhook, secret: section.secret }))
}
