//! `postback send`

use std::io::{self, Read};

use clap::{ArgGroup, Args};
use jiff::Timestamp;
use postback_proto::{
    timestamp,
    v1::{
        ChangeConversionStatusRequest, ChangeConversionStatusResponse, ConversionDetails, ConversionRef,
        FlowSource, Kind, Money, NetworkClick, Pick, RecordConversionRequest, RecordConversionResponse,
        Source, UserSource, change_conversion_status_request::Conversion, flow_source, source,
    },
};
use uuid::Uuid;

use super::{
    Desk, Work,
    failure::{Exit, Failure},
    json, time,
    words::parser,
};
use crate::table::plain;

/// A conversion, or a change of one.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("whose").required(true)
    .args(["click_token", "click_id", "user", "flow", "flow_code", "conversion", "stdin"]))]
#[command(after_help = "\
A conversion names its source and its kind. A change names the conversion, by --conversion, or by --change with the \
source, kind and transaction id that it was recorded with.

--stdin takes one or more JSON objects: RecordConversionRequest, or ChangeConversionStatusRequest where there is a \
`conversion_id` or a `key`. They are sent in order, and it stops at the first that is refused. A customer's name, phone and email go this way alone: \
arguments are seen by others on this machine.

Examples:
  postback send --click-token AbC... --kind order --transaction-id A-1001 --value 89.99 \\
      --currency EUR
  postback send --account ps --click-id abc123xyz789 --kind lead --validate-only
  postback send --conversion 0198f3a2-7c11-7d3e-8b4e-0c5d2f1a9b77 --status approved
  postback send --change --click-token AbC... --kind order --transaction-id A-1001 \\
      --status cancelled
  echo '{\"source\": {\"click_token\": \"AbC...\"}, \"details\": {\"kind\": \"KIND_LEAD\"}}' |
      postback send --stdin")]
