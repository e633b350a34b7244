//! This machine's clock, against what the networks' answers are dated.

use jiff::SignedDuration;

use super::Check;

/// What a date of whole seconds and a slow answer explain.
const RIGHT: SignedDuration = SignedDuration::from_secs(3);
/// What a network would not forgive.
const WRONG: SignedDuration = SignedDuration::from_secs(60);

/// Judges by the networks' clocks, each as (who, how far it is ahead of ours). One that agrees is enough: a network's
/// clock may be wrong too.
pub(super) fn check(ahead: &[(String, SignedDuration)]) -> Check {
    let Some((who, ahead)) = ahead.iter().min_by_key(|(_, ahead)| ahead.abs()) else {
        return Check::warning(
            "clock",
            "no network told its time",
            "see that this machine's clock is set (NTP)",
        );
    };
    let off = ahead.abs();
    if off <= RIGHT {
        return Check::ok("clock", format!("agrees with {who}"));
    }
    let side = if ahead.is_positive() { "behind" } else { "ahead of" };
    let found = format!("{} s {side} {who}", off.as_secs());
    let to_do = "set this machine's clock (NTP): conversions are dated by it";
    if off < WRONG { Check::warning("clock", found, to_do) } else { Check::wrong("clock", found, to_do) }
}

#[cfg(test)]
mod tests {
    use super::{super::Verdict, *};

    #[test]
    fn a_clock_is_right_where_one_network_agrees() {
        let told = |seconds: &[i64]| {
            let ahead = seconds.iter().map(|&ahead| ("ps".to_owned(), SignedDuration::from_secs(ahead)));
            check(&ahead.collect::<Vec<_>>())
        };
        assert_eq!(told(&[300, 1]).verdict, Verdict::Ok);
        assert_eq!(told(&[-20, 300]).verdict, Verdict::Warning);
        assert_eq!(told(&[]).verdict, Verdict::Warning);
        let wrong = told(&[90]);
        assert_eq!((wrong.verdict, wrong.found.as_str()), (Verdict::Wrong, "90 s behind ps"));
    }
}
