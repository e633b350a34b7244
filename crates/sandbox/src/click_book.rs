//! The clicks that a network issued, each with the time from which its life counts.

use std::{borrow::Borrow, collections::HashMap, hash::Hash};

use jiff::{SignedDuration, Timestamp};

use crate::SandboxError;

/// The most clicks that one network remembers; expired ones make room first.
pub(crate) const MOST: usize = 500_000;

pub(crate) struct ClickBook<K, C> {
    life: SignedDuration,
    clicks: HashMap<K, Issued<C>>,
}

struct Issued<C> {
    /// Nothing for a test click, which never expires.
    at: Option<Timestamp>,
    click: C,
}

/// Why a click is of no use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoClick {
    Unknown,
    Expired,
}

impl NoClick {
    pub(crate) const fn why(self) -> &'static str {
        match self {
            Self::Unknown => "the click id is unknown",
            Self::Expired => "the click id has expired",
        }
    }
}

impl<K: Hash + Eq, C> ClickBook<K, C> {
    pub(crate) fn new(life: SignedDuration) -> Self {
        Self { life, clicks: HashMap::new() }
    }

    /// Issues a click at a time, or, without one, a test click that never expires.
    pub(crate) fn issue(
        &mut self,
        id: K,
        click: C,
        at: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<(), SandboxError> {
        if self.clicks.contains_key(&id) {
            return Err(SandboxError::invalid("ids", "names a click that was issued before"));
        }
        if self.clicks.len() >= MOST {
            let life = self.life;
            self.clicks.retain(|_, issued| !expired(issued.at, life, now));
        }
        if self.clicks.len() >= MOST {
            return Err(SandboxError::Full { what: "clicks of one network", limit: MOST });
        }
        self.clicks.insert(id, Issued { at, click });
        Ok(())
    }

    /// How many clicks are remembered.
    pub(crate) fn len(&self) -> usize {
        self.clicks.len()
    }

    /// Whether an id was issued, living or not.
    pub(crate) fn knows<Q>(&self, id: &Q) -> bool
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.clicks.contains_key(id)
    }

    /// The living click of this id.
    pub(crate) fn living<Q>(&self, id: &Q, now: Timestamp) -> Result<&C, NoClick>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let issued = self.clicks.get(id).ok_or(NoClick::Unknown)?;
        if expired(issued.at, self.life, now) { Err(NoClick::Expired) } else { Ok(&issued.click) }
    }

    /// The living click of this id, to be written on.
    pub(crate) fn living_mut<Q>(&mut self, id: &Q, now: Timestamp) -> Result<&mut C, NoClick>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let issued = self.clicks.get_mut(id).ok_or(NoClick::Unknown)?;
        if expired(issued.at, self.life, now) { Err(NoClick::Expired) } else { Ok(&mut issued.click) }
    }

    /// Every living click with the time from which it counts.
    pub(crate) fn all_living(&self, now: Timestamp) -> impl Iterator<Item = (&K, Timestamp, &C)> {
        let living = move |issued: &Issued<C>| !expired(issued.at, self.life, now);
        self.clicks
            .iter()
            .filter(move |(_, issued)| living(issued))
            .map(move |(id, issued)| (id, issued.at.unwrap_or(now), &issued.click))
    }
}

fn expired(at: Option<Timestamp>, life: SignedDuration, now: Timestamp) -> bool {
    at.is_some_and(|at| now.duration_since(at) > life)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ps_2_a_click_lives_its_life_to_the_second_and_a_test_click_for_ever() {
        let start: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let life = SignedDuration::from_hours(30 * 24);
        let mut book = ClickBook::new(life);
        book.issue("click", (), Some(start), start).unwrap();
        book.issue("test", (), None, start).unwrap();
        assert!(book.issue("click", (), Some(start), start).is_err());

        let second = SignedDuration::from_secs(1);
        assert!(book.living("click", start + life).is_ok());
        assert_eq!(book.living("click", start + life + second), Err(NoClick::Expired));
        assert_eq!(book.living("other", start), Err(NoClick::Unknown));
        assert!(book.living("test", start + life * 100).is_ok());
        assert_eq!(book.all_living(start + life + second).count(), 1);
    }
}
