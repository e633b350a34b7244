//! Creating a lead, and changing it.

use super::{
    Altercpa, Lead,
    access::Access,
    answer::{self, Failure},
    asked::Asked,
    edit::Edit,
    seed::number,
    source::{Named, Origin, Source},
};
use crate::{Meant, reply::Outcome};

impl Altercpa {
    /// `click.json`
    pub(super) fn create(&mut self, asked: &mut Asked<'_>) -> Result<Outcome, Failure> {
        let access = self.access(asked)?;
        let named = Named::read(asked, &["click", "flow", "code"])?;
        let origin = self.origin(&named, asked.now)?;
        access.covers(origin.offer)?;
        let offer = self.offer(origin.offer)?;
        let edit = Edit::read(asked, offer);
        if offer.private {
            return Err(Failure::traffic());
        }
        if origin.broken {
            return Err(Failure::db("the click is broken"));
        }
        let exto = asked.given("exto");
        if let Some(original) = exto.and_then(|exto| self.leads.find(origin.source, Some(exto))) {
            return Ok(answer::duplicate(original.id, original.booking(&edit)));
        }
        self.add(asked, origin, &edit)
    }

    /// `status.json`
    pub(super) fn change(&mut self, asked: &mut Asked<'_>) -> Result<Outcome, Failure> {
        let access = self.access(asked)?;
        let named = Named::read(asked, &["click", "flow", "code", "order"])?;
        let exto = asked.given("exto");
        let lead = match (&named, exto) {
            (Named::Order(id), None) => number(id)
                .and_then(|id| self.leads.get(id))
                .ok_or_else(|| Failure::bad_id("the lead is unknown"))?,
            (Named::Order(_), Some(_)) => {
                return Err(Failure::bad_id("`order` and `exto` are no documented combination"));
            }
            (Named::Flow(_) | Named::Code(_), None) => {
                return Err(Failure::bad_id("a lead of a flow alone cannot be changed"));
            }
            _ => match self.source(&named).and_then(|source| self.leads.find(source, exto)) {
                Some(lead) => lead,
                None => return self.create_late(asked, access, &named),
            },
        };
        access.covers(lead.offer)?;
        let offer = self.offer(lead.offer)?;
        let edit = Edit::read(asked, offer);
        let edited = lead.edited(&edit, offer, asked.now);
        if edit.wanted.unknown && edited == *lead {
            return Err(Failure::edit("the status word is not recognized"));
        }
        if edit.wanted.creates || edited == *lead {
            return Ok(answer::edit(lead.booking(&edit)));
        }
        if self.is_broken(edited.source, asked) {
            return Err(Failure::db("the click is broken"));
        }
        let written = answer::written(edited.id, Meant::Changed(edited.booking(&edit)));
        self.leads.put(edited);
        Ok(written)
    }

    /// A change of a lead that does not exist: a word of `stn` creates it, or `auto=1` of a click with none.
    fn create_late(
        &mut self,
        asked: &mut Asked<'_>,
        access: Access,
        named: &Named<'_>,
    ) -> Result<Outcome, Failure> {
        let origin = self.origin(named, asked.now)?;
        access.covers(origin.offer)?;
        let offer = self.offer(origin.offer)?;
        let edit = Edit::read(asked, offer);
        let auto = asked.flag("auto") && !self.leads.has_click(origin.source);
        if !auto && !edit.wanted.creates {
            return Err(Failure::bad_id("there is no lead of this combination"));
        }
        if offer.private {
            return Err(Failure::bad_id("privacy settings prohibit traffic to the offer"));
        }
        if origin.broken {
            return Err(Failure::db("the click is broken"));
        }
        self.add(asked, origin, &edit)
    }

    fn add(&mut self, asked: &Asked<'_>, origin: Origin, edit: &Edit) -> Result<Outcome, Failure> {
        if self.leads.is_full() {
            return Err(Failure::db("there are too many leads"));
        }
        let exto = asked.given("exto").map(str::to_owned);
        let blank = Lead::new(origin.source, exto, origin.offer, asked.now);
        let edited = blank.edited(edit, self.offer(origin.offer)?, asked.now);
        let lead = edited.born(self.leads.next_id(), asked.now);
        let written = answer::written(lead.id, Meant::Counted(lead.booking(edit)));
        self.leads.put(lead);
        Ok(written)
    }

    /// The source that a call names, whether or not its click still lives.
    fn source(&self, named: &Named<'_>) -> Option<Source> {
        match named {
            Named::Click(id) => number(id).map(Source::Click),
            Named::Flow(id) => number(id).map(Source::Flow),
            Named::Code(code) => self.flow_by_code(code).map(|flow| Source::Code(flow.id)),
            Named::Order(_) => None,
        }
    }

    fn is_broken(&self, source: Source, asked: &Asked<'_>) -> bool {
        match source {
            Source::Click(id) => self.clicks.living(&id, asked.now).is_ok_and(|click| click.broken),
            Source::Flow(_) | Source::Code(_) => false,
        }
    }
}
