//! Incidents: what is wrong is told once when it begins and once when it is over. No IO, no clock.

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;
use serde::Serialize;
use tokio::time::Instant;

/// What can be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    /// An account is not worked on.
    AccountPaused,
    /// A person must decide deliveries.
    InDoubt,
    /// Deliveries were given up.
    DeadLetters,
    /// A network failed again and again, and is given a rest.
    BreakerOpen,
    /// Deliveries wait for long.
    OldestPending,
    /// Deliveries are pending whose clicks end soon.
    ClicksEnding,
    /// The store would drop conversions.
    PromiseBroken,
    /// A store does not answer.
    StoreAway,
    /// The clock was set.
    ClockLeapt,
}

impl Kind {
    /// A stable word.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::AccountPaused => "account_paused",
            Self::InDoubt => "in_doubt",
            Self::DeadLetters => "dead_letters",
            Self::BreakerOpen => "breaker_open",
            Self::OldestPending => "oldest_pending",
            Self::ClicksEnding => "clicks_ending",
            Self::PromiseBroken => "promise_broken",
            Self::StoreAway => "store_away",
            Self::ClockLeapt => "clock_leapt",
        }
    }

    /// What is to be done.
    pub(crate) const fn action(self) -> &'static str {
        match self {
            Self::AccountPaused => {
                "Where the network refused the account, mend its key or token; then resume it."
            }
            Self::InDoubt => {
                "Look the deliveries up at the network, then resolve each: delivered, or send again."
            }
            Self::DeadLetters => "Read their reasons, mend the cause, replay them while their clicks live.",
            Self::BreakerOpen => {
                "It closes with the first call that succeeds. Ask the network, or mend the way to it."
            }
            Self::OldestPending => {
                "See whether the network answers, and whether a hub with the role dispatch runs."
            }
            Self::ClicksEnding => {
                "Mend what holds them up now: after three days the network takes them no more."
            }
            Self::PromiseBroken => "Set Redis' maxmemory-policy to noeviction.",
            Self::StoreAway => "Bring the store back; conversions are refused until then.",
            Self::ClockLeapt => {
                "Due times leapt with it. Let the clock be slewed, and see whether the machine slept."
            }
        }
    }

    /// Whether only this hub sees it, of several over one store.
    pub(crate) const fn is_own(self) -> bool {
        matches!(self, Self::BreakerOpen | Self::StoreAway | Self::ClockLeapt)
    }

    /// Whether it is read in the outbox, so that nothing is known of it while that is away.
    const fn is_of_outbox(self) -> bool {
        matches!(
            self,
            Self::AccountPaused
                | Self::InDoubt
                | Self::DeadLetters
                | Self::OldestPending
                | Self::ClicksEnding
        )
    }

    /// How long it must hold before it is told.
    const fn patience(self) -> Duration {
        match self {
            Self::StoreAway => Duration::from_secs(30),
            _ => Duration::ZERO,
        }
    }

    /// How long it must not show before it is over.
    const fn quiet(self) -> Duration {
        match self {
            Self::DeadLetters | Self::ClockLeapt => Duration::from_secs(3_600),
            _ => Duration::from_secs(120),
        }
    }
}

/// What shows that something is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sign {
    /// What is wrong.
    pub(crate) kind: Kind,
    /// Where: an account, or a store; empty where there is but one.
    pub(crate) subject: String,
    /// In words.
    pub(crate) summary: String,
}

/// What is told of an incident.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Notice {
    /// What is or was wrong; the words are the latest.
    pub(crate) sign: Sign,
    /// Whether it is over.
    pub(crate) over: bool,
    /// Since when it was wrong.
    pub(crate) since: Timestamp,
    /// Whether it was wrong when this process began to look: it may have been told before, and is told again.
    pub(crate) again: bool,
}

struct Incident {
    sign: Sign,
    since: Timestamp,
    first: Instant,
    last: Instant,
    told: bool,
}

/// The incidents that are not over.
#[derive(Default)]
pub(crate) struct Incidents {
    open: BTreeMap<(Kind, String), Incident>,
    /// Whether the outbox was looked into before.
    looked: bool,
}

