//! Deliveries and their attempts, between the contract and the core.

use std::time::Duration;

use postback_core::{
    Attempt, Delivery, DeliveryState, Error, Event, Outcome, Reason, Result,
    ports::{AccountStats, Paused},
};

use crate::{
    conversion::{change_from, lane_from},
    v1,
    value::{count, some, text, time_if, time_of, timestamp},
};

impl From<&Reason> for v1::Reason {
    fn from(reason: &Reason) -> Self {
        Self { code: reason.code.clone(), message: reason.message.clone() }
    }
}

impl From<v1::Reason> for Reason {
    fn from(reason: v1::Reason) -> Self {
        Self::new(reason.code, reason.message)
    }
}

impl From<&DeliveryState> for v1::DeliveryState {
    fn from(state: &DeliveryState) -> Self {
        match state {
            DeliveryState::Pending => Self::Pending,
            DeliveryState::Waiting => Self::Waiting,
            DeliveryState::InDoubt(_) => Self::InDoubt,
            DeliveryState::Delivered => Self::Delivered,
            DeliveryState::Dead(_) => Self::Dead,
        }
    }
}

fn state_from(state: i32, reason: Option<v1::Reason>) -> Result<DeliveryState> {
    let reason = || reason.map_or_else(|| Reason::new("unknown", "no reason was kept"), Into::into);
    match v1::DeliveryState::try_from(state) {
        Ok(v1::DeliveryState::Pending) => Ok(DeliveryState::Pending),
        Ok(v1::DeliveryState::Waiting) => Ok(DeliveryState::Waiting),
        Ok(v1::DeliveryState::InDoubt) => Ok(DeliveryState::InDoubt(reason())),
        Ok(v1::DeliveryState::Delivered) => Ok(DeliveryState::Delivered),
        Ok(v1::DeliveryState::Dead) => Ok(DeliveryState::Dead(reason())),
        Ok(v1::DeliveryState::Unspecified) | Err(_) => {
            Err(Error::invalid("state", format!("`{state}` is not a state of a delivery")))
        }
    }
}

impl From<Outcome> for v1::Outcome {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Accepted => Self::Accepted,
            Outcome::AlreadyDone => Self::AlreadyDone,
            Outcome::Retry => Self::Retry,
            Outcome::Rejected => Self::Rejected,
            Outcome::Misconfigured => Self::Misconfigured,
            Outcome::NotSent => Self::NotSent,
            Outcome::Ambiguous => Self::Ambiguous,
        }
    }
}

fn outcome_from(outcome: i32) -> Result<Outcome> {
    match v1::Outcome::try_from(outcome) {
        Ok(v1::Outcome::Accepted) => Ok(Outcome::Accepted),
        Ok(v1::Outcome::AlreadyDone) => Ok(Outcome::AlreadyDone),
        Ok(v1::Outcome::Retry) => Ok(Outcome::Retry),
        Ok(v1::Outcome::Rejected) => Ok(Outcome::Rejected),
        Ok(v1::Outcome::Misconfigured) => Ok(Outcome::Misconfigured),
        Ok(v1::Outcome::NotSent) => Ok(Outcome::NotSent),
        Ok(v1::Outcome::Ambiguous) => Ok(Outcome::Ambiguous),
        Ok(v1::Outcome::Unspecified) | Err(_) => {
            Err(Error::invalid("outcome", format!("`{outcome}` is not an attempt's outcome")))
        }
    }
}

impl From<&Attempt> for v1::Attempt {
    fn from(attempt: &Attempt) -> Self {
        Self {
            start_time: Some(timestamp(attempt.started_at)),
            duration: prost_types::Duration::try_from(attempt.duration).ok(),
            call: attempt.call.clone(),
            http_status: attempt.status.map(i32::from).unwrap_or_default(),
            answer: attempt.answer.clone(),
            outcome: v1::Outcome::from(attempt.outcome).into(),
            reason: attempt.reason.as_ref().map(Into::into),
        }
    }
}

impl TryFrom<v1::Attempt> for Attempt {
    type Error = Error;
    fn try_from(attempt: v1::Attempt) -> Result<Self> {
        Ok(Self {
            started_at: time_of("start_time", attempt.start_time.as_ref())?,
            duration: attempt.duration.and_then(|took| Duration::try_from(took).ok()).unwrap_or_default(),
            call: attempt.call,
            status: u16::try_from(attempt.http_status).ok().filter(|&status| status > 0),
            answer: attempt.answer,
            outcome: outcome_from(attempt.outcome)?,
            reason: attempt.reason.map(Into::into),
        })
    }
}

