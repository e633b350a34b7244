//! How a conversion and a delivery are kept: each as one string, whose parts the scripts put together. What never
//! changes is one protobuf message, and so is each attempt. What may be forgotten before the rest is a part beside
//! it, as a message of the same type that is merged when it is read.

use jiff::Timestamp;
use postback_core::{
    Attempt, Conversion, ConversionId, Delivery, DeliveryId, DeliveryState, Error, LaneId, Reason, Result,
};
use postback_proto::v1;
use prost::Message;

use crate::rules;

/// A conversion or a delivery as the scripts return it: its id and its record.
pub(super) type Stored = (Vec<u8>, Vec<u8>);

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

pub(super) fn damaged() -> Error {
    Error::internal("a stored record cannot be read")
}

fn unreadable(error: Error) -> Error {
    damaged().caused_by(error)
}

fn read<M: Message + Default>(bytes: &[u8]) -> Result<M> {
    M::decode(bytes).map_err(|error| damaged().caused_by(error))
}

/// The parts of a conversion.
pub(super) struct Parts {
    /// What stays.
    pub(super) body: Vec<u8>,
    /// Name, phone and email; empty where there are none.
    pub(super) customer: Vec<u8>,
    /// What else identifies a person; empty where there is nothing.
    pub(super) person: Vec<u8>,
}

/// Takes a conversion apart.
pub(super) fn split(conversion: &Conversion) -> Parts {
    let mut body = v1::Conversion::from(conversion);
    for known in [&mut body.conversion_id, &mut body.account, &mut body.lane] {
        known.clear();
    }
    let mut details = body.details.take().unwrap_or_default();
    let fields = std::mem::take(&mut details.fields);
    let user_id = std::mem::take(&mut body.user_id);
    let whole = details.customer.take().unwrap_or_default();
    details.customer = (!whole.country.is_empty())
        .then(|| v1::Customer { country: whole.country.clone(), ..v1::Customer::default() });
    body.details = Some(details);
    let customer = v1::Customer { country: String::new(), ..whole };
    let customer = (!conversion.details.customer.is_anonymous()).then_some(customer);
    let part = |user_id, customer, fields| {
        let details = v1::ConversionDetails { customer, fields, ..v1::ConversionDetails::default() };
        let details = (details != v1::ConversionDetails::default()).then_some(details);
        v1::Conversion { user_id, details, ..v1::Conversion::default() }.encode_to_vec()
    };
    Parts {
        body: body.encode_to_vec(),
        customer: part(String::new(), customer, Default::default()),
        person: part(user_id, None, fields),
    }
}

/// Puts a conversion together.
pub(super) fn conversion((name, record): &Stored) -> Result<Conversion> {
    conversion_of(ConversionId::from_bytes(id(name)?), record)
}

/// Likewise.
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

/// What stays of a delivery, and the network's fields of its change.
pub(super) fn split_delivery(delivery: &Delivery) -> (Vec<u8>, Vec<u8>) {
    let mut body = v1::Delivery::from(delivery);
    body.attempts.clear();
    for known in [&mut body.delivery_id, &mut body.conversion_id, &mut body.account, &mut body.lane] {
        known.clear();
    }
    let fields = body.change.as_mut().map(|change| std::mem::take(&mut change.fields)).unwrap_or_default();
    let fields = (!fields.is_empty()).then(|| v1::Change { fields, ..v1::Change::default() });
    let fields = v1::Delivery { change: fields, ..v1::Delivery::default() };
    (body.encode_to_vec(), fields.encode_to_vec())
}

/// Puts a delivery together.
pub(super) fn delivery((name, record): &Stored) -> Result<Delivery> {
    delivery_of(DeliveryId::from_bytes(id(name)?), record)
}

/// Likewise.
pub(super) fn delivery_of(id: DeliveryId, record: &[u8]) -> Result<Delivery> {
    let mut left = Left(record);
    let (conversion, lane) = (ConversionId::from_bytes(left.array()?), LaneId::from_bytes(left.array()?));
    left.skip::<24>()?;
    let (due_at, updated_at, started_at) = (left.time()?, left.time()?, left.time()?);
    left.skip::<11>()?;
    let ([state_is], account) = (left.array()?, text(left.short()?)?);
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
    left.skip::<91>()?;
    let ([state_is], _, _) = (left.array()?, left.short()?, left.short()?);
    state(state_is, Reason { code: text(left.long()?)?, message: text(left.long()?)? })
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
        1 => Ok(DeliveryState::Pending),
        2 => Ok(DeliveryState::Waiting),
        3 => Ok(DeliveryState::InDoubt(reason)),
        4 => Ok(DeliveryState::Delivered),
        5 => Ok(DeliveryState::Dead(reason)),
        _ => Err(damaged()),
    }
}

fn text(bytes: &[u8]) -> Result<String> {
    String::from_utf8(bytes.to_vec()).map_err(|error| damaged().caused_by(error))
}

#[cfg(test)]
mod tests {
    use super::*;

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
