//! A file of redb for one process: every acknowledgement after an fsync, and no restart after a full disk.
//!
//! One thread writes: it takes all steps that wait, makes them in one transaction and then answers everyone, so that
//! the price of an fsync is shared without anyone waiting for company. Reads run beside it, off the async runtime.
//!
//! redb refuses all work on a file after the first error of its disk. Then the file is closed and opened again, and
//! with growing waits until that succeeds; steps are refused meanwhile. No answer rests on an fsync that failed: every
//! commit has two phases, so the header names only what the disk took before, and opening writes the header anew.

mod database;
mod failure;
mod file;
mod writer;

#[cfg(feature = "testing")]
pub mod testing;

pub use self::{
    failure::{Failure, Step},
    file::{RedbFile, Schema},
};
