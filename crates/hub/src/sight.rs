//! What the hub sees of its accounts, its stores and its clock, again and again: for gauges and for alerts.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    future::Future,
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use postback_core::{
    AccountId, CLICK_LIFE, DeliveryId, DeliveryState, Result,
    ports::{AccountStats, DeliveryFilter, LOOKED_AT},
};
use tokio::{
    sync::watch,
    time::{Instant, sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use uuid::Builder;

use crate::{AccountStanding, Hub, meters};

/// How often it looks.
const EVERY: Duration = Duration::from_secs(10);
/// How long a store may take to answer one question.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often it counts the deliveries whose clicks end soon.
const SELDOM: Duration = Duration::from_secs(300);
/// A click ends soon that ends within this.
const SOON: SignedDuration = SignedDuration::from_hours(3 * 24);
/// How many are looked at for that at most: of an account's deliveries pending for long, and of its latest.
const LOOKED: usize = 10_000;

/// What the hub saw at one look.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sight {
    /// When it looked.
    pub at: Timestamp,
    /// Where the accounts stand, and those that were removed since the hub began while anything of theirs is left to do;
    /// nothing while the outbox is away.
    pub accounts: Option<Vec<AccountStanding>>,
    /// How many pending deliveries of an account have clicks that end within three days: of at most 10,000 that were
    /// reported more than 27 days ago, and of its latest 10,000; as of the last five minutes.
    pub ending: BTreeMap<AccountId, usize>,
    /// The stores that do not answer: `clicks`, `outbox`.
    pub away: Vec<&'static str>,
    /// Why the outbox would lose conversions, where it would.
    pub broken: Option<String>,
    /// By how much the clock leapt since the look before, where it did.
    pub leap: Option<SignedDuration>,
    /// The last leap, and when it was seen.
    pub leapt: Option<(Timestamp, SignedDuration)>,
    /// When it was last seen that clicks had been dropped which waited for their store.
    pub dropped: Option<Timestamp>,
}

impl Hub {
    /// What the hub sees, as often as it looks: every ten seconds while [`Hub::run`] runs. `None` before that.
    pub fn sights(&self) -> watch::Receiver<Option<Sight>> {
        self.inner.sights.subscribe()
    }

    /// Looks until `shutdown`, keeps the gauges, and tells who watches.
    pub(crate) async fn keep_sight(&self, shutdown: &CancellationToken) {
        let _: Option<()> = shutdown.run_until_cancelled(self.look_on()).await;
    }

    async fn look_on(&self) {
        let mut leaps = self.leaps();
        let mut sight = Sight::default();
        let mut seldom = None::<Instant>;
        let mut known = BTreeMap::new();
        loop {
            let leap = leaps.has_changed().is_ok_and(|changed| changed).then(|| *leaps.borrow_and_update());
            sight = self.look(leap.flatten(), sight).await;
            self.look_at_removed(&mut sight, &mut known).await;
            if seldom.is_none_or(|at| at.elapsed() >= SELDOM) {
                seldom = Some(Instant::now());
                self.count_ending(&mut sight).await;
            }
            meters::buffered(self.inner.buffer.len());
            meters::sight(&sight);
            self.inner.sights.send_replace(Some(sight.clone()));
            sleep(EVERY).await;
        }
    }

    async fn look(&self, leap: Option<SignedDuration>, before: Sight) -> Sight {
        let (clicks, outbox) = (&self.inner.clicks, &self.inner.outbox);
        let (clicks, outbox, accounts) =
            tokio::join!(asked(clicks.ping()), asked(outbox.ping()), asked(self.stats(None)));
        let away = [("clicks", clicks.is_none()), ("outbox", outbox.is_none() || accounts.is_none())];
        let away = away.into_iter().filter(|(_, away)| *away).map(|(store, _)| store).collect();
        let (at, broken) = (self.inner.clock.now(), self.inner.promise.broken());
        let leapt = leap.map(|leap| (at, leap)).or(before.leapt);
        let dropped = self.inner.buffer.has_dropped().then_some(at).or(before.dropped);
        Sight { at, accounts, away, broken, leap, leapt, dropped, ..before }
    }

    /// Adds where accounts stand that were `known` and were removed, as long as anything of theirs is left to do; `known`
    /// says of which it was told. The others are forgotten.
    async fn look_at_removed(&self, sight: &mut Sight, known: &mut BTreeMap<AccountId, bool>) {
        let Some(accounts) = &mut sight.accounts else { return };
        let present: BTreeSet<AccountId> = accounts.iter().map(|standing| standing.id.clone()).collect();
        let removed: Vec<AccountId> = known.keys().filter(|id| !present.contains(id)).cloned().collect();
        known.extend(present.into_iter().map(|id| (id, false)));
        for account in removed {
            let Some(standing) = asked(self.standing(&account, "")).await else { continue };
            let AccountStats { pending, waiting, in_doubt, .. } = standing.stats;
            if pending + waiting + in_doubt == 0 {
                known.remove(&account);
                meters::removed(&account);
                continue;
            }
            accounts.push(standing);
            if known.insert(account.clone(), true) == Some(false) {
                let what = "an account was removed, and nobody sends what is left of it; bring it back";
                tracing::error!(%account, pending, waiting, in_doubt, "{what}");
            }
        }
        sight.ending.retain(|account, _| known.contains_key(account));
    }

    async fn count_ending(&self, sight: &mut Sight) {
        let end = sight.at.saturating_add(SOON).unwrap_or(Timestamp::MAX);
        for standing in sight.accounts.iter().flatten() {
            let ending = match standing.stats.pending {
                0 => Ok(0),
                _ => self.ending(&standing.id, end).await,
            };
            if let Ok(ending) = ending {
                sight.ending.insert(standing.id.clone(), ending);
            }
        }
    }

    /// How many of an account's pending deliveries are not sent any more after `end`.
    async fn ending(&self, account: &AccountId, end: Timestamp) -> Result<usize> {
        let state = Some(DeliveryState::Pending.as_str());
        let filter = DeliveryFilter { account: Some(account.clone()), state, ..DeliveryFilter::default() };
        let mut ending: HashSet<DeliveryId> = HashSet::new();
        // No report comes before its click: each that came a click's life before the end is of one that ends.
        for mut after in [Some(before(end.saturating_sub(CLICK_LIFE).unwrap_or(Timestamp::MIN))), None] {
            for _ in 0..LOOKED / LOOKED_AT {
                let page = self.inner.outbox.deliveries(&filter, LOOKED_AT, after).await?;
                let soon = page.items.iter().filter(|delivery| delivery.expires_at < end);
                ending.extend(soon.map(|delivery| delivery.id));
                after = page.next;
                if after.is_none() {
                    break;
                }
            }
        }
        Ok(ending.len())
    }
}

/// The place in a list behind which stands what was made before then: ids begin with their time.
pub fn before(then: Timestamp) -> [u8; 16] {
    let millis = u64::try_from(then.as_millisecond()).unwrap_or_default();
    Builder::from_unix_timestamp_millis(millis, &[0; 10]).into_uuid().into_bytes()
}

/// The answer, where one comes in time.
async fn asked<T>(answer: impl Future<Output = Result<T>>) -> Option<T> {
    timeout(PATIENCE, answer).await.ok()?.ok()
}
