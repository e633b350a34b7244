//! A real master with its replica and sentinel, for tests.

use super::server::{READY, RedisServer};

/// A master, a replica and one sentinel that watches them as `main`; killed when dropped.
pub struct RedisSentinel {
    master: RedisServer,
    _replica: RedisServer,
    sentinel: RedisServer,
}

impl RedisSentinel {
    /// Starts all three, and waits until the sentinel knows the replica.
    pub fn start() -> Self {
        let master = RedisServer::start();
        let port = master.port();
        let follow = format!("replicaof 127.0.0.1 {port}\nrepl-diskless-sync-delay 0\n");
        let mut replica = RedisServer::start_as(&follow, &[], READY);
        replica.wait_for("MASTER <-> REPLICA sync: Finished with success");
        let watch = format!(
            "sentinel monitor main 127.0.0.1 {port} 1\nsentinel down-after-milliseconds main 300\n\
             sentinel failover-timeout main 3000\n"
        );
        let mut sentinel = RedisServer::start_as(&watch, &["--sentinel"], "+monitor master main");
        sentinel.wait_for("+slave slave");
        Self { master, _replica: replica, sentinel }
    }

    /// The sentinel's URL.
    pub fn url(&self) -> String {
        self.sentinel.url()
    }

    /// Kills the master, and waits until the sentinel names the replica in its place.
    pub fn fail_over(&mut self) {
        self.master.kill();
        self.sentinel.wait_for("+switch-master main");
    }
}