pub(crate) struct Send {
    /// Reads requests from standard input.
    #[arg(long, conflicts_with_all = [
        "account", "first_click", "change", "kind", "goal", "status", "value", "payout", "currency",
        "transaction_id", "field", "occur_time", "request_id",
    ])]
    stdin: bool,
    /// The click, by its token.
    #[arg(long, value_name = "TOKEN")]
    click_token: Option<String>,
    /// The click, by the network's id.
    #[arg(long, value_name = "ID", requires = "account")]
    click_id: Option<String>,
    /// The user, by the clicks that brought it.
    #[arg(long, value_name = "ID")]
    user: Option<String>,
    /// An AlterCPA flow, by its number.
    #[arg(long, value_name = "NUMBER", requires = "account")]
    flow: Option<String>,
    /// An AlterCPA flow, by its code.
    #[arg(long, value_name = "CODE", requires = "account")]
    flow_code: Option<String>,
    /// The account of --click-id or a flow; for --user, only its clicks.
    #[arg(long)]
    account: Option<String>,
    /// The user's first click, in place of its last.
    #[arg(long, requires = "user")]
    first_click: bool,
    /// The conversion that changes, by its id.
    #[arg(long, value_name = "ID", requires = "status", conflicts_with_all = [
        "account", "change", "kind", "transaction_id", "occur_time",
    ])]
    conversion: Option<String>,
    /// A change of the conversion with this source, kind and transaction id.
    #[arg(long, requires_all = ["status", "transaction_id"], conflicts_with = "occur_time")]
    change: bool,
    /// What it is.
    #[arg(long, value_parser = parser::<Kind>(), required_unless_present_any = ["conversion", "change", "stdin"])]
    kind: Option<Kind>,
    /// The goal's name at the network.
    #[arg(long)]
    goal: Option<String>,
    /// new, processing, hold, approved, cancelled, trash, or your own word.
    #[arg(long)]
    status: Option<String>,
    /// What it is worth, such as 89.99.
    #[arg(long, value_name = "AMOUNT", requires = "currency")]
    value: Option<String>,
    /// What you pay the network for it.
    #[arg(long, value_name = "AMOUNT", requires = "currency")]
    payout: Option<String>,
    /// The currency of value and payout, such as EUR.
    #[arg(long)]
    currency: Option<String>,
    /// Your id of the order or lead: it tells a repeat from a new one.
    #[arg(long, value_name = "ID")]
    transaction_id: Option<String>,
    /// What this network alone knows, by its own parameter name; may be given more than once.
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
    field: Vec<(String, String)>,
    /// When it happened; now by default.
    #[arg(long, value_name = "TIME", value_parser = time::parse)]
    occur_time: Option<Timestamp>,
    /// Your id of this request: the same id brings the first answer again. One is made where there is none.
    #[arg(long, value_name = "ID")]
    request_id: Option<String>,
    /// Shows the call to the network, and records nothing.
    #[arg(long)]
    validate_only: bool,
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("is not NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

impl Work for Send {
    async fn work(self, desk: &mut Desk<'_>) -> Result<(), Failure> {
        if self.stdin {
            return read(self.validate_only, desk).await;
        }
        let bare = self.request_id.is_none() && !self.validate_only;
        let made = bare.then(|| Uuid::now_v7().to_string());
        let send = Self { request_id: self.request_id.or(made.clone()), ..self };
        let sent = if send.conversion.is_some() || send.change {
            change(send.changed(), desk).await
        } else {
            record(send.recorded(), desk).await
        };
        sent.map_err(|failure| match (failure.exit(), made) {
            (Exit::Unavailable, Some(id)) => {
                failure.with(&format!("it may have been recorded; say it again with --request-id {id}"))
            }
            _ => failure,
        })
    }
}

impl Send {
    fn money(&self, amount: &Option<String>) -> Option<Money> {
        let currency = self.currency.clone().unwrap_or_default();
        amount.clone().map(|amount| Money { amount, currency })
    }

    fn source(&self) -> Source {
        use source::Source as By;
        let account = self.account.clone().unwrap_or_default();
        let flow = self.flow.clone().map(flow_source::Flow::Id);
        let flow = flow.or_else(|| self.flow_code.clone().map(flow_source::Flow::Code));
        let pick = if self.first_click { Pick::First } else { Pick::Last }.into();
        let source = match (&self.click_token, &self.click_id, &self.user) {
            (Some(token), ..) => By::ClickToken(token.clone()),
            (_, Some(click_id), _) => By::NetworkClick(NetworkClick { account, click_id: click_id.clone() }),
            (.., Some(user)) => By::User(UserSource { user_id: user.clone(), account, pick }),
            (None, None, None) => By::Flow(FlowSource { account, flow }),
        };
        Source { source: Some(source) }
    }

    fn recorded(self) -> RecordConversionRequest {
        RecordConversionRequest {
            source: Some(self.source()),
            details: Some(ConversionDetails {
                kind: self.kind.unwrap_or_default().into(),
                value: self.money(&self.value),
                payout: self.money(&self.payout),
                goal: self.goal.unwrap_or_default(),
                transaction_id: self.transaction_id.unwrap_or_default(),
                status: self.status.unwrap_or_default(),
                fields: self.field.into_iter().collect(),
                ..ConversionDetails::default()
            }),
            occur_time: self.occur_time.map(timestamp),
            request_id: self.request_id.unwrap_or_default(),
            validate_only: self.validate_only,
        }
    }

    fn changed(self) -> ChangeConversionStatusRequest {
        let key = |send: &Self| ConversionRef {
            source: Some(send.source()),
            kind: send.kind.unwrap_or_default().into(),
            goal: send.goal.clone().unwrap_or_default(),
            transaction_id: send.transaction_id.clone().unwrap_or_default(),
        };
        let by_key = self.conversion.is_none();
        let conversion = self.conversion.clone().map(Conversion::ConversionId);
        ChangeConversionStatusRequest {
            conversion: conversion.or_else(|| Some(Conversion::Key(key(&self)))),
            value: self.money(&self.value),
            payout: self.money(&self.payout),
            status: self.status.unwrap_or_default(),
            goal: self.goal.filter(|_| !by_key).unwrap_or_default(),
            fields: self.field.into_iter().collect(),
            request_id: self.request_id.unwrap_or_default(),
            validate_only: self.validate_only,
        }
    }
}

async fn record(request: RecordConversionRequest, desk: &mut Desk<'_>) -> Result<(), Failure> {
    let answer = desk.api.conversions.record_conversion(request).await?.into_inner();
    warn(&answer.warnings, desk)?;
    desk.show("RecordConversionResponse", &answer, |answer: &RecordConversionResponse| {
        let repeat = if answer.already_recorded { " (it was there before)" } else { "" };
        told(&answer.conversion_id, &answer.delivery_id, repeat, &answer.call)
    })
}

async fn change(request: ChangeConversionStatusRequest, desk: &mut Desk<'_>) -> Result<(), Failure> {
    let answer = desk.api.conversions.change_conversion_status(request).await?.into_inner();
    warn(&answer.warnings, desk)?;
    desk.show("ChangeConversionStatusResponse", &answer, |answer: &ChangeConversionStatusResponse| {
        let how = match (answer.already_recorded, answer.waiting) {
            (true, _) => " (it was there before)",
            (false, true) => " (it waits for its conversion)",
            (false, false) => "",
        };
        told(&answer.conversion_id, &answer.delivery_id, how, &answer.call)
    })
}

fn warn(warnings: &[String], desk: &mut Desk<'_>) -> Result<(), Failure> {
    warnings.iter().try_for_each(|warning| Ok(writeln!(desk.err, "warning: {}", plain(warning))?))
}

fn told(conversion: &str, delivery: &str, how: &str, call: &str) -> String {
    let call = plain(call);
    if conversion.is_empty() {
        return format!("nothing is recorded; the call would be\n{call}");
    }
    format!("conversion {conversion}{how}\ndelivery   {delivery}\ncall       {call}")
}

/// Sends each object of standard input, in order, up to the first that is refused.
async fn read(validate_only: bool, desk: &mut Desk<'_>) -> Result<(), Failure> {
    let mut text = String::new();
    io::stdin().lock().read_to_string(&mut text)?;
    let objects = serde_json::Deserializer::from_str(&text).into_iter::<serde_json::Value>();
    let mut sent = 0;
    for object in objects {
        let object = object.map_err(|error| Failure::usage(format!("standard input is not JSON: {error}")));
        let done = match object {
            Ok(object) => one(&object, validate_only, desk).await,
            Err(failure) => Err(failure),
        };
        done.map_err(|failure| {
            let were = if sent == 1 { "was" } else { "were" };
            let done = if validate_only { "rendered" } else { "recorded" };
            failure
                .of(&format!("object {}", sent + 1))
                .with(&format!("{sent} {were} {done}, what follows was not sent"))
        })?;
        sent += 1;
    }
    if sent == 0 { Err(Failure::usage("standard input holds no JSON object")) } else { Ok(()) }
}

async fn one(object: &serde_json::Value, validate_only: bool, desk: &mut Desk<'_>) -> Result<(), Failure> {
    let has = |names: [&str; 3]| names.iter().any(|name| object.get(name).is_some());
    if has(["conversion_id", "conversionId", "key"]) {
        let mut request: ChangeConversionStatusRequest = json::read("ChangeConversionStatusRequest", object)?;
        request.validate_only |= validate_only;
        return change(request, desk).await;
    }
    let mut request: RecordConversionRequest = json::read("RecordConversionRequest", object)?;
    request.validate_only |= validate_only;
    record(request, desk).await
}

#[cfg(test)]
mod tests {
    use clap::{Parser, error::ErrorKind};

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        _send: Send,
    }

    #[test]
    fn what_would_not_be_told_is_refused() {
        let taken = |line: &str| Line::try_parse_from(["send"].into_iter().chain(line.split(' '))).map(drop);
        let (stdin, id) = ("--stdin", "--conversion c --status approved");
        let key = "--change --click-token t --kind order --transaction-id A-1 --status approved";
        for line in [stdin, id, key] {
            assert!(taken(line).is_ok(), "{line}");
        }
        for (line, unused) in [
            (stdin, "--request-id r"),
            (stdin, "--occur-time 1h"),
            (stdin, "--field sub1=x"),
            (stdin, "--currency EUR"),
            (stdin, "--first-click"),
            (stdin, "--change"),
            (id, "--kind lead"),
            (id, "--occur-time 1h"),
            (id, "--transaction-id A-1"),
            (id, "--account ps"),
            (id, "--change"),
            (key, "--occur-time 1h"),
        ] {
            let refused = taken(&format!("{line} {unused}")).map_err(|error| error.kind());
            assert_eq!(refused, Err(ErrorKind::ArgumentConflict), "{line} {unused}");
        }
    }
}
