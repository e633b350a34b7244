//! What Traffic Stars promises, one test or more for each promise: names begin with the promise's id.
#![allow(clippy::unwrap_used, reason = "tests")]

mod answers;
mod capture;
mod client;
mod notify;
mod query_form;
mod settings;

use postback_adapters_trafficstars::TrafficStars;
use postback_core::{
    AccountId, Adapter, Call, ClickId, Conversion, ConversionId, Details, Error, Event, Kind, LaneId, Money,
    Postback, Source,
};
use uuid::Uuid;

/// The documents' own click and key.
const CLICK: &str = "c86b8a88b91228911e723b93c65a5900bb49bc99";
const KEY: &str = "123456789012345678901234567890abcdef";

/// The account that these settings make, in TOML; its currency is USD.
fn account(settings: &str) -> TrafficStars {
    TrafficStars::new(toml::from_str(&format!("currency = 'USD'\n{settings}")).unwrap()).unwrap()
}

/// An account with the documents' key.
fn keyed(settings: &str) -> TrafficStars {
    account(&format!("key = '{KEY}'\n{settings}"))
}

fn click(id: &str) -> Source {
    Source::Click(ClickId::parse(id).unwrap())
}

fn money(amount: &str) -> Money {
    Money::parse(amount, "USD").unwrap()
}

/// A lead with the documents' own code.
fn lead() -> Details {
    Details { fields: code("abcd1234567890"), ..Details::new(Kind::Lead) }
}

fn lead_worth(value: &str) -> Details {
    Details { value: Some(money(value)), ..lead() }
}

fn code(code: &str) -> std::collections::BTreeMap<String, String> {
    [("lead_code".to_owned(), code.to_owned())].into()
}

fn conversion(source: Source, details: Details) -> Conversion {
    let account = AccountId::parse("stars").unwrap();
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
fn tell(account: &TrafficStars, source: Source, details: Details) -> Result<Call, Error> {
    let conversion = conversion(source, details);
    account.call(&Postback { conversion: &conversion, event: &Event::Created })
}

/// The URL of that call for the documents' own click.
fn url(account: &TrafficStars, details: Details) -> String {
    tell(account, click(CLICK), details).unwrap().request.uri().to_string()
}

fn refusal(account: &TrafficStars, details: Details) -> String {
    tell(account, click(CLICK), details).unwrap_err().to_string()
}
