//! Taking connections in: through the failures that pass by themselves, and to the last one that waits.

use std::{io, net::SocketAddr, time::Duration};

use tokio::{
    net::{TcpListener, TcpStream},
    time::sleep,
};

const SHORTEST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// The next connection, and who is at its other end. One that was reset before it was taken is passed
/// over; where the machine has no file or memory left for one, the kernel's backlog holds it while we wait for others.
pub async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    take(|| listener.accept()).await
}

async fn take<F>(mut next: impl FnMut() -> F) -> (TcpStream, SocketAddr)
where
    F: Future<Output = io::Result<(TcpStream, SocketAddr)>>,
{
    let mut pause = SHORTEST_PAUSE;
    loop {
        match next().await {
            Ok(taken) => return taken,
            Err(error) if is_the_peers(&error) => {}
            Err(error) => {
                tracing::warn!(%error, pause_ms = pause.as_millis(), "no connection can be taken; waiting");
                sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
    }
}

/// Closes the listener, and takes every connection that waits in its backlog: the kernel is asked itself, for the
/// runtime has not heard of the latest.
///
/// # Errors
/// Where the listener cannot be taken off the runtime.
pub fn close(listener: TcpListener) -> io::Result<Vec<(TcpStream, SocketAddr)>> {
    let listener = listener.into_std()?;
    let mut waiting = Vec::new();
    loop {
        match listener.accept() {
            Ok((stream, peer)) => {
                stream.set_nonblocking(true)?;
                waiting.push((TcpStream::from_std(stream)?, peer));
            }
            Err(error) if is_the_peers(&error) => {}
            Err(_) => return Ok(waiting),
        }
    }
}

fn is_the_peers(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    /// How long it takes to take a connection in, where the kernel fails so before.
    async fn accept_after(mut errors: Vec<i32>) -> Duration {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let peer = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let began = Instant::now();
        let next = || {
            let (error, listener) = (errors.pop(), &listener);
            async move {
                match error {
                    Some(code) => Err(io::Error::from_raw_os_error(code)),
                    None => listener.accept().await,
                }
            }
        };
        let (_, address) = take(next).await;
        assert_eq!(address, peer.local_addr().unwrap());
        began.elapsed()
    }

    #[tokio::test]
    async fn a_connection_that_waits_as_the_listener_closes_is_taken() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        let peers: Vec<_> = (0..5).map(|_| std::net::TcpStream::connect(at).unwrap()).collect();
        let waiting = close(listener).unwrap();
        let taken: Vec<_> = waiting.iter().map(|(_, peer)| *peer).collect();
        assert_eq!(taken, peers.iter().map(|peer| peer.local_addr().unwrap()).collect::<Vec<_>>());
    }

    #[tokio::test(start_paused = true)]
    async fn a_machine_without_files_is_waited_for_longer_each_time() {
        const EMFILE: i32 = 24;
        assert!(accept_after(vec![EMFILE; 3]).await >= Duration::from_millis(10 + 20 + 40));
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_was_reset_is_passed_over_at_once() {
        const ECONNABORTED: i32 = 103;
        assert!(accept_after(vec![ECONNABORTED; 100]).await < Duration::from_millis(10));
    }
}
