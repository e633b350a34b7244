//! The bounded buffer of clicks that wait for a store which is away.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use postback_core::{AccountId, Click, ClickId, Utm};
use tokio::sync::Notify;

use crate::meters::{self, Dropped};

/// A click that waits.
#[derive(Clone, Debug)]
pub(crate) struct Waiting {
    pub(crate) click: Arc<Click>,
    pub(crate) findable: bool,
}

/// How many bytes the clicks of a full buffer may hold each, as a mean.
const MEAN: usize = 1_024;

/// How many bytes a text costs beside its own.
const TEXT: usize = size_of::<String>() + 16;

/// Clicks that wait for their store, the oldest first, and whether the store is known to be away.
#[derive(Debug)]
pub(crate) struct Buffer {
    bound: usize,
    away: AtomicBool,
    /// Whether any were dropped since that was last asked.
    dropped: AtomicBool,
    clicks: Mutex<Clicks>,
    writing: tokio::sync::Mutex<()>,
    wanted: Notify,
}

#[derive(Debug, Default)]
struct Clicks {
    next: u64,
    /// What they hold in all.
    bytes: usize,
    by_age: BTreeMap<u64, Waiting>,
    by_id: HashMap<(AccountId, ClickId), u64>,
}

impl Buffer {
    pub(crate) fn new(bound: usize) -> Self {
        Self {
            bound,
            away: AtomicBool::new(false),
            dropped: AtomicBool::new(false),
            clicks: Mutex::default(),
            writing: tokio::sync::Mutex::default(),
            wanted: Notify::new(),
        }
    }

    /// Whether a capture need not try the store now.
    pub(crate) fn is_away(&self) -> bool {
        self.away.load(Relaxed)
    }

    /// Notes that the store failed or was late: until it answers again, captures go to the buffer at once.
    pub(crate) fn away(&self) {
        if !self.away.swap(true, Relaxed) {
            tracing::warn!("the click store is away or late; clicks wait in the buffer");
        }
        self.wanted.notify_one();
    }

    /// Notes that the store answered.
    pub(crate) fn back(&self) {
        if self.away.swap(false, Relaxed) {
            tracing::info!(buffered = self.len(), "the click store is back");
        }
    }

    /// Lets a click wait; returns the one that waits: this one, or the first with its id. Past the bound the
    /// oldest is dropped.
    pub(crate) fn keep(&self, click: Arc<Click>, findable: bool) -> Arc<Click> {
        let dropped = {
            let mut clicks = self.lock();
            if let Some(first) = clicks.keep(click.clone(), findable) {
                return first;
            }
            let dropped = clicks.shrink(self.bound);
            meters::buffered(clicks.by_age.len());
            dropped
        };
        self.dropped.fetch_or(dropped > 0, Relaxed);
        (0..dropped).for_each(|_| meters::dropped(Dropped::Full));
        self.wanted.notify_one();
        click
    }

    /// Whether clicks were dropped since this was last asked.
    pub(crate) fn has_dropped(&self) -> bool {
        self.dropped.swap(false, Relaxed)
    }

    /// The click that waits under this id.
    pub(crate) fn get(&self, account: &AccountId, id: &ClickId) -> Option<Arc<Click>> {
        let clicks = self.lock();
        if clicks.by_id.is_empty() {
            return None;
        }
        let age = clicks.by_id.get(&(account.clone(), id.clone()))?;
        clicks.by_age.get(age).map(|waiting| waiting.click.clone())
    }

    /// Removes a click. Returns whether it was there.
    pub(crate) fn remove(&self, account: &AccountId, id: &ClickId) -> bool {
        let mut clicks = self.lock();
        let age = clicks.by_id.get(&(account.clone(), id.clone())).copied();
        let removed = age.is_some_and(|age| clicks.remove(age));
        if removed {
            meters::buffered(clicks.by_age.len());
        }
        removed
    }

    /// Who writes what waits holds this, and so does who must know that none of it is being written.
    pub(crate) async fn writing(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.writing.lock().await
    }

    /// The `most` oldest; they stay until they are removed.
    pub(crate) fn oldest(&self, most: usize) -> Vec<Waiting> {
        self.lock().by_age.values().take(most).cloned().collect()
    }

    pub(crate) fn len(&self) -> usize {
        self.lock().by_age.len()
    }

