//! What was counted over the last hour, day or week, put into the bars of a chart.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use postback_core::{AccountId, CampaignId, LatencyBin, Outcome, Result};
use postback_hub::{AccountCounts, CampaignCounts, Hub, Period, Registry};
use serde::Deserialize;

use crate::{
    chart::{Bar, Chart},
    show,
};

/// How far back a chart goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Range {
    /// In bars of five minutes.
    Hour,
    /// In bars of half an hour.
    #[default]
    Day,
    /// In bars of two hours.
    Week,
}

impl Range {
    pub(crate) const ALL: [Self; 3] = [Self::Hour, Self::Day, Self::Week];

    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Week => "week",
        }
    }

    /// After how many seconds a page with its charts is worth making again.
    pub(crate) const fn fresh(self) -> u32 {
        match self {
            Self::Hour => 5,
            Self::Day => 10,
            Self::Week => 60,
        }
    }

    /// How many bars there are, and how many minutes in each.
    const fn bars(self) -> (i32, i64) {
        match self {
            Self::Hour => (12, 5),
            Self::Day => (48, 30),
            Self::Week => (84, 120),
        }
    }
}

/// The counts of a range, bar by bar.
pub(crate) struct History {
    bars: Vec<Period>,
    width: SignedDuration,
}

impl History {
    /// Reads a range that ends now.
    ///
    /// # Errors
    /// The logbook's own.
    pub(crate) async fn read(hub: &Hub, range: Range, now: Timestamp) -> Result<Self> {
        let (bars, minutes) = range.bars();
        let width = SignedDuration::from_mins(minutes);
        let last = now.as_second() - now.as_second().rem_euclid(width.as_secs());
        let last = Timestamp::from_second(last).unwrap_or(now);
        let since = last.saturating_sub(width * (bars - 1)).unwrap_or(Timestamp::MIN);
        let until = last.saturating_add(width).unwrap_or(Timestamp::MAX);
        Ok(Self::of(hub.history(None, since, until, width).await?, since, width, bars))
    }

    /// Puts an empty bar where nothing was counted.
    fn of(counted: Vec<Period>, since: Timestamp, width: SignedDuration, bars: i32) -> Self {
        let mut counted: BTreeMap<Timestamp, Period> =
            counted.into_iter().map(|period| (period.start, period)).collect();
        let bar = |place: i32| {
            let start = since.saturating_add(width * place).unwrap_or(Timestamp::MAX);
            counted.remove(&start).unwrap_or_else(|| Period::at(start))
        };
        Self { bars: (0..bars).map(bar).collect(), width }
    }

    /// How many of an account's deliveries died.
    pub(crate) fn died(&self, account: &AccountId) -> u64 {
        self.of_account(account, |counts| counts.dead).iter().sum()
    }

    fn of_account(&self, account: &AccountId, what: impl Fn(&AccountCounts) -> u64) -> Vec<u64> {
        self.bars.iter().map(|bar| bar.accounts.get(account).map_or(0, &what)).collect()
    }

    fn of_campaigns(
        &self,
        of_it: impl Fn(&CampaignId) -> bool,
        what: fn(&CampaignCounts) -> u64,
    ) -> Vec<u64> {
        let count = |bar: &Period| {
            bar.campaigns.iter().filter(|(id, _)| of_it(id)).map(|(_, counts)| what(counts)).sum()
        };
        self.bars.iter().map(count).collect()
    }

    /// The charts of an account.
    pub(crate) fn charts(&self, registry: &Registry, account: &AccountId) -> Vec<Chart> {
        let mine = |id: &CampaignId| registry.campaign(id.as_str()).is_ok_and(|it| it.account == *account);
        let again = |counts: &AccountCounts| tried(counts, &[Outcome::Retry, Outcome::NotSent]);
        vec![
            self.counts("Clicks", "plain", self.of_campaigns(mine, |counts| counts.clicks)),
            self.counts("Conversions", "plain", self.of_account(account, |counts| counts.conversions)),
            self.counts("Delivered", "good", self.of_account(account, |counts| counts.delivered)),
            self.counts("To be retried", "warn", self.of_account(account, again)),
            self.counts("Came in doubt", "ask", self.of_account(account, |counts| counts.in_doubt)),
            self.counts("Died", "bad", self.of_account(account, |counts| counts.dead)),
            self.success(account),
            self.latency(account),
        ]
    }

    fn counts(&self, title: &'static str, tone: &'static str, counts: Vec<u64>) -> Chart {
        let total: u64 = counts.iter().sum();
        let bars = counts.iter().map(|count| (*count as f64, show::count(count)));
        self.chart(title, tone, show::count(&total), bars)
    }

