//! Why a step did not come about, and what that means to its caller and to the steps made with it.

use std::{io, sync::Arc};

use postback_core::{Error, ErrorKind};

/// The result of a step.
pub type Step<T> = Result<T, Failure>;

/// Why a step did not come about.
#[derive(Debug)]
pub enum Failure {
    /// The step refused before it wrote anything: the others in its transaction go on.
    Refused(Error),
    /// The step may have written half: its transaction is taken back, and made again without it.
    Broken(Error),
    /// The disk failed: nothing of the transaction is made, and the file has to be opened again.
    Disk(redb::Error),
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Refused(error) | Failure::Broken(error) => error,
            Failure::Disk(cause) => refused(&Arc::new(cause)),
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Refused(error)
    }
}

impl From<redb::Error> for Failure {
    fn from(error: redb::Error) -> Self {
        use redb::Error::{DatabaseClosed, Io, LockPoisoned, PreviousIo};
        match error {
            Io(_) | PreviousIo | DatabaseClosed | LockPoisoned(_) => Self::Disk(error),
            _ => Self::Broken(Error::internal("the store's file is damaged").caused_by(error)),
        }
    }
}

macro_rules! from_engine {
    ($($error:ty),+) => {
        $(impl From<$error> for Failure {
            fn from(error: $error) -> Self {
                redb::Error::from(error).into()
            }
        })+
    };
}

from_engine!(redb::StorageError, redb::TableError, redb::TransactionError, redb::CommitError);

/// The error of a step that the disk refused.
pub(crate) fn refused(cause: &Arc<redb::Error>) -> Error {
    let error = match &**cause {
        redb::Error::Io(cause) if is_full(cause) => full("the store's disk is full"),
        _ => Error::unavailable("the store's disk refuses work"),
    };
    error.caused_by(Arc::clone(cause))
}

/// The error of whoever needs more room than there is.
pub(crate) fn full(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::ResourceExhausted, "STORE_FULL", message)
}

/// Whether there is no room left, for anyone or for this user.
pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use super::*;

    fn failed(error: redb::Error) -> Error {
        Failure::from(error).into()
    }

    #[test]
    fn a_failure_says_what_a_caller_can_do_and_keeps_its_cause() {
        for kind in [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded] {
            let full = failed(redb::Error::Io(kind.into()));
            assert_eq!((full.kind(), full.reason()), (ErrorKind::ResourceExhausted, "STORE_FULL"));
            assert!(full.source().is_some());
        }
        assert_eq!(failed(redb::Error::Io(io::Error::other("EIO"))).kind(), ErrorKind::Unavailable);
        assert_eq!(failed(redb::Error::PreviousIo).kind(), ErrorKind::Unavailable);
        assert_eq!(failed(redb::Error::Corrupted("page 7".into())).kind(), ErrorKind::Internal);
    }
}
