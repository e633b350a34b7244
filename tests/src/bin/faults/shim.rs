//! Libraries that are preloaded into a process to break what lies under it.

use std::{fs, path::Path, process::Command};

use anyhow::{Context, ensure};

/// A variable of a process's environment.
pub(crate) type Variable = (&'static str, String);

/// A shim by its name and source.
#[derive(Clone, Copy)]
pub(crate) struct Shim {
    name: &'static str,
    source: &'static str,
}

/// Takes with a killed process what it had not fsynced.
pub(crate) const POWERLOSS: Shim =
    Shim { name: "powerloss", source: include_str!("../../../shims/powerloss.c") };

/// Sets the clock wrong.
pub(crate) const CLOCKSHIFT: Shim =
    Shim { name: "clockshift", source: include_str!("../../../shims/clockshift.c") };

impl Shim {
    /// Builds it in a folder; returns the variable that preloads it.
    pub(crate) fn build(self, folder: &Path) -> anyhow::Result<Variable> {
        let (source, library) =
            (folder.join(self.name).with_extension("c"), folder.join(self.name).with_extension("so"));
        fs::write(&source, self.source)?;
        let mut compiler = Command::new("cc");
        compiler.args(["-O2", "-shared", "-fPIC", "-o"]).arg(&library).arg(&source).arg("-ldl");
        let built = compiler.status().with_context(|| format!("cc is needed for {}", self.name))?;
        ensure!(built.success(), "{} cannot be built", self.name);
        Ok(("LD_PRELOAD", library.display().to_string()))
    }
}

/// What lies under a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Disk {
    /// The machine's own, which no killed process empties.
    Machine,
    /// A small one of its own, which can be filled.
    Small,
    /// One that forgets at a power cut what was not fsynced.
    LosesUnsynced,
    /// One that forgets what was fsynced of late as well.
    Lies,
}

/// How much of what was fsynced a lying disk loses, in milliseconds.
const LIES_MS: &str = "100";

impl Disk {
    /// The variables that put this disk under the files whose paths begin with `data`; the shim is built in `folder`.
    pub(crate) fn variables(self, folder: &Path, data: &Path) -> anyhow::Result<Vec<Variable>> {
        if matches!(self, Self::Machine | Self::Small) {
            return Ok(Vec::new());
        }
        let mut variables = vec![POWERLOSS.build(folder)?, ("POWERLOSS_UNDER", data.display().to_string())];
        if self == Self::Lies {
            variables.push(("POWERLOSS_LIES_MS", LIES_MS.to_owned()));
        }
        Ok(variables)
    }
}
