//! What the edge measures.

use std::{
    cell::{OnceCell, RefCell},
    collections::HashMap,
    time::Duration,
};

use metrics::{
    Counter, Gauge, Histogram, Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge,
    histogram,
};
use postback_core::Flags;

use crate::refusal::Refusal;

const REDIRECTS: &str = "postback_redirects_total";
const REDIRECT_SECONDS: &str = "postback_redirect_seconds";
const REFUSED: &str = "postback_edge_refused_total";
const CONNECTIONS: &str = "postback_edge_connections";

/// Names the metrics, once for each recorder.
pub(crate) fn describe() {
    describe_counter!(REDIRECTS, Unit::Count, "Visitors sent on, by campaign and kind of visitor");
    describe_histogram!(REDIRECT_SECONDS, Unit::Seconds, "Time from a click's request head to its redirect");
    describe_counter!(REFUSED, Unit::Count, "Requests refused, by reason");
    describe_gauge!(CONNECTIONS, Unit::Count, "Open connections");
}

/// The counters of a campaign's redirects, by kind of visitor.
type Redirects = [Option<Counter>; 4];

thread_local! {
    /// Counters that this thread has looked up: there is one count for each click.
    static REDIRECTS_OF: RefCell<HashMap<String, Redirects>> = RefCell::default();
    static SECONDS: OnceCell<Histogram> = const { OnceCell::new() };
}

/// A visitor was sent on by a campaign of the hub.
pub(crate) fn redirected(campaign: &str, probe: bool, flags: Flags, took: Duration) {
    let (place, visitor) = match flags {
        _ if probe => (0, "probe"),
        Flags { bot: true, .. } => (1, "bot"),
        Flags { prefetch: true, .. } => (2, "prefetch"),
        Flags { .. } => (3, "person"),
    };
    let counter = || counter!(REDIRECTS, "campaign" => campaign.to_owned(), "visitor" => visitor);
    REDIRECTS_OF.with_borrow_mut(|known| {
        if !known.contains_key(campaign) {
            known.insert(campaign.to_owned(), Redirects::default());
        }
        if let Some(of) = known.get_mut(campaign) {
            of[place].get_or_insert_with(counter).increment(1);
        }
    });
    SECONDS.with(|seconds| seconds.get_or_init(|| histogram!(REDIRECT_SECONDS)).record(took));
}

/// A request was refused.
pub(crate) fn refused(refusal: Refusal) {
    counter!(REFUSED, "reason" => refusal.reason()).increment(1);
}

/// Counts one connection while it is kept.
#[derive(Debug)]
pub(crate) struct Open(Gauge);

impl Open {
    /// One connection more.
    pub(crate) fn new() -> Self {
        let connections = gauge!(CONNECTIONS);
        connections.increment(1);
        Self(connections)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.decrement(1);
    }
}
