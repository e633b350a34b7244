//! Visitors who never become anything: every other one asks for the head alone, which stores nothing, so that the two
//! say what the store adds to a redirect. They have a thread of their own, for the load keeps the others busy.

use std::{
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream},
    thread,
    time::{Duration, Instant},
};

use tokio_util::sync::CancellationToken;

use crate::visitor::{PATIENCE, Watch};

/// How long it is from one to the next.
const EVERY: Duration = Duration::from_millis(5);

/// How an answer begins that sends a visitor on.
const FOUND: &[u8] = b"HTTP/1.1 302 ";

/// Sends passers-by until told to stop, each to the first edge that is there.
pub(crate) fn pass_by(edges: &[SocketAddr], watch: &Watch, stop: &CancellationToken) {
    let methods = ["GET", "HEAD"].iter().cycle();
    for (number, method) in methods.enumerate().take_while(|_| !stop.is_cancelled()) {
        let began = Instant::now();
        if let Some(stream) = edges.iter().find_map(|edge| TcpStream::connect(edge).ok()) {
            let sent_on = visit(stream, method, number);
            let took = began.elapsed();
            watch.note(|seen| {
                if let Err(error) = sent_on {
                    seen.strays += 1;
                    seen.last = Some(format!("no redirect: {error}"));
                    return;
                }
                seen.redirects += 1;
                let slowest = if *method == "GET" { &mut seen.slowest } else { &mut seen.slowest_bare };
                *slowest = took.max(*slowest);
            });
        }
        thread::sleep(EVERY);
    }
}

fn visit(mut stream: TcpStream, method: &str, number: usize) -> std::io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    let request = format!(
        "{method} /c/powerspace?clickId=passer-by-{number} HTTP/1.1\r\nHost: click.example\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes())?;
    let mut begins = [0; FOUND.len()];
    stream.read_exact(&mut begins)?;
    if begins == FOUND {
        return Ok(());
    }
    Err(std::io::Error::new(ErrorKind::InvalidData, String::from_utf8_lossy(&begins).into_owned()))
}
