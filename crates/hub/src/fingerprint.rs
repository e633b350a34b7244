//! What a caller said, in one canonical form: it tells a repeat from another request.

use std::{collections::BTreeMap, fmt::Display};

use jiff::Timestamp;
use postback_core::{Change, Details, Fingerprint, Money};

use crate::{ChangeTarget, Pick, SourceBy, source::Resolved};

/// The parts of a request, each behind its name; what was not said is left out.
#[derive(Debug, Default)]
pub(crate) struct Said(Vec<String>);

impl Said {
    pub(crate) fn fingerprint(&self) -> Fingerprint {
        let parts: Vec<&str> = self.0.iter().map(String::as_str).collect();
        Fingerprint::of(&parts)
    }

    fn say(mut self, name: &str, value: Option<impl Display>) -> Self {
        if let Some(value) = value {
            self.0.extend([name.to_owned(), value.to_string()]);
        }
        self
    }

    fn money(self, name: &str, money: Option<&Money>) -> Self {
        self.say(name, money.map(|money| format!("{} {}", money.amount().normalize(), money.currency())))
    }

    fn fields(self, fields: &BTreeMap<String, String>) -> Self {
        fields.iter().fold(self, |said, (name, value)| said.say("field", Some(name)).say("is", Some(value)))
    }

    /// What is told of a conversion. Where it comes from is left out: the key of a conversion holds that.
    pub(crate) fn of_conversion(details: &Details, occurred_at: Option<Timestamp>) -> Self {
        let customer = &details.customer;
        Self::default()
            .say("kind", Some(details.kind))
            .say("goal", details.goal.as_ref())
            .money("value", details.value.as_ref())
            .say("shipping", details.shipping.map(|part| part.normalize()))
            .say("tax", details.tax.map(|part| part.normalize()))
            .money("payout", details.payout.as_ref())
            .say("transaction", details.transaction_id.as_ref())
            .say("status", details.status.as_ref())
            .say("name", customer.name.as_ref())
            .say("phone", customer.phone.as_ref())
            .say("email", customer.email.as_ref())
            .say("country", customer.country.as_ref())
            .fields(&details.fields)
            .say("occurred", occurred_at)
    }

    /// What is told of a change, and of which conversion.
    pub(crate) fn of_change(target: &ChangeTarget, resolved: Option<&Resolved>, change: &Change) -> Self {
        let said = Self::default();
        let said = match (target, resolved) {
            (ChangeTarget::Conversion(id), _) => said.say("conversion", Some(id)),
            (ChangeTarget::Key { kind, goal, transaction_id, source }, resolved) => said
                .by_source(source, resolved)
                .say("kind", Some(kind))
                .say("goal", goal.as_ref())
                .say("transaction", Some(transaction_id)),
        };
        said.say("status", change.status.as_ref())
            .say("new goal", change.goal.as_ref())
            .money("value", change.value.as_ref())
            .money("payout", change.payout.as_ref())
            .fields(&change.fields)
    }

    /// Where it comes from: a click by what it is, whichever way it was named; a user by name, as its click may be
    /// another one the next time.
    pub(crate) fn by_source(self, by: &SourceBy, resolved: Option<&Resolved>) -> Self {
        match (by, resolved) {
            (SourceBy::User { user, account, pick }, _) => self
                .say("user", Some(user))
                .say("user's account", account.as_ref())
                .say("pick", (*pick == Pick::First).then_some("first")),
            (SourceBy::Flow { account, id }, _) => self.say("account", Some(account)).say("flow", Some(id)),
            (SourceBy::FlowCode { account, code }, _) => {
                self.say("account", Some(account)).say("code", Some(code))
            }
            (SourceBy::Token(_) | SourceBy::Network { .. }, resolved) => {
                let click = resolved.and_then(Resolved::click_id);
                self.say("account", resolved.map(|resolved| &resolved.account)).say("click", click)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use postback_core::{Kind, Status};

    use super::*;

    type Edit = fn(&mut Details);

    #[test]
    fn every_part_of_what_is_told_makes_another_fingerprint() {
        let edits: [Edit; 16] = [
            |_| {},
            |details| details.kind = Kind::Order,
            |details| details.goal = Some("x".parse().unwrap()),
            |details| details.value = Some(Money::parse("1", "EUR").unwrap()),
            |details| details.value = Some(Money::parse("1", "USD").unwrap()),
            |details| details.payout = Some(Money::parse("1", "EUR").unwrap()),
            |details| details.shipping = Some(1.into()),
            |details| details.tax = Some(1.into()),
            |details| details.transaction_id = Some("x".parse().unwrap()),
            |details| details.status = Some(Status::Approved),
            |details| details.customer.name = Some("x".into()),
            |details| details.customer.phone = Some("x".into()),
            |details| details.customer.email = Some("x".into()),
            |details| details.customer.country = Some("FR".into()),
            |details| drop(details.fields.insert("a".into(), "b".into())),
            |details| drop(details.fields.insert("a".into(), "c".into())),
        ];
        let print = |edit: Edit| {
            let mut details = Details::new(Kind::Lead);
            edit(&mut details);
            Said::of_conversion(&details, None).fingerprint()
        };
        for (at, one) in edits.iter().enumerate() {
            for other in &edits[at + 1..] {
                assert_ne!(print(*one), print(*other));
            }
        }
        let timed = Said::of_conversion(&Details::new(Kind::Lead), Some(Timestamp::UNIX_EPOCH));
        assert_ne!(timed.fingerprint(), print(edits[0]));
    }

    #[test]
    fn the_same_amount_written_otherwise_is_the_same() {
        let print = |amount: &str| {
            let value = Some(Money::parse(amount, "EUR").unwrap());
            Said::of_conversion(&Details { value, ..Details::new(Kind::Order) }, None).fingerprint()
        };
        assert_eq!(print("49.9"), print("49.90"));
        assert_ne!(print("49.9"), print("49.91"));
    }
}
