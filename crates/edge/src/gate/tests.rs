//! The gate, on a pipe and a clock that waits for nobody.

use proptest::prelude::*;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex},
    time::{Instant, sleep, timeout},
};

use super::*;
use crate::deadline::LAST_LOOK;

const ONE: &str = "GET /c/one HTTP/1.1\r\nHost: a\r\n\r\n";
const TWO: &str = "HEAD /c/two?x=1 HTTP/1.1\r\nHost: a\r\nAccept: */*\r\n\r\n";
const TWO_HOSTS: &str = "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n";
const SECOND: Duration = Duration::from_secs(1);

fn gate() -> (DuplexStream, Gate<DuplexStream>, Refused) {
    let (peer, stream) = duplex(64 * 1024);
    let (gate, refused) = Gate::new(stream, Limits::default());
    (peer, gate, refused)
}

/// What one read brings.
async fn next(gate: &mut Gate<DuplexStream>) -> String {
    let mut room = vec![0; 32 * 1024];
    let length = gate.read(&mut room).await.unwrap();
    String::from_utf8(room[..length].to_vec()).unwrap()
}

/// How long it takes until nothing passes any more.
async fn end(gate: &mut Gate<DuplexStream>) -> Duration {
    let began = Instant::now();
    while !next(gate).await.is_empty() {}
    began.elapsed()
}

#[tokio::test]
async fn heads_that_come_together_pass_one_by_one() {
    let (mut peer, mut gate, _) = gate();
    peer.write_all(format!("{ONE}{TWO}{ONE}").as_bytes()).await.unwrap();
    drop(peer);
    assert_eq!([next(&mut gate).await, next(&mut gate).await, next(&mut gate).await], [ONE, TWO, ONE]);
    assert_eq!(next(&mut gate).await, "");
}

#[tokio::test]
async fn a_head_that_comes_byte_by_byte_passes_as_one() {
    let (mut peer, mut gate, _) = gate();
    let writing = tokio::spawn(async move {
        for byte in TWO.bytes() {
            peer.write_all(&[byte]).await.unwrap();
            tokio::task::yield_now().await;
        }
        peer
    });
    assert_eq!(next(&mut gate).await, TWO);
    drop(writing.await);
}

#[tokio::test(start_paused = true)]
async fn what_was_looked_at_is_not_looked_at_again() {
    let (mut peer, mut gate, _) = gate();
    for sent in 1..TWO.len() {
        peer.write_all(&TWO.as_bytes()[sent - 1..sent]).await.unwrap();
        assert!(timeout(Duration::from_millis(1), next(&mut gate)).await.is_err());
        assert_eq!(gate.looked_at, sent);
    }
}

#[tokio::test]
async fn a_head_larger_than_the_readers_room_passes_in_pieces() {
    let (mut peer, mut gate, _) = gate();
    peer.write_all(ONE.as_bytes()).await.unwrap();
    let mut whole = Vec::new();
    let mut room = [0; 7];
    while whole.len() < ONE.len() {
        let length = gate.read(&mut room).await.unwrap();
        whole.extend_from_slice(&room[..length]);
    }
    assert_eq!(whole, ONE.as_bytes());
}

#[tokio::test]
async fn a_refused_head_never_passes_and_neither_does_what_follows() {
    let (mut peer, mut gate, refused) = gate();
    peer.write_all(format!("{ONE}{TWO_HOSTS}{ONE}").as_bytes()).await.unwrap();
    assert_eq!(next(&mut gate).await, ONE);
    assert_eq!(refused.get(), None);
    assert_eq!(next(&mut gate).await.as_bytes(), STAND_IN);
    assert_eq!(refused.get(), Some(&Refusal::ManyHosts));
    assert_eq!(next(&mut gate).await, "");
}

#[tokio::test]
async fn a_refused_head_request_is_stood_in_for_by_one() {
    let (mut peer, mut gate, _) = gate();
    peer.write_all(b"HEAD / HTTP/1.1\r\n\r\n").await.unwrap();
    assert_eq!(next(&mut gate).await.as_bytes(), STAND_IN_FOR_HEAD);
}

#[tokio::test]
async fn no_byte_of_a_body_passes() {
    let (mut peer, mut gate, _) = gate();
    let head = format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", ONE.len());
    peer.write_all(format!("{head}{ONE}").as_bytes()).await.unwrap();
    assert_eq!(next(&mut gate).await, head);
    assert_eq!(next(&mut gate).await, "");
}

#[tokio::test]
async fn a_peer_that_goes_away_within_a_head_leaves_nothing() {
    let (mut peer, mut gate, refused) = gate();
    peer.write_all(&ONE.as_bytes()[..20]).await.unwrap();
    drop(peer);
    assert_eq!(next(&mut gate).await, "");
    assert_eq!(refused.get(), None);
}

