//! A child process on a core of its own choosing, ready when it is asked, and ended with the run.

use std::{
    fs::{self, File},
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context, bail, ensure};
use rustix::process::{
    Pid, Signal, kill_process, set_parent_process_death_signal, setpriority_process, setsid,
};

use crate::install;

/// The core of the hub, of Redis and of the peers.
pub(crate) const SERVERS: u8 = 0;
/// The core of the load, and of what the hub calls.
pub(crate) const LOAD: u8 = 1;

/// How long a server may take to listen, or to end.
const PATIENCE: Duration = Duration::from_secs(20);

/// A running server.
pub(crate) struct Process {
    child: Child,
    name: String,
    log: PathBuf,
    /// Where it listens, or whom it calls.
    pub(crate) address: SocketAddr,
}

/// A command that runs on one core, and is told to end where this process ends first.
pub(crate) fn pinned(core: u8, program: &Path) -> Command {
    let mut command = Command::new("taskset");
    command.args(["-c", &core.to_string(), "setpriv", "--pdeathsig", "TERM"]).arg(program);
    command.env("RUST_BACKTRACE", "0").env("PATH", install::path());
    command
}

/// Makes this process the first of a new session, which is told to end where its parent ends first.
pub(crate) fn own_session() -> anyhow::Result<()> {
    set_parent_process_death_signal(Some(Signal::TERM))?;
    setsid().context("no session of its own")?;
    Ok(())
}

/// Lets this process and what it starts go before all other programs; whether it may, as mostly root may.
pub(crate) fn go_first() -> bool {
    // A kernel without groups by session weighs programs by their niceness alone.
    let _ = fs::write("/proc/self/autogroup", "-20");
    setpriority_process(None, -20).is_ok()
}

impl Process {
    /// Starts a server, and waits until it takes connections at `address`.
    pub(crate) fn start(command: Command, folder: &Path, address: SocketAddr) -> anyhow::Result<Self> {
        let mut process = Self::spawn(command, folder, address)?;
        process.wait_until(|| Ok(TcpStream::connect(address).is_ok()))?;
        Ok(process)
    }

    /// Starts a program whose log goes to a file in `folder`.
    pub(crate) fn spawn(mut command: Command, folder: &Path, address: SocketAddr) -> anyhow::Result<Self> {
        let log = folder.join("log");
        let file = File::create(&log)?;
        let child = command
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .spawn()
            .context("taskset does not start")?;
        let name = command.get_args().nth(5).unwrap_or_default().to_string_lossy().into_owned();
        Ok(Self { child, name, log, address })
    }

    /// Waits until this is so, for as long as the program runs.
    pub(crate) fn wait_until(&mut self, so: impl Fn() -> anyhow::Result<bool>) -> anyhow::Result<()> {
        let began = Instant::now();
        while !so()? {
            self.check()?;
            ensure!(began.elapsed() < PATIENCE, "`{}` keeps one waiting: {}", self.name, self.last_words());
            sleep(Duration::from_millis(2));
        }
        Ok(())
    }

    /// Makes sure that it has not ended.
    pub(crate) fn check(&mut self) -> anyhow::Result<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => bail!("`{}` ended, {status}: {}", self.name, self.last_words()),
        }
    }

    /// Its number.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Asks it to end, and waits until it has; how long it took.
    pub(crate) fn end(&mut self) -> anyhow::Result<Duration> {
        let began = Instant::now();
        if let Some(pid) = Pid::from_raw(self.child.id().cast_signed())
            && self.child.try_wait()?.is_none()
        {
            kill_process(pid, Signal::TERM)?;
            while self.child.try_wait()?.is_none() {
                if began.elapsed() > PATIENCE {
                    self.child.kill()?;
                }
                sleep(Duration::from_millis(1));
            }
        }
        Ok(began.elapsed())
    }

    fn last_words(&self) -> String {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<_> = log.lines().rev().take(5).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join("\n")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // One that cannot be ended is told to by the kernel once this process is gone.
        let _ = self.end();
    }
}

/// An address of this machine that is free now, and that no outgoing connection is given meanwhile.
pub(crate) fn free_address() -> SocketAddr {
    loop {
        let address = SocketAddr::from(([127, 0, 0, 1], fastrand::u16(10_000..30_000)));
        if TcpListener::bind(address).is_ok() {
            return address;
        }
    }
}