    /// Which part of the attempts the network took.
    fn success(&self, account: &AccountId) -> Chart {
        let all = self.of_account(account, |counts| counts.attempts.values().sum());
        let took = [Outcome::Accepted, Outcome::AlreadyDone];
        let taken = self.of_account(account, |counts| tried(counts, &took));
        let percent = |taken: u64, all: u64| match all {
            0 => (0.0, "–".to_owned()),
            _ => {
                let part = taken as f64 * 100.0 / all as f64;
                (part, format!("{part:.1}%"))
            }
        };
        let whole = percent(taken.iter().sum(), all.iter().sum()).1;
        let bars = taken.iter().zip(&all).map(|(taken, all)| percent(*taken, *all));
        self.chart("Attempts taken", "good", whole, bars)
    }

    /// Within which time nineteen of twenty were delivered.
    fn latency(&self, account: &AccountId) -> Chart {
        let of_bar = |bar: &Period| bar.accounts.get(account).map(|counts| counts.latency.clone());
        let bars: Vec<BTreeMap<LatencyBin, u64>> =
            self.bars.iter().map(|bar| of_bar(bar).unwrap_or_default()).collect();
        let mut all: BTreeMap<LatencyBin, u64> = BTreeMap::new();
        for (bin, count) in bars.iter().flatten() {
            *all.entry(*bin).or_default() += count;
        }
        self.chart("95% delivered within", "plain", within(&all).1, bars.iter().map(within))
    }

    fn chart(
        &self,
        title: &'static str,
        tone: &'static str,
        whole: String,
        bars: impl Iterator<Item = (f64, String)>,
    ) -> Chart {
        let bars = bars.zip(&self.bars).map(|((value, words), bar)| Bar { start: bar.start, value, words });
        Chart::new(title, tone, whole, self.width, bars.collect())
    }
}

/// How many attempts came to one of these.
fn tried(counts: &AccountCounts, outcomes: &[Outcome]) -> u64 {
    outcomes.iter().filter_map(|outcome| counts.attempts.get(outcome)).sum()
}

/// The bin within which nineteen of twenty lie, as a height and in words.
fn within(counts: &BTreeMap<LatencyBin, u64>) -> (f64, String) {
    let all: u64 = counts.values().sum();
    let mut so_far = 0;
    let reached = LatencyBin::all().enumerate().find(|(_, bin)| {
        so_far += counts.get(bin).copied().unwrap_or_default();
        all > 0 && so_far * 20 >= all * 19
    });
    match reached {
        None => (0.0, "–".to_owned()),
        Some((place, bin)) => ((place + 1) as f64, bound(bin)),
    }
}

fn bound(bin: LatencyBin) -> String {
    match bin.at_most().and_then(|most| SignedDuration::try_from(most).ok()) {
        Some(most) => show::span(&most),
        None => "over a week".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn near() -> AccountId {
        "near".parse().unwrap()
    }

    /// A day in which one account's counts stand in the bars that begin at these minutes.
    fn day(counts: Vec<(i64, AccountCounts)>) -> History {
        let at = |minute: i64| Timestamp::from_second(minute * 60).unwrap();
        let periods = counts.into_iter().map(|(minute, counts)| Period {
            accounts: BTreeMap::from([(near(), counts)]),
            ..Period::at(at(minute))
        });
        History::of(periods.collect(), at(0), SignedDuration::from_mins(30), 48)
    }

    fn words(history: &History, title: &str) -> (String, String, String) {
        let charts = history.charts(&Registry::default(), &near());
        let chart = charts.iter().find(|chart| chart.title == title).unwrap();
        (chart.whole.clone(), chart.bars[0].words.clone(), chart.bars[2].words.clone())
    }

    #[test]
    fn what_was_counted_stands_in_the_bar_of_its_time() {
        let dead = |dead| AccountCounts { dead, ..AccountCounts::default() };
        let history = day(vec![(0, dead(3)), (60, dead(4))]);
        assert_eq!(history.died(&near()), 7);
        assert_eq!(words(&history, "Died"), ("7".into(), "3".into(), "4".into()));
        assert_eq!(words(&history, "Delivered"), ("0".into(), "0".into(), "0".into()));
    }

    #[test]
    fn success_and_latency_say_nothing_of_a_time_without_attempts() {
        let bin = |seconds| LatencyBin::of(Duration::from_secs(seconds));
        let counts = AccountCounts {
            attempts: BTreeMap::from([(Outcome::Accepted, 3), (Outcome::Retry, 1)]),
            latency: BTreeMap::from([(bin(0), 95), (bin(3_000), 5)]),
            ..AccountCounts::default()
        };
        let history = day(vec![(0, counts)]);
        assert_eq!(words(&history, "Attempts taken"), ("75.0%".into(), "75.0%".into(), "–".into()));
        assert_eq!(words(&history, "95% delivered within"), ("1 s".into(), "1 s".into(), "–".into()));
        assert_eq!(words(&history, "To be retried"), ("1".into(), "1".into(), "0".into()));
    }
}
