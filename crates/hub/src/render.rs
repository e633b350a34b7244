//! The call that a network will see, made before anything is recorded: what can be refused is refused at once.

use postback_core::{Conversion, Error, Event, Postback, Repeat, Result};

use crate::Hub;

/// A call as the network will see it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rendered {
    /// Method, URL and form, with secrets and personal data as `***`. Empty for a repeat of what the account, as it is
    /// set now, would refuse.
    pub call: String,
    /// What the caller should mend, though it is taken.
    pub warnings: Vec<String>,
    /// The field in which the caller chose the key by which the network will tell this conversion from others.
    pub(crate) own_key: Option<String>,
}

impl Rendered {
    /// What was taken before, and is not rendered any more as its account is set now.
    pub(crate) fn no_more(refusal: Error) -> Self {
        let warning =
            format!("it was taken before; as its account is set now it would be refused: {refusal}");
        Self { warnings: vec![warning], ..Self::default() }
    }
}

impl Hub {
    /// Renders what will be told; an adapter's refusal is laid at the field that the caller knows.
    pub(crate) fn render(
        &self,
        conversion: &Conversion,
        event: &Event,
        place: fn(&str) -> String,
    ) -> Result<Rendered> {
        let registry = self.registry();
        let account = registry.account(&conversion.account)?;
        let call = account.adapter.call(&Postback { conversion, event }).map_err(|error| at(error, place))?;
        let own_key = match call.repeat {
            Repeat::Keyed(key) => conversion
                .details
                .fields
                .iter()
                .find(|(_, value)| **value == key)
                .map(|(name, _)| name.clone()),
            Repeat::Unkeyed(_) => None,
        };
        Ok(Rendered { call: call.shown, warnings: call.warnings, own_key })
    }
}

fn at(error: Error, place: fn(&str) -> String) -> Error {
    match error.field().map(place) {
        Some(field) => error.at(field),
        None => error,
    }
}

/// Where a field of an adapter stands in a reported conversion.
pub(crate) fn in_report(field: &str) -> String {
    match first(field) {
        "kind" | "goal" | "value" | "shipping" | "tax" | "payout" | "transaction_id" | "status"
        | "customer" => {
            format!("details.{field}")
        }
        "name" | "phone" | "email" | "country" => format!("details.customer.{field}"),
        "fields" => format!("details.{}", entry(field)),
        "click_id" => "source".to_owned(),
        _ => field.to_owned(),
    }
}

/// Where a field of an adapter stands in a reported change.
pub(crate) fn in_change(field: &str) -> String {
    match first(field) {
        "fields" => entry(field),
        "click_id" | "source" => "conversion".to_owned(),
        _ => field.to_owned(),
    }
}

fn first(field: &str) -> &str {
    field.split(['.', '[']).next().unwrap_or(field)
}

/// An entry of a map: `fields.gid` is written `fields[gid]`.
fn entry(field: &str) -> String {
    match field.split_once('.') {
        Some((map, name)) => format!("{map}[{name}]"),
        None => field.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_adapters_field_is_named_as_the_caller_knows_it() {
        for (field, report, change) in [
            ("value.amount", "details.value.amount", "value.amount"),
            ("fields.gid", "details.fields[gid]", "fields[gid]"),
            ("phone", "details.customer.phone", "phone"),
            ("click_id", "source", "conversion"),
            ("source", "source", "conversion"),
            ("details.goal", "details.goal", "details.goal"),
        ] {
            assert_eq!((in_report(field).as_str(), in_change(field).as_str()), (report, change));
        }
    }
}
