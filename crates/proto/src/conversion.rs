//! Conversions and what is told of them, between the contract and the core.

use std::collections::BTreeMap;

use postback_core::{
    Change, Conversion, Customer, Details, Error, Kind, LaneId, Money, Result, Source, ports::Story,
};
use rust_decimal::Decimal;
use uuid::Uuid;

use crate::{
    v1,
    value::{money_from, parsed, some, text, time_if, time_of, timestamp},
};

/// The most network fields taken.
const FIELDS: usize = 32;
/// The longest name of one in bytes.
const FIELD_NAME: usize = 64;
/// The longest value of one in bytes.
const FIELD_VALUE: usize = 1_024;
/// The longest name, phone or email in bytes.
const CUSTOMER: usize = 256;

/// A kind from the wire.
///
/// # Errors
/// `InvalidArgument` at `field` where it is not said or not known.
pub fn kind_from(field: &'static str, kind: i32) -> Result<Kind> {
    match v1::Kind::try_from(kind) {
        Ok(v1::Kind::Lead) => Ok(Kind::Lead),
        Ok(v1::Kind::Order) => Ok(Kind::Order),
        Ok(v1::Kind::Goal) => Ok(Kind::Goal),
        Ok(v1::Kind::Unspecified) => {
            Err(Error::invalid(field, "is missing; want KIND_LEAD, KIND_ORDER or KIND_GOAL")
                .because("MISSING"))
        }
        Err(_) => Err(Error::invalid(field, format!("`{kind}` is not KIND_LEAD, KIND_ORDER or KIND_GOAL"))),
    }
}

impl From<Kind> for v1::Kind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Lead => Self::Lead,
            Kind::Order => Self::Order,
            Kind::Goal => Self::Goal,
        }
    }
}

fn fields_from(field: &'static str, fields: BTreeMap<String, String>) -> Result<BTreeMap<String, String>> {
    if fields.len() > FIELDS {
        return Err(Error::invalid(field, format!("has {} entries; want at most {FIELDS}", fields.len())));
    }
    for (key, text) in &fields {
        if key.is_empty() || key.len() > FIELD_NAME || key.chars().any(char::is_control) {
            return Err(Error::invalid(
                field,
                format!("has a name that is not 1 to {FIELD_NAME} bytes without control characters"),
            ));
        }
        if text.len() > FIELD_VALUE || text.chars().any(|c| c.is_control() && c != '\n') {
            return Err(Error::invalid(
                format!("{field}[{key}]"),
                format!("is longer than {FIELD_VALUE} bytes or has control characters"),
            ));
        }
    }
    Ok(fields)
}

fn customer_from(customer: v1::Customer) -> Result<Customer> {
    for (field, value) in [("name", &customer.name), ("phone", &customer.phone), ("email", &customer.email)] {
        if value.len() > CUSTOMER || value.chars().any(char::is_control) {
            return Err(Error::invalid(
                format!("details.customer.{field}"),
                format!("is longer than {CUSTOMER} bytes or has control characters"),
            ));
        }
    }
    let country = &customer.country;
    let letters = country.bytes().filter(u8::is_ascii_alphabetic).count();
    if (letters, country.len()) != (2, 2) && !country.is_empty() {
        return Err(Error::invalid("details.customer.country", "is not two letters such as FR"));
    }
    Ok(Customer {
        name: some(&customer.name),
        phone: some(&customer.phone),
        email: some(&customer.email),
        country: some(&country.to_ascii_uppercase()),
    })
}

fn part(field: &'static str, value: &str, whole: Option<&Money>) -> Result<Option<Decimal>> {
    if value.is_empty() {
        return Ok(None);
    }
    let whole =
        whole.ok_or_else(|| Error::invalid(field, "is a part of the value; want details.value with it"))?;
    let part = Money::parse(value, whole.currency().as_str()).map_err(|error| error.at(field))?;
    Ok(Some(part.amount()))
}

/// What is told of a conversion, from the wire; fields in errors begin with `details.`.
///
/// # Errors
/// `InvalidArgument` that names the field.
pub fn details_from(details: v1::ConversionDetails) -> Result<Details> {
    let value = details.value.as_ref().map(|money| money_from("details.value", money)).transpose()?;
    Ok(Details {
        kind: kind_from("details.kind", details.kind)?,
        goal: parsed("details.goal", &details.goal)?,
        shipping: part("details.shipping", &details.shipping, value.as_ref())?,
        tax: part("details.tax", &details.tax, value.as_ref())?,
        value,
        payout: details.payout.as_ref().map(|money| money_from("details.payout", money)).transpose()?,
        transaction_id: parsed("details.transaction_id", &details.transaction_id)?,
        status: parsed("details.status", &details.status)?,
        customer: details.customer.map(customer_from).transpose()?.unwrap_or_default(),
        fields: fields_from("details.fields", details.fields)?,
    })
}

