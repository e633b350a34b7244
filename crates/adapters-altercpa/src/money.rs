//! Money: what the advertiser pays, what the affiliate earns, what the customer spent (AC-6, AC-8).

use postback_core::{Error, Money, Result};

use crate::{fields::Fields, form::Form};

/// Writes what is paid: `wm` and `cc` from the payout; `pay`, `pd`, `pp` and a `cc` of their own from the fields.
pub(crate) fn write_payment(payout: Option<Money>, fields: &mut Fields, form: &mut Form) -> Result<()> {
    let own = fields.take("cc");
    let currency = match (payout.map(|payout| payout.currency().to_string()), own) {
        (Some(payout), Some(own)) if payout != own => {
            return Err(Error::invalid(
                "fields.cc",
                format!("`{own}` is not the payout's currency `{payout}`; one call has one currency"),
            ));
        }
        (payout, own) => payout.or(own),
    };
    let [pay, pd, pp] = ["pay", "pd", "pp"].map(|name| fields.take(name));
    if currency.is_none() && (pay.is_some() || pd.is_some()) {
        let name = if pay.is_some() { "pay" } else { "pd" };
        return Err(Error::invalid("fields.cc", format!("is missing; `{name}` needs its currency"))
            .because("MISSING"));
    }
    if pd.is_some() && pp.is_some() {
        return Err(Error::invalid("fields.pp", "says the commission again beside `pd`; want one of them"));
    }
    let wm = payout.map(|payout| payout.amount().to_string());
    for (name, value) in [("wm", wm), ("pay", pay), ("pd", pd), ("pp", pp), ("cc", currency)] {
        if let Some(value) = value {
            form.add(name, value);
        }
    }
    Ok(())
}

/// Writes what the customer spent: `base` with `currency` from the value, or as the fields say.
pub(crate) fn write_value(value: Option<Money>, fields: &mut Fields, form: &mut Form) -> Result<()> {
    let [base, curr, currency] = ["base", "curr", "currency"].map(|name| fields.take(name));
    let given = [("base", &base), ("curr", &curr), ("currency", &currency)];
    if let (Some(_), Some((name, _))) = (value, given.iter().find(|(_, field)| field.is_some())) {
        return Err(Error::invalid(
            format!("fields.{name}"),
            "stands beside `value`, which says the amount and its currency; want one of them",
        ));
    }
    if curr.is_some() && currency.is_some() {
        return Err(Error::invalid("fields.curr", "stands beside `currency`; want one of them"));
    }
    if base.is_none() && value.is_none() && (curr.is_some() || currency.is_some()) {
        let name = if curr.is_some() { "curr" } else { "currency" };
        return Err(
            Error::invalid("fields.base", format!("is missing; `{name}` is its currency")).because("MISSING")
        );
    }
    let base = value.map(|value| value.amount().to_string()).or(base);
    let currency = value.map(|value| value.currency().to_string()).or(currency);
    for (name, value) in [("base", base), ("curr", curr), ("currency", currency)] {
        if let Some(value) = value {
            form.add(name, value);
        }
    }
    Ok(())
}
