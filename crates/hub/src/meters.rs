//! The metrics of the hub, each named in one place.

use std::{fmt, sync::OnceLock};

use metrics::{Counter, Unit, counter, describe_counter, describe_gauge, gauge};
use postback_core::{AccountId, CampaignId, Flags, Kind, NoClick, ports::AccountStats};

use crate::{AccountStanding, Sight};

const CAPTURES: &str = "postback_captures_total";
const LOST: &str = "postback_capture_lost_total";
const DROPPED: &str = "postback_clicks_dropped_total";
const BUFFERED: &str = "postback_click_buffer";
const LEAPS: &str = "postback_clock_leaps_total";
const CONVERSIONS: &str = "postback_conversions_total";
const REFUSED: &str = "postback_conversions_refused_total";
const DELIVERIES: &str = "postback_deliveries";
const ENDED: &str = "postback_deliveries_total";
const OLDEST: &str = "postback_oldest_pending_seconds";
const PAUSED: &str = "postback_account_paused";
const ENDING: &str = "postback_deliveries_ending";
const UP: &str = "postback_store_up";
const PROMISE: &str = "postback_promise_holds";

/// What became of a captured click.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Capture {
    /// The store has it.
    Stored,
    /// It had been captured before.
    Repeated,
    /// It waits for the store.
    Buffered,
    /// The store refused it for good.
    Dropped,
}

/// Why a click's record was dropped; its token still attributes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Dropped {
    /// The buffer was full.
    Full,
    /// The store refused it for good.
    Refused,
}

/// Says what each metric means.
pub(crate) fn describe() {
    describe_counter!(CAPTURES, Unit::Count, "Clicks captured, by campaign and what became of the record");
    describe_counter!(LOST, Unit::Count, "Landings without a click id, by campaign, reason and visitor");
    describe_counter!(DROPPED, Unit::Count, "Click records dropped, by reason; their tokens still attribute");
    describe_gauge!(BUFFERED, Unit::Count, "Click records that wait for the click store");
    describe_counter!(LEAPS, Unit::Count, "Leaps of the machine's clock by more than a minute, by direction");
    describe_counter!(CONVERSIONS, Unit::Count, "Conversions reported, by account, kind and result");
    describe_counter!(REFUSED, Unit::Count, "Conversions and changes refused, by reason");
    describe_gauge!(DELIVERIES, Unit::Count, "Deliveries kept, by account and state");
    describe_counter!(ENDED, Unit::Count, "Deliveries that ended delivered, in_doubt or dead, by account");
    describe_gauge!(OLDEST, Unit::Seconds, "Age of the oldest pending delivery, by account");
    describe_gauge!(PAUSED, Unit::Count, "1 while the account is paused, else 0");
    describe_gauge!(
        ENDING,
        Unit::Count,
        "Pending deliveries whose click ends within 3 days, by account; of 10,000 reported long ago and the latest 10,000"
    );
    describe_gauge!(UP, Unit::Count, "1 while the store answers, else 0");
    describe_gauge!(
        PROMISE,
        Unit::Count,
        "1 while the store's settings keep acknowledged conversions, else 0"
    );
    for direction in ["ahead", "back"] {
        counter!(LEAPS, "direction" => direction).absolute(0);
    }
    for reason in [Dropped::Full, Dropped::Refused] {
        counter!(DROPPED, "reason" => reason.as_str()).absolute(0);
    }
}

/// The counters of a campaign's captures, each looked up once: there is one count for each click.
#[derive(Default)]
pub(crate) struct Captures([OnceLock<Counter>; 4]);

impl Captures {
    pub(crate) fn count(&self, campaign: &CampaignId, what: Capture) {
        let result = match what {
            Capture::Stored => "stored",
            Capture::Repeated => "repeated",
            Capture::Buffered => "buffered",
            Capture::Dropped => "dropped",
        };
        let counter = || counter!(CAPTURES, "campaign" => campaign.to_string(), "result" => result);
        self.0[what as usize].get_or_init(counter).increment(1);
    }
}

