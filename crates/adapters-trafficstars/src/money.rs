//! Money as Traffic Stars takes it: in the account's currency, within the network's range (TS-5, TS-7).

use postback_core::{Error, Money, Result};
use rust_decimal::Decimal;

use crate::config::Settings;

const LEAST: Decimal = Decimal::from_parts(1, 0, 0, false, 2);
const MOST: Decimal = Decimal::from_parts(2000, 0, 0, false, 1);

/// The amount of `field`, as it may be sent.
pub(crate) fn amount(settings: &Settings, field: &'static str, money: Money) -> Result<Decimal> {
    if money.currency() != settings.currency {
        let message = format!("`{}` is not the account's currency `{}`", money.currency(), settings.currency);
        return Err(Error::invalid(format!("{field}.currency"), message).because("WRONG_CURRENCY"));
    }
    if settings.key.is_none() {
        let message = "cannot be told without the account's key; want the key in the settings, or none";
        return Err(Error::precondition("MISSING_KEY", message).at(field));
    }
    if !(LEAST..=MOST).contains(&money.amount()) {
        let message = format!(
            "`{money}` is outside of what Traffic Stars takes: {LEAST} to {MOST} {}",
            settings.currency
        );
        return Err(Error::invalid(field, message).because("OUT_OF_RANGE"));
    }
    Ok(money.amount())
}
