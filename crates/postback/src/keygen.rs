//! Makes a deployment's key.

use anyhow::Context;
use postback_core::Key;

/// A key with this number, of the system's randomness.
pub(crate) fn key(id: u8) -> anyhow::Result<Key> {
    let mut secret = [0; 32];
    getrandom::fill(&mut secret).context("the system gave no randomness")?;
    Ok(Key::new(id, secret))
}
