//! The webhook: one signed JSON call for each notice, with a few tries, from one hub of a deployment where it can be.

use std::{env, fs, sync::Arc, time::Duration};

use anyhow::Context;
use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use http::{Method, Request, Uri, header};
use http_body_util::Full;
use hyper_rustls::{ConfigBuilderExt, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use jiff::{SignedDuration, Timestamp};
use postback_core::{
    Fingerprint,
    ports::{Outbox, RequestKey, Reservation},
};
use rustls::{ClientConfig, crypto::aws_lc_rs};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use sha2::Sha256;
use tokio::time::{sleep, timeout};

use super::incidents::{Kind, Notice};
use crate::config::Alerts;

/// How long one call may take.
const CALL: Duration = Duration::from_secs(10);
/// The waits between the tries of one notice.
const WAITS: [Duration; 4] =
    [Duration::from_secs(1), Duration::from_secs(5), Duration::from_secs(30), Duration::from_secs(120)];
/// How long the store may take to say whether another hub tells the same.
const ASK: Duration = Duration::from_secs(2);
/// Within which time hubs that see the same tell it once.
const TOGETHER: SignedDuration = SignedDuration::from_secs(60);

/// What is sent.
#[derive(Serialize)]
struct Body<'a> {
    incident: String,
    status: &'static str,
    kind: Kind,
    subject: &'a str,
    summary: &'a str,
    action: &'static str,
    since: String,
    at: String,
    hub: &'a str,
}

/// Where notices go.
pub(super) struct Webhook {
    url: Uri,
    secret: Option<SecretString>,
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    outbox: Arc<dyn Outbox>,
    hub: String,
}

impl Webhook {
    pub(super) fn new(alerts: &Alerts, outbox: Arc<dyn Outbox>) -> anyhow::Result<Self> {
        let tls = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .context("TLS could not be set up")?
            .with_webpki_roots()
            .with_no_client_auth();
        let connector =
            HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1().build();
        let hub = env::var("HOSTNAME").or_else(|_| fs::read_to_string("/etc/hostname")).unwrap_or_default();
        Ok(Self {
            url: alerts.webhook.expose_secret().parse().ok().context("alerts.webhook: is not a URL")?,
            secret: alerts.secret.clone(),
            client: Client::builder(TokioExecutor::new()).build(connector),
            outbox,
            hub: hub.trim().to_owned(),
        })
    }

    /// Tells the webhook, unless another hub of the deployment does. What is told again is told in any case: it
    /// may be this hub itself that told it, before it was started again.
    pub(super) async fn tell(&self, notice: &Notice) {
        let (kind, status) = (notice.sign.kind, if notice.over { "over" } else { "open" });
        let incident = self.incident(notice);
        if !kind.is_own() && self.is_told(&incident, status).await && !notice.again {
            tracing::debug!(incident, status, "another hub tells the webhook");
            return;
        }
        let at = Timestamp::now();
        let body = serde_json::to_vec(&Body {
            status,
            kind,
            subject: &notice.sign.subject,
            summary: &notice.sign.summary,
            action: kind.action(),
            since: format!("{:.0}", notice.since),
            at: format!("{at:.0}"),
            hub: &self.hub,
            incident: incident.clone(),
        });
        let Ok(body) = body.map(Bytes::from) else { return };
        for wait in WAITS.iter().map(Some).chain([None]) {
            let why = match timeout(CALL, self.call(body.clone())).await {
                Ok(Ok(())) => return tracing::info!(incident, status, "the webhook is told"),
                Ok(Err(why)) => format!("{why:#}"),
                Err(_) => "no answer in ten seconds".to_owned(),
            };
            let Some(wait) = wait else {
                return tracing::error!(
                    incident,
                    status,
                    why,
                    "the webhook could not be told; nothing more is tried"
                );
            };
            tracing::warn!(incident, status, why, "the webhook could not be told; it is tried again");
            sleep(*wait).await;
        }
    }

    /// The incident's name: the same each time it comes, and on every hub that sees it.
    fn incident(&self, notice: &Notice) -> String {
        let mut name = notice.sign.kind.as_str().to_owned();
        for part in [notice.sign.subject.as_str(), if notice.sign.kind.is_own() { &self.hub } else { "" }] {
            if !part.is_empty() {
                name = format!("{name}/{part}");
            }
        }
        name
    }

