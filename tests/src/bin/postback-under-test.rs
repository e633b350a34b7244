//! The program as the tests run it: cargo builds this package's own binaries before its tests.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    postback::cli::Cli::parse().run()
}
