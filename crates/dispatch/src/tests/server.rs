//! A network on loopback that misbehaves to order, byte by byte.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
};

/// What happens on a connection, one after the other.
#[derive(Clone, Debug)]
pub(super) enum Act {
    /// Reads a request's head.
    Read,
    /// Writes these bytes.
    Write(String),
    /// Writes these bytes again and again until the other side goes.
    Flood(&'static str),
    /// Waits until the other side goes.
    Hang,
    /// Ends the connection with a reset.
    Reset,
}

/// An answer with a length, after which the connection goes on.
pub(super) fn says(status: &str, body: &str) -> Act {
    Act::Write(format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{body}", body.len()))
}

#[derive(Default)]
pub(super) struct Seen {
    pub(super) connections: usize,
    pub(super) requests: Vec<String>,
    /// Connections that the other side left.
    pub(super) left: usize,
    /// Connections that were reset by the server.
    pub(super) reset: usize,
}

pub(super) struct Server {
    pub(super) address: SocketAddr,
    seen: Arc<Mutex<Seen>>,
    changes: watch::Sender<()>,
    _serving: JoinSet<()>,
}

impl Server {
    /// Plays the script of each connection's number, from 1; a connection whose script is over is closed.
    pub(super) async fn start(script: impl Fn(usize) -> Vec<Act> + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen: Arc<Mutex<Seen>> = Arc::default();
        let changes = watch::Sender::new(());
        let mut serving = JoinSet::new();
        let (all, changed) = (seen.clone(), changes.clone());
        serving.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                all.lock().unwrap().connections += 1;
                let acts = script(all.lock().unwrap().connections);
                connections.spawn(play(stream, acts, all.clone(), changed.clone()));
            }
        });
        Self { address, seen, changes, _serving: serving }
    }

    /// Does the same on every connection.
    pub(super) async fn always(acts: impl IntoIterator<Item = Act>) -> Self {
        let acts: Vec<Act> = acts.into_iter().collect();
        Self::start(move |_| acts.clone()).await
    }

    pub(super) fn base(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(super) fn seen<T>(&self, look: impl FnOnce(&Seen) -> T) -> T {
        look(&self.seen.lock().unwrap())
    }

    pub(super) async fn until(&self, holds: impl Fn(&Seen) -> bool) {
        let mut changes = self.changes.subscribe();
        while !{
            changes.borrow_and_update();
            self.seen(&holds)
        } {
            changes.changed().await.unwrap();
        }
    }
}

async fn play(mut stream: TcpStream, acts: Vec<Act>, seen: Arc<Mutex<Seen>>, changes: watch::Sender<()>) {
    for act in acts {
        match act {
            Act::Read => match read_head(&mut stream).await {
                Some(head) => seen.lock().unwrap().requests.push(head),
                None => break,
            },
            Act::Write(bytes) => stream.write_all(bytes.as_bytes()).await.unwrap(),
            Act::Flood(bytes) => while stream.write_all(bytes.as_bytes()).await.is_ok() {},
            Act::Hang => while stream.read(&mut [0; 1024]).await.is_ok_and(|n| n > 0) {},
            Act::Reset => {
                stream.set_zero_linger().unwrap();
                drop(stream);
                seen.lock().unwrap().reset += 1;
                changes.send_replace(());
                return;
            }
        }
        changes.send_replace(());
    }
    seen.lock().unwrap().left += 1;
    changes.send_replace(());
}

async fn read_head(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    Some(String::from_utf8(head).unwrap())
}