    async fn call(&self, body: Bytes) -> anyhow::Result<()> {
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(self.url.clone())
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::USER_AGENT, concat!("postback/", env!("CARGO_PKG_VERSION")));
        if let Some(secret) = &self.secret {
            request = request.header("x-postback-signature", sign(secret, &body)?);
        }
        let answer = self.client.request(request.body(Full::new(body))?).await;
        // The client's own words may hold the URL, which may be a secret.
        let answer = answer.map_err(|error| {
            anyhow::anyhow!(if error.is_connect() { "it cannot be reached" } else { "the connection broke" })
        })?;
        anyhow::ensure!(answer.status().is_success(), "it answered {}", answer.status());
        Ok(())
    }

    /// Whether another hub tells this, having seen it in the same minute. Where the store does not say, this one does.
    async fn is_told(&self, incident: &str, status: &str) -> bool {
        let now = Timestamp::now();
        let mine = *uuid::Uuid::now_v7().as_bytes();
        let minute = now.as_second() / TOGETHER.as_secs();
        for minute in [minute - 1, minute] {
            let key = RequestKey::of(&["alert", incident, status, &minute.to_string()]);
            let fingerprint = Fingerprint::of(&[incident]);
            let reservation = Reservation { fingerprint, id: mine, at: now, click: None };
            let kept = timeout(ASK, self.outbox.reserve(key, reservation)).await;
            let other = |kept: &Reservation| kept.id != mine && now.duration_since(kept.at).abs() < TOGETHER;
            if let Ok(Ok(kept)) = kept
                && other(&kept)
            {
                return true;
            }
        }
        false
    }
}

/// `sha256=` and the HMAC of the body in hex.
fn sign(secret: &SecretString, body: &[u8]) -> anyhow::Result<String> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.expose_secret().as_bytes())?;
    mac.update(body);
    let digits = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    Ok(format!("sha256={digits}"))
}

#[cfg(test)]
mod tests {
    use std::{
        convert::Infallible,
        sync::atomic::{AtomicUsize, Ordering::Relaxed},
    };

    use http::{Response, StatusCode};
    use http_body_util::BodyExt;
    use hyper::{body::Incoming, server::conn::http1, service::service_fn};
    use hyper_util::rt::TokioIo;
    use postback_dispatch::Breakers;
    use postback_hub::{Sight, SystemClock};
    use tokio::{
        net::TcpListener,
        sync::{mpsc, watch},
    };
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::alerts::incidents::Sign;

    /// A call that a receiver took: its signature and its body.
    type Taken = (String, String);

