//! How a conversion and a delivery are kept: each as one string, whose parts the scripts put together. What never
//! changes is one protobuf message, and so is each attempt. What may be forgotten before the rest is a part beside
//! it, as a message of the same type that is merged when it is read.

use std::collections::BTreeMap;

use jiff::Timestamp;
use postback_core::{
    Attempt, COMMENT, Conversion, ConversionId, Delivery, DeliveryId, DeliveryState, LaneId, Reason, Result,
    ports::{Fence, Settlement},
};
use postback_proto::v1;
use prost::Message;
use uuid::Uuid;

use crate::rules::{self, damaged, read, unreadable};

/// The states by their numbers in a record.
const PENDING: u8 = 1;
const WAITING: u8 = 2;
const IN_DOUBT: u8 = 3;
const DELIVERED: u8 = 4;
const DEAD: u8 = 5;

/// A conversion or a delivery as the scripts return it: its id, its record, and when an attempt under way began, in
/// milliseconds; 0 where there is none.
pub(super) type Stored = (Vec<u8>, Vec<u8>, i64);

/// What is left of a record.
pub(super) struct Left<'a>(pub(super) &'a [u8]);

impl<'a> Left<'a> {
    pub(super) fn take(&mut self, many: usize) -> Result<&'a [u8]> {
        let (part, rest) = self.0.split_at_checked(many).ok_or_else(damaged)?;
        self.0 = rest;
        Ok(part)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        self.take(N)?.try_into().map_err(|_| damaged())
    }

    fn skip<const N: usize>(&mut self) -> Result<()> {
        self.array::<N>().map(drop)
    }

    /// A number as Lua has them.
    fn number(&mut self) -> Result<f64> {
        self.array().map(f64::from_le_bytes)
    }

    /// A time in milliseconds; 0 is none.
    pub(super) fn millis(&mut self) -> Result<Option<i64>> {
        let millis = self.number()?;
        #[expect(clippy::cast_possible_truncation, reason = "the scripts count in whole milliseconds")]
        Ok((millis != 0.0).then_some(millis as i64))
    }

    fn time(&mut self) -> Result<Option<Timestamp>> {
        Ok(self.millis()?.map(rules::from_millis))
    }

    /// A lease's number.
    pub(super) fn whole(&mut self) -> Result<u64> {
        let number = self.number()?;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "Redis counts them up from 1"
        )]
        Ok(number as u64)
    }

    /// How many.
    pub(super) fn count(&mut self) -> Result<usize> {
        let many = u32::from_le_bytes(self.array()?);
        usize::try_from(many).map_err(|_| damaged())
    }

    /// Bytes after their number in one byte.
    fn short(&mut self) -> Result<&'a [u8]> {
        let [many] = self.array()?;
        self.take(many.into())
    }

    /// Bytes after their number in four.
    fn long(&mut self) -> Result<&'a [u8]> {
        let many = self.count()?;
        self.take(many)
    }
}

/// The 16 bytes of an id.
pub(super) fn id(bytes: &[u8]) -> Result<[u8; 16]> {
    bytes.try_into().map_err(|_| damaged())
}

/// What a record has of the call that makes it.
pub(super) struct Made<'a> {
    /// The call's name.
    pub(super) by: &'a [u8; 16],
    /// The conversion's own delivery.
    pub(super) lead: DeliveryId,
    /// The conversion's key, where it has one.
    pub(super) key: Option<[u8; 16]>,
    /// The key of its user, where there is one.
    pub(super) user: Option<[u8; 16]>,
}

impl Made<'_> {
    /// The conversion's key, or nothing.
    pub(super) fn key(&self) -> &[u8] {
        self.key.as_ref().map_or(&[], |key| key.as_slice())
    }

    /// The key of its user, or nothing.
    pub(super) fn user(&self) -> &[u8] {
        self.user.as_ref().map_or(&[], |user| user.as_slice())
    }
}

