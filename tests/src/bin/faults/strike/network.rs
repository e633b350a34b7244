//! Faults of the ad networks: one of them, or all, misbehaves for one to two seconds.

use std::{ops::Range, time::Duration};

use anyhow::ensure;
use jiff::Timestamp;
use postback_sandbox::{Fault as Misdeed, FaultKind, Network};
use tokio::time::sleep;

use crate::{
    fault::Fault,
    house::House,
    isolation::{AFTERMATH, Struck},
    step::NETWORKS,
};

/// How long a network is broken, in milliseconds.
const BROKEN_MS: Range<u64> = 1_000..2_000;
/// Longer than any caller waits.
const NEVER: Duration = Duration::from_secs(60);
const PACE: Duration = Duration::from_secs(1);
/// In the query of a redirect's target.
const FOLLOWED: &str = "followed";

/// Closes the door of a network, cutting what is under way, and opens it again.
pub(crate) async fn refuse(house: &mut House, random: &mut fastrand::Rng) -> anyhow::Result<u64> {
    recover(house).await;
    let (from, networks) = (Timestamp::now(), some(NETWORKS.map(|place| place.0).to_vec(), random));
    for network in &networks {
        house.door(*network).close().await;
    }
    sleep(Duration::from_millis(random.u64(BROKEN_MS))).await;
    for network in &networks {
        house.door(*network).open().await?;
    }
    let struck = networks.len() as u64;
    note(house, networks, from);
    Ok(struck)
}

/// Has a network misbehave; returns how many were met so by a call.
pub(crate) async fn misbehave(
    fault: Fault,
    house: &mut House,
    random: &mut fastrand::Rng,
) -> anyhow::Result<u64> {
    recover(house).await;
    let can =
        NETWORKS.map(|place| place.0).into_iter().filter(|network| kind(fault, *network, random).is_some());
    let (from, networks) = (Timestamp::now(), some(can.collect(), random));
    let met = |house: &House, network| house.sandbox.stats().of(network).faults;
    let before: Vec<_> = networks.iter().map(|network| met(house, *network)).collect();
    for network in &networks {
        if let Some(kind) = kind(fault, *network, random) {
            house.sandbox.inject(Misdeed::new(*network, kind)?)?;
        }
    }
    sleep(Duration::from_millis(random.u64(BROKEN_MS))).await;
    house.sandbox.clear_faults(None);
    let struck = networks.iter().zip(before).filter(|(network, before)| met(house, **network) > *before);
    let struck = struck.count() as u64;
    note(house, networks, from);
    let followed = NETWORKS.iter().flat_map(|place| house.sandbox.received(place.0));
    let followed = followed.filter(|entry| entry.query.iter().any(|(name, _)| name == FOLLOWED)).count();
    ensure!(followed == 0, "{followed} redirects were followed");
    Ok(struck)
}

/// How a network misbehaves under a fault; nothing where it cannot in this way.
fn kind(fault: Fault, network: Network, random: &mut fastrand::Rng) -> Option<FaultKind> {
    Some(match fault {
        Fault::BlackHole => FaultKind::Delay(NEVER),
        Fault::ResetBefore => FaultKind::DropBefore,
        Fault::ResetAfter => FaultKind::DropAfter,
        Fault::ServerError => {
            FaultKind::Status { code: random.choice([500, 502, 503, 504])?, retry_after: None }
        }
        Fault::TooMany => FaultKind::Status { code: 429, retry_after: Some(random.u32(1..3)) },
        Fault::ErrorInside => FaultKind::Answer(own_error(network)?.to_owned()),
        Fault::Garbage => FaultKind::Garbage,
        Fault::EndlessBody => FaultKind::EndlessBody,
        Fault::SlowBody => FaultKind::SlowBody(PACE),
        Fault::RedirectLoop => FaultKind::Redirect(format!("{}?{FOLLOWED}=1", path(network))),
        _ => return None,
    })
}

/// An error that passes, in the network's own words. Traffic Stars documents none, so its answer breaks off; to
/// Powerspace every 200 is a success.
fn own_error(network: Network) -> Option<&'static str> {
    match network {
        Network::Powerspace => None,
        Network::Trafficstars => Some(r#"{"error": {"code": 0, "m"#),
        Network::Altercpa => Some(r#"{"status": "error", "error": "db"}"#),
    }
}

fn path(network: Network) -> &'static str {
    match network {
        Network::Powerspace => "/ld",
        Network::Trafficstars => "/api/v1/cpa/action",
        Network::Altercpa => "/api/site/click.json",
    }
}

/// One of them, or all.
fn some(networks: Vec<Network>, random: &mut fastrand::Rng) -> Vec<Network> {
    match random.u8(..4) {
        0 => networks,
        _ => random.choice(&networks).into_iter().copied().collect(),
    }
}

/// Leaves the networks alone until what failed at the last strike has been tried again: the schedule's second wait
/// would make trials long.
async fn recover(house: &House) {
    let since = house.strikes.last().map(|last| Timestamp::now().duration_since(last.to));
    let since = since.and_then(|since| Duration::try_from(since).ok()).unwrap_or(AFTERMATH);
    sleep(AFTERMATH.saturating_sub(since)).await;
}

/// Notes a strike that is over.
fn note(house: &mut House, networks: Vec<Network>, from: Timestamp) {
    house.strikes.push(Struck { networks, from, to: Timestamp::now() });
}
