//! The fault campaign, in short: every fault once.

use std::{
    io::{self, Write},
    process::Command,
};

#[test]
fn whatever_breaks_nothing_is_lost_or_told_twice_or_out_of_order() {
    let campaign = Command::new(env!("CARGO_BIN_EXE_faults")).args(["--tenth", "--json"]).output().unwrap();
    let (report, log) =
        (String::from_utf8_lossy(&campaign.stdout), String::from_utf8_lossy(&campaign.stderr));
    assert!(campaign.status.success(), "{log}\n{report}");
    for left_out in log.lines().filter(|line| line.contains(" is left out: ")) {
        // A mount is not allowed everywhere.
        assert!(left_out.starts_with("disk-full "), "{left_out}");
        // Past what holds a test's output back.
        writeln!(io::stderr(), "{left_out}").unwrap();
    }
}
