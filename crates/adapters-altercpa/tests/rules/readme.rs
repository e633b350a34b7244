//! The README's list of rules is whole, and each test that it names is there.

const README: &str = include_str!("../../README.md");

const TESTS: &[&str] = &[
    include_str!("arbitrary.rs"),
    include_str!("authorization.rs"),
    include_str!("client.rs"),
    include_str!("fields.rs"),
    include_str!("look_up.rs"),
    include_str!("money.rs"),
    include_str!("origin.rs"),
    include_str!("status.rs"),
    include_str!("verdict.rs"),
];

/// The tests in backticks in a rule's row.
fn named(row: &str) -> impl Iterator<Item = &str> {
    row.split('`').skip(1).step_by(2).filter(|name| name.starts_with("ac_"))
}

#[test]
fn every_rule_has_a_row_and_every_row_a_test_that_is_there() {
    for rule in 1..=21 {
        let row = README
            .lines()
            .find(|line| line.starts_with(&format!("| AC-{rule} |")))
            .unwrap_or_else(|| panic!("AC-{rule} has no row"));
        assert!(named(row).count() > 0, "AC-{rule} names no test");
        for test in named(row) {
            assert!(test.contains(&format!("ac_{rule}_")), "{test} is not of AC-{rule}");
            assert!(
                TESTS.iter().any(|source| source.contains(&format!("fn {test}("))),
                "{test} is not there"
            );
        }
    }
}
