//! The sections of the config, but for access, accounts, campaigns and the listeners that ask who calls.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use http::HeaderName;
use postback_access::Tls;
use postback_clickstore::{RedisSettings, Topology};
use postback_core::{Error, Key, Keyring, schedule};
use postback_edge::{CookieSettings, Limits, Proxies, ReferrerPolicy};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use url::Url;

use super::{
    Problem,
    address::{address, is_http, is_redis, local, some_url},
    de::read,
    listen::{self, HTTP, TlsSection},
    tree::{Node, Origins},
};

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct KeySection {
    current: Option<SecretString>,
    older: Vec<SecretString>,
}

/// Where clicks and conversions are kept.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Store {
    pub(crate) engine: Engine,
    pub(crate) path: PathBuf,
    pub(crate) redis: Vec<SecretString>,
    pub(crate) cluster: bool,
    pub(crate) sentinel_master: Option<String>,
    pub(crate) prefix: String,
    pub(crate) wait_replicas: usize,
    pub(crate) retention_days: u32,
}

impl Default for Store {
    fn default() -> Self {
        Self {
            engine: Engine::Embedded,
            path: "data".into(),
            redis: Vec::new(),
            cluster: false,
            sentinel_master: None,
            prefix: "pb:".into(),
            wait_replicas: 0,
            retention_days: 90,
        }
    }
}

impl Store {
    /// How long settled conversions are kept.
    pub(crate) fn retention(&self) -> Duration {
        Duration::from_secs(u64::from(self.retention_days) * 86_400)
    }

