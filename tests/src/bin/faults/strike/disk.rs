//! Faults of the disk under the embedded store: a small volume of its own, and what fills it.

use std::{
    fs::{File, remove_file},
    io::{self, Write},
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context, ensure};
use tokio::time::{Instant, sleep};

use crate::house::House;

/// The volume's size: what a trial stores, several times.
const SIZE: &str = "size=96m";
/// How long the disk stays full, in milliseconds.
const FULL_MS: std::ops::Range<u64> = 1_000..2_000;
/// What is written at once while there is room, and in the end.
const PIECES: [usize; 2] = [1 << 20, 1 << 12];
/// What the hub logs each time.
const FAILS: &str = "the store's disk fails";

/// A file system in memory at a folder of its own; gone when dropped.
pub(crate) struct Volume {
    folder: PathBuf,
    kept: bool,
}

impl Volume {
    /// Mounts it.
    pub(crate) fn mount(folder: &Path) -> anyhow::Result<Self> {
        std::fs::create_dir_all(folder)?;
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", SIZE, "postback-faults"]).arg(folder);
        let mounted = mount.output().context("mount is needed for a disk that can be filled")?;
        let said = String::from_utf8_lossy(&mounted.stderr);
        ensure!(
            mounted.status.success(),
            "a disk that can be filled needs root, to mount it: {}",
            said.trim()
        );
        Ok(Self { folder: folder.to_owned(), kept: false })
    }

    /// Leaves it mounted, as evidence.
    pub(crate) fn keep(&mut self) {
        self.kept = true;
    }
}

impl Drop for Volume {
    fn drop(&mut self) {
        if !self.kept {
            // Whoever still has it open sees it until its end.
            let _ = Command::new("umount").arg("--lazy").arg(&self.folder).status();
        }
    }
}

/// Whether a volume can be mounted here.
pub(crate) fn may_mount() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    Volume::mount(folder.path()).map(drop)
}

/// Fills the volume, keeps it full for a while, and gives the room back; returns how often the store met it.
pub(crate) async fn fill(house: &mut House, random: &mut fastrand::Rng) -> anyhow::Result<u64> {
    let ballast = house.folder().join("data/ballast");
    let met = house.logged(FAILS)?;
    let mut file = File::create(&ballast)?;
    let until = Instant::now() + Duration::from_millis(random.u64(FULL_MS));
    while Instant::now() < until {
        // A transaction that is taken back gives room.
        pour(&mut file)?;
        sleep(Duration::from_millis(10)).await;
    }
    drop(file);
    remove_file(ballast)?;
    Ok(house.logged(FAILS)? - met)
}

/// Writes until there is no room.
fn pour(file: &mut File) -> anyhow::Result<()> {
    for piece in PIECES {
        let piece = vec![1; piece];
        loop {
            match file.write_all(&piece) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::StorageFull => break,
                Err(error) => return Err(error.into()),
            }
        }
    }
    Ok(())
}
