//! The suite that every engine passes: named checks over one [`Bench`].
//!
//! ```text
//! postback_outbox::conformance!(bench); // one #[tokio::test] for each check, over `async fn bench() -> Bench`
//! ```
//!
//! Time passes by [`ShiftedClock::advance`], never by waiting. A check panics with what it expected.

// A check says what went wrong by panicking, as a test does.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod bench;
mod clock;
mod deciding;
mod forgetting;
mod listing;
mod recording;
mod working;

pub use postback_redis_link::testing::ShiftedClock;

pub use self::{bench::Bench, clock::*, deciding::*, forgetting::*, listing::*, recording::*, working::*};

/// A `#[tokio::test]` for each check of the suite, over an async function that makes a fresh
/// [`Bench`](crate::conformance::Bench).
#[macro_export]
macro_rules! conformance {
    ($bench:path) => {
        $crate::conformance! { $bench:
            the_store_answers_and_says_what_it_promises,
            every_field_of_a_conversion_and_its_delivery_is_kept,
            a_repeat_by_id_returns_the_first,
            a_repeat_by_key_returns_the_first,
            the_same_key_with_other_content_is_refused,
            without_a_transaction_id_every_conversion_is_new,
            sixty_four_records_at_once_are_one,
            a_reservation_keeps_what_came_first_for_thirty_seven_days,
            a_look_at_a_reservation_reserves_nothing,
            sixteen_reservations_at_once_keep_one,
            a_change_follows_its_conversion,
            a_change_of_an_unknown_conversion_is_not_found,
            a_change_that_came_twice_is_put_once,
            changes_wait_for_their_conversion_and_follow_it,
            a_change_by_the_awaited_id_waits_with_the_others,
            a_change_whose_conversion_never_comes_dies,
            a_conversion_that_comes_after_its_changes_died_takes_their_id,
            a_lane_is_bounded,
            records_apart_from_their_lane_are_refused,
            what_is_recorded_is_due_at_once,
            what_is_due_later_is_not_claimed_before,
            a_lane_is_leased_to_one_worker,
            a_lease_that_ran_out_is_lost,
            a_lane_goes_first_in_first_out,
            a_retry_waits_for_its_time_at_the_head,
            a_delivery_in_doubt_stops_its_lane,
            a_dead_letter_lets_its_lane_go_on_and_see_it,
            a_mark_without_an_outcome_is_seen_by_the_next_worker,
            a_release_takes_back_its_own_mark_and_no_other,
            starting_twice_is_starting_once,
            settling_twice_is_settling_once,
            releasing_twice_is_releasing_once,
            new_work_is_not_starved_by_old_retries,
            new_work_does_not_wait_for_a_whole_backlog,
            what_follows_an_old_delivery_is_no_new_work,
            an_account_is_worked_on_alone,
            nothing_of_a_paused_account_is_leased,
            a_busy_worker_sees_a_pause_at_once,
            a_busy_worker_finds_what_came_meanwhile,
            the_first_and_the_latest_attempts_are_kept,
            workers_at_once_never_share_a_lane,
            a_delivery_in_doubt_is_resolved_as_delivered,
            a_delivery_in_doubt_is_sent_again,
            only_a_delivery_in_doubt_can_be_resolved,
            a_dead_letter_is_replayed_at_the_end_of_its_lane,
            a_replayed_lead_brings_its_changes_in_order,
            a_replayed_lead_is_followed_by_the_changes_that_stood_in_line,
            only_a_dead_letter_within_its_clicks_life_can_be_replayed,
            counts_follow_every_step,
            conversions_are_listed_the_latest_first_by_page,
            conversions_are_listed_by_what_they_are,
            deliveries_are_listed_by_where_they_stand,
            a_change_that_waits_is_listed_by_its_conversion,
            a_list_goes_on_past_what_one_call_looks_at,
            what_changed_again_is_told_by_its_last_change,
            as_many_changes_are_told_as_were_asked_for,
            changes_are_told_in_their_order,
            a_customer_is_forgotten_once_all_is_settled,
            a_customer_is_kept_for_a_change_that_came_first,
            a_customer_is_kept_as_long_as_a_dead_letter_may_be_replayed,
            a_dead_letter_of_a_click_that_is_over_keeps_no_customer,
            erasing_a_click_leaves_nothing_of_a_person,
            erasing_a_click_reaches_what_a_dead_letter_keeps,
            erasing_a_click_reaches_a_change_that_waits_for_its_conversion,
            erasing_a_user_leaves_nothing_of_a_person,
            what_is_settled_is_removed_after_its_retention,
            what_is_not_settled_is_never_removed,
            a_change_starts_the_retention_anew,
            what_was_decided_late_is_removed_after_its_retention,
            a_sweep_of_nothing_touches_nothing,
            a_lane_that_a_wrong_clock_put_off_is_due_when_the_clock_is_right,
            the_longest_wait_of_the_schedule_is_kept,
            changes_that_a_wrong_clock_dated_leave_the_feed,
            what_a_wrong_clock_settled_is_removed_all_the_same,
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