#[tokio::test(start_paused = true)]
async fn a_head_must_be_whole_within_its_time_however_it_drips() {
    let (mut peer, mut gate, refused) = gate();
    let dripping = tokio::spawn(async move {
        loop {
            for byte in b"x" {
                if peer.write_all(&[*byte]).await.is_err() {
                    break;
                }
            }
            sleep(SECOND / 2).await;
        }
    });
    let took = end(&mut gate).await;
    assert_eq!(refused.get(), Some(&Refusal::Slow));
    assert!((5 * SECOND..6 * SECOND).contains(&took), "{took:?}");
    dripping.abort();
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_never_speaks_ends_without_a_word() {
    let (_peer, mut gate, refused) = gate();
    let took = end(&mut gate).await;
    assert!((5 * SECOND..6 * SECOND).contains(&took), "{took:?}");
    assert_eq!(refused.get(), None);
}

#[tokio::test(start_paused = true)]
async fn a_connection_may_rest_between_requests_and_then_has_its_time_again() {
    let (mut peer, mut gate, refused) = gate();
    peer.write_all(ONE.as_bytes()).await.unwrap();
    assert_eq!(next(&mut gate).await, ONE);
    let resting = tokio::spawn(async move {
        sleep(60 * SECOND).await;
        peer.write_all(ONE.as_bytes()).await.unwrap();
        sleep(60 * SECOND).await;
        peer.write_all(&ONE.as_bytes()[..9]).await.unwrap();
        sleep(4 * SECOND).await;
        peer.write_all(&ONE.as_bytes()[9..]).await.unwrap();
        peer
    });
    assert_eq!([next(&mut gate).await, next(&mut gate).await], [ONE, ONE]);
    let _peer = resting.await.unwrap();
    let took = end(&mut gate).await;
    assert!((75 * SECOND..76 * SECOND).contains(&took), "{took:?}");
    assert_eq!(refused.get(), None);
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_reads_nothing_is_given_up() {
    let (_peer, mut gate, _) = gate();
    let began = Instant::now();
    let error = gate.write_all(&vec![0; 128 * 1024]).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    assert!((10 * SECOND..11 * SECOND).contains(&began.elapsed()), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn after_a_refusal_the_peer_is_listened_to_for_a_while() {
    let (mut peer, mut gate, _) = gate();
    peer.write_all(TWO_HOSTS.as_bytes()).await.unwrap();
    assert_eq!(next(&mut gate).await.as_bytes(), STAND_IN);
    let began = Instant::now();
    let talking = tokio::spawn(async move {
        let mut sent = 0;
        while peer.write_all(&[0; 1024]).await.is_ok() {
            sent += 1024;
        }
        sent
    });
    gate.shutdown().await.unwrap();
    assert!(began.elapsed() < SECOND);
    drop(gate);
    let sent = talking.await.unwrap();
    assert!((LINGER_BYTES..LINGER_BYTES + 128 * 1024).contains(&sent), "{sent}");
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_falls_silent_after_its_refusal_is_not_waited_for_long() {
    let (mut peer, mut gate, _) = gate();
    peer.write_all(TWO_HOSTS.as_bytes()).await.unwrap();
    assert_eq!(next(&mut gate).await.as_bytes(), STAND_IN);
    let began = Instant::now();
    gate.shutdown().await.unwrap();
    assert!((LINGER..2 * LINGER).contains(&began.elapsed()), "{:?}", began.elapsed());
}

proptest! {
    #[test]
    fn heads_pass_unchanged_however_they_are_cut(
        which in proptest::collection::vec(any::<bool>(), 1..8),
        cuts in proptest::collection::vec(1_usize..60, 1..40),
    ) {
        let sent: String = which.iter().map(|first| if *first { ONE } else { TWO }).collect();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let passed = runtime.block_on(async {
            let (mut peer, mut gate, _) = gate();
            let bytes = sent.clone().into_bytes();
            let writing = tokio::spawn(async move {
                let mut rest = &bytes[..];
                for cut in cuts.iter().cycle() {
                    let (piece, after) = rest.split_at((*cut).min(rest.len()));
                    peer.write_all(piece).await.unwrap();
                    tokio::task::yield_now().await;
                    rest = after;
                    if rest.is_empty() {
                        break;
                    }
                }
            });
            let mut passed = Vec::new();
            for first in &which {
                let head = next(&mut gate).await;
                assert_eq!(head, if *first { ONE } else { TWO });
                passed.push(head);
            }
            writing.await.unwrap();
            assert_eq!(next(&mut gate).await, "");
            passed.concat()
        });
        prop_assert_eq!(passed, sent);
    }

    #[test]
    fn no_bytes_make_the_judge_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        judge(&bytes, &Limits::default());
        judge(&[b"GET / HTTP/1.1\r\n", &bytes[..]].concat(), &Limits::default());
    }
}

/// Takes every byte, and never sends one on, as a peer under TLS does that does not read.
struct Stuck;

impl AsyncRead for Stuck {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, _: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Poll::Pending
    }
}

impl AsyncWrite for Stuck {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Pending
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Pending
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_never_sent_on_ends_the_connection() {
    let (mut gate, _) = Gate::new(Stuck, Limits::default());
    let began = Instant::now();
    gate.write_all(b"answer").await.unwrap();
    assert_eq!(gate.flush().await.unwrap_err().kind(), io::ErrorKind::TimedOut);
    assert_eq!(began.elapsed(), Limits::default().write_timeout + LAST_LOOK);
    let (mut gate, _) = Gate::new(Stuck, Limits::default());
    assert_eq!(gate.shutdown().await.unwrap_err().kind(), io::ErrorKind::TimedOut);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_heard_of_just_after_its_time_passes() {
    let (mut peer, mut gate, _) = gate();
    let writing = tokio::spawn(async move {
        sleep(Limits::default().head_timeout + Duration::from_millis(5)).await;
        peer.write_all(ONE.as_bytes()).await.unwrap();
        peer
    });
    assert_eq!(next(&mut gate).await, ONE);
    drop(writing.await);
}
