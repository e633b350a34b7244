//! A real master with its replica and sentinel, for tests.

use super::server::{READY, RedisServer};

/// A master, a replica and one sentinel that watches them as `main`; killed when dropped.
pub struct RedisSentinel {
    master: RedisServer,
    replica: RedisServer,
    sentinel: RedisServer,
}

impl RedisSentinel {
    /// Starts all three, and waits until the sentinel knows the replica.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// Starts one with further options for the master and the replica.
    pub fn start_with(options: &[&str]) -> Self {
        let config = "repl-diskless-sync-delay 0\n";
        let master = RedisServer::start_as(config, options, READY);
        let port = master.port();
        let mut replica = RedisServer::start_as(config, options, READY);
        replica.follow(port);
        let watch = format!(
            "sentinel monitor main 127.0.0.1 {port} 1\nsentinel down-after-milliseconds main 300\n\
             sentinel failover-timeout main 1000\n"
        );
        let mut sentinel = RedisServer::start_as(&watch, &["--sentinel"], "+monitor master main");
        sentinel.wait_for("+slave slave");
        Self { master, replica, sentinel }
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

    /// Freezes the master, and waits until the sentinel names the replica in its place.
    pub fn fail_over_frozen(&mut self) {
        self.master.freeze();
        self.sentinel.wait_for("+switch-master main");
    }

    /// Starts the killed master again, as the replica of the one that took its place; waits until it has all.
    pub fn follow(&mut self) {
        std::mem::swap(&mut self.master, &mut self.replica);
        self.replica.restart();
        self.replica.follow(self.master.port());
    }
}
