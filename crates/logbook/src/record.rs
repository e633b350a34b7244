//! Actions and clicks as the stores keep them: bytes that sort like the time, and what follows.

use jiff::{SignedDuration, Timestamp};
use postback_core::{
    AccountId, CLICK_LIFE, ClickId, ClickRef, Error, Result,
    ports::{ACTIONS_KEPT, Action, COUNTS_KEPT, Page},
};
use postback_proto::v1;
use prost::Message;

/// The record of an action: its id, and the contract's message.
pub(crate) fn of_action(action: &Action) -> Vec<u8> {
    [&action.id[..], &v1::Action::from(action).encode_to_vec()].concat()
}

/// The action that was recorded so.
///
/// # Errors
/// `Internal` for bytes that are no record.
pub(crate) fn action(record: &[u8]) -> Result<Action> {
    let message = record.get(16..).ok_or_else(|| damaged("it is too short"))?;
    v1::Action::decode(message).map_err(damaged)?.try_into().map_err(damaged)
}

/// Where the ids of actions begin that are no longer kept. An id begins with its time in milliseconds.
pub(crate) fn oldest_action(now: Timestamp) -> [u8; 16] {
    let mut id = [0; 16];
    let millis = u64::try_from(before(now, ACTIONS_KEPT).as_millisecond()).unwrap_or_default();
    id[..6].copy_from_slice(&millis.to_be_bytes()[2..]);
    id
}

/// The name of a click in the list of its campaign: its capture, its account, its id.
pub(crate) fn of_click(click: &ClickRef) -> Vec<u8> {
    [&nanos(click.captured_at), &tail(&click.account, &click.id)[..]].concat()
}

/// The click of a name.
///
/// # Errors
/// `Internal` for bytes that are no name.
pub(crate) fn click(name: &[u8]) -> Result<ClickRef> {
    let (at, tail) = name.split_first_chunk::<8>().ok_or_else(|| damaged("it is too short"))?;
    let text = str::from_utf8(tail).map_err(damaged)?;
    let (account, id) = text.split_once('/').ok_or_else(|| damaged("it names no account"))?;
    Ok(ClickRef {
        account: account.parse().map_err(damaged)?,
        id: id.parse().map_err(damaged)?,
        captured_at: Timestamp::from_nanosecond(u64::from_be_bytes(*at).into()).map_err(damaged)?,
    })
}

/// How the name of a click ends. No account's name holds a slash.
pub(crate) fn tail(account: &AccountId, id: &ClickId) -> Vec<u8> {
    format!("{account}/{id}").into_bytes()
}

/// How the names of clicks begin that are past their life.
pub(crate) fn oldest_click(now: Timestamp) -> [u8; 8] {
    nanos(before(now, CLICK_LIFE))
}

/// Where a page of clicks ended, from its last click.
pub(crate) fn place(click: &ClickRef) -> [u8; 16] {
    let mut place = [0; 16];
    place[8..].copy_from_slice(&nanos(click.captured_at));
    place
}

/// How the name begins of the click at which a page ended.
pub(crate) fn from_place(place: [u8; 16]) -> Vec<u8> {
    place[8..].to_vec()
}

/// A page of what was read: at most one more than `limit`.
pub(crate) fn page<T>(mut items: Vec<T>, limit: usize, place: impl Fn(&T) -> [u8; 16]) -> Page<T> {
    let more = items.len() > limit;
    items.truncate(limit);
    Page { next: items.last().filter(|_| more).map(place), items }
}

/// Where the buckets begin that are kept.
pub(crate) fn oldest_bucket(now: Timestamp) -> Timestamp {
    before(now, COUNTS_KEPT)
}

/// The first whole second that is not before a time.
pub(crate) fn ceil(at: Timestamp) -> i64 {
    at.as_second() + i64::from(at.subsec_nanosecond() > 0)
}

pub(crate) fn before(now: Timestamp, span: SignedDuration) -> Timestamp {
    now.saturating_sub(span).unwrap_or(Timestamp::MIN)
}

fn nanos(at: Timestamp) -> [u8; 8] {
    u64::try_from(at.as_nanosecond()).unwrap_or_default().to_be_bytes()
}

fn damaged(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::internal("the logbook holds a damaged record").caused_by(cause)
}

#[cfg(test)]
mod tests {
    use postback_core::{ErrorKind, ports::Deed};

    use super::*;

    // An action and a click as they are kept in stores that are there.
    const ACTION: &[u8] = b"\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\n$070\
        70707-0707-0707-0707-070707070707\x12\x06\x08\xbf\xfb\x9e\xcd\x06\x1a\x0bnight shift \x01*\npowerspa\
        ce2\x11all that are dead8$B\x0ea new contract";
    const CLICK: &[u8] = b"\x18\x99\x8b\x01\x8c\xfa\x83\x15powerspace/abc123xyz789";

    #[test]
    fn a_click_survives_its_name_whatever_its_id() {
        for id in ["abc", "a/b", "+&=%/ é", "/"] {
            let wanted = ClickRef {
                account: "near".parse().unwrap(),
                id: id.parse().unwrap(),
                captured_at: "2026-03-04T05:06:07.123456789Z".parse().unwrap(),
            };
            assert_eq!(click(&of_click(&wanted)).unwrap(), wanted);
            assert!(of_click(&wanted).starts_with(&from_place(place(&wanted))));
        }
    }

    #[test]
    fn records_that_were_kept_are_read_for_ever() {
        let kept = Action {
            id: [7; 16],
            at: "2026-03-04T05:06:07Z".parse().unwrap(),
            actor: "night shift".parse().unwrap(),
            deed: Deed::Replay,
            account: Some("powerspace".parse().unwrap()),
            target: "all that are dead".into(),
            count: 36,
            reason: "a new contract".into(),
        };
        assert_eq!(action(ACTION).unwrap(), kept);
        let kept = ClickRef {
            account: "powerspace".parse().unwrap(),
            id: "abc123xyz789".parse().unwrap(),
            captured_at: "2026-03-04T05:06:07.123456789Z".parse().unwrap(),
        };
        assert_eq!(click(CLICK).unwrap(), kept);
    }

    #[test]
    fn damaged_records_are_errors() {
        for wrong in
            [&b""[..], b"1234567", b"12345678", b"12345678near", b"12345678NEAR/a", b"12345678near/\xff"]
        {
            assert_eq!(click(wrong).unwrap_err().kind(), ErrorKind::Internal, "{wrong:?}");
        }
        for wrong in [&b""[..], &[0; 15], &[0; 16], &[0xff; 40]] {
            assert_eq!(action(wrong).unwrap_err().kind(), ErrorKind::Internal, "{wrong:?}");
        }
    }
}
