//! The lines that were refused, with the reasons.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, ErrorKind, Read, Seek, SeekFrom, Write},
    os::unix::fs::OpenOptionsExt,
    path::PathBuf,
};

use csv::{StringRecord, Writer, WriterBuilder};
use sha2::{Digest, Sha256};

use super::{
    super::failure::{Exit, Failure},
    columns::{REPORT, Refused},
    feed::{Line, digest, hex},
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
    open: Option<Writer<Written>>,
}

/// A report's file, with what was written to it.
struct Written {
    file: File,
    bytes: u64,
    digest: Sha256,
}

impl Write for Written {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        let written = self.file.write(piece)?;
        self.bytes += written as u64;
        self.digest.update(&piece[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Report {
    /// The report of an import: what it holds beyond `state` is taken back.
    pub(super) fn open(state: &State, header: &StringRecord) -> Result<Self, Failure> {
        let own = header.iter().enumerate().filter(|(_, name)| !REPORT.contains(name));
        let (places, names): (Vec<usize>, Vec<String>) = own.map(|(at, name)| (at, name.to_owned())).unzip();
        let width = header.len();
        let header = REPORT.map(str::to_owned).into_iter().chain(names).collect();
        let mut report = Self { path: state.report().to_owned(), header, places, width, open: None };
        if state.report_bytes > 0 {
            report.go_on(state)?;
        } else if !state.validating() && !state.file().exists() && report.path.exists() {
            return Err(Failure::new(
                Exit::Refused,
                format!(
                    "`{}` is there, of an import that nothing else is left of; move it away",
                    report.path.display()
                ),
            ));
        } else if let Err(error) = fs::remove_file(&report.path)
            && error.kind() != ErrorKind::NotFound
        {
            return Err(error.into());
        }
        Ok(report)
    }

    /// Opens the report that this import left, unless it is gone. One that a person changed is hers.
    fn go_on(&mut self, state: &State) -> Result<(), Failure> {
        let mut file = match OpenOptions::new().read(true).write(true).open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        let bytes = state.report_bytes;
        let digest = digest(&mut (&mut file).take(bytes))?;
        if hex(&digest) != state.report_content {
            return Err(Failure::new(
                Exit::Refused,
                format!(
                    "`{}` is not as this import left it, and nothing is added to it; move it away, and lines \
                     that are refused from now on are kept in another one",
                    self.path.display()
                ),
            ));
        }
        file.set_len(bytes)?;
        file.seek(SeekFrom::Start(bytes))?;
        self.open = Some(writer(Written { file, bytes, digest }));
        Ok(())
    }

    /// The open report. It may hold personal data, and is its owner's alone.
    fn writer(&mut self) -> Result<&mut Writer<Written>, Failure> {
        if self.open.is_none() {
            let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&self.path)?;
            let mut writer = writer(Written { file, bytes: 0, digest: Sha256::new() });
            writer.write_record(&self.header).map_err(anyhow::Error::from)?;
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

    /// Brings it to the disk, and notes how much of it is there.
    pub(super) fn sync(&mut self, state: &mut State) -> Result<(), Failure> {
        (state.report_bytes, state.report_content) = (0, String::new());
        if let Some(writer) = &mut self.open {
            writer.flush()?;
            let written = writer.get_ref();
            written.file.sync_data()?;
            (state.report_bytes, state.report_content) = (written.bytes, hex(&written.digest));
        }
        Ok(())
    }
}

fn writer(written: Written) -> Writer<Written> {
    WriterBuilder::new().flexible(true).from_writer(written)
}

#[cfg(test)]
mod tests {
    use csv::ByteRecord;

    use super::*;

    /// The report of an import that stands so.
    fn open(state: &State) -> Result<Report, String> {
        Report::open(state, &StringRecord::from(vec!["kind"])).map_err(|failure| failure.to_string())
    }

    fn refuse(report: &mut Report, number: u64) {
        let line = Line { number, end: 0, record: ByteRecord::from(vec!["sale"]), refused: None };
        report.refuse(&line, &Refused::new("kind", "is none")).unwrap();
    }

    /// An import whose report holds line 2, and line 3 beyond what is known of it.
    fn stopped(folder: &std::path::Path) -> State {
        let mut state = State::of(&folder.join("orders.csv"), "content", false).unwrap();
        let mut report = open(&state).unwrap();
        refuse(&mut report, 2);
        report.sync(&mut state).unwrap();
        refuse(&mut report, 3);
        state
    }

    const HEADER: &str = "refused_line,refused_field,refused_reason,refused_message,kind\n";
    const ROW: &str = ",kind,INVALID_VALUE,is none,sale\n";

    #[test]
    fn a_report_goes_on_after_what_is_known_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let state = stopped(folder.path());
        let mut report = open(&state).unwrap();
        refuse(&mut report, 3);
        drop(report);
        let want = format!("{HEADER}2{ROW}3{ROW}");
        assert_eq!(fs::read_to_string(state.report()).unwrap(), want);
    }

    #[test]
    fn a_report_that_was_edited_is_left_as_it_is() {
        for edited in
            ["mine", &format!("{HEADER}2{ROW}").replace("sale", "lead"), &"a longer one\n".repeat(50)]
        {
            let folder = tempfile::tempdir().unwrap();
            let state = stopped(folder.path());
            fs::write(state.report(), edited).unwrap();
            let said = open(&state).map(drop).unwrap_err();
            assert!(said.contains("orders.csv.refused.csv") && said.contains("move it away"), "{said}");
            assert_eq!(fs::read_to_string(state.report()).unwrap(), edited);
        }
    }

    #[test]
    fn a_report_that_is_gone_is_followed_by_another() {
        let folder = tempfile::tempdir().unwrap();
        let state = stopped(folder.path());
        fs::rename(state.report(), folder.path().join("mine.csv")).unwrap();
        let mut report = open(&state).unwrap();
        refuse(&mut report, 3);
        drop(report);
        assert_eq!(fs::read_to_string(state.report()).unwrap(), format!("{HEADER}3{ROW}"));
    }
}
