//! The audit: what callers were promised against what the networks' books say.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use anyhow::ensure;
use jiff::Timestamp;
use postback_sandbox::{Entry, JournalQuery, Network, Sandbox};

use crate::{load::Acknowledged, settle::Opinion, step::Step};

/// How often one step reached a network.
#[derive(Clone, Copy, Debug)]
struct Arrivals {
    /// In all.
    calls: u32,
    /// As a new conversion.
    counted: u32,
    /// When it first did.
    first: Timestamp,
}

/// A network's lane: one click.
type Lane = (Network, String);

/// What reached the networks' books.
#[derive(Debug, Default)]
pub(crate) struct Books {
    arrivals: HashMap<(Lane, Step), Arrivals>,
    /// The steps of each lane as they arrived.
    lanes: HashMap<Lane, Vec<Step>>,
    /// The last entry that was read.
    read: u64,
    /// What was booked with another value than was reported.
    altered: Vec<String>,
}

/// What an audit found wrong, one line each.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    /// Acknowledged, and neither at the network nor anywhere in the hub.
    pub(crate) lost: Vec<String>,
    /// Counted twice, or sent twice to a network that counts whatever it is sent.
    pub(crate) doubled: Vec<String>,
    /// Told after what comes after it.
    pub(crate) inverted: Vec<String>,
    /// Told with another value than was reported.
    pub(crate) altered: Vec<String>,
    /// Held in doubt where a repeat does no harm.
    pub(crate) held: Vec<String>,
}

impl Findings {
    /// Each kind with its name.
    pub(crate) fn kinds(&self) -> [(&'static str, &[String]); 5] {
        [
            ("lost", &self.lost),
            ("doubled", &self.doubled),
            ("inverted", &self.inverted),
            ("altered", &self.altered),
            ("held", &self.held),
        ]
    }
}

impl Books {
    /// Reads on in the journal of the networks, to its end.
    pub(crate) fn read_on(&mut self, sandbox: &Sandbox) -> anyhow::Result<()> {
        loop {
            let page = JournalQuery { since: self.read, limit: Some(1_000), ..JournalQuery::default() };
            let page = sandbox.journal(&page);
            for entry in &page.entries {
                self.read += 1;
                ensure!(entry.seq == self.read, "the networks' journal was too small for this load");
                self.enter(entry);
            }
            if !page.more {
                return Ok(());
            }
        }
    }

    fn enter(&mut self, entry: &Entry) {
        let Some((booking, step, anew)) = Step::seen(entry) else { return };
        let click = booking.click.clone().unwrap_or_default();
        if booking.value != step.price(&click) {
            self.altered.push(format!("altered: {step:?} is booked as {booking:?}"));
        }
        self.note((entry.network, click), step, anew, entry.time);
    }

    pub(crate) fn note(&mut self, lane: Lane, step: Step, anew: bool, at: Timestamp) {
        self.lanes.entry(lane.clone()).or_default().push(step);
        let arrivals =
            self.arrivals.entry((lane, step)).or_insert(Arrivals { calls: 0, counted: 0, first: at });
        arrivals.calls += 1;
        arrivals.counted += u32::from(anew);
    }

    /// When a step first reached the network.
    pub(crate) fn arrived(&self, one: &Acknowledged) -> Option<Timestamp> {
        Some(self.arrivals.get(&((one.network, one.click.clone()), one.step))?.first)
    }

    /// How long a step took from acknowledged to there; nothing where it was there before its acknowledgement.
    pub(crate) fn waited(&self, one: &Acknowledged) -> Option<Duration> {
        Some(self.arrived(one)?.duration_since(one.at).try_into().unwrap_or_default())
    }

    /// Whether a step is at the network.
    pub(crate) fn has(&self, one: &Acknowledged) -> bool {
        self.arrived(one).is_some()
    }

