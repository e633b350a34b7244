//! The `postback` program as a process of its own.

use std::{
    io::{BufRead, BufReader, Lines},
    path::PathBuf,
    process::{Child, ChildStderr, Command, ExitStatus, Output, Stdio},
};

use serde_json::Value;

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

    /// Runs to the end.
    pub fn output(mut self) -> Output {
        self.0.output().expect("the program starts")
    }

    /// Starts it.
    pub fn start(mut self) -> Started {
        let command = self.0.stderr(Stdio::piped()).stdout(Stdio::null());
        let mut child = command.spawn().expect("the program starts");
        let log = BufReader::new(child.stderr.take().expect("a pipe")).lines();
        Started { child, log }
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
    log: Lines<BufReader<ChildStderr>>,
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
        for line in self.log.by_ref() {
            let line = line.expect("a line of the log");
            if words.iter().all(|word| line.contains(word)) {
                return serde_json::from_str(&line).unwrap_or_else(|_| panic!("not JSON: {line}"));
            }
        }
        panic!("the log ended without {words:?}");
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
        self.child.wait().expect("a process of this test")
    }
}

/// A program that was built with the tests; it lies in the folder above them.
fn binary(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("a test knows its own path");
    let folder = test.ancestors().nth(2).expect("tests lie in target/<profile>/deps");
    folder.join(format!("{name}{}", std::env::consts::EXE_SUFFIX))
}
