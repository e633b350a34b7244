//! The README's list of rules is whole, and each test that it names is there.

const README: &str = include_str!("../../README.md");

/// The test files by module.
const TESTS: &[(&str, &str)] = &[
    ("arbitrary", include_str!("arbitrary.rs")),
    ("authorization", include_str!("authorization.rs")),
    ("client", include_str!("client.rs")),
    ("fields", include_str!("fields.rs")),
    ("look_up", include_str!("look_up.rs")),
    ("money", include_str!("money.rs")),
    ("origin", include_str!("origin.rs")),
    ("status", include_str!("status.rs")),
    ("verdict", include_str!("verdict.rs")),
];

/// The tests that a rule's row names, by module and name.
fn named(row: &str) -> impl Iterator<Item = (&str, &str)> {
    row.split('`').skip(1).step_by(2).filter_map(|name| name.split_once("::"))
}

fn is_there(module: &str, test: &str) -> bool {
    TESTS.iter().any(|(name, source)| *name == module && source.contains(&format!("fn {test}(")))
}

#[test]
fn every_rule_has_a_row_and_every_row_a_test_that_is_there() {
    for rule in 1..=21 {
        let row = README
            .lines()
            .find(|line| line.starts_with(&format!("| AC-{rule} |")))
            .unwrap_or_else(|| panic!("AC-{rule} has no row"));
        assert!(named(row).count() > 0, "AC-{rule} names no test");
        for (module, test) in named(row) {
            assert!(test.contains(&format!("ac_{rule}_")), "{test} is not of AC-{rule}");
            assert!(is_there(module, test), "{module}::{test} is not there");
        }
    }
}
