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
    match settings.currency {
        None => warnings.push(format!(
            "value: `{total}` is told without its currency; want currency in the account's settings"
        )),
        Some(currency) if currency != total.currency() => {
            let message = format!("`{}` is not the account's currency `{currency}`", total.currency());
            return Err(Error::invalid("value.currency", message).because("WRONG_CURRENCY"));
        }
        Some(_) => {}
    }
    let rules = settings.order_value;
    let mut rest = total;
    for (field, rule, part) in
        [("shipping", rules.shipping, details.shipping), ("tax", rules.tax, details.tax)]
    {
        match (rule, part) {
            (Part::Include, None) => {}
            (Part::Include, Some(part)) => {
                total.less(field, part)?;
            }
            (Part::Exclude, Some(part)) => rest = rest.less(field, part)?,
            (Part::Exclude, None) => warnings.push(format!(
                "{field}: is missing, though the account's settings take it out of the value; nothing is taken out"
            )),
        }
    }
    Ok(Some(rest.amount()))
}
