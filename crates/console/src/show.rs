//! How values are shown to a person: times, spans, counts, and texts from outside.

use std::fmt;

use askama::filters::HtmlSafe;
use jiff::{SignedDuration, Timestamp};

/// A moment in UTC; the console's script adds the reader's own time to it.
pub(crate) struct Moment(Timestamp);

/// A moment, to the second.
pub(crate) fn time(at: &Timestamp) -> Moment {
    Moment(*at)
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = self.0.strftime("%Y-%m-%d %H:%M:%S");
        write!(f, r#"<time datetime="{:.0}">{at}</time>"#, self.0)
    }
}

impl HtmlSafe for Moment {}

/// How long ago a moment was, or in how long it will be.
pub(crate) fn ago(at: &Timestamp, now: &Timestamp) -> String {
    let passed = now.duration_since(*at);
    match passed.as_secs() {
        -1..=1 => "now".to_owned(),
        2.. => format!("{} ago", span(&passed)),
        _ => format!("in {}", span(&-passed)),
    }
}

/// A span in its largest whole unit.
pub(crate) fn span(span: &SignedDuration) -> String {
    let seconds = span.as_secs();
    match seconds {
        ..1 => format!("{} ms", span.as_millis().max(0)),
        1..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}

/// How long a call took.
pub(crate) fn took(duration: &std::time::Duration) -> String {
    format!("{} ms", duration.as_millis())
}

/// A count, its thousands parted.
pub(crate) fn count(count: &u64) -> String {
    let digits = count.to_string();
    let mut shown = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    shown
}

/// A count with its noun, which takes an `s` unless it is one.
pub(crate) fn of(number: &u64, noun: &str) -> String {
    let plural = if *number == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", count(number))
}

/// A stable word as a person writes it.
pub(crate) fn spaced(word: &str) -> String {
    word.replace('_', " ")
}

/// The first 120 characters of a text from outside; see [`clip`].
pub(crate) fn text(text: &str) -> String {
    clip(text, 120)
}

/// A long text from outside, such as a call or an answer, within a bound.
pub(crate) fn long(text: &str) -> String {
    clip(text, 4_096)
}

/// At most `most` characters of a text from outside. What would turn the reading direction or is no character to
/// see stands as `\u{fffd}`.
fn clip(text: &str, most: usize) -> String {
    let unseen = |c: char| {
        (c.is_control() && !matches!(c, '\n' | '\t'))
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
    };
    let mut shown: String =
        text.chars().take(most).map(|c| if unseen(c) { char::REPLACEMENT_CHARACTER } else { c }).collect();
    if text.chars().nth(most).is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_shown_in_utc_with_its_machine_form() {
        let at: Timestamp = "2026-11-20T10:02:03.456Z".parse().unwrap();
        assert_eq!(
            time(&at).to_string(),
            r#"<time datetime="2026-11-20T10:02:03Z">2026-11-20 10:02:03</time>"#
        );
    }

    #[test]
    fn an_age_is_told_in_its_largest_whole_unit() {
        let now: Timestamp = "2026-11-20T10:00:00Z".parse().unwrap();
        let at = |seconds| now + SignedDuration::from_secs(seconds);
        for (seconds, want) in [
            (0, "now"),
            (-90, "90 s ago"),
            (-7_000, "116 min ago"),
            (7_200, "in 2 h"),
            (-200_000, "2 days ago"),
        ] {
            assert_eq!(ago(&at(seconds), &now), want);
        }
    }

    #[test]
    fn thousands_are_parted() {
        let shown: Vec<String> = [0, 999, 1_000, 1_234_567].iter().map(count).collect();
        assert_eq!(shown, ["0", "999", "1,000", "1,234,567"]);
        assert_eq!((of(&1, "click"), of(&2_000, "click")), ("1 click".into(), "2,000 clicks".into()));
    }

    #[test]
    fn a_text_from_outside_is_cut_and_turns_no_reading_direction() {
        assert_eq!(clip("abcdef", 3), "abc…");
        assert_eq!(clip("a\u{202e}b\u{0}c", 9), "a\u{fffd}b\u{fffd}c");
    }
}