impl From<&Delivery> for v1::Delivery {
    fn from(delivery: &Delivery) -> Self {
        Self {
            delivery_id: delivery.id.to_string(),
            conversion_id: delivery.conversion.to_string(),
            account: delivery.account.to_string(),
            lane: delivery.lane.to_string(),
            change: match &delivery.event {
                Event::Created => None,
                Event::Changed(change) => Some(change.into()),
            },
            state: v1::DeliveryState::from(&delivery.state).into(),
            reason: match &delivery.state {
                DeliveryState::InDoubt(reason) | DeliveryState::Dead(reason) => Some(reason.into()),
                DeliveryState::Pending | DeliveryState::Waiting | DeliveryState::Delivered => None,
            },
            attempts: delivery.attempts.iter().map(Into::into).collect(),
            start_time: delivery.started_at.map(timestamp),
            remote_id: text(delivery.remote_id.as_ref()),
            create_time: Some(timestamp(delivery.created_at)),
            update_time: Some(timestamp(delivery.updated_at)),
            due_time: delivery.due_at.map(timestamp),
            expire_time: Some(timestamp(delivery.expires_at)),
            traceparent: delivery.trace.map(|trace| trace.to_string()).unwrap_or_default(),
        }
    }
}

impl TryFrom<v1::Delivery> for Delivery {
    type Error = Error;
    fn try_from(delivery: v1::Delivery) -> Result<Self> {
        Ok(Self {
            id: delivery.delivery_id.parse()?,
            conversion: delivery.conversion_id.parse()?,
            account: delivery.account.parse()?,
            lane: lane_from(&delivery.lane)?,
            event: match delivery.change {
                None => Event::Created,
                Some(change) => Event::Changed(change_from(change)?),
            },
            state: state_from(delivery.state, delivery.reason)?,
            attempts: delivery.attempts.into_iter().map(Attempt::try_from).collect::<Result<_>>()?,
            started_at: time_if("start_time", delivery.start_time.as_ref())?,
            remote_id: some(&delivery.remote_id),
            created_at: time_of("create_time", delivery.create_time.as_ref())?,
            updated_at: time_of("update_time", delivery.update_time.as_ref())?,
            due_at: time_if("due_time", delivery.due_time.as_ref())?,
            expires_at: time_of("expire_time", delivery.expire_time.as_ref())?,
            trace: delivery.traceparent.parse().ok(),
        })
    }
}

