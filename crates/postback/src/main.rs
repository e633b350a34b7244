//! The `postback` program; everything it does is in the library beside it.

use std::process::ExitCode;

use clap::Parser;
use mimalloc::MiMalloc;

/// Made for many small pieces that live briefly, which is what a click and a call are made of.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    postback::cli::Cli::parse().run()
}
