//! Why a step of the embedded engine did not come about.

use std::io;

use postback_core::{Error, ErrorKind};
use redb::StorageError;

/// The result of a step.
pub(super) type Step<T> = Result<T, Failure>;

/// What a failing step means for the others in its transaction.
#[derive(Debug)]
pub(super) enum Failure {
    /// The step refused before it wrote anything: the others go on.
    Refused(Error),
    /// The step may have written half: everything in the transaction is taken back.
    Broken(Error),
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Refused(error) | Failure::Broken(error) => error,
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Refused(error)
    }
}

macro_rules! from_storage {
    ($($error:ty),+) => {
        $(impl From<$error> for Failure {
            fn from(error: $error) -> Self {
                Self::Broken(unavailable(error.into()))
            }
        })+
    };
}

from_storage!(StorageError, redb::TableError, redb::TransactionError, redb::CommitError);

/// The engine's error for callers.
pub(super) fn unavailable(error: redb::Error) -> Error {
    match &error {
        redb::Error::Io(cause)
            if matches!(cause.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) =>
        {
            Error::new(ErrorKind::ResourceExhausted, "STORE_FULL", "the outbox's disk is full")
        }
        redb::Error::Corrupted(_) => Error::internal("the outbox's file is damaged"),
        _ => Error::unavailable("the outbox's file cannot be read or written"),
    }
    .caused_by(error)
}
