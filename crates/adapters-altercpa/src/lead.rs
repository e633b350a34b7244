//! A lead to create or to change: everything that one postback can tell.

use std::{collections::BTreeMap, fmt};

use jiff::Timestamp;
use postback_core::{COMMENT, Call, Customer, Error, Goal, Money, Result, Status, quoted};
use secrecy::ExposeSecret;

use crate::{
    AlterCpa,
    action::Action,
    fields::{self, Fields},
    form::Form,
    money,
    origin::Origin,
    status::Telling,
};

/// A lead to create or to change; made by [`AlterCpa::lead`] and [`AlterCpa::change`]. Nothing is checked before
/// [`Lead::call`], and nothing is sent before [`Lead::send`]. Debug names the fields and does not show them.
#[derive(Clone)]
#[must_use = "a lead does nothing until it is sent"]
pub struct Lead<'a> {
    altercpa: &'a AlterCpa,
    action: Action,
    origin: Origin,
    status: Option<Status>,
    goal: Option<Goal>,
    value: Option<Money>,
    payout: Option<Money>,
    customer: Customer,
    created_at: Option<Timestamp>,
    fields: BTreeMap<String, String>,
}

impl fmt::Debug for Lead<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lead")
            .field("action", &self.action)
            .field("origin", &self.origin)
            .field("status", &self.status)
            .field("fields", &self.fields.keys())
            .finish_non_exhaustive()
    }
}

impl<'a> Lead<'a> {
    pub(crate) fn new(altercpa: &'a AlterCpa, action: Action, origin: Origin) -> Self {
        Self {
            altercpa,
            action,
            origin,
            status: None,
            goal: None,
            value: None,
            payout: None,
            customer: Customer::default(),
            created_at: None,
            fields: BTreeMap::new(),
        }
    }

    pub(crate) const fn action(&self) -> Action {
        self.action
    }

    /// What the network is sent and nobody is to see should an answer repeat it.
    pub(crate) fn private(&self) -> Vec<&str> {
        let comment = self.fields.get(COMMENT).map(String::as_str);
        let token = self.altercpa.token.expose_secret();
        self.customer.private().chain(comment).chain([token]).collect()
    }

    /// Its state; new by default (AC-4).
    pub fn status(mut self, status: Status) -> Self {
        self.status = Some(status);
        self
    }

    /// Its goal, by the goal's character id or one of its aliases (AC-7).
    pub fn goal(mut self, goal: Goal) -> Self {
        self.goal = Some(goal);
        self
    }

    /// What the customer spent: `base` with `currency`, which pays nobody (AC-8).
    pub fn value(mut self, value: Money) -> Self {
        self.value = Some(value);
        self
    }

    /// What is paid for it: `wm` with `cc` (AC-6).
    pub fn payout(mut self, payout: Money) -> Self {
        self.payout = Some(payout);
        self
    }

    /// The customer (AC-8).
    pub fn customer(mut self, customer: Customer) -> Self {
        self.customer = customer;
        self
    }

    /// When it came to be (AC-8).
    pub fn created_at(mut self, time: Timestamp) -> Self {
        self.created_at = Some(time);
        self
    }

    /// One of the parameters that this network alone knows, by its name; the README lists them.
    pub fn field(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.fields.insert(name.into(), value.into());
        self
    }

    /// The call that tells it.
    ///
    /// # Errors
    /// `InvalidArgument` laid at the field that is wrong.
    pub fn call(&self) -> Result<Call> {
        let mut form = Form::new(&self.altercpa.token);
        let mut warnings = Vec::new();
        let mut fields = Fields::read(&self.fields, self.altercpa)?;
        self.check_exto(fields.take("exto"))?;
        self.origin.write(self.action, &mut form)?;
        let named = form.len();
        let auto = self.auto(&mut fields)?;
        let AlterCpa { lists, words, status_ids, .. } = self.altercpa;
        Telling { action: self.action, status: self.status.as_ref(), lists, words, status_ids }
            .write(&mut fields, &mut form, &mut warnings)?;
        self.write_goal(&mut fields, &mut form)?;
        money::write_payment(self.payout, &mut fields, &mut form)?;
        money::write_value(self.value, &mut fields, &mut form)?;
        self.write_customer(&mut form)?;
        self.write_time(&mut fields, &mut form);
        fields.write_rest(&mut form, &mut warnings);
        if self.action == Action::Change && form.len() == named {
            return Err(
                Error::invalid("status", "is missing, and nothing else is changed").because("MISSING")
            );
        }
        if auto {
            form.add("auto", "1");
        }
        form.post(&self.altercpa.base_url, self.action.path(), self.origin.repeat(self.action), warnings)
    }

    /// A lead is named once: an `exto` among the fields says the same as the origin.
    fn check_exto(&self, field: Option<String>) -> Result<()> {
        let why = match self.action {
            Action::Create => "does not name the lead; want it as `Origin::exto`",
            Action::Change => "is not the one that names this lead; a lead is changed by what created it",
        };
        match field {
            Some(exto) if self.origin.own_id() != Some(&exto) => Err(Error::invalid("fields.exto", why)),
            _ => Ok(()),
        }
    }

    /// Whether a lead that is not there is created by its change (AC-12).
    fn auto(&self, fields: &mut Fields) -> Result<bool> {
        match (self.action, fields.take("auto")) {
            (Action::Create, Some(_)) => {
                Err(Error::invalid("fields.auto", "is for a change; a creation creates by itself"))
            }
            (Action::Create, None) => Ok(false),
            (Action::Change, flag) => Ok(flag.map_or(self.altercpa.auto, |flag| flag == "1")),
        }
    }

    fn write_goal(&self, fields: &mut Fields, form: &mut Form) -> Result<()> {
        match (&self.goal, fields.take("gid")) {
            (Some(_), Some(_)) => {
                return Err(Error::invalid("fields.gid", "stands beside `goal`; want one of them"));
            }
            (Some(goal), None) => form.add("goal", goal.as_str()),
            (None, Some(gid)) => form.add("gid", gid),
            (None, None) => {}
        }
        Ok(())
    }

    fn write_customer(&self, form: &mut Form) -> Result<()> {
        let Customer { name, phone, email, country } = &self.customer;
        for (parameter, field, value) in [
            ("name", "customer.name", name),
            ("phone", "customer.phone", phone),
            ("email", "customer.email", email),
        ] {
            if let Some(value) = value {
                fields::check_text(field, value, 256)?;
                form.add_masked(parameter, value);
            }
        }
        if let Some(country) = country {
            if country.len() != 2 || !country.bytes().all(|b| b.is_ascii_alphabetic()) {
                let shown = quoted(country);
                return Err(Error::invalid(
                    "customer.country",
                    format!("`{shown}` is not an ISO 3166 alpha-2 code such as FR"),
                ));
            }
            form.add("country", country);
        }
        Ok(())
    }

    fn write_time(&self, fields: &mut Fields, form: &mut Form) {
        let time = fields.take("time").or_else(|| self.created_at.map(|time| time.as_second().to_string()));
        if let Some(time) = time {
            form.add("time", time);
        }
    }
}
