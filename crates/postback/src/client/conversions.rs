//! `postback conversions`

use clap::Args;
use postback_proto::v1::{Conversion, GetConversionRequest, Kind, ListConversionsRequest};

use super::{
    Desk, Work,
    failure::Failure,
    pages, story,
    time::{Window, shown},
    words::{kind, money, parser, source},
};
use crate::table::{Column, table};

/// Which conversions.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  postback conversions --account ps --since 24h
  postback conversions --account ts --click-id c86b8a88b91228911e723b93c65a5900bb49bc99
  postback conversions 0198f3a2-7c11-7d3e-8b4e-0c5d2f1a9b77
  postback conversions --since 7d --limit 100000 --json | jq -r .conversion_id")]
pub(crate) struct Conversions {
    /// One conversion, with everything that was told of it.
    #[arg(value_name = "ID", conflicts_with_all = ["account", "campaign", "kind", "click_id", "since", "until"])]
    id: Option<String>,
    /// Of this account.
    #[arg(long)]
    account: Option<String>,
    /// Of this campaign.
    #[arg(long)]
    campaign: Option<String>,
    /// Of this kind.
    #[arg(long, value_parser = parser::<Kind>())]
    kind: Option<Kind>,
    /// Of this click, by the network's id.
    #[arg(long, requires = "account")]
    click_id: Option<String>,
    #[command(flatten)]
    window: Window,
    /// At most so many, the latest.
    #[arg(long, default_value_t = 50)]
    limit: usize,
}

impl Work for Conversions {
    async fn work(self, desk: &mut Desk<'_>) -> Result<(), Failure> {
        if let Some(conversion_id) = self.id {
            let request = GetConversionRequest { conversion_id };
            let story = desk.api.conversions.get_conversion(request).await?.into_inner();
            let next = desk.next(&story.deliveries).await?;
            return desk.show("ConversionStory", &story, |story| story::story(story, &next));
        }
        let request = ListConversionsRequest {
            account: self.account.unwrap_or_default(),
            campaign: self.campaign.unwrap_or_default(),
            kind: self.kind.unwrap_or_default().into(),
            click_id: self.click_id.unwrap_or_default(),
            start_time: self.window.start(),
            end_time: self.window.end(),
            ..ListConversionsRequest::default()
        };
        let next = async |desk: &mut Desk<'_>, page_size, page_token| {
            let request = ListConversionsRequest { page_size, page_token, ..request.clone() };
            let page = desk.api.conversions.list_conversions(request).await?.into_inner();
            Ok((page.conversions, page.next_page_token))
        };
        let found = pages::first(desk, self.limit, next, |_| true).await?;
        if found.is_empty() {
            desk.knows(&request.account).await?;
            desk.knows_campaign(&request.campaign).await?;
        }
        desk.list("Conversion", &found, |found| {
            table(
                [
                    Column::Text("conversion"),
                    Column::Text("recorded"),
                    Column::Text("account"),
                    Column::Text("campaign"),
                    Column::Text("source"),
                    Column::Text("kind"),
                    Column::Number("value"),
                    Column::Text("transaction"),
                ],
                found.iter().map(row),
            )
        })
    }
}

fn row(conversion: &Conversion) -> [String; 8] {
    let details = conversion.details.clone().unwrap_or_default();
    [
        conversion.conversion_id.clone(),
        shown(conversion.create_time.as_ref()),
        conversion.account.clone(),
        conversion.campaign.clone(),
        source(conversion),
        kind(&details),
        money(details.value.as_ref()),
        details.transaction_id,
    ]
}
