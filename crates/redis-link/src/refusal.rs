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
        _ if is_full(&error) => Error::unavailable("redis has as many connections as it may have"),
        _ => by_code(error.code().unwrap_or_default()),
    };
    refusal.caused_by(error)
}

/// Whether the refusal ends by itself.
fn is_passing(kind: ServerErrorKind) -> bool {
    use ServerErrorKind::{Ask, BusyLoading, ClusterDown, MasterDown, Moved, ReadOnly, TryAgain};
    matches!(kind, BusyLoading | TryAgain | ClusterDown | MasterDown | ReadOnly | Moved | Ask)
}

/// Whether the server takes no further connection. It says so to the first command of one that it closes.
fn is_full(error: &RedisError) -> bool {
    let words = error.detail().filter(|_| error.kind() == Cause::Server(ServerErrorKind::ResponseError));
    words.is_some_and(|words| words.starts_with("max number of clients"))
}

fn by_code(code: &str) -> Error {
    match code {
        "OOM" => Error::new(ErrorKind::ResourceExhausted, "STORE_FULL", "redis is out of memory"),
        "MISCONF" => Error::unavailable("redis refuses writes because it cannot save them"),
        "NOREPLICAS" => Error::unavailable("redis refuses writes because too few replicas follow"),
        "BUSY" => Error::unavailable("redis is busy with a script"),
        "DENIED" => Error::unavailable("redis lets nobody in from another machine (protected-mode)"),
        "NOAUTH" | "WRONGPASS" => Error::unavailable("redis refuses the user or password"),
        _ => Error::internal("redis answers what is not understood"),
    }
}

/// Why connecting failed. It asked nothing of its own, so whatever the words are, a later attempt may succeed.
pub(crate) fn turned_away(error: RedisError) -> RedisError {
    if refused(error.clone()).kind() == ErrorKind::Unavailable {
        return error;
    }
    RedisError::from((Cause::Io, "redis lets nobody in", error.to_string()))
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

/// Whether a connection to one server is of no use any more: lost, never let in, or to one that is no
/// master now.
pub(crate) fn ends_connection(error: &RedisError) -> bool {
    error.is_io_error()
        || error.is_unrecoverable_error()
        || error.kind() == Cause::Server(ServerErrorKind::ReadOnly)
        || is_full(error)
}

/// Whether the connections to a Cluster are of no use any more. It mends them one by one while it knows any node.
pub(crate) fn ends_cluster(error: &RedisError) -> bool {
    error.kind() == Cause::ClusterConnectionNotFound
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use super::*;

    /// What a line of Redis means to a caller.
    fn answer(line: &str) -> Error {
        refused(redis::parse_redis_value(line.as_bytes()).unwrap().extract_error().unwrap_err())
    }

    #[test]
    fn an_answer_says_what_a_caller_can_do_and_keeps_its_cause() {
        for (line, kind) in [
            ("-OOM command not allowed when used memory > 'maxmemory'.\r\n", ErrorKind::ResourceExhausted),
            ("-MISCONF Errors writing to the AOF file: No space left on device\r\n", ErrorKind::Unavailable),
            ("-NOREPLICAS Not enough good replicas to write.\r\n", ErrorKind::Unavailable),
            ("-NOAUTH Authentication required.\r\n", ErrorKind::Unavailable),
            ("-WRONGPASS invalid username-password pair or user is disabled.\r\n", ErrorKind::Unavailable),
            ("-NOPERM User app has no permissions to run the 'set' command\r\n", ErrorKind::Unavailable),
            ("-DENIED Redis is running in protected mode because protected mode\r\n", ErrorKind::Unavailable),
            ("-LOADING Redis is loading the dataset in memory\r\n", ErrorKind::Unavailable),
            (
                "-MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.\r\n",
                ErrorKind::Unavailable,
            ),
            (
                "-BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.\r\n",
                ErrorKind::Unavailable,
            ),
            ("-ERR max number of clients reached\r\n", ErrorKind::Unavailable),
            ("-ERR max number of clients + cluster connections reached\r\n", ErrorKind::Unavailable),
            ("-ERR unknown command 'SETT'\r\n", ErrorKind::Internal),
            ("-WRONGTYPE Operation against a key holding the wrong kind of value\r\n", ErrorKind::Internal),
        ] {
            let (answer, words) = (answer(line), line.trim().split_once(' ').unwrap().1);
            assert_eq!(answer.kind(), kind, "{line}");
            assert!(answer.source().unwrap().to_string().contains(words), "{line}");
        }
    }

    #[test]
    fn who_is_turned_away_may_come_again() {
        for line in [
            "-ERR max number of clients reached\r\n",
            "-ERR DB index is out of range\r\n",
            "-ERR AUTH <password> called without any password configured for the default user.\r\n",
            "-LOADING Redis is loading the dataset in memory\r\n",
        ] {
            let refusal = redis::parse_redis_value(line.as_bytes()).unwrap().extract_error().unwrap_err();
            let (turned, words) = (refused(turned_away(refusal)), line.trim().split_once(' ').unwrap().1);
            assert_eq!(turned.kind(), ErrorKind::Unavailable, "{line}");
            assert!(turned.source().unwrap().to_string().contains(words), "{line}");
        }
    }
}
