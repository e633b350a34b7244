//! A real Redis Cluster for tests.

use std::{thread, time::Duration};

use redis::{Cmd, cmd};

use super::server::{READY, RedisServer};

/// What a node says when it sees every slot served.
const WHOLE: &str = "Cluster state changed: ok";

/// How many keys of a slot move at once.
const PIECE: usize = 100;

/// Three masters that share the slots, killed when dropped.
pub struct RedisCluster {
    nodes: Vec<RedisServer>,
}

impl RedisCluster {
    /// Starts three nodes, joins them, and waits until each sees every slot served.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// Starts one with further options for each node.
    pub fn start_with(options: &[&str]) -> Self {
        let config = "cluster-enabled yes\ncluster-node-timeout 5000\n";
        let mut nodes: Vec<_> = (0..3).map(|_| RedisServer::start_as(config, options, READY)).collect();
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

    /// Kills one node as a crash does.
    pub fn kill_node(&mut self, node: usize) {
        self.nodes[node].kill();
    }

    /// Starts it again on the same port, and waits until it sees every slot served.
    pub fn restart_node(&mut self, node: usize) {
        self.nodes[node].restart();
        self.nodes[node].wait_for(WHOLE);
    }

    /// Stops one node where it stands.
    pub fn freeze_node(&self, node: usize) {
        self.nodes[node].freeze();
    }

    /// Lets a frozen node go on.
    pub fn thaw_node(&self, node: usize) {
        self.nodes[node].thaw();
    }

    /// Moves the slot of a key to the next node while it is in use, some keys at a time with a pause between; returns
    /// how many there were.
    pub fn move_slot_of(&self, key: &str, pause: Duration) -> usize {
        let slot: u16 = self.nodes[0].ask(cluster("KEYSLOT").arg(key));
        let ids: Vec<String> = self.nodes.iter().map(|node| node.ask(&cluster("MYID"))).collect();
        let owner = self.nodes.iter().position(|node| node.serves(slot)).expect("a node serves each slot");
        let heir = (owner + 1) % self.nodes.len();
        let (from, to) = (&self.nodes[owner], &self.nodes[heir]);
        to.tell(cluster("SETSLOT").arg(slot).arg("IMPORTING").arg(&ids[owner]));
        from.tell(cluster("SETSLOT").arg(slot).arg("MIGRATING").arg(&ids[heir]));
        let mut moved = 0;
        loop {
            let keys: Vec<Vec<u8>> = from.ask(cluster("GETKEYSINSLOT").arg(slot).arg(PIECE));
            if keys.is_empty() {
                break;
            }
            moved += keys.len();
            let mut migrate = cmd("MIGRATE");
            migrate.arg("127.0.0.1").arg(to.port()).arg("").arg(0).arg(5_000).arg("KEYS").arg(keys);
            from.tell(&migrate);
            thread::sleep(pause);
        }
        for node in [to, from] {
            node.tell(cluster("SETSLOT").arg(slot).arg("NODE").arg(&ids[heir]));
        }
        moved
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

impl RedisServer {
    /// Whether this node says that it serves a slot.
    fn serves(&self, slot: u16) -> bool {
        let nodes: String = self.ask(&cluster("NODES"));
        let mine = nodes.lines().find(|line| line.contains("myself")).unwrap_or_default();
        mine.split(' ').skip(8).any(|range| {
            let (first, last) = range.split_once('-').unwrap_or((range, range));
            first.parse().is_ok_and(|first: u16| first <= slot)
                && last.parse().is_ok_and(|last: u16| slot <= last)
        })
    }
}

fn cluster(command: &str) -> Cmd {
    cmd("CLUSTER").arg(command).take()
}
