//! `postback clicks`

use clap::{ArgGroup, Args};
use postback_proto::v1::{Click, GetClickRequest, ListClicksRequest, NetworkClick, get_click_request};

use super::{Desk, Work, failure::Failure, pages, story, time::shown};
use crate::table::{Column, table};

/// Which clicks.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("which").required(true).multiple(true)
    .args(["click_token", "click_id", "user", "ip", "campaign"]))]
#[command(after_help = "\
Examples:
  postback clicks --campaign spring --limit 20
  postback clicks --account ps --click-id abc123xyz789
  postback clicks --user u-1001
  postback clicks --ip 192.0.2.7 --campaign spring")]
pub(crate) struct Clicks {
    /// One click, by its token.
    #[arg(long, value_name = "TOKEN", conflicts_with_all = ["click_id", "user", "ip", "campaign"])]
    click_token: Option<String>,
    /// One click, by the network's id.
    #[arg(long, requires = "account", conflicts_with_all = ["user", "ip", "campaign"])]
    click_id: Option<String>,
    /// The account of --click-id.
    #[arg(long, requires = "click_id")]
    account: Option<String>,
    /// The clicks that brought this user.
    #[arg(long, value_name = "ID", conflicts_with_all = ["ip", "campaign"])]
    user: Option<String>,
    /// The clicks of the last 24 hours from this address, in campaigns that keep that index (find_by_ip).
    #[arg(long)]
    ip: Option<String>,
    /// The latest clicks of this campaign: a sample of at most 100 a second, the last 1000; or where --ip looks.
    #[arg(long)]
    campaign: Option<String>,
    /// At most so many, the latest.
    #[arg(long, default_value_t = 50)]
    limit: usize,
}

impl Work for Clicks {
    async fn work(self, desk: &mut Desk<'_>) -> Result<(), Failure> {
        use get_click_request::Click as By;
        let one = match (self.click_token, self.click_id) {
            (Some(token), _) => Some(By::ClickToken(token)),
            (None, Some(click_id)) => {
                Some(By::NetworkClick(NetworkClick { account: self.account.unwrap_or_default(), click_id }))
            }
            (None, None) => None,
        };
        if let Some(click) = one {
            let request = GetClickRequest { click: Some(click) };
            let click = desk.api.clicks.get_click(request).await?.into_inner();
            return desk.show("Click", &click, |click| {
                format!("click {}\n{}", click.click_id, story::click(click).trim_end())
            });
        }
        let request = ListClicksRequest {
            campaign: self.campaign.unwrap_or_default(),
            user_id: self.user.unwrap_or_default(),
            ip: self.ip.unwrap_or_default(),
            ..ListClicksRequest::default()
        };
        let next = async |desk: &mut Desk<'_>, page_size, page_token| {
            let request = ListClicksRequest { page_size, page_token, ..request.clone() };
            let page = desk.api.clicks.list_clicks(request).await?.into_inner();
            Ok((page.clicks, page.next_page_token))
        };
        let found = pages::first(desk, self.limit, next, |_| true).await?;
        desk.list("Click", &found, |found| {
            table(
                [
                    Column::Text("click"),
                    Column::Text("captured"),
                    Column::Text("account"),
                    Column::Text("campaign"),
                    Column::Text("country"),
                    Column::Text("address"),
                    Column::Text("flags"),
                ],
                found.iter().map(row),
            )
        })
    }
}

fn row(click: &Click) -> [String; 7] {
    let flags = match (click.bot, click.prefetch) {
        (false, false) => "",
        (true, false) => "bot",
        (false, true) => "prefetch",
        (true, true) => "bot prefetch",
    };
    [
        click.click_id.clone(),
        shown(click.create_time.as_ref()),
        click.account.clone(),
        click.campaign.clone(),
        click.country.clone(),
        click.ip.clone(),
        flags.to_owned(),
    ]
}
