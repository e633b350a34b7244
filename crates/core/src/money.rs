//! Money: a decimal amount in major units with its ISO 4217 currency, never a float.

use std::{fmt, str::FromStr};

use rust_decimal::Decimal;
use serde::{Deserialize, Deserializer, de};

use crate::{Error, Result, quoted};

/// A three-letter ISO 4217 currency code.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Currency([u8; 3]);

impl Currency {
    /// The code in capital letters.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl FromStr for Currency {
    type Err = Error;
    fn from_str(value: &str) -> Result<Self> {
        match *value.as_bytes() {
            [a, b, c] if [a, b, c].iter().all(u8::is_ascii_uppercase) => Ok(Self([a, b, c])),
            [] => {
                Err(Error::invalid("currency", "is empty; want an ISO 4217 code such as EUR")
                    .because("MISSING"))
            }
            _ => Err(Error::invalid(
                "currency",
                format!("`{}` is not an ISO 4217 code such as EUR", quoted(value)),
            )),
        }
    }
}

impl<'de> Deserialize<'de> for Currency {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(|error: Error| de::Error::custom(error.message()))
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An amount in major units (`49.99`, never `4999`) of a currency; never negative.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Money {
    amount: Decimal,
    currency: Currency,
}

impl Money {
    /// The largest amount taken, in major units.
    pub const MOST: u32 = 1_000_000_000;

    /// An amount of a currency.
    ///
    /// # Errors
    /// `InvalidArgument` for a negative amount, minus zero too, one above [`Money::MOST`], or one of more than 9
    /// digits after the point.
    pub fn new(amount: Decimal, currency: Currency) -> Result<Self> {
        check("amount", amount)?;
        if amount > Decimal::from(Self::MOST) {
            return Err(Error::invalid("amount", format!("`{amount}` is above {}", Self::MOST)));
        }
        Ok(Self { amount, currency })
    }

    /// Reads a plain decimal such as `49.99` and a currency code.
    ///
    /// # Errors
    /// `InvalidArgument` for anything but digits with an optional point: no comma, no exponent, no sign, no
    /// thousands separator, at most 9 digits after the point.
    pub fn parse(amount: &str, currency: &str) -> Result<Self> {
        Self::new(decimal(amount)?, currency.parse()?)
    }

    /// The amount in major units.
    pub fn amount(&self) -> Decimal {
        self.amount
    }

    /// The currency.
    pub fn currency(&self) -> Currency {
        self.currency
    }

    /// What is left of a value without `part` of it, such as its shipping; `field` names the part in errors.
    ///
    /// # Errors
    /// `InvalidArgument` at `field` where `part` could be no amount by itself, or is more than this one.
    pub fn less(&self, field: &'static str, part: Decimal) -> Result<Self> {
        check(field, part)?;
        if part > self.amount {
            let message = format!("`{part}` is more than what is left of the value, `{self}`");
            return Err(Error::invalid(field, message));
        }
        Ok(Self { amount: self.amount - part, ..*self })
    }
}

/// How many digits an amount has after the point at most.
const SCALE: u32 = 9;

/// Refuses what no caller could write as a plain decimal.
fn check(field: &'static str, amount: Decimal) -> Result<()> {
    if amount.is_sign_negative() {
        return Err(Error::invalid(field, format!("`{amount}` is negative")));
    }
    if amount.scale() > SCALE {
        let message = format!("`{amount}` has more than {SCALE} digits after the point");
        return Err(Error::invalid(field, message));
    }
    Ok(())
}

/// Reads a plain, non-negative decimal such as `49.99`.
pub(crate) fn decimal(value: &str) -> Result<Decimal> {
    let (whole, fraction) = value.split_once('.').unwrap_or((value, "0"));
    let digits = |text: &str, most: usize| {
        !text.is_empty() && text.len() <= most && text.bytes().all(|b| b.is_ascii_digit())
    };
    if !digits(whole, 18) || !digits(fraction, SCALE as usize) {
        let what = if value.is_empty() {
            "is empty".into()
        } else {
            format!("`{}` is not a decimal", quoted(value))
        };
        return Err(Error::invalid("amount", format!("{what}; want digits and a point such as 49.99")));
    }
    value.parse().map_err(|_| Error::invalid("amount", format!("`{}` is not a decimal", quoted(value))))
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.amount, self.currency)
    }
}

impl fmt::Debug for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_keeps_its_digits() {
        for text in ["49.99", "0.009", "200.01", "5", "0.10"] {
            assert_eq!(Money::parse(text, "EUR").unwrap().amount().to_string(), text);
        }
    }

    #[test]
    fn a_part_is_taken_out_of_a_value_and_is_neither_negative_nor_more() {
        let value = Money::parse("10.50", "EUR").unwrap();
        let less = |part: &str| value.less("tax", part.parse().unwrap()).map_err(|error| error.to_string());
        assert_eq!(less("10.5").unwrap().to_string(), "0.00 EUR");
        assert_eq!(value.less("tax", -Decimal::ZERO).unwrap_err().to_string(), "tax: `-0` is negative");
        assert_eq!(
            less("1.0000000001").unwrap_err(),
            "tax: `1.0000000001` has more than 9 digits after the point"
        );
        assert_eq!(less("11").unwrap_err(), "tax: `11` is more than what is left of the value, `10.50 EUR`");
        assert_eq!(less("-1").unwrap_err(), "tax: `-1` is negative");
    }

    #[test]
    fn an_amount_that_cannot_be_written_as_one_is_none() {
        let most = Decimal::from(Money::MOST);
        for wrong in [-Decimal::ONE, -Decimal::ZERO, Decimal::new(1, 10), most + Decimal::new(1, 9)] {
            assert!(Money::new(wrong, "EUR".parse().unwrap()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_not_a_plain_decimal_is_refused() {
        for text in ["", "2,9", "1e3", "-1", "+1", " 1", ".5", "1.", "1_000", "NaN", "0x1", "1.0000000001"] {
            assert!(Money::parse(text, "EUR").is_err(), "{text}");
        }
        for currency in ["", "eur", "EURO", "E1R", "€"] {
            assert!(Money::parse("1", currency).is_err(), "{currency}");
        }
    }
}
