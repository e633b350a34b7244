//! The fault campaign, in short: every fault once.

use std::process::Command;

#[test]
fn whatever_breaks_nothing_is_lost_or_told_twice_or_out_of_order() {
    let campaign = Command::new(env!("CARGO_BIN_EXE_faults")).arg("--tenth").output().unwrap();
    let (table, log) = (String::from_utf8_lossy(&campaign.stdout), String::from_utf8_lossy(&campaign.stderr));
    assert!(campaign.status.success(), "{log}\n{table}");
}
