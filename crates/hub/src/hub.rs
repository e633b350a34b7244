//! The hub: its parts, and what all use cases share.
use crate::Registry;
use postback_core::{
    Accounts, Keyring, Result,
    ports::{Caller, ClickStore, Clock, Outbox},
};
use std::{sync::Arc, time::Duration};
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;
/// What a hub is made of.
pub struct Parts {
    /// Keeps clicks and users.
    pub clicks: Arc<dyn ClickStore>,
    /// Keeps conversions and deliveries.
    pub outbox: Arc<dyn Outbox>,
    /// Calls networks for look-ups.
    pub caller: Arc<dyn Caller>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The deployment's keys.
    pub keyring: Keyring,
    /// Accounts and campaigns.
    pub registry: Registry,
    /// The registry's accounts are sent here, at the start and with each [`Hub::replace`].
    pub accounts: watch::Sender<Accounts>,
    /// Notified after each new delivery.
    pub wake: Arc<Notify>,
    /// Bounds.
    pub settings: Settings,
}
/// Bounds of a hub.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How long a visitor waits for the click store.
    pub capture_deadline: Duration,
    /// How many clicks may wait for the click store.
    pub buffered_clicks: usize,
}
impl Default for Settings {
    fn default() -> Self {
        Self { capture_deadline: Duration::from_millis(25), buffered_clicks: 100_000 }
    }
}
/// The use cases.
#[derive(Clone)]
pub struct Hub {
    #[allow(dead_code)]
    inner: Arc<Parts>,
}
impl Hub {
    /// A hub of these parts.
    pub fn new(parts: Parts) -> Self {
        Self { inner: Arc::new(parts) }
    }
    /// The registry.
    pub fn registry(&self) -> Arc<Registry> {
        todo!()
    }
    /// Replaces it.
    pub fn replace(&self, _registry: Registry) {
        todo!()
    }
    /// The accounts.
    pub fn accounts(&self) -> watch::Receiver<Accounts> {
        todo!()
    }
    /// The clock.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        todo!()
    }
    /// Background work.
    pub async fn run(&self, _shutdown: CancellationToken) {
        todo!()
    }
    /// Ready.
    pub async fn ready(&self) -> Result<()> {
        todo!()
    }
}