    /// Returns once a click waits, or the store is away.
    pub(crate) async fn wanted(&self) {
        while !self.is_away() && self.len() == 0 {
            self.wanted.notified().await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Clicks> {
        self.clicks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clicks {
    /// Takes a click in, or returns the one that is there under its id.
    fn keep(&mut self, click: Arc<Click>, findable: bool) -> Option<Arc<Click>> {
        let id = (click.click.account.clone(), click.click.id.clone());
        if let Some(first) = self.by_id.get(&id).and_then(|age| self.by_age.get(age)) {
            return Some(first.click.clone());
        }
        self.bytes += size(&click);
        self.by_id.insert(id, self.next);
        self.by_age.insert(self.next, Waiting { click, findable });
        self.next += 1;
        None
    }

    /// Drops the oldest while there are more than `bound`, or they hold more than so many may. Returns how many.
    fn shrink(&mut self, bound: usize) -> usize {
        let mut dropped = 0;
        while self.by_age.len() > bound || self.bytes > bound.saturating_mul(MEAN) {
            let Some((&oldest, _)) = self.by_age.first_key_value() else { break };
            self.remove(oldest);
            dropped += 1;
        }
        dropped
    }

    fn remove(&mut self, age: u64) -> bool {
        let Some(Waiting { click, .. }) = self.by_age.remove(&age) else { return false };
        self.bytes -= size(&click);
        self.by_id.remove(&(click.click.account.clone(), click.click.id.clone()));
        true
    }
}

/// How many bytes a click holds, as nearly as matters.
fn size(click: &Click) -> usize {
    let Click { utm, parameters, country, device, user_agent, .. } = click;
    let Utm { source, medium, campaign, term, content } = utm;
    let known = [source, medium, campaign, term, content, country, device, user_agent].into_iter().flatten();
    let texts = parameters.iter().flat_map(|(name, value)| [name, value]).chain(known);
    let texts: usize = texts.map(|text| TEXT + text.len()).sum();
    size_of::<Click>() + click.click.id.as_str().len() + texts
}

#[cfg(test)]
mod tests {
    use metrics_exporter_prometheus::PrometheusBuilder;
    use postback_core::{Key, Keyring};

    use super::*;
    use crate::Visit;

    fn click(id: &str, second: i64) -> Arc<Click> {
        brought(id, second, "")
    }

    fn brought(id: &str, second: i64, query: &str) -> Arc<Click> {
        let click = postback_core::ClickRef {
            account: "near".parse().unwrap(),
            id: id.parse().unwrap(),
            captured_at: jiff::Timestamp::from_second(second).unwrap(),
        };
        let ring = Keyring::new(Key::new(1, [7; 32]), []).unwrap();
        Arc::new(Visit { query, ..Visit::default() }.record(
            click,
            &"spring".parse().unwrap(),
            "click",
            &ring,
        ))
    }

    fn ids(buffer: &Buffer) -> Vec<String> {
        buffer.oldest(10).iter().map(|waiting| waiting.click.click.id.to_string()).collect()
    }

    #[test]
    fn of_two_captures_that_come_to_wait_at_once_the_first_is_kept_and_leaves_nothing_behind() {
        let buffer = Buffer::new(10);
        let first = buffer.keep(click("a", 1), false);
        assert_eq!(buffer.keep(click("a", 2), false), first);
        assert_eq!(buffer.len(), 1);
        assert!(buffer.remove(&first.click.account, &first.click.id));
        assert_eq!(buffer.len(), 0);
    }

    #[test]
    fn past_the_bound_the_oldest_goes() {
        let buffer = Buffer::new(2);
        for (id, second) in [("a", 1), ("b", 2), ("c", 3)] {
            buffer.keep(click(id, second), false);
        }
        assert_eq!(ids(&buffer), ["b", "c"]);
        let none = Buffer::new(0);
        none.keep(click("a", 1), false);
        assert_eq!(none.len(), 0);
    }

    #[test]
    fn the_gauge_says_at_once_how_many_wait() {
        let recorder = PrometheusBuilder::new().build_recorder();
        let shown = || recorder.handle().render().lines().any(|line| line == "postback_click_buffer 1");
        metrics::with_local_recorder(&recorder, || {
            let buffer = Buffer::new(10);
            let kept = buffer.keep(click("a", 1), false);
            assert!(shown(), "{}", recorder.handle().render());
            buffer.remove(&kept.click.account, &kept.click.id);
            assert!(!shown(), "{}", recorder.handle().render());
        });
    }

    #[test]
    fn clicks_that_brought_much_are_fewer() {
        let (buffer, much) = (Buffer::new(5), "x".repeat(1_000));
        let keep = |id, second| buffer.keep(brought(id, second, &format!("a={much}&utm_term={much}")), false);
        for (id, second) in [("a", 1), ("b", 2), ("c", 3)] {
            keep(id, second);
        }
        assert_eq!(ids(&buffer), ["b", "c"]);
        for gone in [keep("b", 4), keep("c", 5)] {
            assert!(buffer.remove(&gone.click.account, &gone.click.id));
        }
        for second in 10..15 {
            buffer.keep(click(&second.to_string(), second), false);
        }
        assert_eq!(buffer.len(), 5);
    }
}
