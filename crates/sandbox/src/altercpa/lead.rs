//! A lead and its life.

use jiff::Timestamp;
use serde::Serialize;

use super::{
    Source,
    details::Details,
    edit::Edit,
    seed::Offer,
    status::Status,
    terms::{Commission, Terms},
};
use crate::{Booking, Kind};

/// The most steps of a life that are kept; the first one always is.
const MOST_STEPS: usize = 32;

/// A lead at AlterCPA.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Lead {
    /// Its number.
    pub id: u64,
    /// Where it came from.
    pub source: Source,
    /// The caller's own id of it.
    pub exto: Option<String>,
    /// The offer's number.
    pub offer: u64,
    /// Its status now.
    pub status: Status,
    /// The number of the reason, while it is cancelled.
    pub reason: Option<u64>,
    /// The goal's character id.
    pub goal: Option<String>,
    /// What calls said about money.
    pub terms: Terms,
    /// What it brings, while it is approved.
    pub commission: Option<Commission>,
    /// What calls said beside.
    pub details: Details,
    /// Each status it had, with the time from which it had it.
    pub life: Vec<Step>,
}

/// One step of a lead's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Step {
    /// From this moment.
    pub at: Timestamp,
    /// It had this status.
    pub status: Status,
}

impl Lead {
    pub(super) fn new(source: Source, exto: Option<String>, offer: u64, now: Timestamp) -> Self {
        Self {
            id: 0,
            source,
            exto,
            offer,
            status: Status::New,
            reason: None,
            goal: None,
            terms: Terms::default(),
            commission: None,
            details: Details::default(),
            life: vec![Step { at: now, status: Status::New }],
        }
    }

    /// The lead as a call wants it. A new goal of an approved lead forgets the payments
    /// that were named for the old one.
    pub(super) fn edited(&self, edit: &Edit, offer: &Offer, now: Timestamp) -> Self {
        let mut lead = self.clone();
        if let Some(status) = edit.wanted.status {
            lead.turn(status, now);
        }
        let goal = offer.goals.iter().find(|goal| match edit.goal {
            Some(wanted) => goal.id == wanted,
            None => lead.goal.as_ref() == Some(&goal.code),
        });
        let code = goal.map(|goal| goal.code.clone());
        if code != lead.goal && self.status.is_approved() {
            lead.terms = Terms { cc: lead.terms.cc, ..Terms::default() };
        }
        lead.goal = code;
        lead.terms = edit.terms.over(lead.terms);
        lead.details = edit.details.over(lead.details);
        lead.reason = if lead.status == Status::Cancelled { edit.reason.or(lead.reason) } else { None };
        lead.commission = lead.status.is_approved().then(|| Commission::of(offer, goal, &lead.terms));
        lead
    }

    fn turn(&mut self, status: Status, now: Timestamp) {
        if self.status == status {
            return;
        }
        self.status = status;
        if self.life.len() >= MOST_STEPS {
            self.life.remove(1);
        }
        self.life.push(Step { at: now, status });
    }

    /// Makes the present status the only one that the lead ever had.
    pub(super) fn born(mut self, id: u64, now: Timestamp) -> Self {
        self.id = id;
        self.life = vec![Step { at: now, status: self.status }];
        self
    }

    /// The lead as the journal shows it.
    pub(super) fn booking(&self, edit: &Edit) -> Booking {
        let (click, flow) = match self.source {
            Source::Click(id) => (Some(id.to_string()), None),
            Source::Flow(id) | Source::Code(id) => (None, Some(id)),
        };
        Booking {
            kind: if self.goal.is_some() { Kind::Goal } else { Kind::Lead },
            click,
            flow,
            key: self.exto.clone(),
            value: edit.terms.value(),
            goal: self.goal.clone(),
            lead: Some(self.id),
            status: Some(self.status.as_str()),
        }
    }
}
