//! How many files and sockets the process may have open, and how many of them are visitors'.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// The connections that an edge takes where the process may have enough open.
const VISITORS: usize = 10_000;
/// What is left for everything else: callers, operators, calls to networks, the store and its files.
const OTHERS: usize = 2_000;

/// Raises what the process may have open as far as it may without more rights.
pub(crate) fn raise() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        tracing::warn!(%error, "the limit of open files is left as it is");
    }
}

/// How many visitors may be connected.
pub(crate) fn visitors() -> usize {
    let open =
        getrlimit(Resource::Nofile).current.map_or(usize::MAX, |open| open.try_into().unwrap_or(usize::MAX));
    let places = of(open);
    if places < VISITORS {
        tracing::warn!(
            open,
            visitors = places,
            "few files may be open at once, and visitors past their share wait; raise the limit (LimitNOFILE, \
             ulimit -n) to {}",
            VISITORS + OTHERS
        );
    }
    places
}

/// The visitors' share of what may be open: what the others leave, or half where that is more.
fn of(open: usize) -> usize {
    open.saturating_sub(OTHERS).max(open / 2).clamp(1, VISITORS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn visitors_leave_the_others_what_they_need() {
        let open = [0, 256, 1_024, 4_000, 5_000, 12_000, 1_048_576, usize::MAX];
        assert_eq!(open.map(of), [1, 128, 512, 2_000, 3_000, 10_000, 10_000, 10_000]);
    }
}
