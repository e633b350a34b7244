//! `postback import`: the conversions of a CSV file.

mod columns;
mod feed;
mod report;
mod state;

use std::{
    fs::{self, File, TryLockError},
    path::{Path, PathBuf},
    time::Duration,
};

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use postback_proto::v1::{
    RecordConversionResponse, RecordConversionsResponse, Refusal,
    record_conversions_response::Result as Answer,
};
use tokio::{sync::mpsc, time::timeout};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status, Streaming};

use super::{
    Desk, Work,
    failure::{Exit, Failure},
};
use crate::{
    counted::counted,
    table::{Column, plain, table},
};
use columns::Refused;
use feed::Line;
use report::Report;
use state::State;

/// How many lines may be on their way.
const AHEAD: usize = 256;

/// Which file.
#[derive(Debug, Args)]
#[command(after_help = columns::HELP)]
pub(crate) struct Import {
    /// The CSV file; its first line names the columns.
    file: PathBuf,
    /// Asks the hub about every line, and records nothing.
    #[arg(long)]
    validate_only: bool,
}

impl Work for Import {
    async fn work(self, desk: &mut Desk<'_>) -> Result<(), Failure> {
        let feed = feed::Feed::open(&self.file)?;
        let _alone = alone(&self.file)?;
        let mut state = State::of(&self.file, feed.digest(), self.validate_only)?;
        if state.finished {
            let file = state.file().display().to_string();
            writeln!(
                desk.err,
                "imported before, and nothing is sent; without {file} it would be sent again"
            )?;
            return told(&state, &self.file, desk);
        }
        if state.lines > 0 {
            writeln!(desk.err, "goes on after the first {} lines", state.lines)?;
        }
        if state.report_bytes > 0 && !state.report().exists() {
            let report = state.report().display();
            writeln!(desk.err, "{report} is gone; lines refused from now on are kept in another one")?;
        }
        let report = Report::open(&state, feed.header())?;
        let bar = bar(&self.file)?;
        let outcome =
            Run { state: &mut state, report, bar: &bar }.through(feed, self.validate_only, desk).await;
        bar.finish_and_clear();
        outcome.map_err(|failure| match failure.exit() {
            Exit::Unavailable => {
                let so_far =
                    format!("stopped after {} lines; the same command goes on from there", state.lines);
                failure.with(&so_far)
            }
            _ => failure,
        })?;
        told(&state, &self.file, desk)
    }
}

/// Keeps other imports from a file for as long as it is held; one that cannot be locked is left open to all.
fn alone(file: &Path) -> Result<File, Failure> {
    let open = File::open(file)?;
    match open.try_lock() {
        Err(TryLockError::WouldBlock) => {
            let message = format!("`{}` is read by another import now", file.display());
            Err(Failure::new(Exit::Refused, message))
        }
        _ => Ok(open),
    }
}

/// How far it is; shown on a terminal alone.
fn bar(file: &Path) -> Result<ProgressBar, Failure> {
    let bar = ProgressBar::new(fs::metadata(file)?.len());
    let style = ProgressStyle::with_template("{bar:40} {percent:>3}% {msg}, {eta} left");
    bar.set_style(style.map_err(anyhow::Error::from)?);
    bar.enable_steady_tick(Duration::from_millis(200));
    Ok(bar)
}

/// An import at work.
struct Run<'a> {
    state: &'a mut State,
    report: Report,
    bar: &'a ProgressBar,
}

