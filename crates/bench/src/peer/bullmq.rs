//! A BullMQ worker with undici: the same work as the dispatcher's, as a team on Node would build it.

use std::{fs, path::PathBuf, process::Command};

use anyhow::{Context, ensure};

use super::Network;
use crate::{
    bench::Bench,
    process::{LOAD, Process, SERVERS, pinned},
    redis::Redis,
};

const PROGRAM: &str = include_str!("../../peers/bullmq.mjs");
/// What it is made of.
const PACKAGE: &str = include_str!("../../peers/package.json");

/// A queue on a Redis, and the program that fills and works it.
pub(crate) struct BullMq<'a> {
    bench: &'a Bench,
    redis: &'a Redis,
    program: PathBuf,
}

impl<'a> BullMq<'a> {
    /// Installs it beside what was built, unless it is there.
    pub(crate) fn new(bench: &'a Bench, redis: &'a Redis) -> anyhow::Result<Self> {
        let folder = bench.kept("bench-bullmq")?;
        let installed = folder.join("installed");
        if !fs::read_to_string(&installed).is_ok_and(|package| package == PACKAGE) {
            bench.say(format_args!("installing BullMQ and undici"));
            fs::write(folder.join("package.json"), PACKAGE)?;
            let npm =
                ["install", "--no-package-lock", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"];
            let npm = Command::new("npm").args(npm).current_dir(&folder).status();
            ensure!(npm.context("npm does not start")?.success(), "npm did not install BullMQ");
            fs::write(installed, PACKAGE)?;
        }
        let program = folder.join("bullmq.mjs");
        fs::write(&program, PROGRAM)?;
        Ok(Self { bench, redis, program })
    }

    /// Puts so many conversions into the queue.
    pub(crate) fn add(&self, count: u64) -> anyhow::Result<()> {
        let added = self.part(LOAD, &["add"]).arg(count.to_string()).output()?;
        ensure!(added.status.success(), "no jobs: {}", String::from_utf8_lossy(&added.stderr).trim());
        Ok(())
    }

    /// Starts a worker that calls a network, with so many calls under way.
    pub(crate) fn work(&self, network: &Network, in_flight: usize) -> anyhow::Result<Process> {
        let address = network.process.address;
        let mut worker = self.part(SERVERS, &["work"]);
        worker.args([format!("http://{address}"), in_flight.to_string()]);
        Process::spawn(worker, &self.bench.folder("bullmq-")?, address)
    }

    fn part(&self, core: u8, words: &[&str]) -> Command {
        let mut node = pinned(core, "node".as_ref());
        node.arg(&self.program).args(words).arg(self.redis.process.address.port().to_string());
        node
    }
}
