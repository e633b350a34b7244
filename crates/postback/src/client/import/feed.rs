//! A CSV file, read line by line.

use std::{
    fmt::Write,
    fs::File,
    io::{BufReader, Read, Seek},
    path::Path,
};

use csv::{ByteRecord, Reader, ReaderBuilder, StringRecord, Trim};
use postback_proto::v1::RecordConversionRequest;
use sha2::{Digest, Sha256};
use tokio::sync::mpsc::Sender;

use super::{
    super::failure::Failure,
    columns::{Columns, Refused},
};

/// One line.
pub(super) struct Line {
    /// Its number in the file, from 1.
    pub(super) number: u64,
    /// Where it ends, in bytes.
    pub(super) end: u64,
    pub(super) record: ByteRecord,
    /// Why it is not sent.
    pub(super) refused: Option<Refused>,
}

/// A file that is read.
pub(super) struct Feed {
    reader: Reader<BufReader<File>>,
    header: StringRecord,
    columns: Columns,
    digest: String,
}

impl Feed {
    /// Opens a file and reads its header.
    pub(super) fn open(file: &Path) -> Result<Self, Failure> {
        let shown = file.display();
        let unreadable = |error: std::io::Error| Failure::usage(format!("`{shown}` cannot be read: {error}"));
        let mut open = File::open(file).map_err(unreadable)?;
        let digest = digest(&mut open).map_err(unreadable)?;
        open.rewind()?;
        let mut reader =
            ReaderBuilder::new().flexible(true).trim(Trim::Headers).from_reader(BufReader::new(open));
        let header = reader.headers().map_err(|error| Failure::usage(format!("`{shown}`: {error}")))?.clone();
        let columns = Columns::read(&header)
            .map_err(|failure| Failure::usage(format!("`{shown}`, line 1: {failure}")))?;
        Ok(Self { reader, header, columns, digest })
    }

    /// The digest of what the file holds.
    pub(super) fn digest(&self) -> &str {
        &self.digest
    }

    /// The names of its columns.
    pub(super) fn header(&self) -> &StringRecord {
        &self.header
    }

    /// Reads the lines after the first `skip`, until nobody takes them. Each is announced before it is sent.
    pub(super) fn run(
        mut self,
        skip: u64,
        validate_only: bool,
        lines: &Sender<Line>,
        requests: &Sender<RecordConversionRequest>,
    ) -> Result<(), Failure> {
        let mut record = ByteRecord::new();
        let mut read = 0;
        while self.reader.read_byte_record(&mut record).map_err(anyhow::Error::from)? {
            read += 1;
            if read <= skip {
                continue;
            }
            let number = record.position().map_or(0, csv::Position::line);
            let (refused, request) = match self.request(&record, number) {
                Ok(request) => (None, Some(RecordConversionRequest { validate_only, ..request })),
                Err(refused) => (Some(refused), None),
            };
            let end = self.reader.position().byte();
            let line = Line { number, end, record: record.clone(), refused };
            let announced = lines.blocking_send(line).is_ok();
            if !announced || request.is_some_and(|request| requests.blocking_send(request).is_err()) {
                break;
            }
        }
        Ok(())
    }

    fn request(&self, record: &ByteRecord, number: u64) -> Result<RecordConversionRequest, Refused> {
        let line = StringRecord::from_byte_record(record.clone())
            .map_err(|_| Refused::new("line", "is not UTF-8"))?;
        self.columns.request(&line, format!("import-{}-{number}", self.digest))
    }
}

/// The first half of the SHA-256 of what is read, in hex.
fn digest(file: &mut File) -> std::io::Result<String> {
    let (mut digest, mut piece) = (Sha256::new(), vec![0; 64 * 1024]);
    loop {
        match file.read(&mut piece)? {
            0 => break,
            read => digest.update(&piece[..read]),
        }
    }
    Ok(digest.finalize().iter().take(16).fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    }))
}