/// The record of a new conversion, of which nothing is told but by its own delivery. The customer is the last part,
/// which is cut off when it is to be forgotten.
pub(super) fn record_of(conversion: &Conversion, made: &Made<'_>) -> Vec<u8> {
    let mut body = v1::Conversion::from(conversion);
    for known in [&mut body.conversion_id, &mut body.account, &mut body.lane] {
        known.clear();
    }
    let mut details = body.details.take().unwrap_or_default();
    let person = part(std::mem::take(&mut body.user_id), None, comment_of(&mut details.fields));
    let whole = details.customer.take().unwrap_or_default();
    details.customer = (!whole.country.is_empty())
        .then(|| v1::Customer { country: whole.country.clone(), ..v1::Customer::default() });
    body.details = Some(details);
    let customer = if conversion.details.customer.is_anonymous() {
        Vec::new()
    } else {
        part(String::new(), Some(v1::Customer { country: String::new(), ..whole }), Default::default())
    };

    let mut record = Vec::with_capacity(256);
    record.extend_from_slice(conversion.lane.as_bytes());
    record.extend_from_slice(made.by);
    record.extend_from_slice(&length(&customer));
    put_long(&mut record, made.lead.as_bytes());
    put_short(&mut record, conversion.account.as_str().as_bytes());
    put_short(&mut record, made.user());
    put_short(&mut record, made.key());
    put_long(&mut record, &body.encode_to_vec());
    put_long(&mut record, &person);
    record.extend_from_slice(&customer);
    record
}

/// Takes the free text out of the network's fields.
fn comment_of(fields: &mut BTreeMap<String, String>) -> BTreeMap<String, String> {
    fields.remove_entry(COMMENT).into_iter().collect()
}

/// A part of a conversion beside its body; empty where there is nothing.
fn part(user_id: String, customer: Option<v1::Customer>, fields: BTreeMap<String, String>) -> Vec<u8> {
    let details = (customer.is_some() || !fields.is_empty()).then(|| v1::ConversionDetails {
        customer,
        fields,
        ..v1::ConversionDetails::default()
    });
    v1::Conversion { user_id, details, ..v1::Conversion::default() }.encode_to_vec()
}

/// A number of bytes, as the scripts read it.
fn length(bytes: &[u8]) -> [u8; 4] {
    u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes()
}

fn put_long(record: &mut Vec<u8>, bytes: &[u8]) {
    record.extend_from_slice(&length(bytes));
    record.extend_from_slice(bytes);
}

fn put_short(record: &mut Vec<u8>, bytes: &[u8]) {
    record.push(u8::try_from(bytes.len()).unwrap_or(u8::MAX));
    record.extend_from_slice(bytes);
}

/// Puts a conversion together.
pub(super) fn conversion((name, record, _): &Stored) -> Result<Conversion> {
    conversion_of(ConversionId::from_bytes(id(name)?), record)
}

/// Puts a conversion together from its record alone.
pub(super) fn conversion_of(id: ConversionId, record: &[u8]) -> Result<Conversion> {
    let mut left = Left(record);
    let lane = LaneId::from_bytes(left.array()?);
    left.skip::<16>()?;
    left.skip::<4>()?;
    left.long()?;
    let account = text(left.short()?)?;
    left.short()?;
    left.short()?;
    let body = [left.long()?, left.long()?, left.0].concat();
    let conversion_id = id.to_string();
    let body = v1::Conversion { conversion_id, account, lane: lane.to_string(), ..read(&body)? };
    Conversion::try_from(body).map_err(unreadable)
}

/// What the record of a new delivery has behind its account: no decision, no words and no attempt, the free text of its
/// change, which may be forgotten, and what stays.
pub(super) fn tail_of(delivery: &Delivery) -> Vec<u8> {
    let mut body = v1::Delivery::from(delivery);
    body.attempts.clear();
    for known in [&mut body.delivery_id, &mut body.conversion_id, &mut body.account, &mut body.lane] {
        known.clear();
    }
    let fields = body.change.as_mut().map(|change| comment_of(&mut change.fields)).unwrap_or_default();
    let change = (!fields.is_empty()).then(|| v1::Change { fields, ..v1::Change::default() });
    let fields = v1::Delivery { change, ..v1::Delivery::default() };

    let mut tail = Vec::with_capacity(128);
    put_short(&mut tail, &[]);
    for _ in ["code", "message", "remote"] {
        put_long(&mut tail, &[]);
    }
    put_long(&mut tail, &fields.encode_to_vec());
    put_long(&mut tail, &body.encode_to_vec());
    tail
}

