//! The clicks that brought one user: a short list, oldest capture first.

use std::collections::BTreeMap;

use jiff::Timestamp;
use postback_core::{AccountId, ClickRef, Error, Result, ports::Attribution};
use postback_proto::v1;
use prost::Message;

/// How many clicks of a user are kept.
const KEPT: usize = 32;

/// The list with `new` in it; `None` where nothing is to be written. What is past its life at `now` gives way only where
/// there is no room: a clock that leapt ahead costs no click that lives.
pub(crate) fn attach(
    mut list: Vec<Attribution>,
    new: Attribution,
    now: Timestamp,
) -> Option<Vec<Attribution>> {
    list.retain(|old| !(same(&old.click, &new.click) && old.click.is_expired(now)));
    if new.click.is_expired(now) || list.iter().any(|old| same(&old.click, &new.click)) {
        return None;
    }
    list.push(new);
    list.sort_by_key(|attribution| attribution.click.captured_at);
    if list.len() > KEPT {
        list = alive(list, now);
    }
    if list.len() > KEPT {
        list.remove(dispensable(&list));
    }
    Some(list)
}

/// The place of the click that is needed least: the second oldest of the account that has most, which is neither its
/// first nor its latest as long as any account has more than these.
fn dispensable(list: &[Attribution]) -> usize {
    let mut places: BTreeMap<&AccountId, Vec<usize>> = BTreeMap::new();
    for (place, attribution) in list.iter().enumerate() {
        places.entry(&attribution.click.account).or_default().push(place);
    }
    let most = places.into_values().max_by_key(|places| places.len());
    most.filter(|places| places.len() > 2).map_or(1, |places| places[1])
}

fn same(one: &ClickRef, other: &ClickRef) -> bool {
    one.account == other.account && one.id == other.id
}

/// What of the list can still bring a conversion.
pub(crate) fn alive(mut list: Vec<Attribution>, now: Timestamp) -> Vec<Attribution> {
    list.retain(|attribution| !attribution.click.is_expired(now));
    list
}

/// When the last of the list ends.
pub(crate) fn end(list: &[Attribution]) -> Timestamp {
    list.last().map_or(Timestamp::MIN, |latest| latest.click.expires_at())
}

/// The list as one value: its records, each after its length.
pub(crate) fn encode(list: &[Attribution]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for attribution in list {
        bytes.extend(v1::AttributionRecord::from(attribution).encode_length_delimited_to_vec());
    }
    bytes
}

/// The list that was stored as this value.
///
/// # Errors
/// `Internal` for bytes that are no list.
pub(crate) fn decode(mut bytes: &[u8]) -> Result<Vec<Attribution>> {
    let mut list = Vec::new();
    while !bytes.is_empty() {
        let record = v1::AttributionRecord::decode_length_delimited(&mut bytes).map_err(damaged)?;
        list.push(record.try_into().map_err(damaged)?);
    }
    Ok(list)
}

fn damaged(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::internal("the store holds a damaged list of a user's clicks").caused_by(cause)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + second).unwrap()
    }

    fn click(second: i64) -> Attribution {
        let click = ClickRef {
            account: "powerspace".parse().unwrap(),
            id: format!("click-{second}").parse().unwrap(),
            captured_at: at(second),
        };
        Attribution { click, attached_at: at(second + 60) }
    }

    fn attached(seconds: impl IntoIterator<Item = i64>) -> Vec<Attribution> {
        seconds
            .into_iter()
            .fold(Vec::new(), |list, second| attach(list.clone(), click(second), at(1000)).unwrap_or(list))
    }

    fn seconds(list: &[Attribution]) -> Vec<i64> {
        list.iter().map(|attribution| attribution.click.captured_at.as_second() - 1_700_000_000).collect()
    }

    #[test]
    fn the_first_click_and_the_latest_others_are_kept() {
        let expected: Vec<i64> = std::iter::once(0).chain(69..100).collect();
        assert_eq!(seconds(&attached(0..100)), expected);
    }

    #[test]
    fn an_accounts_only_click_outlasts_the_many_of_another() {
        let other = |second| {
            let mut click = click(second);
            click.click.account = "altercpa".parse().unwrap();
            click
        };
        let mut list = attached(0..10);
        for second in [10, 11, 12] {
            list = attach(list, other(second), at(1000)).unwrap();
        }
        for second in 13..100 {
            list = attach(list, click(second), at(1000)).unwrap();
        }
        let expected: Vec<i64> = [0, 10, 11, 12].into_iter().chain(72..100).collect();
        assert_eq!(seconds(&list), expected);
        for second in 100..200 {
            list = attach(list, other(second), at(1000)).unwrap();
        }
        let first = |account: &str| {
            let mut clicks = list.iter().filter(|it| it.click.account.as_str() == account);
            (clicks.next().unwrap().click.captured_at, clicks.next_back().unwrap().click.captured_at)
        };
        assert_eq!((first("powerspace"), first("altercpa")), ((at(0), at(99)), (at(10), at(199))));
    }

    #[test]
    fn a_click_between_the_first_and_the_latest_does_not_come_back() {
        let full = attached(0..40);
        assert_eq!(attach(full.clone(), click(5), at(1000)), Some(full));
    }

    #[test]
    fn attaching_again_keeps_the_first_time() {
        let list = attached([1, 2]);
        let again = Attribution { attached_at: at(900), ..click(2) };
        assert_eq!(attach(list, again, at(1000)), None);
    }

    #[test]
    fn what_is_past_its_life_gives_way_where_there_is_no_room() {
        let later = at(10) + postback_core::CLICK_LIFE;
        let list = attach(attached([0, 10]), click(20), later).unwrap();
        assert_eq!(seconds(&list), [0, 10, 20]);
        assert_eq!(attach(list.clone(), click(5), later), None);
        assert_eq!(seconds(&alive(list.clone(), later)), [20]);
        assert_eq!(end(&list), at(20) + postback_core::CLICK_LIFE);
        let full = attached(0..32);
        assert_eq!(
            seconds(&attach(full, click(40), later).unwrap()),
            (11..32).chain([40]).collect::<Vec<_>>()
        );
    }

    #[test]
    fn a_click_id_that_comes_anew_after_its_life_is_attached_anew() {
        let later = at(0) + postback_core::CLICK_LIFE;
        let mut anew = click(0);
        anew.click.captured_at = later;
        assert_eq!(attach(attached([0]), anew.clone(), later), Some(vec![anew]));
    }

    #[test]
    fn bytes_that_are_no_list_are_refused() {
        for wrong in [&b"\x05"[..], b"\x01\xff", b"\x00"] {
            assert!(decode(wrong).is_err(), "{wrong:?}");
        }
    }

    proptest! {
        #[test]
        fn in_whatever_order_clicks_come_the_list_is_sorted_bounded_and_survives(
            order in prop::collection::vec(0_i64..200, 0..100)
        ) {
            let list = attached(order.clone());
            let kept = seconds(&list);
            prop_assert!(kept.is_sorted() && kept.len() <= KEPT);
            prop_assert_eq!(kept.first(), order.iter().min());
            prop_assert_eq!(kept.last(), order.iter().max());
            prop_assert_eq!(decode(&encode(&list)).unwrap(), list);
        }
    }
}
