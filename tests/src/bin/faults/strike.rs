//! How each fault strikes, by what it strikes.

pub(crate) mod failpoint;
pub(crate) mod process;
pub(crate) mod redis;
