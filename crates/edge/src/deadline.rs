//! A timer that is set when first waited on, and set anew after it was met.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::time::{Instant, Sleep, sleep};

/// Allocates once for a connection, and only where something had to be waited for.
#[derive(Debug, Default)]
pub(crate) struct Deadline {
    sleep: Option<Pin<Box<Sleep>>>,
    armed: bool,
}

impl Deadline {
    /// What was waited for has come.
    pub(crate) fn met(&mut self) {
        self.armed = false;
    }

    /// Ready once `within` has passed since the first call after [`Deadline::met`].
    pub(crate) fn poll_passed(&mut self, within: Duration, cx: &mut Context<'_>) -> Poll<()> {
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep(within)));
        if !self.armed {
            sleep.as_mut().reset(Instant::now() + within);
            self.armed = true;
        }
        sleep.as_mut().poll(cx)
    }
}
