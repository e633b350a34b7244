//! What the tests share: an account, a conversion, its calls and answers.

use bytes::Bytes;
use http::Response;
use jiff::Timestamp;
use postback_adapters_altercpa::{AlterCpa, Settings};
use postback_core::{
    AccountId, Adapter, Call, Change, ClickId, Conversion, ConversionId, Details, Error, Event, Kind, LaneId,
    Money, Postback, Result, Source, Verdict,
};

pub(crate) const TOKEN: &str = "123-abcde";

/// The settings that the lines of TOML give, beside an address and a token.
pub(crate) fn settings(lines: &str) -> Result<AlterCpa> {
    let toml = format!("base_url = 'https://cpa.example'\ntoken = '{TOKEN}'\n{lines}");
    AlterCpa::new(toml::from_str::<Settings>(&toml).unwrap())
}

pub(crate) fn account(lines: &str) -> AlterCpa {
    settings(lines).unwrap()
}

pub(crate) fn plain() -> AlterCpa {
    account("")
}

pub(crate) fn click(id: &str) -> Source {
    Source::Click(ClickId::parse(id).unwrap())
}

pub(crate) fn conversion(source: Source, details: Details) -> Conversion {
    let account = AccountId::parse("cpa").unwrap();
    let lane = LaneId::of(&account, &source, "");
    Conversion {
        id: ConversionId::from_bytes([7; 16]),
        account,
        campaign: None,
        source,
        click_time: None,
        user: None,
        request_id: None,
        lane,
        details,
        occurred_at: Timestamp::from_second(1_767_225_600).unwrap(),
        recorded_at: Timestamp::from_second(1_767_225_700).unwrap(),
    }
}

/// A lead of the click `abc` of which nothing else is known.
pub(crate) fn lead() -> Conversion {
    conversion(click("abc"), Details::new(Kind::Lead))
}

/// A lead of the click `abc`, filled in.
pub(crate) fn lead_with(fill: impl FnOnce(&mut Details)) -> Conversion {
    let mut details = Details::new(Kind::Lead);
    fill(&mut details);
    conversion(click("abc"), details)
}

pub(crate) fn created(altercpa: &AlterCpa, conversion: &Conversion) -> Result<Call> {
    altercpa.call(&Postback { conversion, event: &Event::Created })
}

pub(crate) fn changed(altercpa: &AlterCpa, change: Change) -> Result<Call> {
    altercpa.call(&Postback { conversion: &lead(), event: &Event::Changed(change) })
}

/// A creation of the lead with these fields.
pub(crate) fn with_fields(altercpa: &AlterCpa, fields: &[(&str, &str)]) -> Result<Call> {
    created(altercpa, &lead_with(|details| details.fields = map(fields)))
}

pub(crate) fn map(fields: &[(&str, &str)]) -> std::collections::BTreeMap<String, String> {
    fields.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect()
}

pub(crate) fn money(amount: &str, currency: &str) -> Option<Money> {
    Some(Money::parse(amount, currency).unwrap())
}

/// The form that a call posts, in order.
pub(crate) fn form(call: &Call) -> Vec<(String, String)> {
    form_urlencoded::parse(call.request.body()).into_owned().collect()
}

/// The value of a parameter, which stands at most once.
pub(crate) fn value(call: &Call, name: &str) -> Option<String> {
    let mut values: Vec<String> =
        form(call).into_iter().filter(|(given, _)| given == name).map(|(_, value)| value).collect();
    assert!(values.len() <= 1, "{name} stands {} times", values.len());
    values.pop()
}

/// The values of some parameters, `-` where one is absent.
pub(crate) fn values<const N: usize>(call: &Call, names: [&str; N]) -> [String; N] {
    names.map(|name| value(call, name).unwrap_or_else(|| "-".into()))
}

pub(crate) fn path(call: &Call) -> &str {
    call.request.uri().path()
}

/// The field at fault.
#[track_caller]
pub(crate) fn fault(result: Result<Call>) -> String {
    refused(result).field().unwrap_or("no field").to_owned()
}

#[track_caller]
pub(crate) fn refused<T>(result: Result<T>) -> Error {
    match result {
        Ok(_) => panic!("it was not refused"),
        Err(error) => error,
    }
}

pub(crate) fn answer(status: u16, body: impl Into<Bytes>) -> Response<Bytes> {
    Response::builder().status(status).body(body.into()).unwrap()
}

/// The verdict on an answer to the lead's creation.
pub(crate) fn on_creation(status: u16, body: &str) -> Verdict {
    verdict(&Event::Created, &answer(status, body.to_owned()))
}

/// The verdict on an answer to a change of the lead.
pub(crate) fn on_change(status: u16, body: &str) -> Verdict {
    verdict(&Event::Changed(Change::default()), &answer(status, body.to_owned()))
}

pub(crate) fn verdict(event: &Event, answer: &Response<Bytes>) -> Verdict {
    let conversion = lead();
    plain().verdict(&Postback { conversion: &conversion, event }, answer, Timestamp::UNIX_EPOCH)
}