    /// Compares the books with what callers were promised.
    pub(crate) fn audit(&self, journal: &[Acknowledged], opinion: &Opinion) -> Findings {
        let mut findings = Findings { altered: self.altered.clone(), ..Findings::default() };
        let (mut promised, mut dead_leads) = (HashSet::new(), HashSet::new());
        for one in journal {
            let lane = (one.network, one.click.clone());
            let dead = opinion.dead.contains(&one.delivery_id);
            if one.step == Step::Lead && dead {
                dead_leads.insert(lane.clone());
            }
            promised.insert((lane, one.step));
            if !self.has(one) && !dead && !opinion.pending.contains(&one.delivery_id) {
                findings.lost.push(format!("lost: {one:?}"));
            }
            if opinion.in_doubt.contains(&one.delivery_id) && one.network != Network::Powerspace {
                findings.held.push(format!("held: {one:?}"));
            }
        }
        for (told, arrivals) in &self.arrivals {
            let unkeyed = told.0.0 == Network::Powerspace;
            let most = if unkeyed { arrivals.calls } else { arrivals.counted };
            if most > 1 || !promised.contains(told) {
                findings.doubled.push(format!("doubled: {told:?} {arrivals:?}"));
            }
        }
        for (lane, steps) in &self.lanes {
            // An order goes on behind a lead that died, and no change does.
            let whole = match steps.first() {
                Some(Step::Order) => dead_leads.contains(lane),
                first => first == Some(&Step::Lead),
            };
            if !whole || !steps.is_sorted() {
                findings.inverted.push(format!("inverted: {lane:?} {steps:?}"));
            }
        }
        findings
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use postback_sandbox::{Booking, Kind, Meant};

    use super::*;

    fn books(arrived: &[(Network, Step, bool)]) -> Books {
        let mut books = Books::default();
        for (network, step, anew) in arrived {
            books.note((*network, "a".to_owned()), *step, *anew, Timestamp::UNIX_EPOCH);
        }
        books
    }

    fn promised(network: Network, steps: &[Step]) -> Vec<Acknowledged> {
        let one = |step: &Step| Acknowledged {
            network,
            click: "a".to_owned(),
            step: *step,
            delivery_id: format!("{step:?}"),
            at: Timestamp::UNIX_EPOCH,
        };
        steps.iter().map(one).collect()
    }

    /// How many were lost, doubled and inverted.
    fn found(books: &Books, journal: &[Acknowledged], opinion: &Opinion) -> [usize; 3] {
        let findings = books.audit(journal, opinion);
        [findings.lost.len(), findings.doubled.len(), findings.inverted.len()]
    }

    const POWERSPACE: Network = Network::Powerspace;
    const ALTERCPA: Network = Network::Altercpa;

    #[test]
    fn what_arrived_once_and_in_order_is_right() {
        let steps = [Step::Lead, Step::Order];
        let books = books(&[(POWERSPACE, Step::Lead, true), (POWERSPACE, Step::Order, true)]);
        assert_eq!(found(&books, &promised(POWERSPACE, &steps), &Opinion::default()), [0, 0, 0]);
    }

    #[test]
    fn what_never_arrived_is_lost_unless_the_hub_still_has_it() {
        let books = books(&[(POWERSPACE, Step::Lead, true)]);
        let journal = promised(POWERSPACE, &[Step::Lead, Step::Order]);
        assert_eq!(found(&books, &journal, &Opinion::default()), [1, 0, 0]);
        let dead = Opinion { dead: ["Order".to_owned()].into(), ..Opinion::default() };
        assert_eq!(found(&books, &journal, &dead), [0, 0, 0]);
        let was_in_doubt = Opinion { in_doubt: ["Order".to_owned()].into(), ..Opinion::default() };
        assert_eq!(found(&books, &journal, &was_in_doubt), [1, 0, 0]);
    }

    #[test]
    fn an_order_is_booked_with_the_value_of_its_click() {
        let altered = |kind: Kind, value: Option<&str>| {
            let (click, value) = (Some("a".to_owned()), value.map(str::to_owned));
            let entry = Entry {
                seq: 1,
                time: Timestamp::UNIX_EPOCH,
                network: POWERSPACE,
                method: String::new(),
                path: String::new(),
                query: Vec::new(),
                form: Vec::new(),
                headers: BTreeMap::new(),
                answer: None,
                meant: Meant::Counted(Booking { kind, click, value, ..Booking::default() }),
                fault: None,
                remarks: Vec::new(),
            };
            let mut books = Books::default();
            books.enter(&entry);
            books.audit(&[], &Opinion::default()).altered.len()
        };
        let price = Step::Order.price("a").unwrap();
        assert_ne!(price, Step::Order.price("b").unwrap());
        assert_eq!((altered(Kind::Order, Some(&price)), altered(Kind::Lead, None)), (0, 0));
        assert_eq!((altered(Kind::Order, Some("1")), altered(Kind::Order, None)), (1, 1));
        assert_eq!(altered(Kind::Lead, Some(&price)), 1);
    }

    #[test]
    fn only_what_must_not_be_repeated_may_be_held_in_doubt() {
        let opinion = Opinion { in_doubt: ["Lead".to_owned()].into(), ..Opinion::default() };
        let held = |network| {
            let books = books(&[(network, Step::Lead, true)]);
            books.audit(&promised(network, &[Step::Lead]), &opinion).held.len()
        };
        assert_eq!((held(POWERSPACE), held(ALTERCPA)), (0, 1));
    }

    #[test]
    fn a_repeat_is_a_double_only_where_it_is_counted() {
        let twice = books(&[(POWERSPACE, Step::Lead, true), (POWERSPACE, Step::Lead, true)]);
        assert_eq!(found(&twice, &promised(POWERSPACE, &[Step::Lead]), &Opinion::default()), [0, 1, 0]);
        let known = books(&[(ALTERCPA, Step::Lead, true), (ALTERCPA, Step::Lead, false)]);
        assert_eq!(found(&known, &promised(ALTERCPA, &[Step::Lead]), &Opinion::default()), [0, 0, 0]);
        let anew = books(&[(ALTERCPA, Step::Lead, true), (ALTERCPA, Step::Lead, true)]);
        assert_eq!(found(&anew, &promised(ALTERCPA, &[Step::Lead]), &Opinion::default()), [0, 1, 0]);
    }

    #[test]
    fn what_nobody_was_promised_is_a_double() {
        let books = books(&[(POWERSPACE, Step::Lead, true)]);
        assert_eq!(found(&books, &[], &Opinion::default()), [0, 1, 0]);
    }

    #[test]
    fn an_order_goes_on_behind_a_dead_lead_and_a_change_does_not() {
        let dead = Opinion { dead: ["Lead".to_owned()].into(), ..Opinion::default() };
        for (network, step, inverted) in [(POWERSPACE, Step::Order, 0), (ALTERCPA, Step::Hold, 1)] {
            let alone = books(&[(network, step, true)]);
            assert_eq!(found(&alone, &promised(network, &[Step::Lead, step]), &dead), [0, 0, inverted]);
        }
    }

    #[test]
    fn a_step_after_a_later_one_or_without_its_lead_is_inverted() {
        let all = [Step::Lead, Step::Processing, Step::Hold];
        let late = books(&[
            (ALTERCPA, Step::Lead, true),
            (ALTERCPA, Step::Hold, false),
            (ALTERCPA, Step::Processing, false),
        ]);
        assert_eq!(found(&late, &promised(ALTERCPA, &all), &Opinion::default()), [0, 0, 1]);
        let alone = books(&[(ALTERCPA, Step::Hold, false)]);
        assert_eq!(found(&alone, &promised(ALTERCPA, &[Step::Hold]), &Opinion::default()), [0, 0, 1]);
    }
}
