//! Faults of a process of the hub.

use std::time::Duration;

use tokio::time::sleep;

use crate::house::{House, LEASE};

/// Kills it, now and then again while it starts.
pub(crate) async fn kill(house: &mut House, random: &mut fastrand::Rng) -> anyhow::Result<u64> {
    let hub = house.victim();
    hub.kill().await?;
    let mut kills = 1;
    while random.u8(..4) == 0 {
        hub.spawn()?;
        sleep(Duration::from_millis(random.u64(..150))).await;
        hub.kill().await?;
        kills += 1;
    }
    hub.start().await?;
    Ok(kills)
}

/// Kills it once.
pub(crate) async fn cut(house: &mut House) -> anyhow::Result<u64> {
    house.victim().kill().await?;
    house.victim().start().await?;
    Ok(1)
}

/// Has each process end in good order and start again, one after the other.
pub(crate) async fn terminate(house: &mut House) -> anyhow::Result<u64> {
    let mut ended = 0;
    for hub in house.hubs() {
        hub.terminate().await?;
        hub.start().await?;
        ended += 1;
    }
    Ok(ended)
}

/// Freezes it for two leases.
pub(crate) async fn freeze(house: &mut House) -> anyhow::Result<u64> {
    house.victim().signal("-STOP").await?;
    sleep(2 * LEASE).await;
    house.victim().signal("-CONT").await?;
    Ok(1)
}
