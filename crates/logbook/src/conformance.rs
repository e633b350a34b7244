//! The suite that every engine passes: named checks over one [`Bench`].
//!
//! In a test, `postback_logbook::conformance!(bench)` makes a `#[tokio::test]` of each check, over an
//! `async fn bench() -> Bench`.
//!
//! Time passes by [`ShiftedClock::advance`], never by waiting. A check panics with what it expected.

// A check says what went wrong by panicking, as a test does.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[allow(missing_docs, reason = "the name of a check says what it checks")]
mod counting;
#[allow(missing_docs, reason = "as above")]
mod glimpsing;
#[allow(missing_docs, reason = "as above")]
mod noting;

use std::{any::Any, sync::Arc};

use jiff::{SignedDuration, Timestamp};
use postback_core::{
    AccountId, CampaignId, ClickRef,
    ports::{Action, Clock as _, Deed, Logbook},
};
use uuid::{NoContext, Uuid};

pub use postback_redis_link::testing::ShiftedClock;

pub use self::{counting::*, glimpsing::*, noting::*};

const SECOND: SignedDuration = SignedDuration::from_secs(1);

/// An empty logbook under test, and the clock that it was given.
pub struct Bench {
    /// The logbook.
    pub logbook: Arc<dyn Logbook>,
    /// Its clock.
    pub clock: Arc<ShiftedClock>,
    /// What lives as long as the logbook: a directory, a server.
    pub held: Box<dyn Any + Send + Sync>,
}

impl Bench {
    /// An action of now that replayed so many.
    pub fn action(&self, count: u64) -> Action {
        let at = self.clock.now();
        let time = uuid::Timestamp::from_unix(
            NoContext,
            u64::try_from(at.as_second()).unwrap(),
            u32::try_from(at.subsec_nanosecond()).unwrap(),
        );
        Action {
            id: Uuid::new_v7(time).into_bytes(),
            at,
            actor: "night".parse().unwrap(),
            deed: Deed::Replay,
            account: Some(near()),
            target: "all".into(),
            count,
            reason: String::new(),
        }
    }

    /// A click of now.
    pub fn click(&self, id: &str) -> ClickRef {
        self.click_at(id, self.clock.now())
    }

    /// A click of a time.
    pub fn click_at(&self, id: &str, captured_at: Timestamp) -> ClickRef {
        ClickRef { account: near(), id: id.parse().unwrap(), captured_at }
    }
}

fn near() -> AccountId {
    "near".parse().unwrap()
}

fn spring() -> CampaignId {
    "spring".parse().unwrap()
}

/// A `#[tokio::test]` for each check of the suite, over an async function that makes a fresh [`Bench`].
#[macro_export]
macro_rules! conformance {
    ($bench:path) => {
        $crate::conformance! { $bench:
            counts_of_a_bucket_add_up_and_buckets_stand_in_the_order_of_time,
            a_batch_that_is_added_again_counts_once,
            every_series_is_kept_apart,
            a_history_holds_its_beginning_and_not_its_end,
            counts_are_kept_for_eight_days_and_are_swept,
            many_hubs_count_at_once_and_nothing_is_lost,
            an_action_is_kept_whole_and_listed_once,
            actions_are_listed_page_by_page_the_latest_first,
            an_action_is_kept_for_four_hundred_days,
            a_clock_that_leaps_ahead_takes_no_action_and_no_click_away,
            clicks_are_listed_page_by_page_the_latest_first,
            of_a_campaigns_clicks_the_latest_thousand_are_kept,
            a_click_past_its_life_is_not_listed_and_is_swept,
            a_forgotten_click_is_gone_and_its_likes_stay,
            a_click_that_is_seen_again_is_listed_once,
        }
    };
    ($bench:path: $($check:ident),* $(,)?) => {
        $(
            #[tokio::test]
            async fn $check() {
                $crate::conformance::$check(&$bench().await).await;
            }
        )*
    };
}
