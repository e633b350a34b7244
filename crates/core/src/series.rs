//! What is counted over time, and the counts that wait to be written down.

use std::{
    collections::BTreeMap,
    fmt,
    str::FromStr,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use jiff::Timestamp;

use crate::{AccountId, CampaignId, Error, NoClick, Outcome, Refusal, Result, ports::Bucket};

/// One thing that is counted. Its text is stable: `clicks/spring`, `attempts/near/accepted`, `latency/near/3`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Series {
    /// Clicks captured.
    Clicks(CampaignId),
    /// Landings without a click id.
    Lost(CampaignId, NoClick),
    /// Conversions recorded.
    Conversions(AccountId),
    /// Reported conversions that were refused for good, of an account where it is known.
    Refused(Option<AccountId>, Refusal),
    /// Attempts.
    Attempts(AccountId, Outcome),
    /// Deliveries that the network came to have.
    Delivered(AccountId),
    /// Deliveries that came to be in doubt.
    InDoubt(AccountId),
    /// Deliveries that became dead letters.
    Dead(AccountId),
    /// Deliveries that took so long from being recorded to being delivered.
    Latency(AccountId, LatencyBin),
}

/// How long something took, coarsely.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LatencyBin(u8);

/// The longest time of each bin but the last, in seconds.
const BOUNDS: [u64; 9] = [1, 5, 30, 120, 600, 3_600, 21_600, 86_400, 604_800];

impl LatencyBin {
    /// All bins, the shortest first.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..=BOUNDS.len() as u8).map(Self)
    }

    /// The bin of a time.
    pub fn of(took: Duration) -> Self {
        Self(BOUNDS.partition_point(|&bound| Duration::from_secs(bound) < took) as u8)
    }

    /// The longest time that it holds; none for the last bin.
    pub fn at_most(self) -> Option<Duration> {
        BOUNDS.get(usize::from(self.0)).copied().map(Duration::from_secs)
    }
}

impl fmt::Display for Series {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Clicks(campaign) => write!(f, "clicks/{campaign}"),
            Self::Lost(campaign, reason) => write!(f, "lost/{campaign}/{reason}"),
            Self::Conversions(account) => write!(f, "conversions/{account}"),
            Self::Refused(Some(account), refusal) => write!(f, "refused/{account}/{refusal}"),
            Self::Refused(None, refusal) => write!(f, "refused//{refusal}"),
            Self::Attempts(account, outcome) => write!(f, "attempts/{account}/{}", outcome.as_str()),
            Self::Delivered(account) => write!(f, "delivered/{account}"),
            Self::InDoubt(account) => write!(f, "in_doubt/{account}"),
            Self::Dead(account) => write!(f, "dead/{account}"),
            Self::Latency(account, bin) => write!(f, "latency/{account}/{}", bin.0),
        }
    }
}

impl FromStr for Series {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let unknown = || Error::invalid("series", "is not one that is counted");
        let mut parts = text.split('/');
        let (Some(what), Some(of), part, None) = (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(unknown());
        };
        Ok(match (what, part) {
            ("clicks", None) => Self::Clicks(of.parse()?),
            ("lost", Some(word)) => {
                let reason = NoClick::ALL.into_iter().find(|reason| reason.as_str() == word);
                Self::Lost(of.parse()?, reason.ok_or_else(unknown)?)
            }
            ("conversions", None) => Self::Conversions(of.parse()?),
            ("refused", Some(word)) => {
                let refusal = Refusal::ALL.into_iter().find(|refusal| refusal.as_str() == word);
                let account = (!of.is_empty()).then(|| of.parse()).transpose()?;
                Self::Refused(account, refusal.ok_or_else(unknown)?)
            }
            ("attempts", Some(word)) => {
                let outcome = Outcome::ALL.into_iter().find(|outcome| outcome.as_str() == word);
                Self::Attempts(of.parse()?, outcome.ok_or_else(unknown)?)
            }
            ("delivered", None) => Self::Delivered(of.parse()?),
            ("in_doubt", None) => Self::InDoubt(of.parse()?),
            ("dead", None) => Self::Dead(of.parse()?),
            ("latency", Some(bin)) => {
                let bin = LatencyBin::all().find(|known| known.0.to_string() == bin);
                Self::Latency(of.parse()?, bin.ok_or_else(unknown)?)
            }
            _ => return Err(unknown()),
        })
    }
}

