//! nginx with Lua and Redis: the same work as the edge's, as an operations team would build it.

use std::{fs, path::Path};

use anyhow::Context;

use crate::{
    bench::Bench,
    cpu,
    process::{Process, SERVERS, free_address, pinned},
    redis::Redis,
};

/// Its config, with the Lua in it.
const CONFIG: &str = include_str!("../../peers/nginx.conf");

/// Starts it on the servers' core, over a Redis.
pub(crate) fn start(bench: &Bench, redis: &Redis) -> anyhow::Result<Process> {
    let (folder, address) = (bench.folder("nginx-")?, free_address());
    let config = CONFIG
        .replace("LISTEN", &address.to_string())
        .replace("REDIS_PORT", &redis.process.address.port().to_string());
    fs::write(folder.join("nginx.conf"), config)?;
    let mut command = pinned(SERVERS, Path::new("nginx"));
    command.arg("-p").arg(&folder).args(["-c", "nginx.conf", "-e", "stderr", "-g", "daemon off;"]);
    let mut nginx = Process::start(command, &folder, address)?;
    let master = nginx.id();
    // Its CPU time is that of its worker, which a kernel may not show.
    nginx.wait_until(|| Ok(cpu::has_children(master))).context("no worker of nginx is seen")?;
    Ok(nginx)
}
