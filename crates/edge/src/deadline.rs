//! A timer that is set when first waited on, and set anew after it was met.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::time::{Instant, Sleep, sleep_until};

/// How long after a deadline what was waited for may still turn out to be there: where the process was frozen, the
/// runtime may hear of the time before it hears of what came meanwhile.
pub(crate) const LAST_LOOK: Duration = Duration::from_millis(10);

/// Allocates once for a connection, and only where something had to be waited for. The timer itself is set anew only
/// where it would be late, or has run out before the time that it is set for by now.
#[derive(Debug, Default)]
pub(crate) struct Deadline {
    sleep: Option<Pin<Box<Sleep>>>,
    due: Option<Instant>,
    /// Whether it has passed, and its last look is waited for.
    is_over: bool,
}

impl Deadline {
    /// What was waited for has come.
    pub(crate) fn met(&mut self) {
        (self.due, self.is_over) = (None, false);
    }

    /// Ready once `within` has passed since the first call after [`Deadline::met`], and a last look.
    pub(crate) fn poll_passed(&mut self, within: Duration, cx: &mut Context<'_>) -> Poll<()> {
        let due = *self.due.get_or_insert_with(|| Instant::now() + within);
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep_until(due)));
        if due < sleep.deadline() {
            sleep.as_mut().reset(due);
        }
        ready!(sleep.as_mut().poll(cx));
        if sleep.deadline() < due {
            sleep.as_mut().reset(due);
            ready!(sleep.as_mut().poll(cx));
        }
        if self.is_over {
            return Poll::Ready(());
        }
        let last = Instant::now() + LAST_LOOK;
        (self.due, self.is_over) = (Some(last), true);
        sleep.as_mut().reset(last);
        sleep.as_mut().poll(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_runs_out_when_what_was_waited_for_last_has_not_come() {
        let (mut deadline, began) = (Deadline::default(), Instant::now());
        let mut wait = async |within, given: Duration| {
            let passed = poll_fn(|cx| deadline.poll_passed(within, cx));
            let passed = tokio::time::timeout(given, passed).await.is_ok();
            deadline.met();
            passed
        };
        let seconds = Duration::from_secs;
        for _ in 0..3 {
            assert!(!wait(seconds(10), seconds(7)).await, "met in time");
        }
        assert!(wait(seconds(10), seconds(11)).await);
        assert_eq!(began.elapsed(), seconds(3 * 7 + 10) + LAST_LOOK);
        assert!(wait(seconds(2), seconds(3)).await, "a shorter one than before");
        assert!(wait(seconds(5), seconds(6)).await, "a longer one than before");
        assert_eq!(began.elapsed(), seconds(3 * 7 + 10 + 2 + 5) + 3 * LAST_LOOK);
    }
}