    /// How a store on Redis is reached.
    pub(crate) fn redis_settings(&self) -> RedisSettings {
        RedisSettings {
            urls: self.redis.iter().map(|url| url.expose_secret().to_owned()).collect(),
            topology: match (&self.sentinel_master, self.cluster) {
                (Some(master), _) => Topology::Sentinel { master: master.clone() },
                (None, true) => Topology::Cluster,
                (None, false) => Topology::Single,
            },
            prefix: self.prefix.clone(),
            wait_replicas: self.wait_replicas,
            ..RedisSettings::default()
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Engine {
    Embedded,
    Redis,
}

/// The HTTP side that visitors land on.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Edge {
    #[serde(deserialize_with = "address")]
    pub(crate) listen: SocketAddr,
    #[serde(deserialize_with = "some_url")]
    pub(crate) public_url: Option<Url>,
    pub(crate) capture_deadline_ms: u64,
    pub(crate) buffered_clicks: usize,
    pub(crate) cookie: String,
    pub(crate) cookie_domain: Option<String>,
    pub(crate) referrer_policy: String,
    pub(crate) trusted_proxies: Vec<String>,
    pub(crate) country_header: String,
    pub(crate) device_header: String,
    tls: Option<TlsSection>,
    #[serde(skip)]
    opened: Option<Tls>,
}

impl Default for Edge {
    fn default() -> Self {
        Self {
            listen: local(8080),
            public_url: None,
            capture_deadline_ms: 25,
            buffered_clicks: 100_000,
            cookie: "postback_click".into(),
            cookie_domain: None,
            referrer_policy: "strict-origin-when-cross-origin".into(),
            trusted_proxies: Vec::new(),
            country_header: "x-country".into(),
            device_header: "x-device".into(),
            tls: None,
            opened: None,
        }
    }
}

impl Edge {
    /// What of it the edge itself checks, by setting.
    fn checks(&self) -> [(&'static str, String, postback_core::Result<()>); 6] {
        let domain = self.cookie_domain.as_deref();
        let default = Self::default().cookie;
        [
            ("cookie", self.cookie.clone(), CookieSettings::new(&self.cookie, None).map(drop)),
            (
                "cookie_domain",
                domain.unwrap_or_default().to_owned(),
                CookieSettings::new(&default, domain).map(drop),
            ),
            ("trusted_proxies", self.trusted_proxies.join(", "), self.proxies().map(drop)),
            (
                "referrer_policy",
                self.referrer_policy.clone(),
                self.referrer_policy.parse::<ReferrerPolicy>().map(drop),
            ),
            ("country_header", self.country_header.clone(), header(&self.country_header).map(drop)),
            ("device_header", self.device_header.clone(), header(&self.device_header).map(drop)),
        ]
    }

    fn cookie_settings(&self) -> postback_core::Result<CookieSettings> {
        CookieSettings::new(&self.cookie, self.cookie_domain.as_deref())
    }

    fn proxies(&self) -> postback_core::Result<Proxies> {
        self.trusted_proxies.iter().map(|network| network.parse()).collect()
    }

    /// What the edge is told.
    pub(crate) fn settings(&self) -> postback_core::Result<postback_edge::Settings> {
        Ok(postback_edge::Settings {
            cookie: self.cookie_settings()?,
            proxies: self.proxies()?,
            country_header: header(&self.country_header)?,
            device_header: header(&self.device_header)?,
            referrer_policy: self.referrer_policy.parse()?,
            tls: self.opened.clone(),
            limits: Limits::default(),
        })
    }
}

/// A header's name; none where it is empty.
fn header(name: &str) -> postback_core::Result<Option<HeaderName>> {
    if name.is_empty() {
        return Ok(None);
    }
    let refuse = |_| Error::invalid("header", "is not the name of a header");
    name.parse().map(Some).map_err(refuse)
}

/// How deliveries are taken and sent.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Dispatch {
    pub(crate) timeout_ms: u64,
    pub(crate) lease_ms: u64,
    pub(crate) poll_ms: u64,
}

impl Default for Dispatch {
    fn default() -> Self {
        Self { timeout_ms: 5_000, lease_ms: 30_000, poll_ms: 250 }
    }
}

pub(super) fn keyring(mut node: Node, problems: &mut Vec<Problem>) -> Option<Keyring> {
    let origins = Origins::of(&mut node);
    let section: KeySection = read(node, "key", problems)?;
    let Some(current) = section.current else {
        problems.push(origins.problem("key", "current", "is missing; `postback keygen` prints one"));
        return None;
    };
    let mut parse = |name: &str, which: &str, key: &SecretString| match key.expose_secret().parse::<Key>() {
        Ok(key) => Some(key),
        Err(error) => {
            problems.push(origins.problem("key", name, format!("{which}{}", error.message())));
            None
        }
    };
    let current = parse("current", "", &current);
    let numbered = (1..).zip(&section.older);
    let older: Vec<Option<Key>> =
        numbered.map(|(number, key)| parse("older", &format!("the one at place {number} "), key)).collect();
    let ring = Keyring::new(current?, older.into_iter().collect::<Option<Vec<_>>>()?);
    ring.map_err(|error| problems.push(origins.problem("key", "older", error.message()))).ok()
}

pub(super) fn store(mut node: Node, folder: &Path, problems: &mut Vec<Problem>) -> Option<Store> {
    let origins = Origins::of(&mut node);
    let mut store: Store = read(node, "store", problems)?;
    if !origins.has("path") {
        store.path = folder.join(store.path);
    }
    let before = problems.len();
    let mut wrong = |key: &str, message: &str| problems.push(origins.problem("store", key, message));
    if store.engine == Engine::Redis && store.redis.is_empty() {
        wrong("redis", "is empty; want at least one URL such as redis://127.0.0.1:6379");
    }
    if store.redis.iter().any(|url| !is_redis(url.expose_secret())) {
        wrong("redis", "holds what is not a URL such as redis://127.0.0.1:6379");
    } else if store.redis.len() > 1 && !store.cluster && store.sentinel_master.is_none() {
        wrong("redis", "names several servers; want one, or cluster = true, or sentinel_master");
    } else if !store.redis.is_empty()
        && let Err(error) = store.redis_settings().check()
    {
        wrong("redis", error.message());
    }
    if store.cluster && store.sentinel_master.is_some() {
        wrong("sentinel_master", "is set beside cluster = true; want one of them");
    }
    if store.engine == Engine::Embedded
        && (!store.redis.is_empty() || store.cluster || store.wait_replicas > 0)
    {
        wrong("engine", "is embedded, but redis, cluster or wait_replicas is set; want engine = \"redis\"");
    }
    let allowed = |c: u8| c.is_ascii_alphanumeric() || b"-_.:".contains(&c);
    if store.prefix.len() > 32 || !store.prefix.bytes().all(allowed) {
        wrong("prefix", &format!("`{}` is not at most 32 letters, digits, -, _, . and :", store.prefix));
    }
    if store.retention_days < 37 {
        let message = "is below 37; the keys that tell a repeat must outlive a click by a week";
        wrong("retention_days", &format!("`{}` {message}", store.retention_days));
    }
    (problems.len() == before).then_some(store)
}

pub(super) fn edge(mut node: Node, problems: &mut Vec<Problem>) -> Option<Edge> {
    let origins = Origins::of(&mut node);
    let mut edge: Edge = read(node, "edge", problems)?;
    let before = problems.len();
    let mut wrong = |key: &str, message: &str| problems.push(origins.problem("edge", key, message));
    if let Some(url) = &edge.public_url
        && !(is_http(url) && url.query().is_none() && url.fragment().is_none())
    {
        wrong("public_url", &format!("`{url}` is not a URL such as https://click.example"));
    }
    for (key, value, checked) in edge.checks() {
        if let Err(error) = checked {
            wrong(key, &format!("`{value}` {}", error.message()));
        }
    }
    if !(1..=1_000).contains(&edge.capture_deadline_ms) {
        wrong("capture_deadline_ms", &format!("`{}` is not 1 to 1000", edge.capture_deadline_ms));
    }
    if edge.buffered_clicks == 0 {
        wrong("buffered_clicks", "is 0; want at least 1");
    }
    if edge.tls.as_ref().is_some_and(|tls| tls.clients.is_some()) {
        wrong("tls.clients", "is set, but visitors have no certificates; leave it out");
    }
    edge.opened = listen::open(edge.tls.as_ref(), "edge", HTTP, &origins, problems);
    (problems.len() == before).then_some(edge)
}

pub(super) fn dispatch(mut node: Node, problems: &mut Vec<Problem>) -> Option<Dispatch> {
    let origins = Origins::of(&mut node);
    let dispatch: Dispatch = read(node, "dispatch", problems)?;
    let before = problems.len();
    let mut wrong = |key: &str, message: &str| problems.push(origins.problem("dispatch", key, message));
    if !(100..=5_000).contains(&dispatch.timeout_ms) {
        wrong("timeout_ms", &format!("`{}` is not 100 to 5000", dispatch.timeout_ms));
    }
    if dispatch.lease_ms < 3 * dispatch.timeout_ms {
        wrong(
            "lease_ms",
            "is less than three times timeout_ms: a delivery could be leased again while it is sent",
        );
    }
    if u128::from(dispatch.lease_ms) > schedule::LONGEST.unsigned_abs().as_millis() {
        wrong("lease_ms", &format!("`{}` is more than 176400000, which is 49 hours", dispatch.lease_ms));
    }
    if !(10..=60_000).contains(&dispatch.poll_ms) {
        wrong("poll_ms", &format!("`{}` is not 10 to 60000", dispatch.poll_ms));
    }
    (problems.len() == before).then_some(dispatch)
}

impl Dispatch {
    pub(crate) fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_ms)
    }
}
