//! Waiting for what must come, with an end.

use std::time::Duration;

/// How long a test waits for what must come; never reached where all is well.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Asks until there is an answer, and returns it; a test fails where `what` never comes.
pub async fn until<T, F: Future<Output = Option<T>>>(what: &str, ask: impl FnMut() -> F) -> T {
    within(what, answered(ask)).await
}

/// Waits for what must come; a test fails where `what` never does.
pub async fn within<T>(what: &str, comes: impl Future<Output = T>) -> T {
    let come = tokio::time::timeout(PATIENCE, comes).await;
    come.unwrap_or_else(|_| panic!("{what}: not within {} seconds", PATIENCE.as_secs()))
}

/// Asks until there is an answer.
pub(crate) async fn answered<T, F: Future<Output = Option<T>>>(mut ask: impl FnMut() -> F) -> T {
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
