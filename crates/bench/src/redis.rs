//! A Redis server for one row.

use std::path::Path;

use crate::{
    bench::Bench,
    process::{Process, SERVERS, free_address, pinned},
};

/// A Redis on the servers' core, empty at first; it saves nothing unless its options say so.
pub(crate) struct Redis {
    /// Its process, to be watched.
    pub(crate) process: Process,
    client: ::redis::Client,
}

/// A Redis that loses a second at most to a power cut, as it is recommended.
pub(crate) const EVERY_SECOND: [&str; 4] = ["--appendonly", "yes", "--appendfsync", "everysec"];

impl Redis {
    /// Starts one with further options, such as `--appendonly yes`.
    pub(crate) fn start(bench: &Bench, options: &[&str]) -> anyhow::Result<Self> {
        let (folder, address) = (bench.folder("redis-")?, free_address());
        let mut command = pinned(SERVERS, Path::new("redis-server"));
        command.args(["--bind", "127.0.0.1", "--port", &address.port().to_string(), "--save", ""]);
        command.args(["--appendonly", "no"]).args(options);
        let process = Process::start(command, &folder, address)?;
        let client = ::redis::Client::open(format!("redis://{address}"))?;
        Ok(Self { process, client })
    }

    /// Its URL.
    pub(crate) fn url(&self) -> String {
        format!("redis://{}", self.process.address)
    }

    /// Asks it something.
    pub(crate) fn ask<T: ::redis::FromRedisValue>(&self, command: &[&str]) -> anyhow::Result<T> {
        let mut connection = self.client.get_connection()?;
        let mut cmd = ::redis::Cmd::new();
        for word in command {
            cmd.arg(word);
        }
        Ok(cmd.query(&mut connection)?)
    }

    /// A number that `INFO` shows, such as `used_memory`.
    pub(crate) fn info(&self, section: &str, name: &str) -> anyhow::Result<u64> {
        let info: String = self.ask(&["INFO", section])?;
        let line = info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        Ok(line.unwrap_or_default().trim().parse()?)
    }
}
