//! Alerts straight from the hub: what it sees becomes incidents, and incidents become calls of a webhook.

mod incidents;
mod webhook;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use jiff::SignedDuration;
use postback_core::{AccountId, ports::Outbox};
use postback_dispatch::Breakers;
use postback_hub::{AccountStanding, Sight};
use tokio::{
    sync::{mpsc, watch},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use crate::{config::Alerts, counted::counted};
use incidents::{Incidents, Kind, Sign};
use webhook::Webhook;

/// How long a breaker may be open before it is told.
const OPEN: Duration = Duration::from_secs(60);
/// How old a pending delivery may be before it is told.
const OLD: SignedDuration = SignedDuration::from_mins(15);
/// How many notices may wait for the webhook.
const WAITING: usize = 256;

/// Watches until `stop`. Nothing waits for the webhook but its own notices, and those not without bounds.
pub(crate) async fn watch(
    alerts: Alerts,
    mut sights: watch::Receiver<Option<Sight>>,
    breakers: Breakers,
    outbox: Arc<dyn Outbox>,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let webhook = Webhook::new(&alerts, outbox)?;
    let (tell, mut told) = mpsc::channel(WAITING);
    let look = async {
        let (mut eyes, mut incidents) = (Eyes::default(), Incidents::default());
        while sights.changed().await.is_ok() {
            let Some(sight) = sights.borrow_and_update().clone() else { continue };
            let signs = eyes.signs(&sight, &breakers.open());
            for notice in incidents.see(signs, sight.accounts.is_none(), sight.at, Instant::now()) {
                if tell.try_send(notice).is_err() {
                    tracing::error!("alerts.webhook: too many notices wait; one is dropped");
                }
            }
        }
    };
    let call = async {
        while let Some(notice) = told.recv().await {
            webhook.tell(&notice).await;
        }
    };
    let _: Option<_> = stop.run_until_cancelled(async { tokio::join!(look, call) }).await;
    Ok(())
}

/// What is remembered from look to look.
#[derive(Default)]
struct Eyes {
    /// The dead letters of each account.
    dead: BTreeMap<AccountId, u64>,
}

impl Eyes {
    /// What shows that something is wrong.
    fn signs(&mut self, sight: &Sight, breakers: &BTreeMap<AccountId, Instant>) -> Vec<Sign> {
        let mut signs = Vec::new();
        let mut show = |kind, subject: &str, summary: String| {
            signs.push(Sign { kind, subject: subject.to_owned(), summary });
        };
        for standing in sight.accounts.iter().flatten() {
            let grown = self.grown(standing);
            account(standing, grown, sight, &mut show);
        }
        for (account, since) in breakers.iter().filter(|(_, since)| since.elapsed() >= OPEN) {
            let minutes = since.elapsed().as_secs() / 60;
            let summary = format!("{account}: its network has failed again and again for {minutes} minutes");
            show(Kind::BreakerOpen, account.as_str(), summary);
        }
        for store in &sight.away {
            show(Kind::StoreAway, store, format!("the store of {store} does not answer"));
        }
        if let Some(why) = &sight.broken {
            show(Kind::PromiseBroken, "", why.clone());
        }
        if let Some(leap) = sight.leap {
            show(Kind::ClockLeapt, "", format!("the clock leapt by {} seconds", leap.as_secs()));
        }
        signs
    }

    /// How many dead letters came since the look before; none at the first.
    fn grown(&mut self, standing: &AccountStanding) -> u64 {
        let dead = standing.stats.dead;
        let before = self.dead.insert(standing.id.clone(), dead);
        before.map_or(0, |before| dead.saturating_sub(before))
    }
}

fn account(standing: &AccountStanding, grown: u64, sight: &Sight, show: &mut impl FnMut(Kind, &str, String)) {
    let (account, stats) = (standing.id.as_str(), &standing.stats);
    if let Some(paused) = &standing.paused {
        show(Kind::AccountPaused, account, format!("{account} is paused: {}", paused.reason));
    }
    if stats.in_doubt > 0 {
        let summary =
            format!("{account}: {} may or may not have been counted", counted(stats.in_doubt, "delivery"));
        show(Kind::InDoubt, account, summary);
    }
    if grown > 0 {
        let were = if grown == 1 { "was" } else { "were" };
        show(
            Kind::DeadLetters,
            account,
            format!("{account}: {} {were} given up", counted(grown, "delivery")),
        );
    }
    let oldest = stats.oldest_pending.map(|created| sight.at.duration_since(created));
    if let Some(age) = oldest.filter(|age| *age > OLD) {
        let summary = format!("{account}: the oldest pending delivery is {} minutes old", age.as_mins());
        show(Kind::OldestPending, account, summary);
    }
    let ending = sight.ending.get(&standing.id).copied().unwrap_or_default();
    if ending > 0 {
        let summary = format!("{account}: {ending} pending deliveries have less than 3 days left");
        show(Kind::ClicksEnding, account, summary);
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use postback_core::{Reason, ports::AccountStats, ports::Paused};

    use super::*;

    fn standing(stats: AccountStats, paused: bool) -> AccountStanding {
        let paused = paused.then(|| Paused {
            since: Timestamp::UNIX_EPOCH,
            reason: Reason::new("invalid_key", "wrong key"),
        });
        AccountStanding { id: "a".parse().unwrap(), network: "powerspace", paused, stats }
    }

    fn kinds(eyes: &mut Eyes, sight: &Sight) -> Vec<&'static str> {
        eyes.signs(sight, &BTreeMap::new()).iter().map(|sign| sign.kind.as_str()).collect()
    }

    #[test]
    fn what_is_wrong_shows_and_what_is_well_does_not() {
        let at = Timestamp::from_second(1_800_000_000).unwrap();
        let ago = |minutes| Some(at - SignedDuration::from_mins(minutes));
        let mut eyes = Eyes::default();
        let mut sight = Sight {
            at,
            accounts: Some(vec![standing(
                AccountStats { pending: 5, oldest_pending: ago(15), dead: 7, ..AccountStats::default() },
                false,
            )]),
            ..Sight::default()
        };
        assert_eq!(kinds(&mut eyes, &sight), [""; 0], "the dead letters of before are no news");
        let bad = AccountStats { in_doubt: 1, dead: 9, oldest_pending: ago(16), ..AccountStats::default() };
        sight.accounts = Some(vec![standing(bad, true)]);
        sight.ending.insert("a".parse().unwrap(), 1);
        sight.away.push("clicks");
        sight.broken = Some("it drops".to_owned());
        sight.leap = Some(SignedDuration::from_hours(-1));
        let all = [
            "account_paused", "in_doubt", "dead_letters", "oldest_pending", "clicks_ending", "store_away",
            "promise_broken", "clock_leapt",
        ];
        assert_eq!(kinds(&mut eyes, &sight), all);
        assert!(!kinds(&mut eyes, &sight).contains(&"dead_letters"), "told once");
    }

    #[tokio::test(start_paused = true)]
    async fn a_breaker_shows_after_a_minute() {
        let open = BTreeMap::from([("a".parse().unwrap(), Instant::now())]);
        let mut eyes = Eyes::default();
        tokio::time::advance(Duration::from_secs(59)).await;
        assert!(eyes.signs(&Sight::default(), &open).is_empty());
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(eyes.signs(&Sight::default(), &open)[0].kind, Kind::BreakerOpen);
    }
}