/// How many buckets wait at most: those of an hour.
const WAITING: usize = 12;

/// Counts that wait to be written down. Whoever counts shares one.
///
/// It is bounded: where the counts of more than an hour wait, the oldest are dropped.
#[derive(Debug, Default)]
pub struct Tally(Mutex<BTreeMap<Timestamp, BTreeMap<Series, u64>>>);

impl Tally {
    /// Counts `many` of a series at a time.
    pub fn count(&self, at: Timestamp, series: Series, many: u64) {
        if many == 0 {
            return;
        }
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = waiting.entry(Bucket::start_of(at)).or_default().entry(series).or_default();
        *count = count.saturating_add(many);
        while waiting.len() > WAITING {
            waiting.pop_first();
        }
    }

    /// Takes all that waits, the oldest first.
    pub fn take(&self) -> Vec<Bucket> {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = std::mem::take(&mut *waiting);
        taken
            .into_iter()
            .map(|(start, counts)| Bucket { start, counts: counts.into_iter().collect() })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account() -> AccountId {
        "near".parse().unwrap()
    }

    fn every_series() -> Vec<Series> {
        let campaign: CampaignId = "spring".parse().unwrap();
        let mut all = vec![
            Series::Clicks(campaign.clone()),
            Series::Conversions(account()),
            Series::Delivered(account()),
            Series::InDoubt(account()),
            Series::Dead(account()),
        ];
        all.extend(NoClick::ALL.map(|reason| Series::Lost(campaign.clone(), reason)));
        all.extend(Refusal::ALL.map(|refusal| Series::Refused(Some(account()), refusal)));
        all.extend(Refusal::ALL.map(|refusal| Series::Refused(None, refusal)));
        all.extend(Outcome::ALL.map(|outcome| Series::Attempts(account(), outcome)));
        all.extend(LatencyBin::all().map(|bin| Series::Latency(account(), bin)));
        all
    }

    #[test]
    fn a_series_survives_its_text_and_nothing_else_is_one() {
        for series in every_series() {
            assert_eq!(series.to_string().parse::<Series>().unwrap(), series);
        }
        for wrong in [
            "", "clicks", "clicks/", "clicks/A", "clicks/a/b", "lost/a", "lost/a/b", "latency/a/99",
            "refused/a", "x/a",
        ] {
            assert!(wrong.parse::<Series>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_bin_holds_its_bound_and_the_last_one_all_that_is_longer() {
        let bound =
            |millis| LatencyBin::of(Duration::from_millis(millis)).at_most().map(|most| most.as_secs());
        assert_eq!([0, 1_000, 1_001, 5_000, 604_800_000].map(bound), [1, 1, 5, 5, 604_800].map(Some));
        assert_eq!(bound(604_800_001), None);
        assert_eq!(LatencyBin::all().last(), Some(LatencyBin::of(Duration::MAX)));
    }

    #[test]
    fn a_tally_gives_what_was_counted_once_and_keeps_an_hour_at_most() {
        let tally = Tally::default();
        let at = |minute: i64| Timestamp::from_second(minute * 60).unwrap();
        for minute in 0..120 {
            tally.count(at(minute), Series::Dead(account()), 2);
        }
        tally.count(at(119), Series::Delivered(account()), 0);
        let taken = tally.take();
        assert_eq!((taken.len(), taken[0].start, taken[11].start), (12, at(60), at(115)));
        assert_eq!(taken[0].counts, [(Series::Dead(account()), 10)]);
        assert!(tally.take().is_empty());
    }
}
