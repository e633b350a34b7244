//! A click store in memory that can be away, hang or refuse.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};

use async_trait::async_trait;
use postback_core::{
    AccountId, Click, ClickId, Error, Result, UserId,
    ports::{Attribution, ClickStore, Clock, FindClicks},
};
use tokio::sync::watch;

use super::TestClock;

/// How the store is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Up,
    Away,
    Hanging,
    Refusing,
    /// Takes no click yet, and answers all else.
    Clogged,
}

pub(crate) struct Clicks {
    mode: watch::Sender<Mode>,
    kept: watch::Sender<HashMap<(AccountId, ClickId), (Click, bool)>>,
    users: Mutex<HashMap<UserId, Vec<Attribution>>>,
    clock: Arc<TestClock>,
    pub(crate) asked: AtomicUsize,
}

impl Clicks {
    pub(crate) fn new(clock: Arc<TestClock>) -> Self {
        Self {
            mode: watch::Sender::new(Mode::Up),
            kept: watch::Sender::default(),
            users: Mutex::default(),
            clock,
            asked: AtomicUsize::default(),
        }
    }

    pub(crate) fn is(&self, mode: Mode) {
        self.mode.send_replace(mode);
    }

    pub(crate) fn len(&self) -> usize {
        self.kept.borrow().len()
    }

    /// The click ids that are kept.
    pub(crate) fn ids(&self) -> Vec<String> {
        let mut ids: Vec<_> = self.kept.borrow().keys().map(|(_, id)| id.to_string()).collect();
        ids.sort();
        ids
    }

    /// Returns once so many clicks are kept.
    pub(crate) async fn until(&self, many: usize) {
        self.kept.subscribe().wait_for(|kept| kept.len() >= many).await.unwrap();
    }

    async fn answer(&self) -> Result<()> {
        let mode = *self.mode.subscribe().wait_for(|mode| *mode != Mode::Hanging).await.unwrap();
        match mode {
            Mode::Refusing => Err(Error::internal("the record is damaged")),
            Mode::Away => Err(Error::unavailable("the click store is away")),
            _ => Ok(()),
        }
    }
}

#[async_trait]
impl ClickStore for Clicks {
    async fn capture(&self, click: Arc<Click>, findable: bool) -> Result<Arc<Click>> {
        self.asked.fetch_add(1, SeqCst);
        self.mode.subscribe().wait_for(|mode| *mode != Mode::Clogged).await.unwrap();
        self.answer().await?;
        let id = (click.click.account.clone(), click.click.id.clone());
        let mut first = Arc::unwrap_or_clone(click);
        self.kept.send_modify(|kept| {
            first = kept.entry(id).or_insert((first.clone(), findable)).0.clone();
        });
        Ok(Arc::new(first))
    }

    async fn click(&self, account: &AccountId, id: &ClickId) -> Result<Option<Click>> {
        self.answer().await?;
        let now = self.clock.now();
        let found = self.kept.borrow().get(&(account.clone(), id.clone())).map(|(click, _)| click.clone());
        Ok(found.filter(|click| !click.click.is_expired(now)))
    }

    async fn attach(&self, user: &UserId, attribution: Attribution) -> Result<()> {
        self.answer().await?;
        self.users.lock().unwrap().entry(user.clone()).or_default().push(attribution);
        Ok(())
    }

    async fn clicks_of(&self, user: &UserId) -> Result<Vec<Attribution>> {
        self.answer().await?;
        let now = self.clock.now();
        let mut of = self.users.lock().unwrap().get(user).cloned().unwrap_or_default();
        of.retain(|attribution| !attribution.click.is_expired(now));
        of.sort_by_key(|attribution| attribution.click.captured_at);
        Ok(of)
    }

    async fn find(&self, find: &FindClicks) -> Result<Vec<Click>> {
        self.answer().await?;
        let kept = self.kept.borrow();
        let mut found: Vec<Click> =
            kept.values().filter(|(_, findable)| *findable).map(|(click, _)| click.clone()).collect();
        found.retain(|click| {
            click.campaign == find.campaign
                && click.click.captured_at >= find.since
                && click.ip.as_ref().is_some_and(|ip| find.ip.contains(&ip.hash))
        });
        found.sort_by_key(|click| std::cmp::Reverse(click.click.captured_at));
        found.truncate(find.limit);
        Ok(found)
    }

    async fn erase_click(&self, account: &AccountId, id: &ClickId) -> Result<bool> {
        self.answer().await?;
        Ok(self.kept.send_if_modified(|kept| kept.remove(&(account.clone(), id.clone())).is_some()))
    }

    async fn erase_user(&self, user: &UserId) -> Result<bool> {
        self.answer().await?;
        Ok(self.users.lock().unwrap().remove(user).is_some())
    }

    async fn sweep(&self) -> Result<usize> {
        self.answer().await?;
        Ok(0)
    }

    async fn ping(&self) -> Result<()> {
        self.answer().await
    }
}
