//! How each fault strikes, by what it strikes.

pub(crate) mod clock;
pub(crate) mod disk;
pub(crate) mod failpoint;
pub(crate) mod network;
pub(crate) mod process;
pub(crate) mod redis;
