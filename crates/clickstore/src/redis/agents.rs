//! User agents of which this process knows that Redis has them: few, and each in many clicks.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use jiff::{SignedDuration, Timestamp};
use postback_core::CLICK_LIFE;
use sha2::{Digest, Sha256};

/// What names a user agent in a click's record: the first 64 bits of its digest. Of ten million user agents
/// two share them one time in 370,000, and all that comes of it is the wrong user agent at some clicks.
pub(super) type Name = [u8; 8];

/// How long a user agent that was written is not written again.
const DAY: SignedDuration = SignedDuration::from_hours(24);

/// How long Redis keeps a user agent: that of the last click for which it was not written again.
pub(super) const LIFE: SignedDuration = SignedDuration::from_hours(CLICK_LIFE.as_hours() + DAY.as_hours());

/// At most so many are remembered: a day of browsers, a few hundred kilobytes.
const MOST: usize = 4_096;

/// What was written within a day.
#[derive(Default)]
pub(super) struct Agents(Mutex<HashMap<String, (Name, Timestamp)>>);

impl Agents {
    /// The name of a user agent that was written within a day.
    pub(super) fn written(&self, agent: &str, now: Timestamp) -> Option<Name> {
        let agents = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        agents.get(agent).filter(|(_, at)| now.duration_since(*at) < DAY).map(|(name, _)| *name)
    }

    /// Remembers a user agent that was written at `now`. A full memory is emptied: what is common comes back.
    pub(super) fn remember(&self, agent: &str, name: Name, now: Timestamp) {
        let mut agents = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if agents.len() == MOST {
            agents.clear();
        }
        agents.insert(agent.to_owned(), (name, now));
    }
}

/// What names a user agent.
pub(super) fn name(agent: &str) -> Name {
    let mut name = Name::default();
    name.copy_from_slice(&Sha256::digest(agent)[..8]);
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_remembered_is_bounded_in_time_and_number() {
        let (agents, start) = (Agents::default(), Timestamp::UNIX_EPOCH);
        for number in 0..MOST + 10 {
            let agent = number.to_string();
            agents.remember(&agent, name(&agent), start);
            assert!(agents.0.lock().unwrap().len() <= MOST);
        }
        let last = (MOST + 9).to_string();
        assert_eq!(agents.written(&last, start + DAY - SignedDuration::from_nanos(1)), Some(name(&last)));
        assert_eq!(agents.written(&last, start + DAY), None);
        assert_eq!(agents.written("0", start), None);
    }
}
