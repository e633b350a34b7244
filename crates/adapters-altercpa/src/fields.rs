//! What this network alone knows: the parameters that a caller gives by name, each checked by its form.

use std::collections::BTreeMap;

use postback_core::{COMMENT, Currency, Error, Money, Result, quoted};
use rust_decimal::Decimal;

use crate::{AlterCpa, form::Form};

/// How a field's value is written.
#[derive(Clone, Copy)]
enum Rule {
    /// The advertiser's id of the lead, unique for each conversion: the network takes a second one under the same id
    /// for a repeat. Checked where the combination is written.
    Exto,
    /// `0` or `1`.
    Flag,
    /// A number of the account's status ids, or its words.
    StatusId,
    /// A number of the account's cancel reasons, or its words.
    Reason,
    /// Comma-separated words; checked as a word list.
    Words,
    /// Digits.
    Number,
    /// A plain decimal.
    Amount,
    /// A plain decimal, negative where a `-` leads.
    Signed,
    /// As `Signed`, at most 100.
    Percent,
    /// An ISO 4217 code.
    Currency,
    /// Digits, at least 1.
    Count,
    /// Free text, which may tell of the customer.
    Comment,
    /// A short word.
    Word,
}

const RULES: &[(&str, Rule)] = &[
    ("exto", Rule::Exto),
    ("accept", Rule::Flag),
    ("stid", Rule::StatusId),
    ("reason", Rule::Reason),
    ("sta", Rule::Words),
    ("stc", Rule::Words),
    ("stt", Rule::Words),
    ("sth", Rule::Words),
    ("stw", Rule::Words),
    ("stn", Rule::Words),
    ("gid", Rule::Number),
    ("pay", Rule::Amount),
    ("pd", Rule::Signed),
    ("pp", Rule::Percent),
    ("cc", Rule::Currency),
    ("base", Rule::Amount),
    ("curr", Rule::Number),
    ("currency", Rule::Currency),
    ("count", Rule::Count),
    (COMMENT, Rule::Comment),
    ("mobile", Rule::Word),
    ("bad", Rule::Flag),
    ("time", Rule::Number),
    ("auto", Rule::Flag),
];

/// Parameters that are said elsewhere, and where.
const ELSEWHERE: &[(&str, &str)] = &[
    ("token", "the account's settings"),
    ("click", "the conversion's source"),
    ("flow", "the conversion's source"),
    ("code", "the conversion's source"),
    ("order", "the conversion's source"),
    ("status", "`status`"),
    ("goal", "`goal`"),
    ("wm", "`payout`"),
    ("name", "`customer.name`"),
    ("phone", "`customer.phone`"),
    ("email", "`customer.email`"),
    ("country", "`customer.country`"),
];

/// The words that `mobile` is known to understand (AC-8); any other is taken as mobile.
const DEVICES: &[&str] = &["0", "dsk", "desk", "desktop", "pc", "laptop", "1", "mob", "mobile", "tablet"];

