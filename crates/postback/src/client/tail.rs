//! `postback tail`

use std::{collections::HashSet, time::Duration};

use clap::Args;
use jiff::{SignedDuration, Timestamp};
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
/// How far back it is then asked at most: what came before was shown as it came.
const LATELY: SignedDuration = SignedDuration::from_hours(1);

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
        let mut from = self.since.map(timestamp);
        // What was shown of the last instant, which a stream that goes on brings again.
        let mut shown = HashSet::new();
        loop {
            let account = self.account.clone().unwrap_or_default();
            let (asked, request) = (Timestamp::now(), WatchDeliveriesRequest { account, start_time: from });
            let ended = match desk.api.deliveries.watch_deliveries(request).await {
                Err(status) => Failure::from(status),
                Ok(stream) => {
                    let mut last = from;
                    let mut stream = stream.into_inner();
                    let ended = loop {
                        match stream.message().await {
                            Err(status) => break Failure::from(status),
                            Ok(None) => break Failure::new(Exit::Unavailable, "the hub ended"),
                            Ok(Some(delivery)) => {
                                if is_before(last, delivery.update_time) {
                                    shown.clear();
                                    last = delivery.update_time;
                                }
                                if shown.insert(delivery.delivery_id.clone()) {
                                    self::line(desk, &delivery)?;
                                }
                            }
                        }
                    };
                    last = last.or(Some(timestamp(asked)));
                    let lately = Timestamp::now().saturating_sub(LATELY).ok().map(timestamp);
                    from = if is_before(last, lately) { lately } else { last };
                    ended
                }
            };
            if ended.exit() != Exit::Unavailable {
                return Err(ended);
            }
            writeln!(desk.err, "{ended}; asking again")?;
            tokio::time::sleep(AGAIN).await;
        }
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
