//! A process of the hub, which dies and comes back.

use std::{
    fs::OpenOptions,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::{Context, bail, ensure};
use tokio::{
    net::TcpStream,
    process::{Child, Command},
    time::{Instant, sleep, timeout},
};

use crate::shim::Variable;

/// The argument after which this program is the hub: so the hub under fault is always the one that was built with
/// the campaign.
pub(crate) const WORD: &str = "hub";

/// This program as it was when it began, though another one was built in its place since.
const MYSELF: &str = "/proc/self/exe";

/// How long a start or an orderly end may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// A hub with some roles over the config `postback.toml` in a folder. It is killed when dropped.
pub(crate) struct Hub {
    folder: PathBuf,
    roles: &'static str,
    listens: Vec<SocketAddr>,
    variables: Vec<Variable>,
    child: Option<Child>,
}

impl Hub {
    /// A hub that is not started yet; it will listen at these addresses, with these variables set.
    pub(crate) fn new(
        folder: &Path,
        roles: &'static str,
        listens: Vec<SocketAddr>,
        variables: Vec<Variable>,
    ) -> Self {
        Self { folder: folder.to_owned(), roles, listens, variables, child: None }
    }

    /// Starts the process and does not wait for it.
    pub(crate) fn spawn(&mut self) -> anyhow::Result<()> {
        self.spawn_with(&[])
    }

    /// Starts the process with more variables set, and does not wait for it.
    pub(crate) fn spawn_with(&mut self, more: &[Variable]) -> anyhow::Result<()> {
        let log = OpenOptions::new().create(true).append(true).open(self.folder.join("hub.log"))?;
        let mut command = Command::new(MYSELF);
        command
            .args([WORD, "serve", "--role", self.roles, "--config"])
            .arg(self.folder.join("postback.toml"));
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("POSTBACK_")) {
            command.env_remove(name);
        }
        command.envs(self.variables.iter().chain(more).map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).kill_on_drop(true);
        self.child = Some(command.spawn().context("the hub does not start")?);
        Ok(())
    }

    /// Starts the process and waits until it listens.
    pub(crate) async fn start(&mut self) -> anyhow::Result<()> {
        self.spawn()?;
        let began = Instant::now();
        for address in self.listens.clone() {
            while TcpStream::connect(address).await.is_err() {
                if let Some(ended) = self.child()?.try_wait()? {
                    bail!("the hub ended at its start with {ended}; see {}/hub.log", self.folder.display());
                }
                ensure!(began.elapsed() < PATIENCE, "the hub does not listen at {address}");
                sleep(Duration::from_millis(5)).await;
            }
        }
        Ok(())
    }

    /// Whether the process dies by a signal before so long; it must not end otherwise.
    pub(crate) async fn is_dead_within(&mut self, time: Duration) -> anyhow::Result<bool> {
        let Ok(ended) = timeout(time, self.child()?.wait()).await else { return Ok(false) };
        let ended = ended?;
        ensure!(ended.code().is_none(), "the hub ended by itself with {ended}");
        self.child = None;
        Ok(true)
    }

    /// Ends the process by SIGKILL.
    pub(crate) async fn kill(&mut self) -> anyhow::Result<()> {
        let mut child = self.child.take().context("the hub runs")?;
        child.start_kill()?;
        let ended = child.wait().await?;
        ensure!(ended.code().is_none(), "the hub ended by itself with {ended}");
        Ok(())
    }

    /// Ends the process by SIGTERM, and waits until it has finished what was under way.
    pub(crate) async fn terminate(&mut self) -> anyhow::Result<()> {
        self.signal("-TERM").await?;
        let mut child = self.child.take().context("the hub runs")?;
        let ended = timeout(PATIENCE, child.wait()).await.context("the hub does not end at SIGTERM")??;
        ensure!(ended.success(), "the hub ended at SIGTERM with {ended}");
        Ok(())
    }

    /// Sends the process a signal, such as `-STOP`.
    pub(crate) async fn signal(&mut self, signal: &str) -> anyhow::Result<()> {
        let id = self.child()?.id().context("the hub ended by itself")?;
        let sent = Command::new("kill").args([signal, &id.to_string()]).status().await?;
        ensure!(sent.success(), "the hub cannot be sent {signal}");
        Ok(())
    }

    /// The most memory that the process had so far, in MiB.
    pub(crate) fn memory(&mut self) -> anyhow::Result<u64> {
        let id = self.child()?.id().context("the hub ended by itself")?;
        let status = std::fs::read_to_string(format!("/proc/{id}/status"))?;
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix("kB"));
        Ok(peak.context("Linux tells a process's peak")?.trim().parse::<u64>()? / 1_024)
    }

    fn child(&mut self) -> anyhow::Result<&mut Child> {
        self.child.as_mut().context("the hub runs")
    }
}
