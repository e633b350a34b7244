//! `postback tail`

use std::{collections::HashSet, time::Duration};

use clap::Args;
use jiff::Timestamp;
use postback_proto::{
    timestamp,
    v1::{Delivery, DeliveryState, WatchDeliveriesRequest},
};

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
    /// Changes at or after this: RFC 3339, or how long ago, such as 10m; from now on by default.
    #[arg(long, value_name = "TIME", value_parser = time::parse)]
    since: Option<Timestamp>,
}

impl Work for Tail {
    async fn work(self, desk: &mut Desk<'_>) -> Result<(), Failure> {
        let mut from = timestamp(self.since.unwrap_or_else(Timestamp::now));
        // What was shown of the last instant, which a stream that goes on brings again.
        let mut shown = HashSet::new();
        loop {
            let account = self.account.clone().unwrap_or_default();
            let request = WatchDeliveriesRequest { account, start_time: Some(from) };
            let ended = match desk.api.deliveries.watch_deliveries(request).await {
                Err(status) => Failure::from(status),
                Ok(stream) => {
                    let mut stream = stream.into_inner();
                    loop {
                        match stream.message().await {
                            Err(status) => break Failure::from(status),
                            Ok(None) => break Failure::new(Exit::Unavailable, "the hub ended"),
                            Ok(Some(delivery)) => {
                                let at = delivery.update_time.unwrap_or(from);
                                if (at.seconds, at.nanos) > (from.seconds, from.nanos) {
                                    shown.clear();
                                    from = at;
                                }
                                if shown.insert(delivery.delivery_id.clone()) {
                                    self::line(desk, &delivery)?;
                                }
                            }
                        }
                    }
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
