//! `postback replay` and `postback resolve`: decisions on deliveries, one by one or many at once.

use std::io::{self, BufRead};

use clap::{ArgGroup, Args};
use postback_proto::v1::{
    Delivery, DeliverySelection, ReplayDeliveriesRequest, ReplayDeliveriesResponse, ReplayDeliveryRequest,
    Resolution, ResolveDeliveriesRequest, ResolveDeliveriesResponse, ResolveDeliveryRequest,
};
use prost_types::Timestamp;
use serde_json::json;
use tonic::Status;

use super::{
    Desk, Work, deliveries,
    failure::{Exit, Failure},
    next::Next,
    time::Window,
};

/// Which dead letters.
#[derive(Debug, Args)]
#[command(after_help = "\
Many at once are counted first, and you are asked; --yes does not ask. What comes after the count is left alone.

Examples:
  postback replay 0198f3a2-7c11-7d3e-8b4e-0c5d2f1a9b77
  postback replay --account ts --reason invalid_code --since 24h
  postback replay --account ts --all --yes")]
pub(crate) struct Replay {
    #[command(flatten)]
    which: Which,
}

/// Which deliveries in doubt, and the decision.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("decision").required(true).args(["delivered", "resend"]))]
#[command(after_help = "\
Ask the network first: what it has is --delivered; what it does not have is --resend.
Many at once are counted first, and you are asked; --yes does not ask. What comes after the count is left alone.

Examples:
  postback resolve 0198f3a2-7c11-7d3e-8b4e-0c5d2f1a9b77 --delivered
  postback resolve --account ps --since 2h --resend")]
pub(crate) struct Resolve {
    #[command(flatten)]
    which: Which,
    /// The network has them.
    #[arg(long)]
    delivered: bool,
    /// The network does not have them: send them again.
    #[arg(long)]
    resend: bool,
}

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("some").required(true).multiple(true)
    .args(["ids", "account", "reason", "since", "until", "all"]))]
struct Which {
    /// These deliveries.
    #[arg(value_name = "ID", conflicts_with_all = ["account", "reason", "since", "until", "all"])]
    ids: Vec<String>,
    /// Of this account.
    #[arg(long)]
    account: Option<String>,
    /// For this reason's word, such as expired_click; give it more than once for more than one.
    #[arg(long)]
    reason: Vec<String>,
    #[command(flatten)]
    window: Window,
    /// All of them, where nothing else chooses.
    #[arg(long)]
    all: bool,
    /// Does not ask.
    #[arg(long, conflicts_with = "ids")]
    yes: bool,
    /// Only counts them.
    #[arg(long, conflicts_with_all = ["ids", "yes"])]
    validate_only: bool,
}

/// What is decided.
#[derive(Clone, Copy, Debug)]
enum Decision {
    Replay,
    Resolve(Resolution),
}

/// What came of a decision on many.
#[derive(Clone, Copy, Debug, Default)]
struct Decided {
    count: i64,
    refused: i64,
    left: i64,
    /// For a preview, what the decision hands back.
    preview_time: Option<Timestamp>,
}

impl Work for Replay {
    async fn work(self, desk: &mut Desk<'_>) -> Result<(), Failure> {
        self.which.decide(Decision::Replay, desk).await
    }
}

impl Work for Resolve {
    async fn work(self, desk: &mut Desk<'_>) -> Result<(), Failure> {
        let resolution = if self.delivered { Resolution::Delivered } else { Resolution::Resend };
        self.which.decide(Decision::Resolve(resolution), desk).await
    }
}

impl Which {
    async fn decide(self, decision: Decision, desk: &mut Desk<'_>) -> Result<(), Failure> {
        if !self.ids.is_empty() {
            return each(&self.ids, decision, desk).await;
        }
        let (mut counted, mut previewed) = (0, Vec::new());
        for selection in self.selections() {
            let Decided { count, preview_time, .. } = decision.many(selection.clone(), true, desk).await?;
            if count > 0 {
                counted += count;
                previewed.push(DeliverySelection { preview_time, ..selection });
            }
        }
        if self.validate_only || (counted == 0 && desk.json) {
            return told(Decided { count: counted, ..Decided::default() }, "would be ", decision, desk);
        }
        if counted == 0 {
            return Ok(writeln!(desk.out, "none matches; nothing is changed")?);
        }
        if !self.yes
            && !asked(&format!("{} {counted} {}{}?", decision.verb(), decision.noun(), self.words()), desk)?
        {
            return Err(Failure::new(Exit::Refused, "nothing is changed"));
        }
        let mut sum = Decided::default();
        for selection in previewed {
            loop {
                let decided = decision.many(selection.clone(), false, desk).await?;
                sum.count += decided.count;
                sum.refused += decided.refused;
                // What is left though nothing was decided would be left for ever.
                if decided.left == 0 || decided.count + decided.refused == 0 {
                    sum.left += decided.left;
                    break;
                }
                writeln!(desk.err, "{} done, {} left", sum.count, decided.left)?;
            }
        }
        told(sum, "", decision, desk)
    }

