//! Visitors and conversions as they come: each with a click of its own.

use std::fmt::Write;

use anyhow::Context;
use jiff::Timestamp;
use postback_core::{AccountId, AccountTag, ClickId, ClickToken, Keyring, TokenClaims};
use postback_proto::v1::{
    ConversionDetails, Kind, Money, NetworkClick, RecordConversionRequest, Source, source,
};

/// The account and the campaign of every row: ids of 40 hex digits, as the longest that a network sends.
pub(crate) const ACCOUNT: &str = "ads";
/// The campaign's name.
pub(crate) const CAMPAIGN: &str = "spring";

/// Browsers, most of them of phones.
const BROWSERS: [&str; 6] = [
    "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) \
     Chrome/142.0.0.0 Mobile Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) \
     Version/26.0 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) \
     Chrome/142.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/28.0 \
     Chrome/130.0.0.0 Mobile Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.0 \
     Safari/605.1.15",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:145.0) Gecko/20100101 Firefox/145.0",
];
const MEDIA: [&str; 3] = ["popunder", "banner", "push"];
const TERMS: [&str; 4] = ["running+shoes", "winter%20jacket", "gift%20card", "headphones"];
const CONTENTS: [&str; 4] = ["300x250-b", "728x90-a", "video-15s", "native-3"];

fn random(seed: u64, number: u64) -> fastrand::Rng {
    fastrand::Rng::with_seed(seed.wrapping_add(number.wrapping_mul(0x9E37_79B9_7F4A_7C15)))
}

/// The click of a number: 40 hex digits.
fn click(random: &mut fastrand::Rng) -> String {
    format!("{:032x}{:08x}", random.u128(..), random.u32(..))
}

fn one<'a>(random: &mut fastrand::Rng, of: &[&'a str]) -> &'a str {
    of[random.usize(..of.len())]
}

/// Writes a visitor's request.
pub(crate) fn visit(into: &mut Vec<u8>, host: &str, seed: u64, number: u64) {
    let mut random = random(seed, number);
    let click = click(&mut random);
    let [a, b, c] = random.u32(..).to_le_bytes().first_chunk().copied().unwrap_or_default();
    let text = format!(
        "GET /c/{CAMPAIGN}?click_id={click}&utm_source=trafficstars&utm_medium={medium}\
         &utm_campaign=autumn-{campaign}&utm_term={term}&utm_content={content} HTTP/1.1\r\n\
         host: {host}\r\n\
         user-agent: {browser}\r\n\
         accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n\
         accept-language: en-US,en;q=0.9\r\n\
         accept-encoding: gzip, deflate, br, zstd\r\n\
         x-forwarded-for: {ip}.{a}.{b}.{c}\r\n\
         \r\n",
        medium = one(&mut random, &MEDIA),
        campaign = random.u16(1_000..2_000),
        term = one(&mut random, &TERMS),
        content = one(&mut random, &CONTENTS),
        browser = one(&mut random, &BROWSERS),
        ip = random.u8(11..100),
    );
    into.clear();
    into.extend_from_slice(text.as_bytes());
}

/// How a report names its click.
#[derive(Clone, Copy)]
pub(crate) enum By {
    /// By its token.
    Token,
    /// By the network's id.
    Network,
}

/// Who reports.
pub(crate) struct Reporter {
    account: AccountId,
    ring: Keyring,
    captured_at: Timestamp,
    by: By,
    with_request_id: bool,
}

impl Reporter {
    pub(crate) fn new(ring: Keyring, by: By, with_request_id: bool) -> anyhow::Result<Self> {
        Ok(Self {
            account: AccountId::parse(ACCOUNT)?,
            ring,
            captured_at: Timestamp::now(),
            by,
            with_request_id,
        })
    }

    /// The report of an order that a click brought.
    pub(crate) fn report(&self, seed: u64, number: u64) -> anyhow::Result<RecordConversionRequest> {
        let mut random = random(seed, number);
        let id = click(&mut random);
        let mut transaction = String::with_capacity(16);
        write!(transaction, "A-{:012x}", random.u64(..) >> 16).context("no room for a name")?;
        let source = match self.by {
            By::Network => {
                source::Source::NetworkClick(NetworkClick { account: ACCOUNT.to_owned(), click_id: id })
            }
            By::Token => {
                let claims =
                    TokenClaims::new(AccountTag::of(&self.account), ClickId::parse(id)?, self.captured_at);
                source::Source::ClickToken(ClickToken::seal(&claims, &self.ring)?.to_string())
            }
        };
        let value = Money { amount: format!("{}.90", random.u8(10..100)), currency: "USD".to_owned() };
        let request_id = if self.with_request_id { format!("order-{transaction}") } else { String::new() };
        Ok(RecordConversionRequest {
            source: Some(Source { source: Some(source) }),
            details: Some(ConversionDetails {
                kind: Kind::Order.into(),
                value: Some(value),
                transaction_id: transaction,
                ..ConversionDetails::default()
            }),
            request_id,
            ..RecordConversionRequest::default()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_one_click_of_its_own_in_a_visit_and_in_a_report() {
        let ring = Keyring::new(postback_core::Key::new(1, [7; 32]), []).unwrap();
        let reporter = Reporter::new(ring, By::Network, false).unwrap();
        let mut ids = std::collections::BTreeSet::new();
        for number in 0..1_000 {
            let report = reporter.report(5, number).unwrap();
            let Some(source::Source::NetworkClick(click)) = report.source.unwrap().source else { panic!() };
            let mut visit_text = Vec::new();
            visit(&mut visit_text, "here", 5, number);
            let visit_text = String::from_utf8(visit_text).unwrap();
            assert!(visit_text.contains(&format!("click_id={}&", click.click_id)), "{visit_text}");
            assert_eq!(click.click_id.len(), 40);
            assert!(ids.insert(click.click_id));
        }
    }
}
