//! User agents of which this process knows that Redis has them: few, and each in many clicks.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use jiff::{SignedDuration, Timestamp};
use postback_core::CLICK_LIFE;
use sha2::{Digest, Sha256};

/// What names a user agent in a click's record: the first 64 bits of its digest. Of ten million user agents
/// two share them one time in 370,000, and all that comes of it is the wrong user agent at some clicks.
pub(super) type Name = [u8; 8];

/// How long a user agent that was written is not written again: so long one that Redis lost can be missing from
/// new clicks.
const TRUSTED: SignedDuration = SignedDuration::from_hours(1);

/// How long Redis keeps a user agent: that of the last click for which it was not written again.
pub(super) const LIFE: SignedDuration =
    SignedDuration::from_hours(CLICK_LIFE.as_hours() + TRUSTED.as_hours());

/// At most so many are remembered: the browsers of an hour, in two megabytes at most.
const MOST: usize = 4_096;

/// User agents that this process wrote or read.
#[derive(Default)]
pub(super) struct Agents(Mutex<Known>);

#[derive(Default)]
struct Known {
    texts: HashMap<Name, Arc<str>>,
    /// What was written of late, and when.
    written: HashMap<Arc<str>, (Name, Timestamp)>,
}

impl Agents {
    /// The name of a user agent that was written of late.
    pub(super) fn written(&self, agent: &str, now: Timestamp) -> Option<Name> {
        let known = self.lock();
        known.written.get(agent).filter(|(_, at)| now.duration_since(*at) < TRUSTED).map(|(name, _)| *name)
    }

    /// The user agent of this name, where it was seen.
    pub(super) fn text(&self, name: &Name) -> Option<String> {
        self.lock().texts.get(name).map(ToString::to_string)
    }

    /// Remembers a user agent that was read, or written at some time. A full memory is emptied: what is common comes
    /// back.
    pub(super) fn remember(&self, agent: &str, name: Name, written_at: Option<Timestamp>) {
        let mut known = self.lock();
        if known.texts.len() == MOST {
            *known = Known::default();
        }
        let agent = Arc::clone(known.texts.entry(name).or_insert_with(|| agent.into()));
        if let Some(at) = written_at {
            known.written.insert(agent, (name, at));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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
            agents.remember(&agent, name(&agent), Some(start));
            assert!(agents.lock().texts.len() <= MOST && agents.lock().written.len() <= MOST);
        }
        let last = (MOST + 9).to_string();
        assert_eq!(agents.written(&last, start + TRUSTED - SignedDuration::from_nanos(1)), Some(name(&last)));
        assert_eq!(agents.written(&last, start + TRUSTED), None);
        assert_eq!((agents.written("0", start), agents.text(&name("0"))), (None, None));
        agents.remember("read", name("read"), None);
        assert_eq!(
            (agents.written("read", start), agents.text(&name("read"))),
            (None, Some("read".to_owned()))
        );
    }
}
