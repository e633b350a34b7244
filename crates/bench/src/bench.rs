//! The run: what is measured, how long, and where everything lies meanwhile.

use std::{
    cell::RefCell,
    fmt,
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use postback_core::Key;
use tempfile::TempDir;

use crate::{
    cpu::Others,
    process::{self, LOAD, SERVERS},
    turns::median,
};

/// How the folder of a run is called.
const FOLDER: &str = "postback-bench-";

/// One run of the benchmark.
pub(crate) struct Bench {
    /// The hub's program.
    pub(crate) hub: PathBuf,
    /// This very program, which is also the peers and the load.
    pub(crate) me: PathBuf,
    /// The deployment's key: the load seals tokens with it as the hub does.
    pub(crate) key: Key,
    /// How many rounds each contender has.
    pub(crate) rounds: usize,
    /// How long a round is measured.
    pub(crate) round: Duration,
    /// How long a round goes on before it is measured.
    pub(crate) warm_up: Duration,
    /// Whether noise is taken for speed.
    pub(crate) quick: bool,
    /// What the load itself took: microseconds of CPU per request, and the share of its core.
    pub(crate) own: RefCell<Vec<(f64, f64)>>,
    dir: TempDir,
    /// Says that the directory is in use, for as long as this process is there.
    _lock: File,
    began: Instant,
    others: Others,
    /// Whether it goes before all other programs.
    first: bool,
}

impl Bench {
    /// Builds the hub, unless there is one, and lays out a directory on the disk that the build is on.
    pub(crate) fn new(hub: Option<PathBuf>, quick: bool) -> anyhow::Result<Self> {
        let me = std::env::current_exe().context("this program does not know where it is")?;
        let built = me.parent().context("this program is in no directory")?;
        let hub = match hub {
            Some(hub) => {
                hub.canonicalize().with_context(|| format!("there is no hub at `{}`", hub.display()))?
            }
            None => build(built)?,
        };
        sweep(built)?;
        let dir = tempfile::Builder::new().prefix(FOLDER).tempdir_in(built)?;
        let lock = File::open(dir.path())?;
        lock.try_lock()?;
        let millis = |full, quick_one| Duration::from_millis(if quick { quick_one } else { full });
        let mut secret = [0; 32];
        fastrand::fill(&mut secret);
        Ok(Self {
            hub,
            key: Key::new(1, secret),
            rounds: if quick { 2 } else { 4 },
            round: millis(1_250, 250),
            warm_up: millis(400, 100),
            quick,
            own: RefCell::default(),
            dir,
            _lock: lock,
            began: Instant::now(),
            others: Others::from_now_on()?,
            first: process::go_first(),
            me,
        })
    }

    /// An empty directory on a real disk, which goes with the run.
    pub(crate) fn folder(&self, name: &str) -> anyhow::Result<PathBuf> {
        let folder = tempfile::Builder::new().prefix(name).tempdir_in(self.dir.path())?;
        Ok(folder.keep())
    }

    /// A directory beside what was built, which stays for the next run.
    pub(crate) fn kept(&self, name: &str) -> anyhow::Result<PathBuf> {
        let built = self.dir.path().parent().context("a directory in none")?;
        let folder = built.join(name);
        fs::create_dir_all(&folder)?;
        Ok(folder)
    }

    /// Tells whoever waits what goes on.
    pub(crate) fn say(&self, what: fmt::Arguments<'_>) {
        // Nobody who waits is no reason to stop.
        let _ = writeln!(std::io::stderr(), "{:>4} s  {what}", self.began.elapsed().as_secs());
    }

    /// Under what the figures were taken. What others took is known once all of our own has ended.
    pub(crate) fn conditions(&self) -> anyhow::Result<String> {
        let own = self.own.borrow();
        let own_us: Vec<f64> = own.iter().map(|(us, _)| *us).collect();
        let busiest = own.iter().map(|(_, share)| *share).fold(0.0, f64::max);
        let priority = if self.first { ", before all other programs" } else { "" };
        Ok(format!(
            "{} rounds of {} ms each, in turns; medians, with the least and the greatest ratio of a round.\n\
             Servers and Redis on core {SERVERS}, the load on core {LOAD}{priority}; {} s in all.\n\
             Other programs took {:.0} % of the machine meanwhile: the more, the less a rate says.\n\
             The load took {:.1} us of CPU a request (median) and at most {:.0} % of its core.",
            self.rounds,
            self.round.as_millis(),
            self.began.elapsed().as_secs(),
            self.others.share()? * 100.0,
            median(&own_us),
            busiest * 100.0,
        ))
    }
}

/// Removes the folders of runs that were broken off: nobody holds their locks.
fn sweep(built: &Path) -> anyhow::Result<()> {
    for entry in fs::read_dir(built)? {
        let (name, path) = entry.map(|entry| (entry.file_name(), entry.path()))?;
        let of_a_run = name.to_str().is_some_and(|name| name.starts_with(FOLDER)) && path.is_dir();
        if of_a_run && File::open(&path)?.try_lock().is_ok() {
            fs::remove_dir_all(path)?;
        }
    }
    Ok(())
}

/// Builds the hub as it is delivered.
fn build(beside: &Path) -> anyhow::Result<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let target = beside.parent().context("this program was not built by cargo")?;
    let built = Command::new(cargo)
        .args(["build", "--release", "--locked", "-p", "postback"])
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
        .env("CARGO_TARGET_DIR", target)
        .status()
        .context("cargo does not start")?;
    ensure!(built.success(), "the hub was not built");
    Ok(target.join("release/postback"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_folder_of_a_run_that_is_gone_is_swept() {
        let built = tempfile::tempdir().unwrap();
        let folder = |name| {
            fs::create_dir(built.path().join(name)).unwrap();
            built.path().join(name)
        };
        let [gone, used, other] = ["postback-bench-a", "postback-bench-b", "bench-bullmq"].map(folder);
        let lock = File::open(&used).unwrap();
        lock.try_lock().unwrap();
        sweep(built.path()).unwrap();
        assert_eq!([gone, used, other].map(|folder| folder.exists()), [false, true, true]);
    }
}