/// Puts a delivery together.
pub(super) fn delivery((name, record, began): &Stored) -> Result<Delivery> {
    let delivery = delivery_of(DeliveryId::from_bytes(id(name)?), record)?;
    Ok(under_way(delivery, (*began != 0).then_some(*began)))
}

/// The delivery with an attempt under way, where one began then, in milliseconds.
pub(super) fn under_way(delivery: Delivery, began: Option<i64>) -> Delivery {
    Delivery { started_at: began.map(rules::from_millis).or(delivery.started_at), ..delivery }
}

/// Puts a delivery together.
pub(super) fn delivery_of(id: DeliveryId, record: &[u8]) -> Result<Delivery> {
    let mut left = Left(record);
    let (updated_at, due_at, started_at) = (left.time()?, left.time()?, left.time()?);
    left.skip::<11>()?;
    let [state_is] = left.array()?;
    let (conversion, lane) = (ConversionId::from_bytes(left.array()?), LaneId::from_bytes(left.array()?));
    left.skip::<24>()?;
    let account = text(left.short()?)?;
    left.short()?;
    let reason = Reason { code: text(left.long()?)?, message: text(left.long()?)? };
    let (remote, fields, body) = (text(left.long()?)?, left.long()?, left.long()?);
    let (body, attempts) = ([body, fields].concat(), attempts(left.0)?);
    let body = v1::Delivery {
        delivery_id: id.to_string(),
        conversion_id: conversion.to_string(),
        account,
        lane: lane.to_string(),
        ..read(&body)?
    };
    Ok(Delivery {
        state: state(state_is, reason)?,
        attempts,
        started_at,
        remote_id: (!remote.is_empty()).then_some(remote),
        updated_at: updated_at.ok_or_else(damaged)?,
        due_at,
        ..Delivery::try_from(body).map_err(unreadable)?
    })
}

/// The state in a delivery's record.
pub(super) fn state_of(record: &[u8]) -> Result<DeliveryState> {
    let mut left = Left(record);
    left.skip::<35>()?;
    let [state_is] = left.array()?;
    left.skip::<56>()?;
    let _ = (left.short()?, left.short()?);
    state(state_is, Reason { code: text(left.long()?)?, message: text(left.long()?)? })
}

/// What a new delivery's step begins with: the call's name, the conversion, the lane, the delivery, and when it is due
/// and its life ends, in milliseconds; 0 is at once.
#[expect(clippy::cast_precision_loss, reason = "no time has 2^53 milliseconds")]
pub(super) fn head_of(call: &Uuid, conversion: ConversionId, delivery: &Delivery) -> Vec<u8> {
    let time = |at: Option<Timestamp>| (at.map_or(0, rules::millis) as f64).to_le_bytes();
    let mut head = Vec::with_capacity(80);
    for id in [call.as_bytes(), conversion.as_bytes(), delivery.lane.as_bytes(), delivery.id.as_bytes()] {
        head.extend_from_slice(id);
    }
    head.extend_from_slice(&time(delivery.due_at));
    head.extend_from_slice(&time(Some(delivery.expires_at)));
    head
}

/// A fence, as the scripts read it.
#[expect(clippy::cast_precision_loss, reason = "Redis counts leases up from 1")]
pub(super) fn fence(fence: &Fence) -> Vec<u8> {
    let token = (fence.token as f64).to_le_bytes();
    let account = fence.account.as_str().as_bytes();
    [fence.lane.as_bytes(), fence.delivery.as_bytes(), token.as_slice(), account].concat()
}

