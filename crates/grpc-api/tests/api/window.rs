//! Many small requests of a stream that nobody reads yet.

use std::{iter::repeat_n, time::Duration};

use bytes::Bytes;
use tokio::{task::JoinSet, time::timeout};

use crate::server::*;

/// So many streams of one connection each send so many requests before an answer is read.
const STREAMS: usize = 8;
const REQUESTS: usize = 12_000;

#[tokio::test]
async fn small_requests_may_come_faster_than_they_are_read() {
    // As long as a short report: a request id of 80 bytes and nothing else.
    let request: Bytes = [&[0, 0, 0, 0, 82, 4 << 3 | 2, 80], &[b'r'; 80][..]].concat().into();
    over_one_connection(async |client| {
        let mut answers = Vec::new();
        for _ in 0..STREAMS {
            answers.push(report_all(client, repeat_n(request.clone(), REQUESTS)).await);
        }
        let ends: JoinSet<String> = answers.into_iter().map(end_of).collect();
        let ends = timeout(Duration::from_secs(60), ends.join_all()).await.unwrap();
        assert_eq!(ends, ["0"; STREAMS]);
    })
    .await;
}
