//! The `postback` program as a process of its own.

use std::{
    io::{BufRead, BufReader, Read},
    net::{Ipv4Addr, SocketAddr, TcpListener},
    panic::resume_unwind,
    path::PathBuf,
    process::{Child, Command, ExitStatus, Output, Stdio},
    sync::{
        LazyLock,
        atomic::{AtomicU16, Ordering},
        mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    },
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;
use tokio::{io::AsyncWriteExt, runtime::Runtime};

use crate::wait::{PATIENCE, within};

/// The program, with nothing of the test's own environment that could set a setting.
#[derive(Debug)]
pub struct Postback(Command);

impl Postback {
    /// `postback` with these arguments.
    pub fn with(arguments: &[&str]) -> Self {
        Self::of(Command::new(binary("postback-under-test")), arguments)
    }

    /// The same, of the fault campaign's kind: it dies where the variable `FAULTS_DIE_AT` says, such as `claim:1`, its
    /// first claim.
    pub fn mortal(arguments: &[&str]) -> Self {
        let mut command = Command::new(binary("faults"));
        command.arg("hub");
        Self::of(command, arguments)
    }

    fn of(mut command: Command, arguments: &[&str]) -> Self {
        command.args(arguments).stdin(Stdio::null());
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("POSTBACK_")) {
            command.env_remove(name);
        }
        Self(command)
    }

    /// With a variable set.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.0.env(name, value);
        self
    }

    /// With at most so many files and sockets open.
    #[must_use]
    pub fn with_open_files(self, most: u32) -> Self {
        let mut limited = Command::new("sh");
        limited.args(["-c", &format!("ulimit -n {most} && exec \"$0\" \"$@\"")]);
        limited.arg(self.0.get_program()).args(self.0.get_args()).stdin(Stdio::null());
        for (name, value) in self.0.get_envs() {
            match value {
                Some(value) => limited.env(name, value),
                None => limited.env_remove(name),
            };
        }
        Self(limited)
    }

    /// Runs to the end.
    pub fn output(self) -> Output {
        let run = || Runtime::new().expect("a runtime").block_on(self.finish(""));
        // The thread of a test may have a runtime already.
        thread::scope(|scope| scope.spawn(run).join()).unwrap_or_else(|why| resume_unwind(why))
    }

    /// Starts it.
    pub fn start(mut self) -> Started {
        self.0.stderr(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the program starts").into()
    }

    /// Runs to the end, with this on its standard input.
    pub async fn run(self, input: &str) -> Ran {
        let output = self.finish(input).await;
        Ran {
            code: output.status.code().unwrap_or(128),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Killed where it never ends.
    async fn finish(mut self, input: &str) -> Output {
        self.0.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child =
            tokio::process::Command::from(self.0).kill_on_drop(true).spawn().expect("the program starts");
        let ended = within("the program ends", async {
            // A program that does not read its input may end first.
            let _ = child.stdin.take().expect("a pipe").write_all(input.as_bytes()).await;
            child.wait_with_output().await
        });
        ended.await.expect("the program is waited for")
    }

    /// The command, to start and talk to.
    pub fn command(self) -> Command {
        self.0
    }
}

/// The program at work; killed where a test fails before it ends it.
#[derive(Debug)]
pub struct Started {
    child: Child,
    log: Receiver<String>,
}

impl From<Child> for Started {
    /// What it says is read where it was given pipes.
    fn from(mut child: Child) -> Self {
        let (says, log) = channel();
        let (out, err) = (child.stdout.take(), child.stderr.take());
        read(out, says.clone());
        read(err, says);
        Self { child, log }
    }
}

/// Hands on what is said, on a thread that ends with it or with whoever listens.
fn read(from: Option<impl Read + Send + 'static>, says: Sender<String>) {
    let Some(from) = from else { return };
    let lines = BufReader::new(from).lines();
    thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| says.send(line)));
}

impl Drop for Started {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Started {
    /// Reads the log, which is in JSON, up to a line that holds all of these, and returns it.
    pub fn until(&mut self, words: &[&str]) -> Value {
        let line = self.says(words);
        serde_json::from_str(&line).unwrap_or_else(|_| panic!("not JSON: {line}"))
    }

    /// Reads what it says up to a line that holds all of these, and returns it.
    pub fn says(&mut self, words: &[&str]) -> String {
        let end = Instant::now() + PATIENCE;
        loop {
            match self.log.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(line) if words.iter().all(|word| line.contains(word)) => return line,
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout) => panic!("the log never says {words:?}"),
                Err(RecvTimeoutError::Disconnected) => panic!("the log ended without {words:?}"),
            }
        }
    }

    /// Reads the log up to where it says at which address a part listens.
    pub fn listens(&mut self, part: &str) -> std::net::SocketAddr {
        let line = self.until(&["listening", part]);
        line["address"].as_str().and_then(|address| address.parse().ok()).expect("an address")
    }

    /// Sends a signal, such as `-TERM`.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([name, &self.child.id().to_string()]).status();
        assert!(sent.expect("kill runs").success());
    }

    /// Waits until it has ended.
    pub fn ended(&mut self) -> ExitStatus {
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().expect("a process of this test") {
                return status;
            }
            assert!(Instant::now() < end, "the program does not end");
            thread::sleep(Duration::from_millis(10));
        }
    }
}

/// A program that was built with the tests; it lies in the folder above them.
fn binary(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("a test knows its own path");
    let folder = test.ancestors().nth(2).expect("tests lie in target/<profile>/deps");
    folder.join(format!("{name}{}", std::env::consts::EXE_SUFFIX))
}

/// What came of a command.
#[derive(Debug)]
pub struct Ran {
    /// The exit code; 128 where a signal ended it.
    pub code: i32,
    /// What it printed.
    pub out: String,
    /// What it said beside.
    pub err: String,
}

impl Ran {
    /// What it printed, where it did what was asked.
    pub fn done(self) -> String {
        assert_eq!(self.code, 0, "{}{}", self.out, self.err);
        self.out
    }

    /// The one JSON object that it printed, where it did what was asked.
    pub fn json(self) -> serde_json::Value {
        let text = self.done();
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }
}

/// An address that is free now, and that this draws once. Neither an outgoing connection nor who takes any port is given
/// it while its process is away: they get higher ones, and the nodes of a test's Redis Cluster lower ones.
pub fn free_address() -> SocketAddr {
    static NEXT: LazyLock<AtomicU16> = LazyLock::new(|| AtomicU16::new(fastrand::u16(..2_000)));
    loop {
        let port = 30_000 + NEXT.fetch_add(1, Ordering::Relaxed) % 2_000;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        if TcpListener::bind(address).is_ok() {
            return address;
        }
    }
}