/// What becomes of a delivery: its state, after how many milliseconds it is tried again, and the words of that.
#[expect(clippy::cast_precision_loss, reason = "no wait is longer than 2^53 milliseconds")]
pub(super) fn outcome(settlement: &Settlement, wait: i64) -> Vec<u8> {
    let (state, reason, remote) = match settlement {
        Settlement::Delivered { remote_id } => (DELIVERED, None, remote_id.as_deref()),
        Settlement::Retry { .. } => (PENDING, None, None),
        Settlement::InDoubt(reason) => (IN_DOUBT, Some(reason), None),
        Settlement::Dead(reason) => (DEAD, Some(reason), None),
    };
    let (code, message) = reason.map_or(("", ""), |reason| (&reason.code, &reason.message));
    let mut outcome = vec![state];
    outcome.extend_from_slice(&(wait as f64).to_le_bytes());
    for words in [code, message, remote.unwrap_or_default()] {
        put_long(&mut outcome, words.as_bytes());
    }
    outcome
}

/// What a record has of an attempt.
pub(super) fn attempt(attempt: &Attempt) -> Vec<u8> {
    let mut record = Vec::new();
    put_long(&mut record, &v1::Attempt::from(attempt).encode_to_vec());
    record
}

fn attempts(bytes: &[u8]) -> Result<Vec<Attempt>> {
    let mut left = Left(bytes);
    let mut attempts = Vec::new();
    while !left.0.is_empty() {
        attempts.push(Attempt::try_from(read::<v1::Attempt>(left.long()?)?).map_err(unreadable)?);
    }
    Ok(attempts)
}

fn state(number: u8, reason: Reason) -> Result<DeliveryState> {
    match number {
        PENDING => Ok(DeliveryState::Pending),
        WAITING => Ok(DeliveryState::Waiting),
        IN_DOUBT => Ok(DeliveryState::InDoubt(reason)),
        DELIVERED => Ok(DeliveryState::Delivered),
        DEAD => Ok(DeliveryState::Dead(reason)),
        _ => Err(damaged()),
    }
}

