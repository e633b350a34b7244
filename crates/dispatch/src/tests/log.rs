//! Catches what is logged on a test's own thread.

use std::{
    cell::RefCell,
    io,
    sync::{Arc, Mutex, Once},
};

thread_local! {
    static CAUGHT: RefCell<Option<Log>> = const { RefCell::new(None) };
}

#[derive(Clone, Default)]
pub(super) struct Log(Arc<Mutex<Vec<u8>>>);

/// Ends the catching.
pub(super) struct Caught;

impl Log {
    /// Catches everything until the guard is dropped. One subscriber serves all threads: of several, each on its
    /// own thread, one could switch off an event for all.
    pub(super) fn catch() -> (Self, Caught) {
        static LISTEN: Once = Once::new();
        LISTEN.call_once(|| {
            let format = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_ansi(false);
            tracing::subscriber::set_global_default(format.with_writer(|| Sink).finish()).unwrap();
            tracing::callsite::rebuild_interest_cache();
        });
        let log = Self::default();
        CAUGHT.set(Some(log.clone()));
        (log, Caught)
    }

    pub(super) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    /// The lines that say this.
    pub(super) fn saying(&self, words: &str) -> Vec<String> {
        self.text().lines().filter(|line| line.contains(words)).map(str::to_owned).collect()
    }
}

impl Drop for Caught {
    fn drop(&mut self) {
        CAUGHT.set(None);
    }
}

/// Writes to the thread's log, where it is caught.
struct Sink;

impl io::Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        CAUGHT.with_borrow(|caught| {
            if let Some(log) = caught {
                log.0.lock().unwrap().extend_from_slice(bytes);
            }
        });
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
