//! `postback pause` and `postback resume`

use clap::Args;
use postback_proto::v1::{Account, PauseAccountRequest, ResumeAccountRequest};

use super::{Desk, Work, failure::Failure, story::reason, time::shown};

/// Which account stops.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  postback pause ts --reason 'the network rotates its key tonight'")]
pub(crate) struct Pause {
    /// The account.
    account: String,
    /// Why, for the next operator.
    #[arg(long)]
    reason: String,
}

/// Which account goes on.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  postback resume ts")]
pub(crate) struct Resume {
    /// The account.
    account: String,
}

impl Work for Pause {
    async fn work(self, desk: &mut Desk<'_>) -> Result<(), Failure> {
        let request = PauseAccountRequest { account: self.account, reason: self.reason };
        let account = desk.api.deliveries.pause_account(request).await?.into_inner();
        desk.show("Account", &account, standing)
    }
}

impl Work for Resume {
    async fn work(self, desk: &mut Desk<'_>) -> Result<(), Failure> {
        let request = ResumeAccountRequest { account: self.account };
        let account = desk.api.deliveries.resume_account(request).await?.into_inner();
        desk.show("Account", &account, standing)
    }
}

fn standing(account: &Account) -> String {
    let name = &account.account;
    match &account.pause_time {
        None => format!("{name} goes on; {} pending", account.pending),
        Some(since) => format!(
            "{name} is paused since {} ({}); {} pending",
            shown(Some(since)),
            crate::table::plain(&reason(account.pause_reason.as_ref())),
            account.pending
        ),
    }
}
