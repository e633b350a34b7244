//! A network that answers at once: it reads a call as far as it must, counts it and says that it is well.

use std::{
    cell::Cell,
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream as StdStream},
    rc::Rc,
};

use anyhow::{Context, ensure};
use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::spawn_local,
};

use crate::{
    bench::Bench,
    process::{LOAD, Process, free_address, pinned},
};

/// As Traffic Stars says it.
const TAKEN: &[u8] =
    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 11\r\n\r\n{\"ok\":true}";
const REFUSED: &[u8] = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n";
/// Where the counts are asked for.
const COUNTS: &str = "/counts";
/// The longest call that is read.
const LONGEST: usize = 4 * 1024;

/// What it was told.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Counts {
    /// Calls that are well.
    pub(crate) taken: u64,
    /// Any others.
    pub(crate) refused: u64,
}

/// A running one, on the load's core.
pub(crate) struct Network {
    /// Its process, to be watched.
    pub(crate) process: Process,
}

impl Network {
    /// Starts one.
    pub(crate) fn start(bench: &Bench) -> anyhow::Result<Self> {
        let address = free_address();
        let mut command = pinned(LOAD, &bench.me);
        command.args(["peer", "network", "--listen", &address.to_string()]);
        Ok(Self { process: Process::start(command, &bench.folder("network-")?, address)? })
    }

    /// What it was told so far.
    pub(crate) fn counts(&self) -> anyhow::Result<Counts> {
        let mut stream = StdStream::connect(self.process.address)?;
        stream.write_all(format!("GET {COUNTS} HTTP/1.1\r\n\r\n").as_bytes())?;
        let mut counts = Vec::new();
        stream.read_to_end(&mut counts)?;
        Ok(serde_json::from_slice(&counts)?)
    }
}

pub(super) async fn serve(listen: SocketAddr) -> anyhow::Result<()> {
    let listener = TcpListener::bind(listen).await?;
    let counts = Rc::<Cell<Counts>>::default();
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let counts = Rc::clone(&counts);
        spawn_local(async move {
            // Whoever breaks off misses an answer, and says so.
            let _ = answer(stream, &counts).await;
        });
    }
}

/// Answers the calls of a connection, one after the other.
async fn answer(mut stream: TcpStream, counts: &Cell<Counts>) -> anyhow::Result<()> {
    let (mut read, mut filled) = ([0; LONGEST], 0);
    loop {
        let come = stream.read(&mut read[filled..]).await?;
        ensure!(come > 0, ErrorKind::UnexpectedEof);
        filled += come;
        let mut headers = [httparse::EMPTY_HEADER; 16];
        let mut call = httparse::Request::new(&mut headers);
        if call.parse(&read[..filled])?.is_partial() {
            continue;
        }
        filled = 0;
        let path = call.path.context("a call without a path")?;
        let mut count = counts.get();
        if path == COUNTS {
            return Ok(stream.write_all(&serde_json::to_vec(&count)?).await?);
        }
        let known = call.method == Some("GET") && is_known(path);
        *(if known { &mut count.taken } else { &mut count.refused }) += 1;
        counts.set(count);
        stream.write_all(if known { TAKEN } else { REFUSED }).await?;
    }
}

/// Whether this is a conversion of a click, with a value, a code and a key.
fn is_known(path: &str) -> bool {
    let Some((click, query)) = path.strip_prefix("/api/v1/cpa/action/").and_then(|path| path.split_once('?'))
    else {
        return false;
    };
    click.len() == 40 && ["value=", "&lead_code=", "&key="].iter().all(|part| query.contains(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_conversion_is_known_by_its_click_value_code_and_key() {
        let click = "/api/v1/cpa/action/c86b8a88b91228911e723b93c65a5900bb49bc99";
        assert!(is_known(&format!("{click}?value=1.0&lead_code=a&key=b")));
        for wrong in ["", "?value=1.0", "?value=1.0&lead_code=a", "0?value=1.0&lead_code=a&key=b"] {
            assert!(!is_known(&format!("{click}{wrong}")), "{wrong}");
        }
    }
}
