//! What Powerspace promises, one test or more for each promise: names begin with the promise's id.
#![allow(clippy::unwrap_used, reason = "tests")]

mod answers;
mod capture;
mod client;
mod notify;
mod settings;

use postback_adapters_powerspace::Powerspace;
use postback_core::{
    AccountId, Adapter, Call, ClickId, Conversion, ConversionId, Details, Error, Event, Kind, LaneId, Money,
    Postback, Source,
};
use uuid::Uuid;

/// The account that these settings make, in TOML.
fn powerspace(settings: &str) -> Powerspace {
    Powerspace::new(toml::from_str(settings).unwrap())
}

fn click(id: &str) -> Source {
    Source::Click(ClickId::parse(id).unwrap())
}

fn money(amount: &str) -> Money {
    Money::parse(amount, "EUR").unwrap()
}

fn order(value: &str) -> Details {
    Details { value: Some(money(value)), ..Details::new(Kind::Order) }
}

fn conversion(source: Source, details: Details) -> Conversion {
    let account = AccountId::parse("powerspace").unwrap();
    let lane = LaneId::of(&account, &source, "");
    Conversion {
        id: ConversionId::new(Uuid::from_u128(7), lane.shard()),
        account,
        campaign: None,
        source,
        click_time: None,
        user: None,
        request_id: None,
        lane,
        details,
        occurred_at: "2026-01-01T00:00:00Z".parse().unwrap(),
        recorded_at: "2026-01-01T00:00:00Z".parse().unwrap(),
    }
}

/// The call by which `account` tells `details` of `source`.
fn tell(account: &Powerspace, source: Source, details: Details) -> Result<Call, Error> {
    let conversion = conversion(source, details);
    account.call(&Postback { conversion: &conversion, event: &Event::Created })
}

/// The URL of that call at an account without settings, for the document's own click.
fn url(details: Details) -> String {
    tell(&powerspace(""), click("abc123xyz789"), details).unwrap().request.uri().to_string()
}