impl fmt::Debug for Captures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Captures")
    }
}

pub(crate) fn lost(campaign: &CampaignId, reason: NoClick, flags: Flags) {
    let visitor = match flags {
        Flags { bot: true, .. } => "bot",
        Flags { prefetch: true, .. } => "prefetch",
        Flags { .. } => "person",
    };
    counter!(LOST, "campaign" => campaign.to_string(), "reason" => reason.as_str(), "visitor" => visitor)
        .increment(1);
}

impl Dropped {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Full => "buffer_full",
            Self::Refused => "refused",
        }
    }
}

pub(crate) fn dropped(why: Dropped) {
    counter!(DROPPED, "reason" => why.as_str()).increment(1);
}

/// The counters of an account's conversions, each looked up once: of each kind, of the new ones and of repeats.
#[derive(Default)]
pub(crate) struct Conversions([[OnceLock<Counter>; 2]; 3]);

impl Conversions {
    pub(crate) fn count(&self, account: &AccountId, kind: Kind, fresh: bool) {
        let result = if fresh { "recorded" } else { "repeated" };
        let counter = || counter!(CONVERSIONS, "account" => account.to_string(), "kind" => kind.as_str(), "result" => result);
        self.0[kind as usize][usize::from(fresh)].get_or_init(counter).increment(1);
    }
}

pub(crate) fn refused(reason: &'static str) {
    counter!(REFUSED, "reason" => reason).increment(1);
}

pub(crate) fn leapt(ahead: bool) {
    counter!(LEAPS, "direction" => if ahead { "ahead" } else { "back" }).increment(1);
}

/// Counts deliveries that became dead while nobody sent them.
pub(crate) fn died(account: &AccountId, many: u64) {
    counter!(ENDED, "account" => account.to_string(), "outcome" => "dead").increment(many);
}

pub(crate) fn promise(holds: bool) {
    gauge!(PROMISE).set(truth(holds));
}

/// Sets how many clicks wait.
pub(crate) fn buffered(clicks: usize) {
    gauge!(BUFFERED).set(clicks as f64);
}

/// Sets the gauges to what was seen.
pub(crate) fn sight(sight: &Sight) {
    for store in ["clicks", "outbox"] {
        gauge!(UP, "store" => store).set(truth(!sight.away.contains(&store)));
    }
    for (account, deliveries) in &sight.ending {
        gauge!(ENDING, "account" => account.to_string()).set(*deliveries as f64);
    }
    for account in sight.accounts.iter().flatten() {
        let oldest = account.stats.oldest_pending.unwrap_or(sight.at);
        // From 0, so that the first one shows.
        died(&account.id, 0);
        standing(account, sight.at.duration_since(oldest).as_secs_f64().max(0.0));
    }
}

/// Lets the gauges of an account fall that was removed.
pub(crate) fn removed(account: &AccountId) {
    let stats = AccountStats::default();
    standing(&AccountStanding { id: account.clone(), network: "", paused: None, stats }, 0.0);
    gauge!(ENDING, "account" => account.to_string()).set(0.0);
}

fn truth(holds: bool) -> f64 {
    f64::from(u8::from(holds))
}

fn standing(standing: &AccountStanding, oldest: f64) {
    let stats = &standing.stats;
    let states = [
        ("pending", stats.pending),
        ("waiting", stats.waiting),
        ("in_doubt", stats.in_doubt),
        ("delivered", stats.delivered),
        ("dead", stats.dead),
    ];
    for (state, count) in states {
        gauge!(DELIVERIES, "account" => standing.id.to_string(), "state" => state).set(count as f64);
    }
    gauge!(OLDEST, "account" => standing.id.to_string()).set(oldest);
    gauge!(PAUSED, "account" => standing.id.to_string()).set(truth(standing.paused.is_some()));
}
