//! A night at one account: our side counts 61 conversions, and the network shows 25.

use jiff::SignedDuration;
use postback_proto::v1::{ConversionDetails, Source};
use postback_sandbox::{FaultKind, Network};

use crate::{House, order, token, user};

/// The account, and its campaign.
pub const ACCOUNT: &str = "powerspace";
/// What our side counts.
pub const OURS: u64 = 61;
/// What the network counted.
pub const DELIVERED: u64 = 25;
/// Behind the pause: the network refuses the account since some moment.
pub const PENDING: u64 = 10;
/// Sent, and no answer came.
pub const IN_DOUBT: u64 = 5;
/// Refused by the network: it does not know the click.
pub const UNKNOWN_THERE: u64 = 4;
/// Refused by the network: the click id is wrong.
pub const WRONG_ID: u64 = 3;
/// Given up: the network was away until the click's life was nearly over.
pub const TOO_LATE: u64 = 2;
/// Reported after the click's 30 days, and refused.
pub const EXPIRED: u64 = 4;
/// Landed without a click id, so that nobody knows whose conversion it was; refused.
pub const NOBODYS: u64 = LOST + MACROS;
/// Of those, with no click id in the URL.
pub const LOST: u64 = 5;
/// Of those, with a macro that the network did not replace.
pub const MACROS: u64 = 3;
/// What became a conversion, and all that did not reach the network of it.
pub const CONVERSIONS: u64 = OURS - EXPIRED - NOBODYS;
/// Dead letters.
pub const DEAD: u64 = UNKNOWN_THERE + WRONG_ID + TOO_LATE;

const DAY: SignedDuration = SignedDuration::from_hours(24);
const HALF_HOUR: SignedDuration = SignedDuration::from_mins(30);

/// The shop that has the 61 orders.
struct Shop<'a> {
    house: &'a House,
    orders: u64,
}

impl Shop<'_> {
    /// Visitors of the network who came now; their tokens.
    async fn visitors(&self, many: u64) -> Vec<String> {
        let mut tokens = Vec::new();
        for _ in 0..many {
            let id = self.house.issue(Network::Powerspace);
            tokens.push(self.house.land(ACCOUNT, &format!("clickId={id}&utm_source=powerspace")).await);
        }
        // What was seen is written down under the time of now.
        self.house.hub.campaigns().await.expect("the logbook answers");
        tokens
    }

    /// Reports an order; returns whether it was taken.
    async fn order(&mut self, source: Source) -> bool {
        self.orders += 1;
        let transaction_id = format!("A-{}", 1_000 + self.orders);
        let order = ConversionDetails { transaction_id, ..order("49.90") };
        self.house.caller.record(source, order).await.is_ok()
    }

    /// Visitors who come now and order, each taken.
    async fn sells(&mut self, many: u64) {
        for visitor in self.visitors(many).await {
            assert!(self.order(token(&visitor)).await);
        }
    }

    /// Reports the orders of visitors whom nobody can attribute any more.
    async fn refused(&mut self, sources: impl IntoIterator<Item = Source>) {
        for source in sources {
            assert!(!self.order(source).await);
        }
    }

    fn meets(&self, kind: FaultKind, times: Option<u64>) {
        self.house.inject(Network::Powerspace, kind, times.map(|times| times as u32));
    }
}

/// Lets the night pass over a new house.
pub async fn night(house: &House) {
    let mut shop = Shop { house, orders: 0 };
    house.clock.advance(-DAY * 31);
    let expired = shop.visitors(EXPIRED).await;
    house.clock.advance(DAY + HALF_HOUR);
    let late = shop.visitors(TOO_LATE).await;
    house.clock.advance(DAY * 30 - HALF_HOUR);

    shop.meets(FaultKind::Status { code: 503, retry_after: Some(7_200) }, Some(TOO_LATE));
    for visitor in late {
        assert!(shop.order(token(&visitor)).await);
    }
    house.until(ACCOUNT, |stats| stats.dead == TOO_LATE).await;
    shop.refused(expired.iter().map(|visitor| token(visitor))).await;
    shop.sells(DELIVERED).await;
    house.until(ACCOUNT, |stats| stats.delivered == DELIVERED).await;
    for n in 0..NOBODYS {
        let query = if n < LOST { "utm_source=powerspace" } else { "clickId={click_id}" };
        house.visitor.get(&format!("/c/{ACCOUNT}?{query}")).await;
    }
    shop.refused((0..NOBODYS).map(|n| user(&format!("customer-{n}")))).await;

    shop.meets(FaultKind::DropBefore, Some(IN_DOUBT));
    shop.sells(IN_DOUBT).await;
    house.until(ACCOUNT, |stats| stats.in_doubt == IN_DOUBT).await;
    shop.meets(FaultKind::Status { code: 404, retry_after: None }, Some(UNKNOWN_THERE));
    shop.sells(UNKNOWN_THERE).await;
    house.until(ACCOUNT, |stats| stats.dead == TOO_LATE + UNKNOWN_THERE).await;
    shop.meets(FaultKind::Status { code: 400, retry_after: None }, Some(WRONG_ID));
    shop.sells(WRONG_ID).await;
    house.until(ACCOUNT, |stats| stats.dead == DEAD).await;
    shop.meets(FaultKind::Status { code: 403, retry_after: None }, None);
    shop.sells(1).await;
    house.stands(ACCOUNT, |standing| standing.paused.is_some() && standing.stats.pending == 1).await;
    shop.sells(PENDING - 1).await;
    assert_eq!(shop.orders, OURS);
    assert_eq!(house.sandbox.stats().powerspace.counted, DELIVERED);
}