    /// One for each reason that was named; one for all where none was.
    fn selections(&self) -> Vec<DeliverySelection> {
        let of = |reason: &str| DeliverySelection {
            account: self.account.clone().unwrap_or_default(),
            reason: reason.to_owned(),
            start_time: self.window.start(),
            end_time: self.window.end(),
            preview_time: None,
        };
        match self.reason.as_slice() {
            [] => vec![of("")],
            reasons => reasons.iter().map(|reason| of(reason)).collect(),
        }
    }

    fn words(&self) -> String {
        let mut words = String::new();
        if let Some(account) = &self.account {
            words += &format!(" of {account}");
        }
        if !self.reason.is_empty() {
            words += &format!(" for {}", self.reason.join(" or "));
        }
        if let Some(since) = self.window.since {
            words += &format!(" from {since:.0}");
        }
        if let Some(until) = self.window.until {
            words += &format!(" until {until:.0}");
        }
        words
    }
}

impl Decision {
    const fn verb(self) -> &'static str {
        match self {
            Self::Replay => "replay",
            Self::Resolve(Resolution::Delivered) => "call delivered",
            Self::Resolve(_) => "send again",
        }
    }

    const fn noun(self) -> &'static str {
        match self {
            Self::Replay => "dead letters",
            Self::Resolve(_) => "deliveries in doubt",
        }
    }

    const fn done(self) -> &'static str {
        match self {
            Self::Replay => "replayed",
            Self::Resolve(Resolution::Delivered) => "called delivered",
            Self::Resolve(_) => "sent again",
        }
    }

    async fn one(self, delivery_id: String, desk: &mut Desk<'_>) -> Result<Delivery, Status> {
        let hub = &mut desk.api.deliveries;
        let answer = match self {
            Self::Replay => {
                hub.replay_delivery(ReplayDeliveryRequest { delivery_id, update_time: None }).await
            }
            Self::Resolve(resolution) => {
                let resolution = resolution.into();
                let request = ResolveDeliveryRequest { delivery_id, resolution, update_time: None };
                hub.resolve_delivery(request).await
            }
        };
        answer.map(tonic::Response::into_inner)
    }

    async fn many(
        self,
        selection: DeliverySelection,
        validate_only: bool,
        desk: &mut Desk<'_>,
    ) -> Result<Decided, Status> {
        let (hub, selection) = (&mut desk.api.deliveries, Some(selection));
        match self {
            Self::Replay => {
                let answer =
                    hub.replay_deliveries(ReplayDeliveriesRequest { selection, validate_only }).await?;
                let ReplayDeliveriesResponse { count, refused, left, preview_time } = answer.into_inner();
                Ok(Decided { count, refused, left, preview_time })
            }
            Self::Resolve(resolution) => {
                let resolution = resolution.into();
                let request = ResolveDeliveriesRequest { selection, resolution, validate_only };
                let answer = hub.resolve_deliveries(request).await?;
                let ResolveDeliveriesResponse { count, refused, left, preview_time } = answer.into_inner();
                Ok(Decided { count, refused, left, preview_time })
            }
        }
    }
}

/// Decides each by its id. One that is refused stops none after it; a hub that is away does, and what was decided until
/// then is told.
async fn each(ids: &[String], decision: Decision, desk: &mut Desk<'_>) -> Result<(), Failure> {
    let (mut decided, mut failed) = (Vec::new(), Vec::new());
    let mut exit = Exit::Failed;
    for id in ids {
        match decision.one(id.clone(), desk).await.map_err(Failure::from) {
            Ok(delivery) => decided.push(delivery),
            Err(failure) => {
                if ids.len() == 1 || failure.exit() == Exit::Unavailable {
                    exit = failure.exit();
                }
                failed.push(format!("{id}: {failure}"));
                if exit == Exit::Unavailable {
                    break;
                }
            }
        }
    }
    if desk.json || !decided.is_empty() {
        desk.list("Delivery", &decided, |decided| deliveries::sheet(decided, &Next::default()))?;
    }
    if failed.is_empty() { Ok(()) } else { Err(Failure::new(exit, failed.join("\n"))) }
}

/// Asks a person. No answer is no.
pub(super) fn asked(question: &str, desk: &mut Desk<'_>) -> Result<bool, Failure> {
    write!(desk.err, "{question} [y/N] ")?;
    desk.err.flush()?;
    let mut answer = String::new();
    if io::stdin().lock().read_line(&mut answer)? == 0 {
        return Err(Failure::usage("nobody answered, and nothing is changed; --yes does not ask"));
    }
    Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
}

fn told(decided: Decided, would: &str, decision: Decision, desk: &mut Desk<'_>) -> Result<(), Failure> {
    let Decided { count, refused, left, .. } = decided;
    if desk.json {
        writeln!(desk.out, "{}", json!({ "count": count, "refused": refused, "left": left }))?;
    } else {
        writeln!(desk.out, "{count} {} {would}{}", decision.noun(), decision.done())?;
    }
    if refused + left == 0 {
        return Ok(());
    }
    let why = "their clicks' life is over, or somebody else was faster";
    Err(Failure::new(Exit::Failed, format!("{} were not {} ({why})", refused + left, decision.done())))
}
