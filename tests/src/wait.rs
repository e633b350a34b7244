//! Waiting for what must come, with an end.

use std::time::Duration;

/// How long a test waits for what must come; never reached where all is well.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Asks until there is an answer, and returns it; a test fails where `what` never comes.
pub async fn until<T, F: Future<Output = Option<T>>>(what: &str, mut ask: impl FnMut() -> F) -> T {
    let wait = async {
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let answer = tokio::time::timeout(PATIENCE, wait).await;
    answer.unwrap_or_else(|_| panic!("{what}: not within {} seconds", PATIENCE.as_secs()))
}
