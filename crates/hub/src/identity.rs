//! New ids and times: unique, in the order of their making, and lying where their lane lies.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicI64, Ordering::Relaxed},
};

use jiff::Timestamp;
use postback_core::{AccountId, LaneId, Source, TransactionId};
use uuid::{ContextV7, Uuid};

/// Makes ids.
#[derive(Debug, Default)]
pub(crate) struct Mint {
    order: Mutex<ContextV7>,
    last: AtomicI64,
}

impl Mint {
    /// A version 7 UUID for this time, above every earlier one since the last beginning.
    pub(crate) fn uuid(&self, now: Timestamp) -> Uuid {
        let seconds = u64::try_from(now.as_second()).unwrap_or_default();
        let nanos = u32::try_from(now.subsec_nanosecond()).unwrap_or_default();
        Uuid::new_v7(uuid::Timestamp::from_unix(&self.order, seconds, nanos))
    }

    /// Lets the next id be of its own time again, after the clock was set back far.
    pub(crate) fn begin_anew(&self) {
        *self.order.lock().unwrap_or_else(PoisonError::into_inner) = ContextV7::new();
    }

    /// This time, or the nanosecond after the last one given out: no two captures of a hub have the same time,
    /// so the first is told from a reload.
    pub(crate) fn moment(&self, now: Timestamp) -> Timestamp {
        let Ok(nanos) = i64::try_from(now.as_nanosecond()) else { return now };
        let unlike = |last: i64| if last >= nanos && last - nanos < 1_000_000 { last + 1 } else { nanos };
        let mut last = self.last.load(Relaxed);
        loop {
            match self.last.compare_exchange_weak(last, unlike(last), Relaxed, Relaxed) {
                Ok(_) => break,
                Err(seen) => last = seen,
            }
        }
        Timestamp::from_nanosecond(unlike(last).into()).unwrap_or(now)
    }
}

/// The lane of a conversion whose id is made of `uuid`. Where nothing else tells leads of a flow apart, that does:
/// without its last byte, which is the lane's own.
pub(crate) fn lane(
    account: &AccountId,
    source: &Source,
    transaction: Option<&TransactionId>,
    uuid: Uuid,
) -> LaneId {
    if let Source::Click(_) = source {
        return LaneId::of(account, source, "");
    }
    let mut bytes = *uuid.as_bytes();
    bytes[15] = 0;
    let fallback = Uuid::from_bytes(bytes).simple().to_string();
    LaneId::of(account, source, &LaneId::lead(transaction, &fallback))
}

#[cfg(test)]
mod tests {
    use postback_core::ConversionId;

    use super::*;

    #[test]
    fn ids_ascend_even_within_one_instant_and_when_the_clock_steps_back() {
        let mint = Mint::default();
        let (late, early) = ("2026-01-01T00:00:01Z", "2026-01-01T00:00:00Z");
        let ids: Vec<Uuid> = [late, late, late, early].map(|time| mint.uuid(time.parse().unwrap())).into();
        assert!(ids.is_sorted_by(|one, other| one < other), "{ids:?}");
        mint.begin_anew();
        assert!(mint.uuid(early.parse().unwrap()) < ids[0]);
    }

    #[test]
    fn no_two_captures_have_the_same_time_and_none_is_far_from_the_clock() {
        let mint = Mint::default();
        let now: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let moments: Vec<Timestamp> = (0..100).map(|_| mint.moment(now)).collect();
        assert!(moments.is_sorted_by(|one, other| one < other));
        let before = now - jiff::SignedDuration::from_secs(60);
        assert_eq!(mint.moment(before), before);
    }

    #[test]
    fn a_lane_is_found_again_from_the_id_that_was_made_for_it() {
        let account = AccountId::parse("altercpa").unwrap();
        let flow = Source::Flow("1234".parse().unwrap());
        let uuid = Mint::default().uuid("2026-01-01T00:00:00Z".parse().unwrap());
        let first = lane(&account, &flow, None, uuid);
        let id = ConversionId::new(uuid, first.shard());
        assert_eq!(lane(&account, &flow, None, Uuid::from_bytes(*id.as_bytes())), first);
    }
}
