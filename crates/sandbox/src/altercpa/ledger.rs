//! All leads, by number and by the combination that created them.

use std::collections::{BTreeMap, HashMap};

use super::{Lead, Source};
use crate::click_book::MOST;

pub(super) struct Ledger {
    leads: BTreeMap<u64, Lead>,
    /// The last lead of each combination.
    by_source: HashMap<(Source, Option<String>), u64>,
    next: u64,
}

impl Ledger {
    pub(super) fn new(first: u64) -> Self {
        Self { leads: BTreeMap::new(), by_source: HashMap::new(), next: first }
    }

    pub(super) fn get(&self, id: u64) -> Option<&Lead> {
        self.leads.get(&id)
    }

    /// The lead that this combination created; without `exto`, the last one.
    pub(super) fn find(&self, source: Source, exto: Option<&str>) -> Option<&Lead> {
        let id = self.by_source.get(&(source, exto.map(str::to_owned)))?;
        self.leads.get(id)
    }

    /// Whether this is a click that has a lead, whatever its `exto`.
    pub(super) fn has_click(&self, source: Source) -> bool {
        matches!(source, Source::Click(_)) && self.leads.values().any(|lead| lead.source == source)
    }

    /// Whether there are as many leads as there may be clicks; from then on, creation answers `db`.
    pub(super) fn is_full(&self) -> bool {
        self.leads.len() >= MOST
    }

    /// The number that the next lead gets.
    pub(super) fn next_id(&mut self) -> u64 {
        let id = self.next;
        self.next += 1;
        id
    }

    /// Writes a lead down, new or changed.
    pub(super) fn put(&mut self, lead: Lead) {
        self.by_source
            .entry((lead.source, lead.exto.clone()))
            .and_modify(|last| *last = lead.id.max(*last))
            .or_insert(lead.id);
        self.leads.insert(lead.id, lead);
    }
}
