//! A CSV file, read line by line.

use std::{
    fmt::Write,
    fs::File,
    io::{BufRead, BufReader, Read, Seek},
    path::Path,
};

use csv::{ByteRecord, Reader, ReaderBuilder, StringRecord, Trim};
use postback_proto::{MESSAGE, v1::RecordConversionRequest};
use prost::Message;
use sha2::{Digest, Sha256};
use tokio::sync::mpsc::Sender;

use super::{
    super::failure::Failure,
    columns::{Columns, Refused},
};

/// One line.
pub(super) struct Line {
    /// Its number in the file, from 1; of several lines, the first one's.
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
    lines: Lines,
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
        let digest = hex(&digest(&mut open).map_err(unreadable)?);
        open.rewind()?;
        let lines = Lines::of(File::open(file).map_err(unreadable)?);
        let mut reader =
            ReaderBuilder::new().flexible(true).trim(Trim::Headers).from_reader(BufReader::new(open));
        let header = reader.headers().map_err(|error| Failure::usage(format!("`{shown}`: {error}")))?.clone();
        let columns = Columns::read(&header)
            .map_err(|failure| Failure::usage(format!("`{shown}`, line 1: {failure}")))?;
        Ok(Self { reader, lines, header, columns, digest })
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
            let number = self.lines.after(record.position().map_or(0, csv::Position::byte))?;
            let (refused, request) = match self.request(&record, read, validate_only) {
                Ok(request) => (None, Some(request)),
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

    /// The request of the file's `nth` conversion.
    fn request(
        &self,
        record: &ByteRecord,
        nth: u64,
        validate_only: bool,
    ) -> Result<RecordConversionRequest, Refused> {
        let line = StringRecord::from_byte_record(record.clone())
            .map_err(|_| Refused::new("line", "is not UTF-8"))?;
        let request = self.columns.request(&line, format!("import-{}-{nth}", self.digest))?;
        let request = RecordConversionRequest { validate_only, ..request };
        if request.encoded_len() > MESSAGE {
            return Err(Refused::new(
                "line",
                format!("is longer than the {MESSAGE} bytes that the hub takes"),
            ));
        }
        Ok(request)
    }
}

/// Counts the lines of a file; each ends with LF, CR, or both.
struct Lines {
    file: BufReader<File>,
    byte: u64,
    line: u64,
    /// Whether the byte before was CR, with which LF ends one line.
    after_cr: bool,
}

impl Lines {
    fn of(file: File) -> Self {
        Self { file: BufReader::new(file), byte: 0, line: 1, after_cr: false }
    }

    /// The number of the first line with anything in it from a byte on.
    fn after(&mut self, start: u64) -> std::io::Result<u64> {
        while let Some(&byte) = self.file.fill_buf()?.first() {
            let ends = matches!(byte, b'\r' | b'\n');
            if self.byte >= start && !ends {
                break;
            }
            self.line += u64::from(ends && !(byte == b'\n' && self.after_cr));
            self.after_cr = byte == b'\r';
            self.byte += 1;
            self.file.consume(1);
        }
        Ok(self.line)
    }
}

/// The SHA-256 of what is read.
pub(super) fn digest(file: &mut impl Read) -> std::io::Result<Sha256> {
    let (mut digest, mut piece) = (Sha256::new(), vec![0; 64 * 1024]);
    loop {
        match file.read(&mut piece)? {
            0 => break,
            read => digest.update(&piece[..read]),
        }
    }
    Ok(digest)
}

/// The first half of a SHA-256, in hex.
pub(super) fn hex(digest: &Sha256) -> String {
    digest.clone().finalize().iter().take(16).fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc::channel;

    use super::*;

    /// The lines of a text after the first `skip`, and what is sent of them.
    fn read(text: &str, skip: u64) -> (Vec<Line>, Vec<RecordConversionRequest>) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("orders.csv");
        std::fs::write(&file, text).unwrap();
        let ((line, mut lines), (request, mut requests)) = (channel(9), channel(9));
        Feed::open(&file).unwrap().run(skip, false, &line, &request).unwrap();
        drop((line, request));
        let lines = std::iter::from_fn(|| lines.try_recv().ok()).collect();
        (lines, std::iter::from_fn(|| requests.try_recv().ok()).collect())
    }

    #[test]
    fn each_line_has_its_number_and_an_id_of_its_own_whatever_ends_it() {
        for (text, numbers) in [
            ("click_token,kind\na,lead\nb,lead\nc,lead", [2, 3, 4]),
            ("click_token,kind\r\na,lead\r\nb,lead\r\nc,lead\r\n", [2, 3, 4]),
            ("click_token,kind\ra,lead\rb,lead\rc,lead\r", [2, 3, 4]),
            ("click_token,kind\na,lead\r\nb,lead\r\nc,lead\r\n", [2, 3, 4]),
            ("\u{feff}click_token,kind\r\na,lead\nb,lead\rc,lead\r\n", [2, 3, 4]),
            ("click_token,kind\r\n\r\n\"a\r\nb\",lead\r\n\r\n\r\nb,lead\n\n\nc,lead\n", [3, 7, 10]),
        ] {
            let (lines, requests) = read(text, 0);
            assert_eq!(lines.iter().map(|line| line.number).collect::<Vec<_>>(), numbers, "{text:?}");
            let ids = |requests: &[RecordConversionRequest]| {
                requests.iter().map(|request| request.request_id.clone()).collect::<Vec<_>>()
            };
            let all = ids(&requests);
            assert_eq!(std::collections::BTreeSet::from_iter(&all).len(), 3, "{text:?}: {all:?}");
            let (rest, requests) = read(text, 1);
            assert_eq!((rest[0].number, &ids(&requests)[..]), (numbers[1], &all[1..]), "{text:?}");
        }
    }

    #[test]
    fn a_line_that_is_longer_than_the_hub_takes_is_refused_alone() {
        let long = "x".repeat(70_000);
        let (lines, requests) = read(&format!("click_token,kind\na,lead\n{long},lead\nb,lead\n"), 0);
        let refused: Vec<_> =
            lines.iter().map(|line| line.refused.as_ref().map(|why| why.field.as_str())).collect();
        assert_eq!((refused, requests.len()), (vec![None, Some("line"), None], 2));
    }
}
