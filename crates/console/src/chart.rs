//! A chart: one row of bars as SVG, with its numbers in words.

use askama::{Template, filters::HtmlSafe};
use jiff::{SignedDuration, Timestamp};

const WIDTH: f64 = 240.0;
const HEIGHT: f64 = 48.0;

/// One bar.
pub(crate) struct Bar {
    /// When it begins.
    pub(crate) start: Timestamp,
    /// Its height among the others.
    pub(crate) value: f64,
    /// Its value in words.
    pub(crate) words: String,
}

/// A row of bars.
#[derive(Template)]
#[template(path = "chart.html")]
pub(crate) struct Chart {
    pub(crate) title: &'static str,
    tone: &'static str,
    /// The whole range in words.
    pub(crate) whole: String,
    width: SignedDuration,
    pub(crate) bars: Vec<Bar>,
    highest: f64,
}

impl HtmlSafe for Chart {}

/// A bar's place.
struct Place {
    x: String,
    y: String,
    width: String,
    height: String,
}

impl Chart {
    pub(crate) fn new(
        title: &'static str,
        tone: &'static str,
        whole: String,
        width: SignedDuration,
        bars: Vec<Bar>,
    ) -> Self {
        let highest = bars.iter().map(|bar| bar.value).fold(0.0, f64::max);
        Self { title, tone, whole, width, bars, highest }
    }

    /// The bars that can be seen, and where.
    fn seen(&self) -> Vec<(Place, &Bar)> {
        let step = WIDTH / self.bars.len().max(1) as f64;
        let place = |(at, bar): (usize, &Bar)| {
            let height = (bar.value / self.highest * HEIGHT).max(1.5);
            Place {
                x: format!("{:.1}", at as f64 * step),
                y: format!("{:.1}", HEIGHT - height),
                width: format!("{:.1}", (step - 0.8).max(0.8)),
                height: format!("{height:.1}"),
            }
        };
        let seen = self.bars.iter().enumerate().filter(|(_, bar)| bar.value > 0.0);
        seen.map(|(at, bar)| (place((at, bar)), bar)).collect()
    }

    /// The value of the bar that begins then.
    pub(crate) fn words_of(&self, start: &Timestamp) -> &str {
        self.bars.iter().find(|bar| bar.start == *start).map_or("", |bar| &bar.words)
    }

    /// When the chart begins, and its highest bar.
    fn edges(&self) -> Option<(String, &str)> {
        let highest = self.bars.iter().max_by(|one, other| one.value.total_cmp(&other.value))?;
        let first = self.bars.first()?.start.strftime("since %m-%d %H:%M");
        Some((first.to_string(), if highest.value > 0.0 { &highest.words } else { "–" }))
    }

    /// The chart in one sentence.
    fn sentence(&self) -> String {
        let highest = self.bars.iter().max_by(|one, other| one.value.total_cmp(&other.value));
        match highest.filter(|bar| bar.value > 0.0) {
            None => format!("{}: nothing in this time.", self.title),
            Some(bar) => format!(
                "{}: {} in all; the highest bar, {}, begins at {}.",
                self.title,
                self.whole,
                bar.words,
                bar.start.strftime("%Y-%m-%d %H:%M UTC")
            ),
        }
    }

    /// When a bar is, for a pointer that rests on it.
    fn moment(&self, bar: &Bar) -> String {
        let end = bar.start.saturating_add(self.width).unwrap_or(bar.start);
        format!("{}–{}: {}", bar.start.strftime("%m-%d %H:%M"), end.strftime("%H:%M"), bar.words)
    }
}
