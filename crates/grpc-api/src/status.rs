//! The core's errors as gRPC statuses with `google.rpc` details.

use std::time::Duration;

use postback_core::{Error, ErrorKind};
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

/// The domain of every `google.rpc.ErrorInfo` here.
pub(crate) const DOMAIN: &str = "postback";

/// How long a caller waits before another try where nothing better is known.
const RETRY: Duration = Duration::from_secs(1);

/// The status of an error. What is wrong inside is logged, and not told to the caller.
pub(crate) fn status(error: Error) -> Status {
    let code = code(error.kind());
    let mut details = ErrorDetails::new();
    details.set_error_info(error.reason(), DOMAIN, []);
    if let (ErrorKind::InvalidArgument, Some(field)) = (error.kind(), error.field()) {
        details.add_bad_request_violation(field, error.message());
    }
    if let Some(wait) = error.wait().or(error.is_passing().then_some(RETRY)) {
        details.set_retry_info(Some(wait));
    }
    match error.kind() {
        ErrorKind::Internal => {
            tracing::error!(error = &error as &dyn std::error::Error, "a call failed");
            Status::with_error_details(code, "an internal error; the hub's log has it", details)
        }
        ErrorKind::Unavailable => {
            let cause = std::error::Error::source(&error);
            tracing::warn!(%error, cause, "a call found the store or network away");
            Status::with_error_details(code, error.to_string(), details)
        }
        _ => Status::with_error_details(code, error.to_string(), details),
    }
}

/// What ends a stream that is open as the server ends.
pub(crate) fn ending() -> Status {
    let mut details = ErrorDetails::with_error_info("SHUTDOWN", DOMAIN, []);
    details.set_retry_info(Some(RETRY));
    Status::with_error_details(Code::Unavailable, "the hub ends; go on with the next one", details)
}

pub(crate) fn code(kind: ErrorKind) -> Code {
    match kind {
        ErrorKind::InvalidArgument => Code::InvalidArgument,
        ErrorKind::NotFound => Code::NotFound,
        ErrorKind::AlreadyExists => Code::AlreadyExists,
        ErrorKind::FailedPrecondition => Code::FailedPrecondition,
        ErrorKind::ResourceExhausted => Code::ResourceExhausted,
        ErrorKind::Unavailable => Code::Unavailable,
        ErrorKind::Internal => Code::Internal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_its_field_and_its_reason() {
        let details = status(Error::invalid("details.value", "`1` is wrong")).get_error_details();
        assert_eq!(details.bad_request().unwrap().field_violations[0].field, "details.value");
        assert_eq!(details.error_info().unwrap().reason, "INVALID_VALUE");
        assert!(details.retry_info().is_none());
    }

    #[test]
    fn what_may_pass_says_when_to_come_again() {
        let wait = |error| status(error).get_error_details().retry_info().unwrap().retry_delay;
        assert_eq!(wait(Error::unavailable("away")), Some(RETRY));
        let known = Error::unavailable("away").retry_after(Duration::from_secs(7));
        assert_eq!(wait(known), Some(Duration::from_secs(7)));
    }

    #[test]
    fn what_is_wrong_inside_is_not_told() {
        let told = status(Error::internal("row 7 is damaged"));
        assert_eq!((told.code(), told.message().contains("row 7")), (Code::Internal, false));
    }
}