impl v1::Account {
    /// An account's standing.
    pub fn of(account: &str, network: &str, paused: Option<&Paused>, stats: &AccountStats) -> Self {
        Self {
            account: account.to_owned(),
            network: network.to_owned(),
            pause_time: paused.map(|paused| timestamp(paused.since)),
            pause_reason: paused.map(|paused| (&paused.reason).into()),
            conversions: count(stats.conversions),
            pending: count(stats.pending),
            waiting: count(stats.waiting),
            in_doubt: count(stats.in_doubt),
            delivered: count(stats.delivered),
            dead: count(stats.dead),
            oldest_pending_time: stats.oldest_pending.map(timestamp),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use postback_core::*;
    use prost::Message;

    /// The delivery and the conversion of the tests, as they are kept in stores that are there.
    const DELIVERY: &[u8] = b"\n$01010101-0101-0101-0101-010101010101\x12$02020202-0202-0202-0202-02\
        0202020202\x1a\x08altercpa\" 0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f*4\n\x07lead_ok\x12\x07deposit\x1a\x0c\n\
        \x0510.50\x12\x03EUR\"\x08\n\x012\x12\x03EUR*\x08\n\x02pp\x12\x02100\x05:\x16\n\x06bad-id\x12\x0cno \
        such leadB9\n\x06\x08\xbf\xfb\x9e\xcd\x06\x12\x04\x10\xe0\xc6[\x1a\x08POST *** \xc8\x01*\x02{}0\x04:\
        \x16\n\x06bad-id\x12\x0cno such leadJ\x06\x08\xc0\xfb\x9e\xcd\x06R\x041234Z\x11\x08\xff\xff\xff\xff\xff\
        \xff\xff\xff\xff\x01\x10\x80\xca\xb5\xee\x01b\x06\x08\xc1\xfb\x9e\xcd\x06j\x06\x08\xc2\xfb\x9e\xcd\x06\
        r\x06\x08\xbf\xb8\xc2\xce\x06z700-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    const CONVERSION: &[u8] = b"\n$02020202-0202-0202-0202-020202020202\x12\x08altercpa\x1a\x06spring2\
        \t5FAC-D4E8:\x06\x08\xbf\xfb\x9e\xcd\x06B\x01uJ\x01rR 09090909090909090909090909090909ZX\x08\x03\x12\
        \x07deposit\x1a\x0c\n\x0549.99\x12\x03EUR\"\x044.99*\x040.102\x08\n\x012\x12\x03EUR:\x0242B\x08appro\
        vedJ\x0f\n\x01A\x12\x011\x1a\x03a@b\"\x02FRR\x08\n\x02pp\x12\x0210b\x06\x08\xbf\x9e\xa4\xcd\x06j\x06\
        \x08\xbf\xc1\xa9\xcd\x06";

    fn money(amount: &str) -> Option<Money> {
        Some(Money::parse(amount, "EUR").unwrap())
    }

    #[test]
    fn a_delivery_survives_its_record() {
        let time = |text: &str| text.parse().unwrap();
        let delivery = Delivery {
            id: DeliveryId::from_bytes([1; 16]),
            conversion: ConversionId::from_bytes([2; 16]),
            account: "altercpa".parse().unwrap(),
            lane: LaneId::from_bytes([0x0f; 16]),
            event: Event::Changed(Change {
                status: Some(Status::Own("lead_ok".into())),
                goal: Some("deposit".parse().unwrap()),
                value: money("10.50"),
                payout: money("2"),
                fields: BTreeMap::from([("pp".into(), "10".into())]),
            }),
            state: DeliveryState::Dead(Reason::new("bad-id", "no such lead")),
            attempts: vec![Attempt {
                started_at: time("2026-03-04T05:06:07Z"),
                duration: Duration::from_micros(1_500),
                call: "POST ***".into(),
                status: Some(200),
                answer: "{}".into(),
                outcome: Outcome::Rejected,
                reason: Some(Reason::new("bad-id", "no such lead")),
            }],
            started_at: Some(time("2026-03-04T05:06:08Z")),
            remote_id: Some("1234".into()),
            created_at: time("1969-12-31T23:59:59.5Z"),
            updated_at: time("2026-03-04T05:06:09Z"),
            due_at: Some(time("2026-03-04T05:06:10Z")),
            expires_at: time("2026-04-04T05:06:07Z"),
            trace: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".parse().ok(),
        };
        assert_eq!(Delivery::try_from(v1::Delivery::from(&delivery)).unwrap(), delivery);
        assert_eq!(Delivery::try_from(v1::Delivery::decode(DELIVERY).unwrap()).unwrap(), delivery);
    }

    #[test]
    fn a_conversion_survives_its_record() {
        let conversion = Conversion {
            id: ConversionId::from_bytes([2; 16]),
            account: "altercpa".parse().unwrap(),
            campaign: Some("spring".parse().unwrap()),
            source: Source::FlowCode("5FAC-D4E8".parse().unwrap()),
            click_time: Some("2026-03-04T05:06:07Z".parse().unwrap()),
            user: Some("u".parse().unwrap()),
            request_id: Some("r".parse().unwrap()),
            lane: LaneId::from_bytes([9; 16]),
            details: Details {
                kind: Kind::Goal,
                goal: Some("deposit".parse().unwrap()),
                value: money("49.99"),
                shipping: Some("4.99".parse().unwrap()),
                tax: Some("0.10".parse().unwrap()),
                payout: money("2"),
                transaction_id: Some("42".parse().unwrap()),
                status: Some(Status::Approved),
                customer: Customer {
                    name: Some("A".into()),
                    phone: Some("1".into()),
                    email: Some("a@b".into()),
                    country: Some("FR".into()),
                },
                fields: BTreeMap::from([("pp".into(), "10".into())]),
            },
            occurred_at: "2026-03-05T05:06:07Z".parse().unwrap(),
            recorded_at: "2026-03-06T05:06:07Z".parse().unwrap(),
        };
        assert_eq!(Conversion::try_from(v1::Conversion::from(&conversion)).unwrap(), conversion);
        assert_eq!(Conversion::try_from(v1::Conversion::decode(CONVERSION).unwrap()).unwrap(), conversion);
        assert!(!format!("{:?}", v1::Conversion::from(&conversion)).contains("a@b"));
    }
}
