//! The scripts: one for each step, each over the keys of one partition.

use std::sync::LazyLock;

use redis::{Script, ToRedisArgs};
use uuid::Uuid;

macro_rules! scripts {
    ($($(#[$doc:meta])* $name:ident = $flags:literal $file:literal;)+) => {
        $(
            $(#[$doc])*
            pub(super) static $name: LazyLock<Script> = LazyLock::new(|| {
                Script::new(concat!("#!lua", $flags, "\n", include_str!("lua/common.lua"), include_str!($file)))
            });
        )+

        #[cfg(test)]
        const ALL: &[(&str, &str)] = &[$(($flags, include_str!($file))),+];
    };
}

// What takes something in is refused when Redis is full, before it writes; what goes on with it is not, lest a
// delivery be sent and its outcome lost.
scripts! {
    RESERVE = "" "lua/reserve.lua";
    RECORD = "" "lua/record.lua";
    CHANGE = "" "lua/change.lua";
    CLAIM = " flags=allow-oom" "lua/claim.lua";
    START = " flags=allow-oom" "lua/start.lua";
    SETTLE = " flags=allow-oom" "lua/settle.lua";
    RELEASE = " flags=allow-oom" "lua/release.lua";
    RESOLVE = " flags=allow-oom" "lua/resolve.lua";
    REPLAY = " flags=allow-oom" "lua/replay.lua";
    PAUSE = " flags=allow-oom" "lua/pause.lua";
    ERASE = " flags=allow-oom" "lua/erase.lua";
    SWEEP = " flags=allow-oom" "lua/sweep.lua";
    PEEK = " flags=no-writes" "lua/peek.lua";
    PAUSED = " flags=no-writes" "lua/paused.lua";
    STORY = " flags=no-writes" "lua/story.lua";
    GET = " flags=no-writes" "lua/get.lua";
    LIST = " flags=no-writes" "lua/list.lua";
    CHANGED = " flags=no-writes" "lua/changed.lua";
    STATS = " flags=no-writes" "lua/stats.lua";
}

/// One call of a script, on one partition.
#[derive(Clone)]
pub(super) struct Call {
    /// The script.
    pub(super) script: &'static LazyLock<Script>,
    /// The partition.
    pub(super) partition: u8,
    /// What follows the keys, after the clock's lead.
    pub(super) arguments: Vec<Vec<u8>>,
    /// Whether the answer is an acknowledgement, for which replicas are waited for.
    pub(super) acknowledges: bool,
}

impl Call {
    /// A call that only reads, or whose loss costs nothing but time.
    pub(super) fn new(script: &'static LazyLock<Script>, partition: u8) -> Self {
        let call = Self { script, partition, arguments: Vec::new(), acknowledges: false };
        call.arg(Uuid::now_v7().as_bytes().as_slice())
    }

    /// A call whose answer is a promise.
    pub(super) fn acknowledging(script: &'static LazyLock<Script>, partition: u8) -> Self {
        Self { acknowledges: true, ..Self::new(script, partition) }
    }

    /// The same call with one more argument, or some more.
    pub(super) fn arg(mut self, argument: impl ToRedisArgs) -> Self {
        argument.write_redis_args(&mut self.arguments);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_script_says_in_its_first_line_what_it_does() {
        for (_, text) in ALL {
            let first = text.lines().next().unwrap();
            assert!(first.starts_with("-- ") && first.ends_with('.'), "{first}");
        }
    }

    #[test]
    fn a_script_that_only_reads_names_no_command_that_writes() {
        for (_, text) in ALL.iter().filter(|(flags, _)| flags.contains("no-writes")) {
            for word in ["HSET", "HDEL", "ZADD", "ZREM", "DEL'", "PUSH", "POP", "INCR", "touch(", "move("] {
                assert!(!text.contains(word), "{word} in {text}");
            }
        }
    }
}
