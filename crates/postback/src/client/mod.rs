//! The commands that ask a hub over gRPC.

mod account;
mod actions;
mod clicks;
mod connection;
mod conversions;
mod decide;
mod deliveries;
mod doctor;
mod erase;
mod failure;
mod import;
mod json;
mod next;
mod pages;
mod send;
mod stats;
mod story;
mod tail;
mod time;
mod words;

use std::{io::Write, process::ExitCode, time::Duration};

use clap::{Args, Subcommand};
use comfy_table::Table;
use postback_proto::v1::{Delivery, GetStatsRequest, ListClicksRequest};
use prost::Message;
use tonic::Code;

use crate::serve;
use connection::{Api, Connection};
pub(crate) use failure::EXITS;
use failure::{Exit, Failure};
use next::Next;

/// A command that asks a hub.
#[derive(Debug, Subcommand)]
pub(crate) enum Client {
    /// Shows where everything stands: clicks, losses, and what became of each conversion.
    Stats(Asked<stats::Stats>),
    /// Lists conversions, or tells one's whole story: each call as sent, each answer, what happens next.
    Conversions(Asked<conversions::Conversions>),
    /// Lists deliveries, or shows one with its attempts.
    Deliveries(Asked<deliveries::Deliveries>),
    /// Finds clicks: one, the latest of a campaign, those of a user, or those from an address.
    Clicks(Asked<clicks::Clicks>),
    /// Shows deliveries as they change, until it is stopped.
    Tail(Asked<tail::Tail>),
    /// Records a conversion, or a change of one.
    Send(Box<Asked<send::Send>>),
    /// Records the conversions of a CSV file; may be interrupted and run again.
    Import(Asked<import::Import>),
    /// Puts dead letters back into their lanes.
    Replay(Asked<decide::Replay>),
    /// Decides deliveries in doubt: the network has them, or they are sent again.
    Resolve(Asked<decide::Resolve>),
    /// Stops deliveries of an account; conversions are still recorded.
    Pause(Asked<account::Pause>),
    /// Lets deliveries of an account go on.
    Resume(Asked<account::Resume>),
    /// Removes what identifies a person: a click with its conversions' customers, or a user.
    Erase(Asked<erase::Erase>),
    /// Lists what operators did.
    Actions(Asked<actions::Actions>),
    /// Looks for what is wrong with this machine, its config, its store and the ways to the networks.
    Doctor(doctor::Doctor),
}

/// A command, how it answers, and whom it asks.
#[derive(Debug, Args)]
pub(crate) struct Asked<A: Args> {
    #[command(flatten)]
    what: A,
    /// For programs: one JSON object, or one a line, under the names of the gRPC contract.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connection: Connection,
}

/// A command's work.
pub(crate) trait Work {
    /// Does it.
    async fn work(self, desk: &mut Desk<'_>) -> Result<(), Failure>;
}

/// What a command works with: the hub, and where it writes.
pub(crate) struct Desk<'a> {
    api: Api,
    out: &'a mut dyn Write,
    err: &'a mut dyn Write,
    json: bool,
    /// How long an answer may take.
    patience: Duration,
}

impl Desk<'_> {
    /// Whether the hub knows an account. Asked where a list is empty, for records outlive their account.
    async fn knows(&mut self, account: &str) -> Result<(), Failure> {
        if account.is_empty() {
            return Ok(());
        }
        let request = GetStatsRequest { account: account.to_owned() };
        match self.api.deliveries.get_stats(request).await {
            Err(status) if status.code() == Code::NotFound => Err(status.into()),
            _ => Ok(()),
        }
    }

    /// Whether the hub knows a campaign, asked likewise.
    async fn knows_campaign(&mut self, campaign: &str) -> Result<(), Failure> {
        if campaign.is_empty() {
            return Ok(());
        }
        let (campaign, page_size) = (campaign.to_owned(), 1);
        let request = ListClicksRequest { campaign, page_size, ..ListClicksRequest::default() };
        match self.api.clicks.list_clicks(request).await {
            Err(status) if status.code() == Code::NotFound => Err(status.into()),
            _ => Ok(()),
        }
    }

    /// What happens next with deliveries, for people.
    async fn next(&mut self, deliveries: &[Delivery]) -> Result<Next, Failure> {
        if self.json { Ok(Next::default()) } else { Next::of(deliveries, self).await }
    }

    /// Prints a message: as JSON, or as `people` read it.
    fn show<M: Message>(
        &mut self,
        name: &str,
        message: &M,
        people: impl FnOnce(&M) -> String,
    ) -> Result<(), Failure> {
        let text = if self.json { json::line(name, message)? } else { people(message) };
        Ok(writeln!(self.out, "{text}")?)
    }

    /// Prints a list: as JSON, one a line, or as a table.
    fn list<M: Message>(
        &mut self,
        name: &str,
        messages: &[M],
        people: impl FnOnce(&[M]) -> Table,
    ) -> Result<(), Failure> {
        if self.json {
            return messages
                .iter()
                .try_for_each(|message| Ok(writeln!(self.out, "{}", json::line(name, message)?)?));
        }
        if messages.is_empty() {
            return Ok(writeln!(self.err, "none")?);
        }
        Ok(writeln!(self.out, "{}", people(messages))?)
    }
}

impl Client {
    /// Asks, prints, and says on standard error what went wrong.
    pub(crate) fn run(self, out: &mut dyn Write, err: &mut dyn Write) -> ExitCode {
        let done = serve::block_on(self.work(out, err)).map_err(Failure::from).flatten();
        match done.and_then(|()| Ok(out.flush()?)) {
            Ok(()) => ExitCode::SUCCESS,
            Err(failure) if failure.exit() == Exit::Unread => failure.code(),
            Err(failure) => match writeln!(err, "postback: {failure}") {
                Ok(()) => failure.code(),
                Err(_) => ExitCode::from(74),
            },
        }
    }

    async fn work(self, out: &mut dyn Write, err: &mut dyn Write) -> Result<(), Failure> {
        match self {
            Self::Stats(asked) => asked.work(out, err).await,
            Self::Conversions(asked) => asked.work(out, err).await,
            Self::Deliveries(asked) => asked.work(out, err).await,
            Self::Clicks(asked) => asked.work(out, err).await,
            Self::Tail(asked) => asked.work(out, err).await,
            Self::Send(asked) => asked.work(out, err).await,
            Self::Import(asked) => asked.work(out, err).await,
            Self::Replay(asked) => asked.work(out, err).await,
            Self::Resolve(asked) => asked.work(out, err).await,
            Self::Pause(asked) => asked.work(out, err).await,
            Self::Resume(asked) => asked.work(out, err).await,
            Self::Erase(asked) => asked.work(out, err).await,
            Self::Actions(asked) => asked.work(out, err).await,
            Self::Doctor(doctor) => doctor.work(out).await,
        }
    }
}

impl<A: Args + Work> Asked<A> {
    async fn work(self, out: &mut dyn Write, err: &mut dyn Write) -> Result<(), Failure> {
        if self.connection.tells_the_token() {
            writeln!(
                err,
                "warning: --api is http, and the token crosses the network in the clear; want https"
            )?;
        }
        let (what, json, patience) = (self.what, self.json, self.connection.timeout);
        let asked = async {
            let api = self.connection.open().await?;
            what.work(&mut Desk { api, out, err, json, patience }).await
        };
        asked.await.map_err(|failure: Failure| failure.at(self.connection.api()))
    }
}