impl From<&Details> for v1::ConversionDetails {
    fn from(details: &Details) -> Self {
        let customer = &details.customer;
        Self {
            kind: v1::Kind::from(details.kind).into(),
            goal: text(details.goal.as_ref()),
            value: details.value.as_ref().map(Into::into),
            shipping: text(details.shipping.as_ref()),
            tax: text(details.tax.as_ref()),
            payout: details.payout.as_ref().map(Into::into),
            transaction_id: text(details.transaction_id.as_ref()),
            status: text(details.status.as_ref()),
            customer: (*customer != Customer::default()).then(|| v1::Customer {
                name: text(customer.name.as_ref()),
                phone: text(customer.phone.as_ref()),
                email: text(customer.email.as_ref()),
                country: text(customer.country.as_ref()),
            }),
            fields: details.fields.clone(),
        }
    }
}

/// A change, from the wire.
///
/// # Errors
/// `InvalidArgument` that names the field.
pub fn change_from(change: v1::Change) -> Result<Change> {
    Ok(Change {
        status: parsed("status", &change.status)?,
        goal: parsed("goal", &change.goal)?,
        value: change.value.as_ref().map(|money| money_from("value", money)).transpose()?,
        payout: change.payout.as_ref().map(|money| money_from("payout", money)).transpose()?,
        fields: fields_from("fields", change.fields)?,
    })
}

impl From<&Change> for v1::Change {
    fn from(change: &Change) -> Self {
        Self {
            status: text(change.status.as_ref()),
            goal: text(change.goal.as_ref()),
            value: change.value.as_ref().map(Into::into),
            payout: change.payout.as_ref().map(Into::into),
            fields: change.fields.clone(),
        }
    }
}

impl From<&Conversion> for v1::Conversion {
    fn from(conversion: &Conversion) -> Self {
        use v1::conversion::Source as Wire;
        Self {
            conversion_id: conversion.id.to_string(),
            account: conversion.account.to_string(),
            campaign: text(conversion.campaign.as_ref()),
            source: Some(match &conversion.source {
                Source::Click(id) => Wire::ClickId(id.to_string()),
                Source::Flow(id) => Wire::FlowId(id.to_string()),
                Source::FlowCode(code) => Wire::FlowCode(code.to_string()),
            }),
            click_time: conversion.click_time.map(timestamp),
            user_id: text(conversion.user.as_ref()),
            request_id: text(conversion.request_id.as_ref()),
            lane: conversion.lane.to_string(),
            details: Some((&conversion.details).into()),
            occur_time: Some(timestamp(conversion.occurred_at)),
            create_time: Some(timestamp(conversion.recorded_at)),
        }
    }
}

impl TryFrom<v1::Conversion> for Conversion {
    type Error = Error;
    fn try_from(conversion: v1::Conversion) -> Result<Self> {
        use v1::conversion::Source as Wire;
        Ok(Self {
            id: conversion.conversion_id.parse()?,
            account: conversion.account.parse()?,
            campaign: parsed("campaign", &conversion.campaign)?,
            source: match conversion.source {
                Some(Wire::ClickId(id)) => Source::Click(id.parse()?),
                Some(Wire::FlowId(id)) => Source::Flow(id.parse()?),
                Some(Wire::FlowCode(code)) => Source::FlowCode(code.parse()?),
                None => return Err(Error::invalid("source", "is missing").because("MISSING")),
            },
            click_time: time_if("click_time", conversion.click_time.as_ref())?,
            user: parsed("user_id", &conversion.user_id)?,
            request_id: parsed("request_id", &conversion.request_id)?,
            lane: lane_from(&conversion.lane)?,
            details: details_from(conversion.details.unwrap_or_default())?,
            occurred_at: time_of("occur_time", conversion.occur_time.as_ref())?,
            recorded_at: time_of("create_time", conversion.create_time.as_ref())?,
        })
    }
}

/// A lane from its 32 hex digits.
pub(crate) fn lane_from(lane: &str) -> Result<LaneId> {
    // Of 32 bytes a UUID is written in no other way.
    let bytes = (lane.len() == 32).then(|| Uuid::try_parse(lane).ok()).flatten();
    let refused = || Error::invalid("lane", "is not 32 hex digits");
    Ok(LaneId::from_bytes(bytes.ok_or_else(refused)?.into_bytes()))
}

impl From<&Story> for v1::ConversionStory {
    fn from(story: &Story) -> Self {
        Self {
            conversion: Some((&story.conversion).into()),
            deliveries: story.deliveries.iter().map(Into::into).collect(),
            click: None,
        }
    }
}
