//! `postback tail`

use std::{collections::HashSet, time::Duration};

use clap::Args;
use jiff::Timestamp;
use postback_core::ports::CHANGES_TOLD;
use postback_proto::{
    timestamp,
    v1::{Delivery, DeliveryState, WatchDeliveriesRequest},
};
use prost_types::Timestamp as WireTime;

use super::{
    Desk, Work,
    failure::{Exit, Failure},
    json, story,
    time::{self, shown},
    words::Word,
};
use crate::table::plain;

/// How long a hub that went away is waited for before it is asked again.
const AGAIN: Duration = Duration::from_secs(1);
/// Which changes.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  postback tail
  postback tail --account ps --since 10m
  postback tail --json | jq -r 'select(.state == \"DELIVERY_STATE_DEAD\") | .reason.message'")]
pub(crate) struct Tail {
    /// Of this account.
    #[arg(long)]
    account: Option<String>,
    /// Changes at or after this: RFC 3339, or how long ago, such as 10m, and 25h at most; from now on by default.
    #[arg(long, value_name = "TIME", value_parser = time::parse)]
    since: Option<Timestamp>,
}

impl Work for Tail {
    async fn work(self, desk: &mut Desk<'_>) -> Result<(), Failure> {
        desk.knows(self.account.as_deref().unwrap_or_default()).await?;
        let mut place = Place { from: self.since.map(timestamp), shown: HashSet::new() };
        let mut start = place.from;
        loop {
            let account = self.account.clone().unwrap_or_default();
            let (asked, request) = (Timestamp::now(), WatchDeliveriesRequest { account, start_time: start });
            let ended = match desk.api.deliveries.watch_deliveries(request).await {
                Err(status) => Failure::from(status),
                Ok(stream) => {
                    if let Some(gap) = place.go_on(start) {
                        writeln!(desk.err, "{gap}")?;
                    }
                    let mut stream = stream.into_inner();
                    let ended = loop {
                        match stream.message().await {
                            Err(status) => break Failure::from(status),
                            Ok(None) => break Failure::new(Exit::Unavailable, "the hub ended"),
                            Ok(Some(delivery)) if place.is_new(&delivery) => self::line(desk, &delivery)?,
                            Ok(Some(_)) => {}
                        }
                    };
                    place.from.get_or_insert(timestamp(asked));
                    ended
                }
            };
            if ended.exit() != Exit::Unavailable {
                return Err(ended);
            }
            let ended = ended.to_string();
            writeln!(desk.err, "{}; asking again", ended.lines().next().unwrap_or_default())?;
            tokio::time::sleep(AGAIN).await;
            start = place.start(Timestamp::now());
        }
    }
}

/// How far it has come.
struct Place {
    /// When the last change was that was shown.
    from: Option<WireTime>,
    /// What was shown of that instant, which a stream that goes on brings again.
    shown: HashSet<String>,
}

impl Place {
    /// Whether a delivery is to be shown; the place is then there.
    fn is_new(&mut self, delivery: &Delivery) -> bool {
        if is_before(self.from, delivery.update_time) {
            self.shown.clear();
            self.from = delivery.update_time;
        }
        self.shown.insert(delivery.delivery_id.clone())
    }

    /// From when on a hub is asked.
    fn start(&self, now: Timestamp) -> Option<WireTime> {
        let from = self.from?;
        let earliest = now.saturating_sub(CHANGES_TOLD).ok().map(timestamp);
        if is_before(Some(from), earliest) { earliest } else { Some(from) }
    }

    /// Goes on from a start, and says which changes are skipped by that.
    fn go_on(&mut self, start: Option<WireTime>) -> Option<String> {
        let from = self.from.filter(|_| is_before(self.from, start))?;
        self.from = start;
        let (from, start) = (shown(Some(&from)), shown(start.as_ref()));
        Some(format!("changes from {from} until {start} may be missing: the hub tells no older ones"))
    }
}

/// Nothing is before any time.
fn is_before(one: Option<WireTime>, other: Option<WireTime>) -> bool {
    let order = |time: WireTime| (time.seconds, time.nanos);
    one.map(order) < other.map(order)
}

fn line(desk: &mut Desk<'_>, delivery: &Delivery) -> Result<(), Failure> {
    if desk.json {
        writeln!(desk.out, "{}", json::line("Delivery", delivery)?)?;
    } else {
        let why = match delivery.state() {
            DeliveryState::Pending => format!("next {}", shown(delivery.due_time.as_ref())),
            _ => plain(&story::reason(delivery.reason.as_ref())),
        };
        let status =
            delivery.attempts.last().map(|attempt| attempt.http_status).filter(|&status| status != 0);
        let status = status.map(|status| format!(" HTTP {status}")).unwrap_or_default();
        let line = format!(
            "{} {} {} {} {}{status} {why}",
            shown(delivery.update_time.as_ref()),
            delivery.account,
            delivery.delivery_id,
            story::tells(delivery.change.as_ref()),
            delivery.state().word(),
        );
        writeln!(desk.out, "{}", line.trim_end())?;
    }
    Ok(desk.out.flush()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hour: i64, id: &str) -> Delivery {
        let update_time = Timestamp::from_second(hour * 3_600).ok().map(timestamp);
        Delivery { update_time, delivery_id: id.to_owned(), ..Delivery::default() }
    }

    /// What was shown of a stream that began with all that is kept, and ended.
    fn after(deliveries: &[Delivery]) -> Place {
        let mut place = Place { from: None, shown: HashSet::new() };
        assert!(deliveries.iter().all(|delivery| place.is_new(delivery)));
        place
    }

    #[test]
    fn after_hours_without_a_stream_it_goes_on_from_the_last_shown() {
        let mut place = after(&[at(1, "a"), at(2, "b")]);
        let start = place.start(Timestamp::from_second(26 * 3_600).unwrap());
        assert_eq!(start, at(2, "").update_time);
        assert_eq!(place.go_on(start), None, "nothing is missing");
        let new = [at(2, "b"), at(2, "c"), at(3, "b")].map(|delivery| place.is_new(&delivery));
        assert_eq!(new, [false, true, true]);
    }

    #[test]
    fn what_is_older_than_a_hub_tells_is_said_to_be_missing_once() {
        let mut place = after(&[at(1, "a")]);
        let start = place.start(Timestamp::from_second(30 * 3_600).unwrap());
        let said = "changes from 1970-01-01T01:00:00Z until 1970-01-01T05:00:00Z may be missing: \
                    the hub tells no older ones";
        assert_eq!(place.go_on(start).as_deref(), Some(said));
        assert_eq!(place.go_on(start), None);
        assert!(place.is_new(&at(6, "a")));
    }

    #[test]
    fn what_was_never_shown_begins_with_now() {
        assert_eq!(after(&[]).start(Timestamp::UNIX_EPOCH), None);
    }
}
