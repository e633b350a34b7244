//! The `postback` program as a process of its own.

use std::{
    path::PathBuf,
    process::{Command, Output, Stdio},
};

/// The program, with nothing of the test's own environment that could set a setting.
#[derive(Debug)]
pub struct Postback(Command);

impl Postback {
    /// `postback` with these arguments.
    pub fn with(arguments: &[&str]) -> Self {
        let mut command = Command::new(binary());
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

    /// The command, to start and talk to.
    pub fn command(self) -> Command {
        self.0
    }
}

/// The program that was built with the tests; it lies in the folder above them.
fn binary() -> PathBuf {
    let test = std::env::current_exe().expect("a test knows its own path");
    let folder = test.ancestors().nth(2).expect("tests lie in target/<profile>/deps");
    folder.join(format!("postback-under-test{}", std::env::consts::EXE_SUFFIX))
}
