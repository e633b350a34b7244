//! What waits to be written to the logbook: counts in batches, and a sample of the clicks that came.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    mem,
    sync::{Mutex, PoisonError},
};

use jiff::Timestamp;
use postback_core::{
    AccountId, CampaignId, ClickId, ClickRef, Result,
    ports::{BATCHES_KEPT, Bucket},
};

use crate::Hub;

/// How many clicks of a second are sampled; half of them are kept for campaigns that had none in this second.
const SAMPLED: usize = 100;
/// How many sampled clicks wait at most; past it the oldest are dropped.
const WAITING: usize = 1_000;

/// What this hub has yet to write.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    batches: tokio::sync::Mutex<VecDeque<Batch>>,
    sample: Mutex<Sample>,
}

/// Counts on their way. A batch is written again under its id until the logbook has it.
#[derive(Debug)]
struct Batch {
    id: [u8; 16],
    taken_at: Timestamp,
    bucket: Bucket,
}

#[derive(Debug, Default)]
struct Sample {
    second: i64,
    seen: BTreeMap<CampaignId, usize>,
    clicks: VecDeque<(CampaignId, ClickRef)>,
}

impl Journal {
    /// Notes that a click came, where it falls into the sample. Never waits: a click that comes while another is noted
    /// does not fall into it.
    pub(crate) fn see(&self, campaign: &CampaignId, click: &ClickRef) {
        if let Ok(mut sample) = self.sample.try_lock() {
            sample.see(campaign, click);
        }
    }

    /// Drops a click from the sample.
    pub(crate) fn forget(&self, account: &AccountId, id: &ClickId) {
        let mut sample = self.sample.lock().unwrap_or_else(PoisonError::into_inner);
        sample.clicks.retain(|(_, click)| (&click.account, &click.id) != (account, id));
    }

    /// The campaigns of the sample.
    fn seen(&self) -> BTreeSet<CampaignId> {
        let sample = self.sample.lock().unwrap_or_else(PoisonError::into_inner);
        sample.clicks.iter().map(|(campaign, _)| campaign.clone()).collect()
    }

    /// Takes a campaign's clicks out of the sample, the oldest first.
    fn take(&self, campaign: &CampaignId) -> Vec<ClickRef> {
        let mut sample = self.sample.lock().unwrap_or_else(PoisonError::into_inner);
        let (taken, left) = mem::take(&mut sample.clicks).into_iter().partition(|(of, _)| of == campaign);
        sample.clicks = left;
        let taken: VecDeque<(CampaignId, ClickRef)> = taken;
        taken.into_iter().map(|(_, click)| click).collect()
    }

    /// Puts back what was taken, before what came since.
    fn put_back(&self, campaign: &CampaignId, clicks: Vec<ClickRef>) {
        let mut sample = self.sample.lock().unwrap_or_else(PoisonError::into_inner);
        let room = WAITING.saturating_sub(sample.clicks.len());
        for click in clicks.into_iter().rev().take(room) {
            sample.clicks.push_front((campaign.clone(), click));
        }
    }
}

impl Sample {
    fn see(&mut self, campaign: &CampaignId, click: &ClickRef) {
        let second = click.captured_at.as_second();
        if self.second != second {
            (self.second, self.seen) = (second, BTreeMap::new());
        }
        let all: usize = self.seen.values().sum();
        let room = if self.seen.contains_key(campaign) { SAMPLED / 2 } else { SAMPLED };
        if all >= room {
            return;
        }
        *self.seen.entry(campaign.clone()).or_default() += 1;
        self.clicks.push_back((campaign.clone(), click.clone()));
        if self.clicks.len() > WAITING {
            self.clicks.pop_front();
        }
    }
}

/// Clicks on their way to the logbook. They go back unless they arrive, also where nobody waits for it any more.
struct Taken<'a> {
    journal: &'a Journal,
    campaign: &'a CampaignId,
    clicks: Vec<ClickRef>,
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        self.journal.put_back(self.campaign, mem::take(&mut self.clicks));
    }
}

