//! A price: a float as the network parses it, within the range that it takes.

use rust_decimal::Decimal;

use super::refusal::Refusal;

/// Refuses what is not a number, and what is outside 0.01 to 200.
pub(super) fn price(text: &str) -> Result<(), Refusal> {
    let number = Decimal::from_str_exact(text).or_else(|_| Decimal::from_scientific(text));
    let Ok(number) = number else {
        return Err(Refusal::Price(text.to_owned()));
    };
    if number < Decimal::new(1, 2) || number > Decimal::from(200) {
        return Err(Refusal::Range);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ts_5_the_range_is_0_01_to_200_both_inclusive() {
        for text in ["0.01", "0.010", "2.1", "200", "200.0", "1e1", "1.5e2"] {
            assert!(price(text).is_ok(), "{text}");
        }
        for text in ["0.009", "0", "-1", "200.01", "200.0000001", "2e9"] {
            assert_eq!(price(text), Err(Refusal::Range), "{text}");
        }
        for text in ["", "abc", "2,1", "1.2.3", " 1", "$5", "NaN", "inf"] {
            assert_eq!(price(text), Err(Refusal::Price(text.to_owned())), "{text}");
        }
    }
}
