//! How far an import has come, kept beside the file.

use std::{
    ffi::OsString,
    fs::{self, File},
    io::{ErrorKind, Write},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::super::failure::Failure;

/// How far an import has come.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct State {
    /// The digest of the file's content.
    content: String,
    /// Lines of which it is known what became.
    pub(super) lines: u64,
    pub(super) recorded: u64,
    pub(super) already_recorded: u64,
    pub(super) refused: u64,
    /// How much of the report belongs to these lines.
    pub(super) report_bytes: u64,
    /// The digest of those bytes.
    #[serde(default)]
    pub(super) report_content: String,
    /// Whether all lines were.
    pub(super) finished: bool,
    #[serde(skip)]
    file: PathBuf,
    #[serde(skip)]
    report: PathBuf,
    /// Nothing is recorded, and nothing is kept of how far it is.
    #[serde(skip)]
    validating: bool,
}

impl State {
    /// What is known of a file with this content.
    pub(super) fn of(csv: &Path, content: &str, validating: bool) -> Result<Self, Failure> {
        let beside = |suffix: &str| {
            let mut name = OsString::from(csv);
            name.push(suffix);
            PathBuf::from(name)
        };
        let (file, report) =
            (beside(".import"), beside(if validating { ".invalid.csv" } else { ".refused.csv" }));
        let fresh = Self { content: content.to_owned(), file, report, validating, ..Self::default() };
        if validating {
            return Ok(fresh);
        }
        let shown = fresh.file.display();
        let text = match fs::read(&fresh.file) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(fresh),
            Err(error) => return Err(Failure::usage(format!("`{shown}` cannot be read: {error}"))),
        };
        let known: Self = serde_json::from_slice(&text)
            .map_err(|error| Failure::usage(format!("`{shown}` is not what an import keeps: {error}")))?;
        if known.content != content {
            return Err(Failure::usage(format!(
                "`{}` is not what it was when {} of its lines were imported; lines without a transaction_id would be \
                 recorded again. Bring it back as it was, or import its new lines from a file of their own, or remove \
                 `{shown}` to import all of it",
                csv.display(),
                known.lines
            )));
        }
        Ok(Self { file: fresh.file, report: fresh.report, ..known })
    }

    /// Where it is kept.
    pub(super) fn file(&self) -> &Path {
        &self.file
    }

    /// Where the refused lines are kept.
    pub(super) fn report(&self) -> &Path {
        &self.report
    }

    /// Whether nothing is recorded.
    pub(super) fn validating(&self) -> bool {
        self.validating
    }

    /// Keeps it, whole or not at all.
    pub(super) fn save(&self) -> Result<(), Failure> {
        if self.validating {
            return Ok(());
        }
        let mut next = self.file.clone().into_os_string();
        next.push(".next");
        let mut written = File::create(&next)?;
        written.write_all(&serde_json::to_vec(self).map_err(anyhow::Error::from)?)?;
        written.sync_all()?;
        Ok(fs::rename(&next, &self.file)?)
    }
}
