//! What all pages work with.

use std::sync::{Arc, atomic::AtomicBool};

use jiff::Timestamp;
use metrics_exporter_prometheus::PrometheusHandle;
use postback_access::Access;
use postback_core::{Result, ports::Clock};
use postback_hub::Hub;

use crate::{
    Console,
    session::{Sessions, derived, secret},
};

/// Shared by all requests.
pub(crate) type Desk = Arc<Shared>;

pub(crate) struct Shared {
    pub(crate) hub: Hub,
    pub(crate) ready: Arc<AtomicBool>,
    pub(crate) metrics: PrometheusHandle,
    pub(crate) access: Access,
    /// Whether browsers come by https.
    pub(crate) https: bool,
    pub(crate) sessions: Sessions,
    /// What the words of forms are made of that belong to no session.
    secret: String,
}

impl Shared {
    /// The desk of a console.
    pub(crate) fn of(console: Console, tls: bool) -> Result<Desk> {
        let Console { hub, ready, metrics, access, tls_in_front } = console;
        Ok(Arc::new(Self {
            hub,
            ready,
            metrics,
            access,
            https: tls || tls_in_front,
            sessions: Sessions::default(),
            secret: secret()?,
        }))
    }

    pub(crate) fn now(&self) -> Timestamp {
        Clock::now(self.hub.clock().as_ref())
    }

    /// What the forms carry of one who has no session.
    pub(crate) fn form_of(&self, name: &str) -> String {
        derived(&self.secret, name)
    }

    /// The session's cookie: under TLS bound to this very host.
    pub(crate) fn cookie_name(&self) -> &'static str {
        if self.https { "__Host-postback" } else { "postback" }
    }
}
