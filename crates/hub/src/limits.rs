//! What holds for every use case.

use jiff::SignedDuration;

/// How far another clock may be from the hub's.
pub(crate) const SKEW: SignedDuration = SignedDuration::from_mins(5);
/// The most items of a page.
pub(crate) const PAGE: usize = 1_000;
