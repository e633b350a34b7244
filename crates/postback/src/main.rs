//! The `postback` program; everything it does is in the library beside it.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    postback::cli::Cli::parse().run()
}
