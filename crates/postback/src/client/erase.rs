//! `postback erase`

use clap::{ArgGroup, Args};
use postback_proto::v1::{EraseRequest, NetworkClick, erase_request::Subject};

use super::{
    Desk, Work,
    decide::asked,
    failure::{Exit, Failure},
};
use crate::counted::counted;

/// Who is to be forgotten.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("whom").required(true).args(["click_token", "click_id", "user"]))]
#[command(after_help = "\
A click is erased with customer, user and comment of its conversions; a user with those of the conversions that were
attributed by it. You are asked first; --yes does not ask.

Examples:
  postback erase --user u-1001
  postback erase --account ps --click-id abc123xyz789 --yes")]
pub(crate) struct Erase {
    /// A click, by its token.
    #[arg(long, value_name = "TOKEN")]
    click_token: Option<String>,
    /// A click, by the network's id.
    #[arg(long, requires = "account")]
    click_id: Option<String>,
    /// The account of --click-id.
    #[arg(long, requires = "click_id")]
    account: Option<String>,
    /// A user.
    #[arg(long, value_name = "ID")]
    user: Option<String>,
    /// Does not ask.
    #[arg(long)]
    yes: bool,
}

impl Work for Erase {
    async fn work(self, desk: &mut Desk<'_>) -> Result<(), Failure> {
        let account = self.account.unwrap_or_default();
        let (subject, whom) = match (self.click_token, self.click_id, self.user) {
            (Some(token), ..) => (Some(Subject::ClickToken(token)), "this click".to_owned()),
            (None, Some(click_id), _) => {
                let account = account.clone();
                let whom = format!("click {click_id} of {account}");
                (Some(Subject::NetworkClick(NetworkClick { account, click_id })), whom)
            }
            (None, None, user) => {
                let whom = format!("user {}", user.as_deref().unwrap_or_default());
                (user.map(Subject::UserId), whom)
            }
        };
        if !self.yes && !asked(&format!("erase {whom} for good?"), desk)? {
            return Err(Failure::new(Exit::Refused, "nothing is changed"));
        }
        let erased = desk.api.clicks.erase(EraseRequest { subject }).await?.into_inner();
        if !erased.found && erased.conversions == 0 {
            desk.knows(&account).await?;
        }
        desk.show("EraseResponse", &erased, |erased| {
            if !erased.found && erased.conversions == 0 {
                return "nothing was found".to_owned();
            }
            let record = if erased.found { "erased" } else { "no record was kept" };
            format!("{record}; {} touched", counted(erased.conversions, "conversion"))
        })
    }
}