impl Hub {
    /// Writes what waits: counts, then clicks. Counts that the logbook does not take now wait on, for an hour at most.
    pub(crate) async fn write_journal(&self) -> Result<()> {
        let inner = &self.inner;
        let now = inner.clock.now();
        self.state().count_into(&inner.tally, now);
        let mut batches = inner.journal.batches.lock().await;
        batches.retain(|batch| now.duration_since(batch.taken_at) < BATCHES_KEPT);
        self.write_batches(&mut batches).await?;
        batches.extend(inner.tally.take().into_iter().map(|bucket| Batch {
            id: inner.mint.uuid(now).into_bytes(),
            taken_at: now,
            bucket,
        }));
        self.write_batches(&mut batches).await?;
        for campaign in inner.journal.seen() {
            let mut taken =
                Taken { clicks: inner.journal.take(&campaign), journal: &inner.journal, campaign: &campaign };
            match inner.logbook.glimpse(&campaign, &taken.clicks).await {
                Err(error) if error.is_passing() => return Err(error),
                Err(error) => tracing::error!(%error, %campaign, "the logbook refused clicks"),
                Ok(()) => {}
            }
            taken.clicks.clear();
        }
        Ok(())
    }

    async fn write_batches(&self, batches: &mut VecDeque<Batch>) -> Result<()> {
        while let Some(batch) = batches.front() {
            match self.inner.logbook.add(batch.id, &batch.bucket).await {
                Err(error) if error.is_passing() => return Err(error),
                Err(error) => tracing::error!(%error, "the logbook refused counts"),
                Ok(()) => {}
            }
            batches.pop_front();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn click(id: usize, second: i64) -> ClickRef {
        ClickRef {
            account: "near".parse().unwrap(),
            id: id.to_string().parse().unwrap(),
            captured_at: Timestamp::from_second(second).unwrap(),
        }
    }

    #[test]
    fn of_a_second_a_hundred_clicks_are_sampled_and_a_busy_campaign_leaves_room() {
        let journal = Journal::default();
        let (busy, quiet) = ("busy".parse().unwrap(), "quiet".parse().unwrap());
        (0..1_000).for_each(|id| journal.see(&busy, &click(id, 1)));
        journal.see(&quiet, &click(1, 1));
        journal.see(&busy, &click(1_000, 2));
        assert_eq!((journal.take(&busy).len(), journal.take(&quiet).len()), (51, 1));
        for campaign in 0..1_000 {
            journal.see(&format!("c{campaign}").parse().unwrap(), &click(1, 3));
        }
        assert_eq!(journal.seen().len(), 100);
    }

    #[test]
    fn a_sample_that_nobody_takes_is_bounded_and_keeps_the_latest() {
        let journal = Journal::default();
        let campaign = "spring".parse().unwrap();
        (0..5_000).for_each(|id| journal.see(&campaign, &click(id, id as i64)));
        let seen = journal.take(&campaign);
        assert_eq!((seen.len(), seen[0].id.as_str()), (1_000, "4000"));
    }

    #[test]
    fn what_is_put_back_comes_before_what_came_since_and_the_oldest_gives_way() {
        let journal = Journal::default();
        let (spring, autumn) = ("spring".parse().unwrap(), "autumn".parse().unwrap());
        (0..700).for_each(|id| journal.see(&spring, &click(id, id as i64)));
        let taken = journal.take(&spring);
        (700..1_200).for_each(|id| journal.see(&spring, &click(id, id as i64)));
        journal.see(&autumn, &click(0, 1_200));
        journal.put_back(&spring, taken);
        let seen = journal.take(&spring);
        assert_eq!((seen.len(), seen[0].id.as_str(), seen[998].id.as_str()), (999, "201", "1199"));
        assert_eq!(journal.take(&autumn).len(), 1);
    }
}
