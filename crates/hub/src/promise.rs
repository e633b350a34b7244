//! What an acknowledged conversion can count on: asked of the outbox, watched, and without it none is acknowledged.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use postback_core::{Error, ErrorKind, Result, ports};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::{Hub, clock::pause, meters};

/// How long the outbox may take to say it.
const ANSWER: Duration = Duration::from_secs(3);
/// How often the outbox is asked whose promise holds, and one that gives none.
const WATCH: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(1));

/// What the outbox last said of its settings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Said {
    /// Nothing yet: it was never reached.
    #[default]
    Nothing,
    /// What holds.
    Holds(ports::Promise),
    /// It would lose conversions; the reason, in a word and in words.
    Loses(&'static str, String),
}

#[derive(Debug, Default)]
pub(crate) struct Promise(Mutex<Said>);

impl Promise {
    fn said(&self) -> Said {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn holds(&self) -> bool {
        matches!(*self.0.lock().unwrap_or_else(PoisonError::into_inner), Said::Holds(_))
    }

    /// Why conversions would be lost, where they would.
    pub(crate) fn broken(&self) -> Option<String> {
        match self.said() {
            Said::Loses(_, why) => Some(why),
            Said::Nothing | Said::Holds(_) => None,
        }
    }

    /// Keeps what was said, and tells the log what is new of it.
    fn hear(&self, now: Said) {
        let before = {
            let mut said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *said, now.clone())
        };
        meters::promise(matches!(now, Said::Holds(_)));
        match now {
            now if now == before => {}
            Said::Nothing => {}
            Said::Loses(reason, why) => {
                tracing::error!(
                    reason,
                    why,
                    "the store would lose conversions; none is taken in until it is mended"
                );
            }
            Said::Holds(ports::Promise { words: promise, weak: false }) if before == Said::Nothing => {
                tracing::info!(promise, "what an acknowledged conversion can count on");
            }
            Said::Holds(ports::Promise { words: promise, .. }) if before == Said::Nothing => {
                tracing::warn!(promise, "what an acknowledged conversion can count on");
            }
            Said::Holds(ports::Promise { words: promise, .. }) => {
                tracing::warn!(promise, "what an acknowledged conversion can count on has changed");
            }
        }
    }
}

impl Hub {
    /// Asks the outbox which promise holds under its settings, and keeps the answer: while it is that conversions
    /// would be lost, none is acknowledged and the hub is not ready. What is new of it goes to the log.
    ///
    /// # Errors
    /// `FailedPrecondition` where the settings would lose conversions; `Unavailable` where the store is away, and
    /// then the last answer stands.
    pub async fn promise(&self) -> Result<()> {
        let asked = timeout(ANSWER, self.inner.outbox.promise()).await;
        let late =
            |_| Err(Error::unavailable(format!("the outbox did not say within {ANSWER:?} what it promises")));
        match asked.unwrap_or_else(late) {
            Ok(promise) => self.inner.promise.hear(Said::Holds(promise)),
            Err(error) if error.kind() == ErrorKind::FailedPrecondition => {
                self.inner.promise.hear(Said::Loses(error.reason(), error.message().to_owned()));
                return Err(error);
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Whether what is acknowledged now can count on anything. A hub that started without its store finds it out
    /// before it takes the first conversion in.
    pub(crate) async fn assured(&self) -> Result<()> {
        let lost = |reason, why| Err(Error::unavailable(why).because(reason));
        if self.inner.promise.holds() {
            return Ok(());
        }
        match self.inner.promise.said() {
            Said::Holds(_) => Ok(()),
            Said::Loses(reason, why) => lost(reason, why),
            Said::Nothing => match self.promise().await {
                Err(error) if error.kind() == ErrorKind::FailedPrecondition => {
                    lost(error.reason(), error.message().to_owned())
                }
                asked => asked,
            },
        }
    }

    /// Asks again and again until `shutdown`: a server's settings can change, and so can the server.
    pub(crate) async fn keep_promise(&self, shutdown: &CancellationToken) {
        while let Some(asked) = shutdown.run_until_cancelled(self.promise()).await {
            let wait = if asked.is_ok() { WATCH.0 } else { WATCH.1 };
            if !pause(wait, shutdown).await {
                return;
            }
        }
    }
}
