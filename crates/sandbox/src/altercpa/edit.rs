//! What a call wants a lead to be.

use super::{
    asked::Asked,
    details::Details,
    seed::{Goal, Offer},
    status::Wanted,
    terms::Terms,
};

/// The part of a write that is the same at creation and at change.
pub(super) struct Edit {
    pub(super) wanted: Wanted,
    pub(super) reason: Option<u64>,
    /// The goal's number.
    pub(super) goal: Option<u64>,
    pub(super) terms: Terms,
    pub(super) details: Details,
}

impl Edit {
    pub(super) fn read(asked: &mut Asked<'_>, offer: &Offer) -> Self {
        Self {
            wanted: Wanted::read(asked),
            reason: asked.number("reason"),
            goal: goal(asked, offer).map(|goal| goal.id),
            terms: Terms::read(asked),
            details: Details::read(asked),
        }
    }
}

/// `goal` by its character id or an alias, else `gid` by its number.
fn goal<'o>(asked: &mut Asked<'_>, offer: &'o Offer) -> Option<&'o Goal> {
    let word = asked.given("goal");
    let number = asked.number("gid");
    let named = word.and_then(|word| {
        offer.goals.iter().find(|goal| goal.code == word || goal.aliases.iter().any(|alias| alias == word))
    });
    let numbered = number.and_then(|number| offer.goals.iter().find(|goal| goal.id == number));
    if (word.is_some() && named.is_none()) || (number.is_some() && numbered.is_none()) {
        asked.remark("the goal is not one of the offer's: passed over");
    }
    named.or(numbered)
}
