//! What only the stores keep, between the contract and the core.

use postback_core::{
    ClickRef, Error, Fingerprint, Reason, Result,
    ports::{Attribution, Paused, Reservation},
};

use crate::{
    v1,
    value::{time_of, timestamp},
};

fn bytes(field: &'static str, bytes: &[u8]) -> Result<[u8; 16]> {
    bytes.try_into().map_err(|_| Error::invalid(field, "is not 16 bytes"))
}

impl From<&ClickRef> for v1::ClickRefRecord {
    fn from(click: &ClickRef) -> Self {
        Self {
            account: click.account.to_string(),
            click_id: click.id.to_string(),
            create_time: Some(timestamp(click.captured_at)),
        }
    }
}

impl TryFrom<v1::ClickRefRecord> for ClickRef {
    type Error = Error;
    fn try_from(click: v1::ClickRefRecord) -> Result<Self> {
        Ok(Self {
            account: click.account.parse()?,
            id: click.click_id.parse()?,
            captured_at: time_of("create_time", click.create_time.as_ref())?,
        })
    }
}

impl From<&Attribution> for v1::AttributionRecord {
    fn from(attribution: &Attribution) -> Self {
        Self {
            click: Some((&attribution.click).into()),
            attach_time: Some(timestamp(attribution.attached_at)),
        }
    }
}

impl TryFrom<v1::AttributionRecord> for Attribution {
    type Error = Error;
    fn try_from(record: v1::AttributionRecord) -> Result<Self> {
        Ok(Self {
            click: record.click.unwrap_or_default().try_into()?,
            attached_at: time_of("attach_time", record.attach_time.as_ref())?,
        })
    }
}

impl From<&Reservation> for v1::ReservationRecord {
    fn from(reservation: &Reservation) -> Self {
        Self {
            fingerprint: reservation.fingerprint.as_bytes().to_vec(),
            id: reservation.id.to_vec(),
            create_time: Some(timestamp(reservation.at)),
            click: reservation.click.as_ref().map(Into::into),
        }
    }
}

impl TryFrom<v1::ReservationRecord> for Reservation {
    type Error = Error;
    fn try_from(record: v1::ReservationRecord) -> Result<Self> {
        Ok(Self {
            fingerprint: Fingerprint::from_bytes(bytes("fingerprint", &record.fingerprint)?),
            id: bytes("id", &record.id)?,
            at: time_of("create_time", record.create_time.as_ref())?,
            click: record.click.map(ClickRef::try_from).transpose()?,
        })
    }
}

impl From<&Paused> for v1::PauseRecord {
    fn from(paused: &Paused) -> Self {
        Self {
            create_time: Some(timestamp(paused.since)),
            code: paused.reason.code.clone(),
            message: paused.reason.message.clone(),
        }
    }
}

impl TryFrom<v1::PauseRecord> for Paused {
    type Error = Error;
    fn try_from(record: v1::PauseRecord) -> Result<Self> {
        Ok(Self {
            since: time_of("create_time", record.create_time.as_ref())?,
            reason: Reason::new(record.code, record.message),
        })
    }
}