    /// A receiver that fails the first calls, and hands on all.
    async fn receiver(fails: usize) -> (String, mpsc::UnboundedReceiver<Taken>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook?key=hidden", listener.local_addr().unwrap());
        let (hand, taken) = mpsc::unbounded_channel();
        let fails = AtomicUsize::new(fails);
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let take = service_fn(|request: Request<Incoming>| {
                    let less = fails.fetch_update(Relaxed, Relaxed, |fails| fails.checked_sub(1));
                    let (hand, fail) = (hand.clone(), less.is_ok());
                    async move {
                        let signature = request.headers().get("x-postback-signature");
                        let signature = signature.map_or("", |it| it.to_str().unwrap()).to_owned();
                        let body = request.into_body().collect().await.unwrap().to_bytes();
                        hand.send((signature, String::from_utf8(body.to_vec()).unwrap())).unwrap();
                        let status = if fail { StatusCode::BAD_GATEWAY } else { StatusCode::OK };
                        Ok::<_, Infallible>(
                            Response::builder().status(status).body(Full::<Bytes>::default()).unwrap(),
                        )
                    }
                });
                let _ = http1::Builder::new()
                    .keep_alive(false)
                    .serve_connection(TokioIo::new(stream), take)
                    .await;
            }
        });
        (url, taken)
    }

    async fn outbox(folder: &std::path::Path) -> Arc<dyn Outbox> {
        let kept = Duration::from_secs(90 * 86_400);
        Arc::new(postback_outbox::Embedded::open(folder, Arc::new(SystemClock), kept).await.unwrap())
    }

    fn hub(url: &str, secret: Option<&str>, outbox: &Arc<dyn Outbox>) -> Webhook {
        let alerts = Alerts { webhook: url.into(), secret: secret.map(Into::into) };
        Webhook::new(&alerts, outbox.clone()).unwrap()
    }

    fn notice(kind: Kind, over: bool) -> Notice {
        let sign = Sign { kind, subject: "a".to_owned(), summary: "a: it is so".to_owned() };
        Notice { sign, over, since: Timestamp::UNIX_EPOCH, again: false }
    }

    #[test]
    fn a_call_is_signed_as_rfc_4231_has_it() {
        let secret = SecretString::from("Jefe");
        let want = "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        assert_eq!(sign(&secret, b"what do ya want for nothing?").unwrap(), want);
    }

    #[tokio::test]
    async fn a_receiver_that_fails_is_called_again_with_the_same_signed_body() {
        let folder = tempfile::tempdir().unwrap();
        let outbox = outbox(folder.path()).await;
        let (url, mut taken) = receiver(1).await;
        hub(&url, Some("a secret of ours"), &outbox).tell(&notice(Kind::InDoubt, false)).await;
        let (signature, body) = taken.recv().await.unwrap();
        assert_eq!(taken.recv().await.unwrap(), (signature.clone(), body.clone()));
        assert!(taken.try_recv().is_err(), "it was taken");
        assert_eq!(signature, sign(&"a secret of ours".into(), body.as_bytes()).unwrap());
        let said: serde_json::Value = serde_json::from_str(&body).unwrap();
        for (key, want) in [
            ("incident", "in_doubt/a"),
            ("status", "open"),
            ("kind", "in_doubt"),
            ("subject", "a"),
            ("summary", "a: it is so"),
            ("action", Kind::InDoubt.action()),
            ("since", "1970-01-01T00:00:00Z"),
        ] {
            assert_eq!(said[key], want, "{body}");
        }
        assert!(
            said["at"].as_str().unwrap().parse::<Timestamp>().is_ok() && said["hub"].is_string(),
            "{body}"
        );
    }

    #[tokio::test]
    async fn of_two_hubs_over_one_store_one_tells_what_both_see_and_each_what_is_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let outbox = outbox(folder.path()).await;
        let (url, mut taken) = receiver(0).await;
        let (one, other) = (hub(&url, None, &outbox), hub(&url, None, &outbox));
        for (kind, over) in [(Kind::InDoubt, false), (Kind::InDoubt, true), (Kind::BreakerOpen, false)] {
            one.tell(&notice(kind, over)).await;
            other.tell(&notice(kind, over)).await;
        }
        let mut told = Vec::new();
        while let Ok((signature, body)) = taken.try_recv() {
            assert_eq!(signature, "", "there is no secret");
            let said: serde_json::Value = serde_json::from_str(&body).unwrap();
            told.push(format!("{} {}", said["kind"].as_str().unwrap(), said["status"].as_str().unwrap()));
        }
        assert_eq!(told, ["in_doubt open", "in_doubt over", "breaker_open open", "breaker_open open"]);
    }

    #[tokio::test]
    async fn a_hub_that_is_started_again_within_a_minute_tells_again_what_is_open() {
        let folder = tempfile::tempdir().unwrap();
        let outbox = outbox(folder.path()).await;
        let (url, mut taken) = receiver(0).await;
        let sight =
            Sight { accounts: Some(Vec::new()), broken: Some("it drops".to_owned()), ..Sight::default() };
        for _ in 0..2 {
            let alerts = Alerts { webhook: url.as_str().into(), secret: None };
            let ((see, sights), stop) = (watch::channel(None), CancellationToken::new());
            let hub = super::super::watch(alerts, sights, Breakers::default(), outbox.clone(), stop.clone());
            let hub = tokio::spawn(hub);
            see.send(Some(sight.clone())).unwrap();
            let told = timeout(Duration::from_secs(30), taken.recv()).await.expect("it is told").unwrap();
            assert!(told.1.contains("promise_broken"), "{}", told.1);
            stop.cancel();
            hub.await.unwrap().unwrap();
        }
    }
}
