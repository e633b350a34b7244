//! What a hub sees by itself and a person should look at: its stores, its clock, clicks that end.

use jiff::{SignedDuration, Timestamp};
use postback_hub::Sight;

use crate::show;

/// For how long what happened at once is worth a look.
const DAY: SignedDuration = SignedDuration::from_hours(24);

/// Something that a person should look at.
pub(crate) struct Need {
    pub(crate) tone: &'static str,
    pub(crate) words: String,
    pub(crate) link: String,
}

/// What the last look of this process's hub shows.
pub(crate) fn needs(sight: &Sight, now: Timestamp) -> Vec<Need> {
    let mut needs = Vec::new();
    let mut need = |tone, words, link: &str| needs.push(Need { tone, words, link: link.to_owned() });
    if let Some(why) = &sight.broken {
        need(
            "bad",
            format!("every report is refused, for the store would lose it: {}", show::text(why)),
            "/readyz",
        );
    }
    for store in &sight.away {
        need("bad", format!("the store of {store} does not answer"), "/readyz");
    }
    for (account, ending) in sight.ending.iter().filter(|(_, ending)| **ending > 0) {
        let words = format!(
            "{account}: {} pending whose clicks end within three days",
            show::count(&(*ending as u64))
        );
        need("bad", words, &format!("/deliveries?account={account}&state=pending"));
    }
    let lately = |at: &Timestamp| now.duration_since(*at) < DAY;
    if let Some((at, leap)) = sight.leapt.filter(|(at, _)| lately(at)) {
        let way = if leap.is_positive() { "leapt ahead" } else { "was set back" };
        let words = format!("the clock {way} by {}, {}", show::span(&leap.abs()), show::ago(&at, &now));
        need("warn", words, "/metrics");
    }
    if let Some(at) = sight.dropped.filter(lately) {
        let words = format!(
            "clicks were dropped {}: their store was away, and too many waited",
            show::ago(&at, &now)
        );
        need("warn", words, "/clicks");
    }
    needs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_that_is_away_or_loses_a_clock_that_leaps_and_clicks_that_go_need_somebody() {
        let now = Timestamp::UNIX_EPOCH;
        let ago = now - SignedDuration::from_mins(20);
        let mut sight = Sight {
            ending: [("near".parse().unwrap(), 3), ("far".parse().unwrap(), 0)].into(),
            away: vec!["clicks"],
            broken: Some("it drops".to_owned()),
            leapt: Some((ago, SignedDuration::from_hours(2))),
            dropped: Some(ago),
            ..Sight::default()
        };
        let told = |sight: &Sight| needs(sight, now).into_iter().map(|need| need.words).collect::<Vec<_>>();
        assert_eq!(
            told(&sight),
            [
                "every report is refused, for the store would lose it: it drops",
                "the store of clicks does not answer",
                "near: 3 pending whose clicks end within three days",
                "the clock leapt ahead by 2 h, 20 min ago",
                "clicks were dropped 20 min ago: their store was away, and too many waited",
            ]
        );
        assert_eq!(needs(&sight, now)[2].link, "/deliveries?account=near&state=pending");
        sight.leapt = Some((ago, SignedDuration::from_hours(-2)));
        assert_eq!(told(&sight)[3], "the clock was set back by 2 h, 20 min ago");
        let yesterday = now - DAY;
        let over = Sight { leapt: Some((yesterday, DAY)), dropped: Some(yesterday), ..Sight::default() };
        assert!(needs(&over, now).is_empty());
    }
}
