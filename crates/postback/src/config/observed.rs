//! The sections by which the hub is watched from outside: log, traces and alerts.

use http::Uri;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use tracing_subscriber::EnvFilter;
use url::Url;

use super::{
    Problem,
    address::{is_http, some_url},
    de::read,
    tree::{Node, Origins},
};

/// What the log says and how.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Log {
    pub(crate) format: LogFormat,
    pub(crate) filter: String,
}

impl Default for Log {
    fn default() -> Self {
        Self { format: LogFormat::Auto, filter: "info".into() }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    /// Text on a terminal, JSON otherwise.
    Auto,
    Text,
    Json,
}

/// Where traces go.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Traces {
    /// The collector.
    #[serde(deserialize_with = "some_url")]
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

pub(super) fn log(mut node: Node, problems: &mut Vec<Problem>) -> Option<Log> {
    let origins = Origins::of(&mut node);
    let log: Log = read(node, "log", problems)?;
    if EnvFilter::try_new(&log.filter).is_err() {
        let message = format!("`{}` is not a filter such as info or info,postback=debug", log.filter);
        problems.push(origins.problem("log", "filter", message));
        return None;
    }
    Some(log)
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
    let text = webhook.expose_secret();
    if !Url::parse(text).is_ok_and(|url| is_http(&url)) || text.parse::<Uri>().is_err() {
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
