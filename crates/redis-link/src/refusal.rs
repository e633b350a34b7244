//! What an error of Redis means to a caller.

use std::time::Duration;

use postback_core::{Error, ErrorKind};
use redis::{ErrorKind as Cause, RedisError, ServerErrorKind};

/// What an error of Redis means to a caller of the store; Redis's own words are its cause.
pub fn refused(error: impl Into<RedisError>) -> Error {
    let error = error.into();
    let refusal = match error.kind() {
        Cause::Io | Cause::ClusterConnectionNotFound => Error::unavailable("redis cannot be reached"),
        Cause::MasterNameNotFoundBySentinel | Cause::NoValidReplicasFoundBySentinel => {
            Error::unavailable("redis sentinel names no master")
        }
        Cause::AuthenticationFailed | Cause::Server(ServerErrorKind::NoPerm) => {
            Error::unavailable("redis refuses the user or password, or allows it too little")
        }
        Cause::Server(kind) if is_passing(kind) => {
            Error::unavailable("redis refuses work while it starts or changes its master or its slots")
        }
        _ => by_code(error.code().unwrap_or_default()),
    };
    refusal.caused_by(error)
}

/// Whether the refusal ends by itself.
fn is_passing(kind: ServerErrorKind) -> bool {
    use ServerErrorKind::{Ask, BusyLoading, ClusterDown, MasterDown, Moved, ReadOnly, TryAgain};
    matches!(kind, BusyLoading | TryAgain | ClusterDown | MasterDown | ReadOnly | Moved | Ask)
}

fn by_code(code: &str) -> Error {
    match code {
        "OOM" => Error::new(ErrorKind::ResourceExhausted, "STORE_FULL", "redis is out of memory"),
        "MISCONF" => Error::unavailable("redis refuses writes because it cannot save them"),
        "NOREPLICAS" => Error::unavailable("redis refuses writes because too few replicas follow"),
        "NOAUTH" | "WRONGPASS" => Error::unavailable("redis refuses the user or password"),
        _ => Error::internal("redis answers what is not understood"),
    }
}

/// The error for an answer that did not come in time.
pub fn late(timeout: Duration) -> Error {
    Error::unavailable(format!("redis did not answer within {timeout:?}"))
}

/// The error for a write that too few replicas have, `REPLICAS_MISSING`. It may stand all the same, and may be
/// repeated.
pub fn unconfirmed(reached: usize, wanted: usize) -> Error {
    Error::unavailable(format!("the write was made, but {reached} of {wanted} replicas confirmed it in time"))
        .because("REPLICAS_MISSING")
}

/// Whether a connection to one server is of no use any more: lost, or to one that is no master now.
pub(crate) fn ends_connection(error: &RedisError) -> bool {
    error.is_io_error()
        || error.is_unrecoverable_error()
        || error.kind() == Cause::Server(ServerErrorKind::ReadOnly)
}

/// Whether the connections to a Cluster are of no use any more. It mends them one by one while it knows any node.
pub(crate) fn ends_cluster(error: &RedisError) -> bool {
    error.kind() == Cause::ClusterConnectionNotFound
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use super::*;

    fn answer(code: &str) -> Error {
        refused(redis::make_extension_error(code.into(), Some("as redis says".into())))
    }

    #[test]
    fn an_answer_says_what_a_caller_can_do_and_keeps_its_cause() {
        for (code, kind) in [
            ("OOM", ErrorKind::ResourceExhausted),
            ("MISCONF", ErrorKind::Unavailable),
            ("NOREPLICAS", ErrorKind::Unavailable),
            ("WRONGPASS", ErrorKind::Unavailable),
            ("WRONGTYPE", ErrorKind::Internal),
        ] {
            assert_eq!(answer(code).kind(), kind, "{code}");
            assert!(answer(code).source().unwrap().to_string().contains("as redis says"));
        }
    }
}
