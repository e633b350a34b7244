//! Sessions: who signed in, and how long that holds.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, MutexGuard, PoisonError},
};

use jiff::{SignedDuration, Timestamp};
use postback_core::{Error, Result};
use secrecy::SecretString;
use sha2::{Digest, Sha256};

/// How long a session holds.
pub(crate) const LIFE: SignedDuration = SignedDuration::from_hours(12);
/// So many sessions at a time; the oldest ends for another.
const SESSIONS: usize = 1_000;
/// So many wrong tokens of an address are told in [`WINDOW`], to it and in the log; right ones are always taken.
const ATTEMPTS: u32 = 10;
const WINDOW: SignedDuration = SignedDuration::from_mins(5);
/// So many addresses are remembered; the one that tried first is forgotten for another.
const ADDRESSES: usize = 10_000;

/// A random word of 256 bits that cannot be guessed.
pub(crate) fn secret() -> Result<String> {
    let mut bytes = [0_u8; 32];
    getrandom::fill(&mut bytes).map_err(|cause| Error::internal("no random numbers").caused_by(cause))?;
    Ok(hex(&bytes))
}

/// A word that only one who knows the secret can make for this name.
pub(crate) fn derived(secret: &str, name: &str) -> String {
    hex(&digest(&format!("{secret} {name}")))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What is kept of a secret: nobody who reads it can sign in, and a comparison tells nothing by its time.
fn digest(secret: &str) -> [u8; 32] {
    Sha256::digest(secret).into()
}

/// Whether two secrets are the same.
pub(crate) fn same(one: &str, other: &str) -> bool {
    digest(one) == digest(other)
}

/// One who signed in.
#[derive(Clone)]
pub(crate) struct Session {
    /// The token, looked at anew with each request: one that is withdrawn ends the session.
    pub(crate) token: SecretString,
    /// What every form of the session carries.
    pub(crate) form: String,
    /// When it ends.
    pub(crate) until: Timestamp,
}

/// All who signed in, and those who tried.
#[derive(Default)]
pub(crate) struct Sessions {
    open: Mutex<HashMap<[u8; 32], Session>>,
    tried: Mutex<HashMap<IpAddr, (Timestamp, u32)>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Sessions {
    /// Begins a session, and returns the word for its cookie.
    pub(crate) fn begin(&self, token: SecretString, now: Timestamp) -> Result<String> {
        let cookie = secret()?;
        let until = now.saturating_add(LIFE).unwrap_or(Timestamp::MAX);
        let session = Session { token, form: secret()?, until };
        let mut open = lock(&self.open);
        open.retain(|_, session| session.until > now);
        if open.len() >= SESSIONS
            && let Some(oldest) = open.iter().min_by_key(|(_, session)| session.until).map(|(key, _)| *key)
        {
            open.remove(&oldest);
        }
        open.insert(digest(&cookie), session);
        Ok(cookie)
    }

    /// The session of a cookie.
    pub(crate) fn get(&self, cookie: &str, now: Timestamp) -> Option<Session> {
        lock(&self.open).get(&digest(cookie)).filter(|session| session.until > now).cloned()
    }

    /// Ends a session.
    pub(crate) fn end(&self, cookie: &str) {
        lock(&self.open).remove(&digest(cookie));
    }

    /// Remembers that this address tried a wrong token. Returns whether that was one too many.
    pub(crate) fn failed(&self, from: IpAddr, now: Timestamp) -> bool {
        let mut tried = lock(&self.tried);
        tried.retain(|_, (since, _)| now.duration_since(*since) < WINDOW);
        if tried.len() >= ADDRESSES
            && let Some(first) = tried.iter().min_by_key(|(_, (since, _))| *since).map(|(from, _)| *from)
        {
            tried.remove(&first);
        }
        let (_, times) = tried.entry(network(from)).or_insert((now, 0));
        *times = times.saturating_add(1);
        *times > ATTEMPTS
    }
}

/// One who has an IPv6 address has 2^64 of them.
fn network(from: IpAddr) -> IpAddr {
    match from.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::from([a, b, c, d, 0, 0, 0, 0])
        }
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    #[test]
    fn a_session_holds_for_its_life_and_no_longer() {
        let sessions = Sessions::default();
        let cookie = sessions.begin("token".into(), NOW).unwrap();
        assert_eq!(
            sessions.get(&cookie, NOW + LIFE - SignedDuration::from_secs(1)).unwrap().token.expose_secret(),
            "token"
        );
        assert!(sessions.get(&cookie, NOW + LIFE).is_none());
        assert!(sessions.get("forged", NOW).is_none());
        sessions.end(&cookie);
        assert!(sessions.get(&cookie, NOW).is_none());
    }

    #[test]
    fn the_oldest_session_ends_for_one_too_many() {
        let sessions = Sessions::default();
        let cookies: Vec<String> = (0..=SESSIONS as i64)
            .map(|n| sessions.begin(n.to_string().into(), NOW + SignedDuration::from_secs(n)).unwrap())
            .collect();
        let now = NOW + SignedDuration::from_secs(SESSIONS as i64);
        assert!(sessions.get(&cookies[0], now).is_none() && sessions.get(&cookies[1], now).is_some());
    }

    #[test]
    fn an_address_may_try_ten_wrong_tokens_in_five_minutes() {
        let sessions = Sessions::default();
        let (mine, neighbour): (IpAddr, IpAddr) =
            ("2001:db8::1".parse().unwrap(), "2001:db8::2".parse().unwrap());
        for _ in 0..ATTEMPTS {
            assert!(!sessions.failed(mine, NOW));
        }
        assert!(sessions.failed(neighbour, NOW));
        assert!(!sessions.failed("192.0.2.1".parse().unwrap(), NOW));
        assert!(!sessions.failed(mine, NOW + WINDOW));
    }
}
