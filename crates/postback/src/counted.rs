//! Counts as a person says them.

use std::fmt::Display;

/// A count with its noun: `1 delivery`, `2 deliveries`.
pub(crate) fn counted<N: Display + PartialEq + From<u8>>(count: N, noun: &str) -> String {
    match noun.strip_suffix('y') {
        _ if count == N::from(1) => format!("{count} {noun}"),
        Some(stem) => format!("{count} {stem}ies"),
        None => format!("{count} {noun}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_not_many() {
        let said = [0, 1, 2].map(|count: u64| counted(count, "delivery"));
        assert_eq!(said, ["0 deliveries", "1 delivery", "2 deliveries"]);
        assert_eq!([counted(1_usize, "line"), counted(3_i64, "line")], ["1 line", "3 lines"]);
    }
}
