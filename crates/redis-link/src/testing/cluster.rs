//! A real Redis Cluster for tests.

use redis::{Cmd, cmd};

use super::server::{READY, RedisServer};

/// What a node says when it sees every slot served.
const WHOLE: &str = "Cluster state changed: ok";

/// Three masters that share the slots, killed when dropped.
pub struct RedisCluster {
    nodes: Vec<RedisServer>,
}

impl RedisCluster {
    /// Starts three nodes, joins them, and waits until each sees every slot served.
    pub fn start() -> Self {
        let config = "cluster-enabled yes\ncluster-node-timeout 5000\n";
        let mut nodes: Vec<_> = (0..3).map(|_| RedisServer::start_as(config, &[], READY)).collect();
        for (number, slots) in [(0, 5460), (5461, 10922), (10923, 16383)].into_iter().enumerate() {
            nodes[number].tell(cluster("ADDSLOTSRANGE").arg(slots.0).arg(slots.1));
            nodes[number].tell(cluster("SET-CONFIG-EPOCH").arg(number + 1));
        }
        for other in &nodes[1..] {
            nodes[0].tell(cluster("MEET").arg("127.0.0.1").arg(other.port()));
        }
        for node in &mut nodes {
            node.wait_for(WHOLE);
        }
        Self { nodes }
    }

    /// The nodes' URLs.
    pub fn urls(&self) -> Vec<String> {
        self.nodes.iter().map(RedisServer::url).collect()
    }

    /// Kills all nodes as a crash does.
    pub fn kill(&mut self) {
        self.nodes.iter_mut().for_each(RedisServer::kill);
    }

    /// Starts all of them again on the same ports, and waits until they serve every slot.
    pub fn restart(&mut self) {
        self.nodes.iter_mut().for_each(RedisServer::restart);
        for node in &mut self.nodes {
            node.wait_for(WHOLE);
        }
    }
}

fn cluster(command: &str) -> Cmd {
    cmd("CLUSTER").arg(command).take()
}
