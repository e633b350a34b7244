//! The scripts: each runs some steps of one sort, one after another.

use std::sync::LazyLock;

use redis::{Script, ToRedisArgs};
use uuid::Uuid;

/// Steps that one script runs.
pub(super) struct Sort {
    /// The script.
    pub(super) script: LazyLock<Script>,
    /// Whether one server runs those of all partitions together. What takes long runs alone.
    pub(super) is_short: bool,
}

/// One step.
pub(super) struct Step {
    /// What it runs with.
    pub(super) sort: &'static Sort,
    /// Its name in the script.
    pub(super) name: &'static str,
}

macro_rules! scripts {
    ($($(#[$doc:meta])* $sort:ident = $flags:literal $is_short:literal {
        $($step:ident $name:literal,)+
    })+) => {
        $(
            $(#[$doc])*
            static $sort: Sort = Sort {
                script: LazyLock::new(|| {
                    Script::new(concat!(
                        "#!lua", $flags, "\n", include_str!("lua/store.lua"),
                        include_str!("lua/records.lua"), include_str!("lua/lanes.lua"),
                        $(include_str!(concat!("lua/", $name, ".lua")),)+ include_str!("lua/run.lua"),
                    ))
                }),
                is_short: $is_short,
            };
            $(pub(super) static $step: Step = Step { sort: &$sort, name: $name };)+
        )+

        #[cfg(test)]
        const ALL: &[(&str, &str)] = &[$($(($flags, include_str!(concat!("lua/", $name, ".lua"))),)+)+];
    };
}

scripts! {
    /// Takes something in: refused when Redis is full, before it writes.
    TAKE = "" true {
        RESERVE "reserve",
        RECORD "record",
        CHANGE "change",
    }
    /// Goes on with what was taken in, though Redis be full, lest a delivery be sent and its outcome lost.
    WORK = " flags=allow-oom" true {
        CLAIM "claim",
        START "start",
        SETTLE "settle",
        RELEASE "release",
    }
    /// What is decided or mended.
    MEND = " flags=allow-oom" false {
        RESOLVE "resolve",
        REPLAY "replay",
        PAUSE "pause",
        ERASE "erase",
        SWEEP "sweep",
    }
    /// What is looked at before a step: by a worker before it claims, by a hub before it takes something in.
    LOOK = " flags=no-writes" true {
        PEEK "peek",
        PAUSED "paused",
        RESERVED "reserved",
    }
    /// What is read.
    READ = " flags=no-writes" false {
        STORY "story",
        GET "get",
        LIST "list",
        LANE "lane",
        CHANGED "changed",
        STATS "stats",
    }
}

/// One call of a step, on one partition.
#[derive(Clone)]
pub(super) struct Call {
    /// The step.
    pub(super) step: &'static Step,
    /// The partition.
    pub(super) partition: u8,
    /// What the step is given.
    pub(super) arguments: Vec<Vec<u8>>,
    /// Whether the answer is an acknowledgement, for which replicas are waited for.
    pub(super) acknowledges: bool,
}

impl Call {
    /// A call that only reads, or gives back: where a lost release leaves a mark, its delivery is held in doubt.
    pub(super) const fn new(step: &'static Step, partition: u8) -> Self {
        Self { step, partition, arguments: Vec::new(), acknowledges: false }
    }

    /// A call whose answer is a promise.
    pub(super) fn acknowledging(step: &'static Step, partition: u8) -> Self {
        Self { acknowledges: true, ..Self::new(step, partition) }
    }

    /// The same call with a name of its own, by which the step knows it however often it is sent.
    pub(super) fn named(self) -> Self {
        self.arg(Uuid::now_v7().as_bytes().as_slice())
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
    fn every_step_says_in_its_first_line_what_it_does() {
        for (_, text) in ALL {
            let first = text.lines().next().unwrap();
            assert!(first.starts_with("-- ") && first.ends_with('.'), "{first}");
        }
    }

    #[test]
    fn a_step_that_only_reads_names_no_command_that_writes() {
        for (_, text) in ALL.iter().filter(|(flags, _)| flags.contains("no-writes")) {
            for word in
                ["SET", "APPEND", "SADD", "ZADD", "ZREM", "DEL'", "INCR", "put", "place(", "save(", "move("]
            {
                assert!(!text.contains(word), "{word} in {text}");
            }
        }
    }
}