fn text(bytes: &[u8]) -> Result<String> {
    String::from_utf8(bytes.to_vec()).map_err(|error| damaged().caused_by(error))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use postback_core::{Change, Customer, Details, Error, Event, Kind, Money, Outcome, Source, Status};

    use super::*;

    // A conversion and a delivery as they are kept in stores that are there.
    const CONVERSION: &[u8] = b"\x02\x02\x02\x02\x02\x02\x02\x02\x02\x02\x02\x02\x02\x02\x02\x02\x03\x03\
        \x03\x03\x03\x03\x03\x03\x03\x03\x03\x03\x03\x03\x03\x03\t\x00\x00\x00\x10\x00\x00\x00\x04\x04\x04\x04\
        \x04\x04\x04\x04\x04\x04\x04\x04\x04\x04\x04\x04\x08altercpa\x10\x06\x06\x06\x06\x06\x06\x06\x06\x06\
        \x06\x06\x06\x06\x06\x06\x06\x10\x05\x05\x05\x05\x05\x05\x05\x05\x05\x05\x05\x05\x05\x05\x05\x05Y\x00\
        \x00\x00\x1a\x06spring\"\x041234:\x06\x08\xc0\xf5\x9e\xcd\x06J\trequest-9Z&\x08\x02\x1a\x0c\n\x0589.\
        90\x12\x03EUR:\x04A-17J\x04\"\x02FRR\x08\n\x02pp\x12\x0210b\x06\x08\xfc\xf5\x9e\xcd\x06j\x06\x08\xfd\
        \xf5\x9e\xcd\x06\x1f\x00\x00\x00B\x06user-7Z\x15R\x13\n\x07comment\x12\x08by phoneZ\x07J\x05\n\x03An\
        n";
    const DELIVERY: &[u8] = b"\x00\x00\x03's\xcbyB\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\
        \x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x05\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\
        \x01\x01\x01\x01\x01\x01\x02\x02\x02\x02\x02\x02\x02\x02\x02\x02\x02\x02\x02\x02\x02\x02\x03\x03\x03\
        \x03\x03\x03\x03\x03\x03\x03\x03\x03\x03\x03\x03\x03\x00\x00`\x04\x1b\xd5yB\x08altercpa\x00\x06\x00\x00\
        \x00bad-id\x0c\x00\x00\x00no such lead\x04\x00\x00\x001234\x17\x00\x00\x00*\x15*\x13\n\x07comment\x12\
        \x08by phone4\x00\x00\x00*\x10\n\x04hold*\x08\n\x02pp\x12\x02100\x01Z\x06\x08\xfd\xf5\x9e\xcd\x06b\x06\
        \x08\xfd\xf5\x9e\xcd\x06j\x06\x08\xfd\xf5\x9e\xcd\x06r\x06\x08\xc0\x8f\xbd\xce\x069\x00\x00\x00\n\x06\
        \x08\xfd\xf5\x9e\xcd\x06\x12\x04\x10\xe0\xc6[\x1a\x08POST *** \xc8\x01*\x02{}0\x04:\x16\n\x06bad-id\x12\
        \x0cno such lead";

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_772_600_000 + second).unwrap()
    }

    #[test]
    fn a_conversion_that_was_kept_is_read_for_ever() {
        let mut details = Details::new(Kind::Order);
        details.value = Some(Money::parse("89.90", "EUR").unwrap());
        details.transaction_id = Some("A-17".parse().unwrap());
        details.customer =
            Customer { name: Some("Ann".into()), country: Some("FR".into()), ..Customer::default() };
        details.fields =
            [("comment", "by phone"), ("pp", "10")].map(|(name, value)| (name.into(), value.into())).into();
        let kept = Conversion {
            id: ConversionId::from_bytes([1; 16]),
            account: "altercpa".parse().unwrap(),
            campaign: Some("spring".parse().unwrap()),
            source: Source::Click("1234".parse().unwrap()),
            click_time: Some(at(0)),
            user: Some("user-7".parse().unwrap()),
            request_id: Some("request-9".parse().unwrap()),
            lane: LaneId::from_bytes([2; 16]),
            details,
            occurred_at: at(60),
            recorded_at: at(61),
        };
        assert_eq!(conversion_of(kept.id, CONVERSION).unwrap(), kept);
    }

    #[test]
    fn a_delivery_that_was_kept_is_read_for_ever() {
        let reason = || Reason::new("bad-id", "no such lead");
        let tried = Attempt {
            started_at: at(61),
            duration: Duration::from_micros(1_500),
            call: "POST ***".into(),
            status: Some(200),
            answer: "{}".into(),
            outcome: Outcome::Rejected,
            reason: Some(reason()),
        };
        let fields = [("comment", "by phone"), ("pp", "10")].map(|(name, value)| (name.into(), value.into()));
        let kept = Delivery {
            id: DeliveryId::from_bytes([4; 16]),
            conversion: ConversionId::from_bytes([1; 16]),
            account: "altercpa".parse().unwrap(),
            lane: LaneId::from_bytes([2; 16]),
            event: Event::Changed(Change {
                status: Some(Status::Hold),
                fields: fields.into(),
                ..Change::default()
            }),
            state: DeliveryState::Dead(reason()),
            attempts: vec![tried],
            started_at: None,
            remote_id: Some("1234".into()),
            created_at: at(61),
            updated_at: at(62),
            due_at: None,
            expires_at: at(2_592_000),
            trace: None,
        };
        assert_eq!(delivery_of(kept.id, DELIVERY).unwrap(), kept);
    }

    #[test]
    fn a_record_that_ends_too_early_is_damaged_and_no_panic() {
        let whole = [&[2, b'o', b'k'][..], &4_u32.to_le_bytes(), b"long", &7.0_f64.to_le_bytes()].concat();
        let read = |record: &[u8]| {
            let mut left = Left(record);
            Ok::<_, Error>((left.short()?.to_vec(), left.long()?.to_vec(), left.number()?))
        };
        assert_eq!(read(&whole).unwrap(), (b"ok".to_vec(), b"long".to_vec(), 7.0));
        for end in 0..whole.len() {
            assert!(read(&whole[..end]).is_err(), "{end}");
        }
    }
}