/// A caller's fields, checked one by one; whoever writes one takes it out.
pub(crate) struct Fields(BTreeMap<&'static str, String>);

impl Fields {
    /// Checks each field by itself.
    pub(crate) fn read(given: &BTreeMap<String, String>, altercpa: &AlterCpa) -> Result<Self> {
        let mut fields = BTreeMap::new();
        for (name, value) in given {
            let &(name, rule) = RULES.iter().find(|(known, _)| known == name).ok_or_else(|| unknown(name))?;
            fields.insert(name, rule.check(name, value, altercpa)?);
        }
        Ok(Self(fields))
    }

    /// Takes a field out.
    pub(crate) fn take(&mut self, name: &str) -> Option<String> {
        self.0.remove(name)
    }

    /// Writes those fields that concern nothing else (AC-8).
    pub(crate) fn write_rest(mut self, form: &mut Form, warnings: &mut Vec<String>) {
        for name in ["count", "mobile"] {
            if let Some(value) = self.take(name) {
                if name == "mobile" && !DEVICES.iter().any(|device| device.eq_ignore_ascii_case(&value)) {
                    warnings.push(format!("fields.mobile: `{}` is taken as mobile", quoted(&value)));
                }
                form.add(name, value);
            }
        }
        if self.take("bad").is_some_and(|flag| flag == "1") {
            form.add("bad", "1");
        }
        if let Some(comment) = self.take(COMMENT) {
            form.add_masked(COMMENT, comment);
        }
    }
}

impl Rule {
    /// The value as it is sent.
    fn check(self, name: &'static str, value: &str, altercpa: &AlterCpa) -> Result<String> {
        let want = |right: bool, want: &str| {
            if right { Ok(()) } else { Err(refuse(name, value, want)) }
        };
        match self {
            Self::Exto | Self::Words => {}
            Self::Flag => want(matches!(value, "0" | "1"), "0 or 1")?,
            Self::StatusId => return Ok(altercpa.status_ids.number(name, value)?.to_string()),
            Self::Reason => return Ok(altercpa.reasons.number(name, value)?.to_string()),
            Self::Number => want(is_number(value), "1 to 18 digits")?,
            Self::Count => {
                want(is_number(value) && value.parse::<u64>().is_ok_and(|n| n > 0), "a number from 1")?;
            }
            Self::Amount => want(decimal(value).is_some(), "a decimal such as 49.99")?,
            Self::Signed => want(signed(value).is_some(), "a decimal such as 4.99 or -4.99")?,
            Self::Percent => {
                let most = Decimal::ONE_HUNDRED;
                want(signed(value).is_some_and(|percent| percent <= most), "a percentage, at most 100")?;
            }
            Self::Currency => {
                want(value.parse::<Currency>().is_ok(), "an ISO 4217 code such as EUR")?;
            }
            Self::Comment => check_lines("fields.comment", value)?,
            Self::Word => check_text("fields.mobile", value, 64)?,
        }
        Ok(value.to_owned())
    }
}

fn unknown(name: &str) -> Error {
    let message = match ELSEWHERE.iter().find(|(known, _)| *known == name) {
        Some((_, place)) => format!("is not a field; it is said by {place}"),
        None => {
            let known: Vec<&str> = RULES.iter().map(|(known, _)| *known).collect();
            format!("is not known to AlterCPA; want one of {}", known.join(", "))
        }
    };
    Error::invalid(format!("fields.{}", quoted(name)), message).because("UNKNOWN_FIELD")
}

fn refuse(name: &str, value: &str, want: &str) -> Error {
    Error::invalid(format!("fields.{name}"), format!("`{}` is not valid; want {want}", quoted(value)))
}

/// 1 to 18 digits.
pub(crate) fn is_number(value: &str) -> bool {
    (1..=18).contains(&value.len()) && value.bytes().all(|b| b.is_ascii_digit())
}

fn decimal(value: &str) -> Option<Decimal> {
    Money::parse(value, "XXX").ok().map(|money| money.amount())
}

fn signed(value: &str) -> Option<Decimal> {
    match value.strip_prefix('-') {
        Some(rest) => decimal(rest).map(|amount| -amount),
        None => decimal(value),
    }
}

/// Refuses text that is empty, longer than `most` bytes or holds control characters, without showing it.
pub(crate) fn check_text(field: &'static str, value: &str, most: usize) -> Result<()> {
    if value.is_empty() {
        return Err(Error::invalid(field, "is empty; leave it out or fill it in").because("MISSING"));
    }
    if value.len() > most || value.chars().any(char::is_control) {
        let want = format!("is not valid; want 1 to {most} bytes of UTF-8 without control characters");
        return Err(Error::invalid(field, want));
    }
    Ok(())
}

/// The same of text in lines.
fn check_lines(field: &'static str, value: &str) -> Result<()> {
    check_text(field, &value.replace('\n', " "), 1024)
}
