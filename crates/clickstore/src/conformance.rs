//! The suite that every engine passes: named checks over one [`Bench`].
//!
//! In a test, `postback_clickstore::conformance!(bench)` makes a `#[tokio::test]` of each check, over an
//! `async fn bench() -> Bench`.
//!
//! Time passes by [`ShiftedClock::advance`], never by waiting. A check panics with what it expected.

// A check says what went wrong by panicking, as a test does.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod capturing;
mod erasing;
mod finding;
mod users;

use std::{any::Any, sync::Arc};

use jiff::SignedDuration;
use postback_core::{
    Click, ClickRef, Flags, Result, Utm, VisitorIp,
    ports::{Attribution, ClickStore, Clock as _},
};

pub use postback_redis_link::testing::ShiftedClock;

pub use self::{capturing::*, erasing::*, finding::*, users::*};

/// An empty store under test, and the clock that it was given.
pub struct Bench {
    /// The store.
    pub store: Arc<dyn ClickStore>,
    /// Its clock.
    pub clock: Arc<ShiftedClock>,
    /// What lives as long as the store: a directory, a server.
    pub held: Box<dyn Any + Send + Sync>,
}

impl Bench {
    /// A click captured now, with nothing but its id.
    pub fn click(&self, id: &str) -> Click {
        Click {
            click: ClickRef {
                account: "powerspace".parse().unwrap(),
                id: id.parse().unwrap(),
                captured_at: self.clock.now(),
            },
            campaign: "spring".parse().unwrap(),
            utm: Utm::default(),
            parameters: Vec::new(),
            country: None,
            device: None,
            ip: None,
            user_agent: None,
            flags: Flags::default(),
        }
    }

    /// A click captured now from an address, by a browser.
    pub fn click_from(&self, id: &str, ip: &VisitorIp) -> Click {
        Click { ip: Some(*ip), user_agent: Some("Mozilla/5.0 (X11; Linux x86_64)".into()), ..self.click(id) }
    }

    /// That a click brings a user, as of now.
    pub fn attribution(&self, click: &Click) -> Attribution {
        Attribution { click: click.click.clone(), attached_at: self.clock.now() }
    }

    async fn found(&self, click: &Click) -> Option<Click> {
        let (account, id) = (&click.click.account, &click.click.id);
        let found = self.store.click(account, id).await.unwrap();
        let campaign = self.store.campaign(account, id).await.unwrap();
        assert_eq!(campaign.as_ref(), found.as_ref().map(|found| &found.campaign));
        found
    }

    /// Captures a click; the one that is kept.
    ///
    /// # Errors
    /// The store's own.
    pub async fn capture(&self, click: Click, findable: bool) -> Result<Click> {
        self.store.capture(Arc::new(click), findable).await.map(Arc::unwrap_or_clone)
    }

    async fn captured(&self, click: Click) -> Click {
        self.capture(click, false).await.unwrap()
    }
}

const fn days(days: i64) -> SignedDuration {
    SignedDuration::from_hours(24 * days)
}

const SECOND: SignedDuration = SignedDuration::from_secs(1);

/// A `#[tokio::test]` for each check of the suite, over an async function that makes a fresh [`Bench`].
#[macro_export]
macro_rules! conformance {
    ($bench:path) => {
        $crate::conformance! { $bench:
            the_store_answers,
            the_first_capture_wins_and_a_reload_changes_nothing,
            every_field_of_a_click_is_kept,
            click_ids_hold_any_bytes_and_no_two_are_mixed_up,
            sixty_four_captures_at_once_keep_one_click,
            ps_2_a_click_past_its_thirty_days_is_not_found_and_is_swept,
            ps_2_a_click_is_found_to_the_last_second_of_its_life,
            a_click_id_can_be_captured_anew_after_its_life,
            a_click_that_comes_after_its_life_is_not_kept,
            a_sweep_leaves_the_living,
            ps_3_a_user_brings_the_click_days_later,
            attaching_again_changes_nothing,
            of_many_clicks_of_a_user_the_first_and_the_latest_are_kept,
            sixteen_clicks_attached_at_once_are_all_kept,
            an_attribution_ends_with_its_click,
            a_clock_that_leaps_ahead_and_is_set_back_costs_a_user_no_click,
            clicks_are_found_by_address_and_campaign_the_latest_first,
            a_click_that_is_not_findable_is_not_found,
            a_click_is_found_for_a_day_and_no_longer,
            a_click_is_found_under_a_hash_of_an_older_key,
            at_most_a_hundred_clicks_of_a_place_are_found,
            a_reload_does_not_make_anothers_click_findable,
            an_erased_click_is_gone_from_everywhere,
            an_erased_user_is_gone,
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
