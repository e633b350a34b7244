//! The additional parameters of a lead: the customer, the goods, the traffic.

use rust_decimal::Decimal;
use serde::Serialize;

use super::asked::Asked;
use crate::Hidden;

/// What calls said about a lead beside status and money; each field is the parameter of the same name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Details {
    /// The customer's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<Hidden>,
    /// The customer's phone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phone: Option<Hidden>,
    /// The customer's email.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<Hidden>,
    /// Two letters, upper case.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
    /// The unit's price or the order's cost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base: Option<Decimal>,
    /// The platform's number of the currency.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub curr: Option<u64>,
    /// Three letters, upper case.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub currency: Option<String>,
    /// How many goods.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
    /// Free text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comment: Option<Hidden>,
    /// Whether the traffic is mobile.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mobile: Option<bool>,
    /// Whether the traffic is marked as bad.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bad: Option<bool>,
    /// When the lead was made, UNIX seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time: Option<u64>,
}

impl Details {
    pub(super) fn read(asked: &mut Asked<'_>) -> Self {
        let hidden = |value: Option<&str>| value.map(Hidden::new);
        Self {
            name: hidden(asked.given("name")),
            phone: hidden(asked.given("phone")),
            email: hidden(asked.given("email")),
            country: asked.letters("country", 2),
            base: asked.decimal("base"),
            curr: asked.number("curr"),
            currency: asked.letters("currency", 3),
            count: asked.number("count"),
            comment: hidden(asked.given("comment")),
            mobile: asked.given("mobile").map(is_mobile),
            bad: asked.given("bad").map(|bad| bad == "1"),
            time: asked.number("time"),
        }
    }

    /// These details where they say something, else `earlier`.
    pub(super) fn over(&self, earlier: Self) -> Self {
        let new = self.clone();
        Self {
            name: new.name.or(earlier.name),
            phone: new.phone.or(earlier.phone),
            email: new.email.or(earlier.email),
            country: new.country.or(earlier.country),
            base: new.base.or(earlier.base),
            curr: new.curr.or(earlier.curr),
            currency: new.currency.or(earlier.currency),
            count: new.count.or(earlier.count),
            comment: new.comment.or(earlier.comment),
            mobile: new.mobile.or(earlier.mobile),
            bad: new.bad.or(earlier.bad),
            time: new.time.or(earlier.time),
        }
    }
}

/// Five words are desktop; every other is mobile, tablets too.
fn is_mobile(word: &str) -> bool {
    !["0", "dsk", "desk", "desktop", "pc", "laptop"].iter().any(|desktop| word.eq_ignore_ascii_case(desktop))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ac_8_a_few_words_are_desktop_and_every_other_is_mobile() {
        for word in ["0", "dsk", "desk", "desktop", "pc", "laptop", "Desktop"] {
            assert!(!is_mobile(word), "{word}");
        }
        for word in ["1", "mob", "mobile", "tablet", "phone", "00"] {
            assert!(is_mobile(word), "{word}");
        }
    }
}
