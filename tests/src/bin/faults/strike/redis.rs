//! Faults of Redis.

use std::{ops::Range, time::Duration};

use tokio::{task::block_in_place, time::sleep};

use crate::{house::House, strike::process};

/// How long a frozen Redis stays frozen: longer than every timeout of the hub.
const FROZEN: Duration = Duration::from_secs(3);
/// How long it is kept from its work otherwise, in milliseconds: longer than it is from one visitor to the next.
const HINDERED_MS: Range<u64> = 100..2_000;
/// The parts of the hub's keys in Redis that lie in one slot each.
const PARTITIONS: u8 = 16;

/// Kills it and starts it again; one time in four the hub starts while Redis is away.
pub(crate) async fn kill(house: &mut House, random: &mut fastrand::Rng) -> anyhow::Result<u64> {
    block_in_place(|| house.servers.single().map(|redis| redis.kill()))?;
    if random.u8(..4) == 0 {
        process::terminate(house).await?;
    }
    sleep(Duration::from_millis(random.u64(..500))).await;
    block_in_place(|| house.servers.single().map(|redis| redis.restart()))?;
    Ok(1)
}

/// Kills it and starts it again at once.
pub(crate) fn cut(house: &mut House) -> anyhow::Result<u64> {
    let redis = house.servers.single()?;
    block_in_place(|| {
        redis.kill();
        redis.restart();
    });
    Ok(1)
}

/// Stops it where it stands.
pub(crate) async fn freeze(house: &mut House) -> anyhow::Result<u64> {
    house.servers.single()?.freeze();
    sleep(FROZEN).await;
    house.servers.single()?.thaw();
    Ok(1)
}

/// Has it hold back all commands, or all writes.
pub(crate) async fn pause(house: &mut House, random: &mut fastrand::Rng) -> anyhow::Result<u64> {
    let time = Duration::from_millis(random.u64(HINDERED_MS));
    let which = if random.bool() { "ALL" } else { "WRITE" };
    block_in_place(|| house.servers.single().map(|redis| redis.pause(time, which)))?;
    sleep(time).await;
    Ok(1)
}

/// Leaves it no memory; returns whether it refused a command for that.
pub(crate) async fn fill(house: &mut House, random: &mut fastrand::Rng) -> anyhow::Result<u64> {
    let met = block_in_place(|| {
        let redis = house.servers.single()?;
        redis.set("maxmemory", "1");
        anyhow::Ok(redis.refused("OOM"))
    })?;
    sleep(Duration::from_millis(random.u64(HINDERED_MS))).await;
    block_in_place(|| {
        let redis = house.servers.single()?;
        redis.set("maxmemory", "0");
        Ok(u64::from(redis.refused("OOM") > met))
    })
}

/// Kills the master, has the replica promoted, and the old master follow it.
pub(crate) fn fail_over(house: &mut House) -> anyhow::Result<u64> {
    let sentinel = house.servers.sentinel()?;
    block_in_place(|| {
        sentinel.fail_over();
        sentinel.follow();
    });
    Ok(1)
}

/// Moves the slot of one of the outbox's partitions to another node, key by key.
pub(crate) async fn move_slot(house: &mut House, random: &mut fastrand::Rng) -> anyhow::Result<u64> {
    let key = format!("pb:{{o:{:02}}}", random.u8(..PARTITIONS));
    let pause = Duration::from_millis(random.u64(..20));
    let moved = block_in_place(|| house.servers.cluster().map(|cluster| cluster.move_slot_of(&key, pause)))?;
    Ok(u64::from(moved > 0))
}

/// Kills a node and starts it again.
pub(crate) async fn kill_node(house: &mut House, random: &mut fastrand::Rng) -> anyhow::Result<u64> {
    let node = random.usize(..3);
    block_in_place(|| house.servers.cluster().map(|cluster| cluster.kill_node(node)))?;
    sleep(Duration::from_millis(random.u64(HINDERED_MS))).await;
    block_in_place(|| house.servers.cluster().map(|cluster| cluster.restart_node(node)))?;
    Ok(1)
}
