//! How conversions and deliveries lie in Redis: a hash each. What never changes is one protobuf message; what a
//! script removes lies beside it, as a message of the same type that is merged when it is read; what a script
//! changes has a field of its own.

use std::collections::HashMap;

use jiff::Timestamp;
use postback_core::{
    Attempt, Conversion, ConversionId, Delivery, DeliveryId, DeliveryState, Error, LaneId, Reason, Result,
};
use postback_proto::v1;
use prost::Message;

use crate::rules;

/// The fields of a hash.
pub(super) type Fields = HashMap<String, Vec<u8>>;
/// A conversion as the scripts return it: its id and its fields.
pub(super) type StoredConversion = (String, Fields);
/// A delivery as the scripts return it: its id, its fields and its attempts.
pub(super) type StoredDelivery = (String, Fields, Vec<Vec<u8>>);

/// An id, a key or a lane as it stands in a key: 32 hex digits, in the order of its bytes.
pub(super) fn hex(bytes: &[u8; 16]) -> String {
    bytes.iter().fold(String::with_capacity(32), |mut text, byte| {
        for digit in [byte >> 4, byte & 15] {
            text.extend(char::from_digit(digit.into(), 16));
        }
        text
    })
}

/// The bytes of 32 hex digits.
pub(super) fn unhex(text: &str) -> Result<[u8; 16]> {
    let number = u128::from_str_radix(text, 16).ok().filter(|_| text.len() == 32);
    number.map(u128::to_be_bytes).ok_or_else(damaged)
}

fn damaged() -> Error {
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
pub(super) fn conversion((id, mut fields): StoredConversion) -> Result<Conversion> {
    let mut record = fields.remove("body").ok_or_else(damaged)?;
    for part in ["customer", "person"] {
        record.extend(fields.remove(part).unwrap_or_default());
    }
    let conversion = Conversion::try_from(read::<v1::Conversion>(&record)?).map_err(unreadable)?;
    Ok(Conversion { id: ConversionId::from_bytes(unhex(&id)?), ..conversion })
}

/// What stays of a delivery, and the network's fields of its change.
pub(super) fn split_delivery(delivery: &Delivery) -> (Vec<u8>, Vec<u8>) {
    let mut body = v1::Delivery::from(delivery);
    body.attempts.clear();
    let fields = body.change.as_mut().map(|change| std::mem::take(&mut change.fields)).unwrap_or_default();
    let fields = (!fields.is_empty()).then(|| v1::Change { fields, ..v1::Change::default() });
    let fields = v1::Delivery { change: fields, ..v1::Delivery::default() };
    (body.encode_to_vec(), fields.encode_to_vec())
}

/// Puts a delivery together.
pub(super) fn delivery((id, mut fields, attempts): StoredDelivery) -> Result<Delivery> {
    let mut record = fields.remove("body").ok_or_else(damaged)?;
    record.extend(fields.remove("fields").unwrap_or_default());
    let was = Delivery::try_from(read::<v1::Delivery>(&record)?).map_err(unreadable)?;
    let attempt = |bytes: Vec<u8>| Attempt::try_from(read::<v1::Attempt>(&bytes)?).map_err(unreadable);
    Ok(Delivery {
        id: DeliveryId::from_bytes(unhex(&id)?),
        conversion: ConversionId::from_bytes(unhex(&text(&mut fields, "conversion")?)?),
        lane: LaneId::from_bytes(unhex(&text(&mut fields, "lane")?)?),
        state: state(
            &text(&mut fields, "state")?,
            text(&mut fields, "code").unwrap_or_default(),
            text(&mut fields, "message").unwrap_or_default(),
        )?,
        attempts: attempts.into_iter().map(attempt).collect::<Result<_>>()?,
        started_at: time(&mut fields, "started")?,
        remote_id: text(&mut fields, "remote").ok(),
        updated_at: time(&mut fields, "updated")?.ok_or_else(damaged)?,
        due_at: time(&mut fields, "due")?,
        ..was
    })
}

/// A state, from its word and its reason.
pub(super) fn state(word: &str, code: String, message: String) -> Result<DeliveryState> {
    let reason = Reason { code, message };
    match word {
        "pending" => Ok(DeliveryState::Pending),
        "waiting" => Ok(DeliveryState::Waiting),
        "in_doubt" => Ok(DeliveryState::InDoubt(reason)),
        "delivered" => Ok(DeliveryState::Delivered),
        "dead" => Ok(DeliveryState::Dead(reason)),
        _ => Err(damaged()),
    }
}

fn text(fields: &mut Fields, name: &str) -> Result<String> {
    let bytes = fields.remove(name).ok_or_else(damaged)?;
    String::from_utf8(bytes).map_err(|error| damaged().caused_by(error))
}

fn time(fields: &mut Fields, name: &str) -> Result<Option<Timestamp>> {
    let Ok(millis) = text(fields, name) else { return Ok(None) };
    Ok(Some(rules::from_millis(millis.parse().map_err(|_| damaged())?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_keeps_the_order_of_bytes_and_comes_back() {
        let id = *uuid::Uuid::now_v7().as_bytes();
        assert_eq!(unhex(&hex(&id)).unwrap(), id);
        assert_eq!(hex(&[0x0f; 16]), "0f".repeat(16));
        assert!(hex(&[1; 16]) < hex(&[0x10; 16]));
        for wrong in ["", "0f", &"g".repeat(32)] {
            assert!(unhex(wrong).is_err(), "{wrong}");
        }
    }
}
