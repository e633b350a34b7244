//! What a failure of the engine means to a caller.

use std::{io, sync::Arc};

use postback_core::{Error, ErrorKind};

/// The error for a caller of the store.
pub(super) fn failed(error: impl Into<redb::Error>) -> Error {
    shared(&Arc::new(error.into()))
}

/// The error for one of several callers that met the same failure.
pub(super) fn shared(error: &Arc<redb::Error>) -> Error {
    let refusal = match &**error {
        redb::Error::Io(cause) if cause.kind() == io::ErrorKind::StorageFull => {
            Error::new(ErrorKind::ResourceExhausted, "STORE_FULL", "the embedded store's disk is full")
        }
        redb::Error::PreviousIo => {
            Error::unavailable("the embedded store met a failing disk; mend it and start again")
        }
        redb::Error::Io(cause) if cause.kind() != io::ErrorKind::InvalidData => {
            Error::unavailable("the embedded store's disk refuses work")
        }
        redb::Error::DatabaseClosed => Error::unavailable("the embedded store is closed"),
        _ => Error::internal("the embedded store is damaged or not a store of clicks"),
    };
    refusal.caused_by(Arc::clone(error))
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use super::*;

    #[test]
    fn a_failure_says_what_a_caller_can_do_and_keeps_its_cause() {
        let full = failed(redb::Error::Io(io::ErrorKind::StorageFull.into()));
        assert_eq!((full.kind(), full.reason()), (ErrorKind::ResourceExhausted, "STORE_FULL"));
        assert!(full.source().is_some());
        assert_eq!(failed(redb::Error::PreviousIo).kind(), ErrorKind::Unavailable);
        assert_eq!(failed(redb::Error::Corrupted("page 7".into())).kind(), ErrorKind::Internal);
    }
}
