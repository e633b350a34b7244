//! A real Redis server for tests, on a free port of the loopback.
//!
//! It runs under a small shell that waits for its standard input to end: when the test process ends, however it
//! ends, the server is killed and its directory removed.

use std::{
    env, fs,
    hash::{BuildHasher, Hasher, RandomState},
    io::{BufRead, BufReader, Write},
    iter,
    net::TcpListener,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{
        Mutex,
        mpsc::{Receiver, RecvTimeoutError, channel},
    },
    thread,
    time::{Duration, Instant},
};

/// Runs the server in the background, names its process, and kills it when told or left alone.
const GUARD: &str = r#"
dir=$1; shift
redis-server "$dir/redis.conf" "$@" & server=$!
echo "server $server"; exec >&-
read -r order
kill -9 "$server"; wait "$server" 2>/dev/null
[ "$order" = keep ] || rm -rf "$dir""#;

/// How long a test waits for what a server's log must say; never reached where all is well.
const PATIENCE: Duration = Duration::from_secs(60);

/// How many ports are tried before it must be something else.
const TRIES: usize = 20;

/// One `redis-server`, killed when dropped.
pub struct RedisServer {
    port: u16,
    options: Vec<String>,
    variables: Vec<(String, String)>,
    dir: PathBuf,
    running: Option<Running>,
}

struct Running {
    guard: Child,
    log: Mutex<Receiver<String>>,
    server: String,
}

impl RedisServer {
    /// Starts a server that saves nothing.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// Starts a server with further options, such as `--maxmemory 2mb`.
    pub fn start_with(options: &[&str]) -> Self {
        Self::start_under(options, &[])
    }

    /// Starts a server with further options, and with these variables set for its process, each time it starts.
    pub fn start_under(options: &[&str], variables: &[(&str, String)]) -> Self {
        Self::launch("", options, variables, READY)
    }

    /// Starts a server with a config file and options, and waits for the words in its log that say it is ready.
    pub(super) fn start_as(config: &str, options: &[&str], ready: &str) -> Self {
        Self::launch(config, options, &[], ready)
    }

    fn launch(config: &str, options: &[&str], variables: &[(&str, String)], ready: &str) -> Self {
        for _ in 0..TRIES {
            let port = free_port();
            let dir = env::temp_dir().join(format!("postback-redis-{}-{port}", std::process::id()));
            fs::create_dir_all(&dir).expect("cannot make a directory for redis");
            fs::write(dir.join("redis.conf"), config).expect("cannot write redis.conf");
            let options = options.iter().map(|option| (*option).to_owned()).collect();
            let variables =
                variables.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
            let mut server = Self { port, options, variables, dir, running: None };
            if server.run(ready) {
                return server;
            }
        }
        panic!("redis-server does not start; is it installed? (Debian: apt-get install redis-server)");
    }

    /// Starts it, and waits until it is ready; whether it is.
    fn run(&mut self, ready: &str) -> bool {
        let port = self.port.to_string();
        let mut guard = Command::new("sh")
            .args(["-c", GUARD, "guard"])
            .arg(&self.dir)
            .args(["--bind", "127.0.0.1", "--port", &port, "--save", "", "--appendonly", "no", "--dir"])
            .arg(&self.dir)
            .args(&self.options)
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("cannot start sh");
        let said = BufReader::new(guard.stdout.take().expect("stdout is piped")).lines();
        let (says, log) = channel();
        // It ends with the server's log, or with whoever reads it.
        thread::spawn(move || said.map_while(Result::ok).try_for_each(|line| says.send(line)));
        let (server, ready) = named_and_ready(lines(&log, PATIENCE), ready);
        let server = server.expect("the guard names the server");
        self.running = Some(Running { guard, log: log.into(), server });
        ready
    }

    /// The server's URL.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// The server's port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Kills the server as a crash does.
    pub fn kill(&mut self) {
        self.end("keep\n");
    }

    /// Starts it again on the same port, after [`RedisServer::kill`].
    pub fn restart(&mut self) {
        assert!(self.run(READY), "redis does not start again on port {}", self.port);
    }

    /// Stops the process where it stands: it takes commands and does nothing about them.
    pub fn freeze(&self) {
        self.signal("-STOP");
    }

    /// Lets a frozen server go on.
    pub fn thaw(&self) {
        self.signal("-CONT");
    }

    /// Has it hold back commands, `ALL` or those that `WRITE`, for so long.
    pub fn pause(&self, time: Duration, which: &str) {
        self.tell(redis::cmd("CLIENT").arg("PAUSE").arg(time.as_millis() as u64).arg(which));
    }

    /// Changes a setting while it runs.
    pub fn set(&self, setting: &str, value: &str) {
        self.tell(redis::cmd("CONFIG").arg("SET").arg(setting).arg(value));
    }

