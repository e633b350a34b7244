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
    /// Why, for the next operator; where the account is paused already, the first reason stays.
    #[arg(long, value_parser = said)]
    reason: String,
}

/// Which account goes on.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  postback resume ts")]
pub(crate) struct Resume {
    /// The account.
    account: String,
}

/// A reason as the hub keeps it.
fn said(text: &str) -> Result<String, String> {
    let said: String = text.trim().chars().filter(|c| !c.is_control()).collect();
    if said.is_empty() { Err("says nothing".to_owned()) } else { Ok(said) }
}

impl Work for Pause {
    async fn work(self, desk: &mut Desk<'_>) -> Result<(), Failure> {
        let (account, reason) = (self.account, self.reason.clone());
        let request = PauseAccountRequest { account, reason };
        let account = desk.api.deliveries.pause_account(request).await?.into_inner();
        let kept = account.pause_reason.as_ref().is_some_and(|kept| kept.message == self.reason);
        desk.show("Account", &account, |account| match kept {
            true => standing(account),
            false => format!(
                "{} was paused before, and the first reason stays\n{}",
                account.account,
                standing(account)
            ),
        })
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
