//! What an error of Redis means to a caller.

use std::time::Duration;

use postback_core::{Error, ErrorKind};
use redis::{ErrorKind as Cause, RedisError, ServerErrorKind};

/// The error for a caller of the store.
pub(super) fn refused(error: RedisError) -> Error {
    let refusal = match error.kind() {
        Cause::Io | Cause::ClusterConnectionNotFound => Error::unavailable("redis cannot be reached"),
        Cause::MasterNameNotFoundBySentinel | Cause::NoValidReplicasFoundBySentinel => {
            Error::unavailable("redis sentinel names no master")
        }
        Cause::AuthenticationFailed | Cause::Server(ServerErrorKind::NoPerm) => {
            Error::unavailable("redis refuses the user or password, or allows it too little")
        }
        Cause::Server(
            ServerErrorKind::BusyLoading
            | ServerErrorKind::TryAgain
            | ServerErrorKind::ClusterDown
            | ServerErrorKind::MasterDown
            | ServerErrorKind::ReadOnly
            | ServerErrorKind::Moved
            | ServerErrorKind::Ask,
        ) => Error::unavailable("redis refuses work while it starts or changes its master"),
        _ => by_code(error.code().unwrap_or_default()),
    };
    refusal.caused_by(error)
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
pub(super) fn late(timeout: Duration) -> Error {
    Error::unavailable(format!("redis did not answer within {timeout:?}"))
}

/// The error for a write that too few replicas have. It may stand all the same; it is safe to repeat.
pub(super) fn unconfirmed(reached: usize, wanted: usize) -> Error {
    Error::unavailable(format!("the write reached {reached} of {wanted} replicas"))
        .because("REPLICAS_MISSING")
}

/// Whether the connection is of no use any more: lost, or to a server that is no master now.
pub(super) fn ends_connection(error: &RedisError) -> bool {
    error.is_io_error()
        || error.is_unrecoverable_error()
        || error.kind() == Cause::Server(ServerErrorKind::ReadOnly)
}

/// Whether the connections to a Cluster are of no use any more. It mends them one by one while it knows any node.
pub(super) fn ends_cluster(error: &RedisError) -> bool {
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
