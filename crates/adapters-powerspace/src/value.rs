//! What an order is worth to Powerspace: the account's choice of the total's parts (PS-8).

use postback_core::{Details, Error, Result};
use rust_decimal::Decimal;

use crate::config::{Part, Settings};

/// `ov`, or `None` where the order has no value. Adds to `warnings` what is missing to be exact.
pub(crate) fn order_value(
    settings: &Settings,
    details: &Details,
    warnings: &mut Vec<String>,
) -> Result<Option<Decimal>> {
    let Some(total) = details.value else {
        warnings.push("value: is missing; Powerspace steers campaigns by what orders are worth".into());
        return Ok(None);
    };
    if let Some(currency) = settings.currency
        && currency != total.currency()
    {
        let message = format!("`{}` is not the account's currency `{currency}`", total.currency());
        return Err(Error::invalid("value.currency", message).because("WRONG_CURRENCY"));
    }
    let rules = settings.order_value;
    let mut rest = total.amount();
    for (field, rule, part) in
        [("shipping", rules.shipping, details.shipping), ("tax", rules.tax, details.tax)]
    {
        match (rule, part) {
            (Part::Include, _) => {}
            (Part::Exclude, Some(part)) => rest = without(rest, field, part)?,
            (Part::Exclude, None) => warnings.push(format!(
                "{field}: is missing, though the account's settings take it out of the value; nothing is taken out"
            )),
        }
    }
    Ok(Some(rest))
}

fn without(rest: Decimal, field: &'static str, part: Decimal) -> Result<Decimal> {
    if part < Decimal::ZERO {
        return Err(Error::invalid(field, format!("`{part}` is negative")));
    }
    if part > rest {
        let message = format!("`{part}` is more than `{rest}`, which is all that the value has left");
        return Err(Error::invalid(field, message));
    }
    Ok(rest - part)
}