    /// How many commands it has refused with this error so far, such as `OOM`.
    pub fn refused(&self, error: &str) -> u64 {
        let errors: String = self.ask(redis::cmd("INFO").arg("errorstats"));
        let count = format!("errorstat_{error}:count=");
        let count = errors.lines().find_map(|line| line.strip_prefix(&count));
        count.map_or(0, |count| count.trim().parse().expect("a count"))
    }

    /// Makes it the replica of the server on a port, and waits until it has all.
    pub(super) fn follow(&mut self, port: u16) {
        self.tell(redis::cmd("REPLICAOF").arg("127.0.0.1").arg(port));
        self.wait_for("MASTER <-> REPLICA sync: Finished with success");
    }

    /// Waits until these words are in the log.
    pub(super) fn wait_for(&mut self, words: &str) {
        let running = self.running.as_mut().expect("the server runs");
        let log = running.log.get_mut().expect("nobody holds it");
        let said = lines(log, PATIENCE).any(|line| line.contains(words));
        assert!(said, "redis ended without {words:?}");
    }

    /// Sends a command whose answer does not matter.
    pub(super) fn tell(&self, command: &redis::Cmd) {
        self.ask::<redis::Value>(command);
    }

    /// Sends a command.
    pub(super) fn ask<T: redis::FromRedisValue>(&self, command: &redis::Cmd) -> T {
        let client = redis::Client::open(self.url()).expect("a URL of redis");
        let mut connection = client.get_connection().expect("redis runs");
        command.query(&mut connection).expect("redis does as it is told")
    }

    fn signal(&self, signal: &str) {
        let running = self.running.as_ref().expect("the server runs");
        let status = Command::new("kill").args([signal, &running.server]).status();
        assert!(status.expect("cannot run kill").success());
    }

    fn end(&mut self, order: &str) {
        let Some(mut running) = self.running.take() else { return };
        if let Some(mut stdin) = running.guard.stdin.take() {
            // A guard that is gone has nothing left to kill.
            let _ = stdin.write_all(order.as_bytes());
        }
        let _ = running.guard.wait();
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.end("");
        // Nothing is left to remove where the guard did it.
        let _ = fs::remove_dir_all(&self.dir);
    }
}

/// What a server says when it serves.
pub(super) const READY: &str = "eady to accept connections";

/// A port that is free now. No outgoing connection is given it meanwhile, nor the one 10000 above, which a node of
/// a cluster takes too: they get higher ones.
fn free_port() -> u16 {
    loop {
        let port = 10_000 + (RandomState::new().build_hasher().finish() % 10_000) as u16;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// Reads the log until the guard has named the server and the server has said that it is ready, whichever comes
/// first, or until it ends.
fn named_and_ready(log: impl Iterator<Item = String>, ready: &str) -> (Option<String>, bool) {
    let (mut server, mut is_ready) = (None, false);
    for line in log {
        match line.strip_prefix("server ") {
            Some(process) => server = Some(process.to_owned()),
            None => is_ready |= line.contains(ready),
        }
        if server.is_some() && is_ready {
            break;
        }
    }
    (server, is_ready)
}

/// The log's lines as they come; a test fails where it reads on for so long.
fn lines(log: &Receiver<String>, patience: Duration) -> impl Iterator<Item = String> {
    let end = Instant::now() + patience;
    iter::from_fn(move || match log.recv_timeout(end.saturating_duration_since(Instant::now())) {
        Err(RecvTimeoutError::Timeout) => panic!("the log of redis never says what it must"),
        line => line.ok(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_is_ready_before_its_guard_names_it_is_ready() {
        for log in [
            "server 7\nnoise\nReady to accept connections\nrest\n",
            "Ready to accept connections\nserver 7\nrest\n",
        ] {
            let mut log = log.lines().map(str::to_owned);
            assert_eq!(named_and_ready(&mut log, READY), (Some("7".to_owned()), true));
            assert_eq!(log.next().as_deref(), Some("rest"), "what follows is left to read");
        }
        let ended = ["server 7", "port in use"].map(str::to_owned).into_iter();
        assert_eq!(named_and_ready(ended, READY), (Some("7".to_owned()), false));
    }

    #[test]
    #[should_panic(expected = "never says what it must")]
    fn a_log_that_says_other_things_is_no_endless_wait() {
        let (says, log) = channel();
        says.send("noise".to_owned()).unwrap();
        lines(&log, Duration::from_millis(10)).last();
    }

    #[test]
    #[should_panic(expected = "redis-server does not start")]
    fn a_server_that_does_not_start_is_no_endless_wait() {
        RedisServer::start_with(&["--no-such-option", "yes"]);
    }

    #[test]
    fn a_server_that_is_dropped_leaves_nothing_behind() {
        let mut server = RedisServer::start();
        let (port, dir) = (server.port(), server.dir.clone());
        server.kill();
        server.restart();
        drop(server);
        assert!(TcpListener::bind(("127.0.0.1", port)).is_ok());
        assert!(!dir.exists());
    }
}
