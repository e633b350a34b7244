//! The lines that were refused, with the reasons.

use std::{
    fs::{self, File, OpenOptions},
    io::{ErrorKind, Seek, SeekFrom},
    os::unix::fs::OpenOptionsExt,
    path::PathBuf,
};

use csv::{StringRecord, Writer, WriterBuilder};

use super::{
    super::failure::Failure,
    columns::{REPORT, Refused},
    feed::Line,
    state::State,
};

/// A report, which is there once a line is refused.
pub(super) struct Report {
    path: PathBuf,
    header: Vec<String>,
    /// The places of the file's columns that are none of an earlier report.
    places: Vec<usize>,
    /// How many columns the file has.
    width: usize,
    bytes: u64,
    open: Option<Writer<File>>,
}

impl Report {
    /// The report of an import: what it holds beyond `state` is taken back.
    pub(super) fn open(state: &State, header: &StringRecord) -> Result<Self, Failure> {
        let own = header.iter().enumerate().filter(|(_, name)| !REPORT.contains(name));
        let (places, names): (Vec<usize>, Vec<String>) = own.map(|(at, name)| (at, name.to_owned())).unzip();
        let width = header.len();
        let header = REPORT.map(str::to_owned).into_iter().chain(names).collect();
        let (path, bytes) = (state.report().to_owned(), state.report_bytes);
        let mut report = Self { path, header, places, width, bytes, open: None };
        if bytes > 0 {
            report.writer()?;
        } else if let Err(error) = fs::remove_file(&report.path)
            && error.kind() != ErrorKind::NotFound
        {
            return Err(error.into());
        }
        Ok(report)
    }

    /// The open report. It may hold personal data, and is its owner's alone.
    fn writer(&mut self) -> Result<&mut Writer<File>, Failure> {
        if self.open.is_none() {
            let mut file =
                OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&self.path)?;
            file.set_len(self.bytes)?;
            file.seek(SeekFrom::Start(self.bytes))?;
            let mut writer = WriterBuilder::new().flexible(true).from_writer(file);
            if self.bytes == 0 {
                writer.write_record(&self.header).map_err(anyhow::Error::from)?;
            }
            self.open = Some(writer);
        }
        self.open.as_mut().ok_or_else(|| anyhow::anyhow!("the report is not open").into())
    }

    /// Adds a line.
    pub(super) fn refuse(&mut self, line: &Line, refused: &Refused) -> Result<(), Failure> {
        let number = line.number.to_string();
        let why = [&number, &refused.field, &refused.reason, &refused.message]
            .map(|text| text.as_bytes().to_owned());
        // What is beyond the header's width is kept too.
        let places = self.places.iter().copied().chain(self.width..line.record.len());
        let cells = places.map(|at| line.record.get(at).unwrap_or_default().to_owned());
        let row: Vec<Vec<u8>> = why.into_iter().chain(cells).collect();
        Ok(self.writer()?.write_record(row).map_err(anyhow::Error::from)?)
    }

    /// Brings it to the disk; returns how long it is.
    pub(super) fn sync(&mut self) -> Result<u64, Failure> {
        if let Some(writer) = &mut self.open {
            writer.flush()?;
            let mut file = writer.get_ref();
            file.sync_data()?;
            self.bytes = file.stream_position()?;
        }
        Ok(self.bytes)
    }
}
