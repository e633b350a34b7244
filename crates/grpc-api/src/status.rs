//! The core's errors as gRPC statuses with `google.rpc` details.

use postback_core::{Error, ErrorKind};
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

/// The domain of every `google.rpc.ErrorInfo` here.
pub const DOMAIN: &str = "postback";

/// The status of an error. What is wrong inside is logged, and not told to the caller.
pub(crate) fn status(error: Error) -> Status {
    let code = code(error.kind());
    let mut details = ErrorDetails::new();
    details.set_error_info(error.reason(), DOMAIN, []);
    if let (ErrorKind::InvalidArgument, Some(field)) = (error.kind(), error.field()) {
        details.add_bad_request_violation(field, error.message());
    }
    if let Some(wait) = error.wait() {
        details.set_retry_info(Some(wait));
    }
    match error.kind() {
        ErrorKind::Internal => {
            tracing::error!(error = &error as &dyn std::error::Error, "a call failed");
            Status::with_error_details(code, "an internal error; the hub's log has it", details)
        }
        ErrorKind::Unavailable => {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "a call found the store or network away"
            );
            Status::with_error_details(code, error.to_string(), details)
        }
        _ => Status::with_error_details(code, error.to_string(), details),
    }
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
