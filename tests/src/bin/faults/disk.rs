//! The disk under the embedded store, as a library that is preloaded into the hub.

use std::{fs, path::Path, process::Command};

use anyhow::{Context, ensure};

/// What a power cut does to what was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Disk {
    /// The machine's own, which no killed process empties.
    Machine,
    /// What was not fsynced is gone.
    LosesUnsynced,
    /// What was fsynced of late is gone as well.
    Lies,
}

const SOURCE: &str = include_str!("../../../shims/powerloss.c");

/// How much of what was fsynced a lying disk loses, in milliseconds.
const LIES_MS: &str = "100";

impl Disk {
    /// The variables that put this disk under the files of `store`; the library is built in `folder`.
    pub(crate) fn variables(
        self,
        folder: &Path,
        store: &Path,
    ) -> anyhow::Result<Vec<(&'static str, String)>> {
        if self == Self::Machine {
            return Ok(Vec::new());
        }
        let library = build(folder)?;
        let mut variables = vec![("LD_PRELOAD", library), ("POWERLOSS_UNDER", store.display().to_string())];
        if self == Self::Lies {
            variables.push(("POWERLOSS_LIES_MS", LIES_MS.to_owned()));
        }
        Ok(variables)
    }
}

fn build(folder: &Path) -> anyhow::Result<String> {
    let (source, library) = (folder.join("powerloss.c"), folder.join("powerloss.so"));
    fs::write(&source, SOURCE)?;
    let mut compiler = Command::new("cc");
    compiler.args(["-O2", "-shared", "-fPIC", "-o"]).arg(&library).arg(&source).arg("-ldl");
    let built = compiler.status().context("cc is needed for the power cut")?;
    ensure!(built.success(), "the power cut cannot be built");
    Ok(library.display().to_string())
}
