//! `postback actions`

use clap::Args;
use postback_proto::v1::{Action, ListActionsRequest};

use super::{Desk, Work, failure::Failure, pages, time::shown, words::Word};
use crate::table::{Column, table};

/// Which actions.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  postback actions
  postback actions --limit 1000 --json | jq 'select(.deed == \"DEED_REPLAY\")'")]
pub(crate) struct Actions {
    /// At most so many, the latest.
    #[arg(long, default_value_t = 50)]
    limit: usize,
}

impl Work for Actions {
    async fn work(self, desk: &mut Desk<'_>) -> Result<(), Failure> {
        let next = async |desk: &mut Desk<'_>, page_size, page_token| {
            let request = ListActionsRequest { page_size, page_token };
            let page = desk.api.logbook.list_actions(request).await?.into_inner();
            Ok((page.actions, page.next_page_token))
        };
        let found = pages::first(desk, self.limit, next, |_| true).await?;
        desk.list("Action", &found, |found| {
            table(
                [
                    Column::Text("when"),
                    Column::Text("who"),
                    Column::Text("what"),
                    Column::Text("account"),
                    Column::Text("on"),
                    Column::Number("count"),
                    Column::Text("why"),
                ],
                found.iter().map(row),
            )
        })
    }
}

fn row(action: &Action) -> [String; 7] {
    [
        shown(action.create_time.as_ref()),
        action.actor.clone(),
        action.deed().word(),
        action.account.clone(),
        action.target.clone(),
        action.count.to_string(),
        action.reason.clone(),
    ]
}