impl Incidents {
    /// Takes in what shows now, and returns what is to be told. `blind`: the outbox is away.
    pub(crate) fn see(&mut self, signs: Vec<Sign>, blind: bool, at: Timestamp, now: Instant) -> Vec<Notice> {
        for sign in signs {
            let key = (sign.kind, sign.subject.clone());
            let fresh = || Incident { sign: sign.clone(), since: at, first: now, last: now, told: false };
            let incident = self.open.entry(key).or_insert_with(fresh);
            incident.last = now;
            incident.sign = sign;
        }
        if blind {
            self.open.values_mut().filter(|it| it.sign.kind.is_of_outbox()).for_each(|it| it.last = now);
        }
        let again = !self.looked;
        self.looked |= !blind;
        let mut notices = Vec::new();
        self.open.retain(|(kind, _), it| {
            let shows = it.last == now;
            if !it.told && shows && now - it.first >= kind.patience() {
                it.told = true;
                notices.push(Notice { sign: it.sign.clone(), over: false, since: it.since, again });
            }
            let over = !shows && (!it.told || now - it.last >= kind.quiet());
            if over && it.told {
                notices.push(Notice { sign: it.sign.clone(), over: true, since: it.since, again: false });
            }
            !over
        });
        notices
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sign(kind: Kind, subject: &str) -> Sign {
        Sign { kind, subject: subject.to_owned(), summary: "something".to_owned() }
    }

    /// Looks every ten seconds for so long, and says at which second what was told.
    async fn told(incidents: &mut Incidents, looks: &[(u64, &[Sign], bool)]) -> Vec<(u64, String)> {
        let began = Instant::now();
        let mut told = Vec::new();
        for (seconds, signs, blind) in looks {
            for _ in 0..seconds / 10 {
                let at = Timestamp::UNIX_EPOCH;
                for notice in incidents.see(signs.to_vec(), *blind, at, Instant::now()) {
                    let what = if notice.over { "over" } else { "open" };
                    let said = format!("{} {} {what}", notice.sign.kind.as_str(), notice.sign.subject);
                    told.push((began.elapsed().as_secs(), said));
                }
                tokio::time::advance(Duration::from_secs(10)).await;
            }
        }
        told
    }

    fn said(list: &[(u64, &str)]) -> Vec<(u64, String)> {
        list.iter().map(|(at, what)| (*at, (*what).to_owned())).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn an_incident_is_told_once_when_it_begins_and_once_when_it_is_over() {
        let paused = [sign(Kind::AccountPaused, "a")];
        let looks: [(u64, &[Sign], bool); 3] = [(20, &[], false), (3_600, &paused, false), (300, &[], false)];
        let want = said(&[(20, "account_paused a open"), (3_730, "account_paused a over")]);
        assert_eq!(told(&mut Incidents::default(), &looks).await, want);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_wrong_when_the_outbox_is_first_looked_into_is_told_again_and_nothing_later_is() {
        let mut incidents = Incidents::default();
        let doubt = |account| sign(Kind::InDoubt, account);
        let again = [(vec![], true), (vec![doubt("a")], false), (vec![doubt("a"), doubt("b")], false)]
            .map(|(signs, blind)| incidents.see(signs, blind, Timestamp::UNIX_EPOCH, Instant::now()))
            .map(|notices| notices.iter().map(|notice| notice.again).collect::<Vec<_>>());
        assert_eq!(again, [vec![], vec![true], vec![false]]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_comes_and_goes_is_one_incident() {
        let doubt = [sign(Kind::InDoubt, "a")];
        let (on, off) = ((30, &doubt[..], false), (60, &[][..], false));
        let looks = [on, off, on, off, on, (600, &[][..], false)];
        let want = said(&[(0, "in_doubt a open"), (320, "in_doubt a over")]);
        assert_eq!(told(&mut Incidents::default(), &looks).await, want);
    }

    #[tokio::test(start_paused = true)]
    async fn a_store_that_is_back_within_half_a_minute_is_not_told_of() {
        let away = [sign(Kind::StoreAway, "outbox")];
        let mut incidents = Incidents::default();
        assert_eq!(told(&mut incidents, &[(30, &away, false), (300, &[], false)]).await, []);
        let want = said(&[(30, "store_away outbox open"), (150, "store_away outbox over")]);
        assert_eq!(told(&mut incidents, &[(40, &away, true), (300, &[], false)]).await, want);
    }

    #[tokio::test(start_paused = true)]
    async fn while_the_outbox_is_away_no_incident_in_it_is_over() {
        let doubt = [sign(Kind::InDoubt, "a"), sign(Kind::BreakerOpen, "a")];
        let looks: [(u64, &[Sign], bool); 3] = [(10, &doubt, false), (3_600, &[], true), (200, &[], false)];
        let want = said(&[
            (0, "in_doubt a open"),
            (0, "breaker_open a open"),
            (120, "breaker_open a over"),
            (3_720, "in_doubt a over"),
        ]);
        assert_eq!(told(&mut Incidents::default(), &looks).await, want);
    }

    #[tokio::test(start_paused = true)]
    async fn each_account_has_incidents_of_its_own() {
        let (one, both) = ([sign(Kind::InDoubt, "a")], [sign(Kind::InDoubt, "a"), sign(Kind::InDoubt, "b")]);
        let looks: [(u64, &[Sign], bool); 3] = [(10, &one, false), (10, &both, false), (110, &one, false)];
        let want = said(&[(0, "in_doubt a open"), (10, "in_doubt b open")]);
        assert_eq!(told(&mut Incidents::default(), &looks).await, want);
    }
}
