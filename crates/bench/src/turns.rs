//! Contenders that take turns, and what comes of comparing them.

use crate::row::Row;

/// One who is measured beside others, round by round.
pub(crate) struct Contender<'a, T> {
    /// What it is called where it is compared with.
    pub(crate) name: &'a str,
    /// One round.
    pub(crate) round: Box<dyn FnMut() -> anyhow::Result<T> + 'a>,
    /// What its rounds came to.
    pub(crate) rounds: Vec<T>,
}

impl<'a, T> Contender<'a, T> {
    /// One who has not begun.
    pub(crate) fn new(name: &'a str, round: impl FnMut() -> anyhow::Result<T> + 'a) -> Self {
        Self { name, round: Box::new(round), rounds: Vec::new() }
    }

    /// A figure of each round.
    pub(crate) fn figures(&self, figure: impl Fn(&T) -> f64) -> Vec<f64> {
        self.rounds.iter().map(figure).collect()
    }
}

/// Lets all have their rounds: A B C, A B C, and so on.
pub(crate) fn take_turns<T>(rounds: usize, contenders: &mut [Contender<'_, T>]) -> anyhow::Result<()> {
    for _ in 0..rounds {
        for contender in contenders.iter_mut() {
            let round = (contender.round)()?;
            contender.rounds.push(round);
        }
    }
    Ok(())
}

/// The row of a figure, ours beside a peer's, from the rounds that they had side by side.
pub(crate) fn compare(name: &str, unit: &'static str, ours: &[f64], against: &str, theirs: &[f64]) -> Row {
    let ratios: Vec<f64> = ours.iter().zip(theirs).map(|(ours, theirs)| ours / theirs).collect();
    Row {
        against: Some(against.to_owned()),
        theirs: Some(median(theirs)),
        ratio: Some(median(&ratios)),
        min: ratios.iter().copied().reduce(f64::min),
        max: ratios.iter().copied().reduce(f64::max),
        ..Row::alone(name, unit, median(ours))
    }
}

/// The middle one of some figures.
pub(crate) fn median(figures: &[f64]) -> f64 {
    let mut figures = figures.to_vec();
    figures.sort_by(f64::total_cmp);
    let middle = figures.len() / 2;
    match figures.len() {
        0 => f64::NAN,
        odd if odd % 2 == 1 => figures[middle],
        _ => f64::midpoint(figures[middle - 1], figures[middle]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_is_the_median_of_the_rounds_and_not_of_the_sides() {
        let row = compare("it", "requests/s", &[10.0, 40.0, 30.0], "a peer", &[20.0, 20.0, 10.0]);
        assert_eq!((row.ours, row.theirs), (30.0, Some(20.0)));
        assert_eq!((row.ratio, row.min, row.max), (Some(2.0), Some(0.5), Some(3.0)));
        assert_eq!(median(&[4.0, 1.0]), 2.5);
    }
}
