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

#[cfg(test)]
mod tests {
    use prost::Message;

    use super::*;

    // The records of the tests, as they are kept in stores that are there.
    const RESERVATION: &[u8] = b"\n\x10\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\
        \x12\x10\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\x1a\x06\x08\xbf\x9e\xa4\xcd\x06\"'\n\npowerspace\x12\x0cabc\
        123xyz789\x1a\x0b\x08\xbf\xfb\x9e\xcd\x06\x10\x95\x9a\xef:";
    const ATTRIBUTION: &[u8] = b"\n'\n\npowerspace\x12\x0cabc123xyz789\x1a\x0b\x08\xbf\xfb\x9e\xcd\x06\x10\
        \x95\x9a\xef:\x12\x06\x08\xbf\x9e\xa4\xcd\x06";
    const PAUSE: &[u8] = b"\n\x06\x08\xbf\x9e\xa4\xcd\x06\x12\x08http_403\x1a\"the network answer\
        ed 403 Forbidden";

    fn click() -> ClickRef {
        ClickRef {
            account: "powerspace".parse().unwrap(),
            id: "abc123xyz789".parse().unwrap(),
            captured_at: "2026-03-04T05:06:07.123456789Z".parse().unwrap(),
        }
    }

    #[test]
    fn a_reservation_survives_its_record() {
        let reservation = Reservation {
            fingerprint: Fingerprint::from_bytes([7; 16]),
            id: [9; 16],
            at: "2026-03-05T05:06:07Z".parse().unwrap(),
            click: Some(click()),
        };
        let record = v1::ReservationRecord::from(&reservation);
        assert_eq!(Reservation::try_from(record).unwrap(), reservation);
        let kept = v1::ReservationRecord::decode(RESERVATION).unwrap();
        assert_eq!(Reservation::try_from(kept).unwrap(), reservation);
    }

    #[test]
    fn an_attribution_survives_its_record() {
        let attribution =
            Attribution { click: click(), attached_at: "2026-03-05T05:06:07Z".parse().unwrap() };
        let record = v1::AttributionRecord::from(&attribution);
        assert_eq!(Attribution::try_from(record).unwrap(), attribution);
        let kept = v1::AttributionRecord::decode(ATTRIBUTION).unwrap();
        assert_eq!(Attribution::try_from(kept).unwrap(), attribution);
    }

    #[test]
    fn a_pause_survives_its_record() {
        let paused = Paused {
            since: "2026-03-05T05:06:07Z".parse().unwrap(),
            reason: Reason::new("http_403", "the network answered 403 Forbidden"),
        };
        let record = v1::PauseRecord::from(&paused);
        assert_eq!(Paused::try_from(record).unwrap(), paused);
        assert_eq!(Paused::try_from(v1::PauseRecord::decode(PAUSE).unwrap()).unwrap(), paused);
    }
}
