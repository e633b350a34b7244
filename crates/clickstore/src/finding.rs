//! The rules of finding clicks by address and campaign, the same on both engines.

use jiff::{SignedDuration, Timestamp};
use postback_core::{Click, VisitorIp, ports::FindClicks};

/// How long after its capture a click can be found.
pub(crate) const WINDOW: SignedDuration = SignedDuration::from_hours(24);

/// At most so many clicks of one place are found, however many are asked for.
pub(crate) const MOST: usize = 100;

/// When a click can no longer be found.
pub(crate) fn end(click: &Click) -> Timestamp {
    click.click.captured_at.saturating_add(WINDOW).unwrap_or(Timestamp::MAX)
}

/// The address by which `kept` is to be found after a capture that asked for it; `None` where it is not.
///
/// Where the capture was of another campaign than the click that is kept, that campaign never asked.
pub(crate) fn indexed<'a>(
    kept: &'a Click,
    captured: &Click,
    findable: bool,
    now: Timestamp,
) -> Option<&'a VisitorIp> {
    (findable && kept.campaign == captured.campaign && now < end(kept)).then_some(kept.ip.as_ref())?
}

/// How many clicks are asked for, within the bound.
pub(crate) fn limit(find: &FindClicks) -> usize {
    find.limit.min(MOST)
}

/// The earliest capture that is asked for, within the window.
pub(crate) fn since(find: &FindClicks, now: Timestamp) -> Timestamp {
    find.since.max(now.saturating_sub(WINDOW).unwrap_or(Timestamp::MIN))
}

/// Of the clicks that an index named, those that are asked for, the latest first.
pub(crate) fn pick(mut clicks: Vec<Click>, find: &FindClicks, now: Timestamp) -> Vec<Click> {
    let since = since(find, now);
    clicks.retain(|click| {
        click.campaign == find.campaign
            && click.ip.as_ref().is_some_and(|ip| find.ip.contains(&ip.hash))
            && click.click.captured_at >= since
            && now < end(click)
    });
    clicks.sort_by_key(|click| std::cmp::Reverse(click.click.captured_at));
    clicks.truncate(limit(find));
    clicks
}