impl Run<'_> {
    async fn through(
        mut self,
        feed: feed::Feed,
        validate_only: bool,
        desk: &mut Desk<'_>,
    ) -> Result<(), Failure> {
        let (lines, mut coming) = mpsc::channel::<Line>(AHEAD);
        let (requests, outgoing) = mpsc::channel(AHEAD);
        let skip = self.state.lines;
        let read = tokio::task::spawn_blocking(move || feed.run(skip, validate_only, &lines, &requests));
        let answers = desk.api.conversions.record_conversions(ReceiverStream::new(outgoing)).await?;
        let mut answers = answers.into_inner();
        let mut outcome = Ok(());
        while let Some(line) = coming.recv().await {
            outcome = match timeout(desk.patience, self.line(&line, &mut answers)).await {
                Ok(outcome) => outcome,
                Err(_) => Err(Failure::slow()),
            };
            if outcome.is_err() {
                break;
            }
        }
        drop((coming, answers));
        let read = read.await.map_err(anyhow::Error::from)?;
        self.state.finished = outcome.is_ok() && read.is_ok() && !validate_only;
        self.save()?;
        outcome.and(read)
    }

    /// Takes what became of a line.
    async fn line(
        &mut self,
        line: &Line,
        answers: &mut Streaming<RecordConversionsResponse>,
    ) -> Result<(), Failure> {
        match &line.refused {
            Some(refused) => self.refuse(line, refused)?,
            None => match answer(answers).await? {
                Ok(recorded) if recorded.already_recorded => self.state.already_recorded += 1,
                Ok(_) => self.state.recorded += 1,
                Err(refused) => self.refuse(line, &refused)?,
            },
        }
        self.state.lines += 1;
        self.bar.set_position(line.end);
        self.bar.set_message(format!("{} lines, {} refused", self.state.lines, self.state.refused));
        if self.state.lines.is_multiple_of(AHEAD as u64) { self.save() } else { Ok(()) }
    }

    fn refuse(&mut self, line: &Line, refused: &Refused) -> Result<(), Failure> {
        self.state.refused += 1;
        self.report.refuse(line, refused)
    }

    /// What is reported is on the disk before it is said to be.
    fn save(&mut self) -> Result<(), Failure> {
        self.report.sync(self.state)?;
        self.state.save()
    }
}

/// The next answer. What may pass is a failure of the import, and no refusal of the line.
async fn answer(
    answers: &mut Streaming<RecordConversionsResponse>,
) -> Result<Result<RecordConversionResponse, Refused>, Failure> {
    let ended = || Failure::new(Exit::Unavailable, "the hub ended the stream");
    match answers.message().await?.and_then(|answer| answer.result).ok_or_else(ended)? {
        Answer::Recorded(recorded) => Ok(Ok(recorded)),
        Answer::Refusal(Refusal { code, reason, field, message }) => match Code::from(code) {
            code @ (Code::Unavailable | Code::ResourceExhausted) => Err(Status::new(code, message).into()),
            _ => Ok(Err(Refused { field, reason, message })),
        },
    }
}

fn told(state: &State, file: &Path, desk: &mut Desk<'_>) -> Result<(), Failure> {
    if desk.json {
        writeln!(desk.out, "{}", serde_json::to_string(state).map_err(anyhow::Error::from)?)?;
    } else {
        let numbers =
            ["lines", if state.validating() { "right" } else { "recorded" }, "there before", "refused"];
        let [lines, recorded, before, refused] = numbers.map(Column::Number);
        let row = [state.lines, state.recorded, state.already_recorded, state.refused].map(|n| n.to_string());
        let [line_count, recorded_count, before_count, refused_count] = row;
        let name = plain(&file.display().to_string());
        let row = [name, line_count, recorded_count, before_count, refused_count];
        writeln!(desk.out, "{}", table([Column::Text("file"), lines, recorded, before, refused], [row]))?;
    }
    if state.refused == 0 {
        return Ok(());
    }
    let report = state.report().display();
    let were = if state.refused == 1 { "was" } else { "were" };
    let lines = counted(state.refused, "line");
    Err(Failure::new(Exit::Failed, format!("{lines} {were} refused; {report} says why")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_imported_by_one_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("orders.csv");
        fs::write(&file, "click_token,kind\n").unwrap();
        let one = alone(&file).unwrap();
        let other = alone(&file).unwrap_err().to_string();
        assert!(other.contains("orders.csv") && other.contains("another import"), "{other}");
        drop(one);
        alone(&file).unwrap();
    }
}
