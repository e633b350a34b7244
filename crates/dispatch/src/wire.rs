//! The connections of a test: each lets the process end where it stands, and where a request has been written to it.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_rustls::{HttpsConnector, MaybeHttpsStream};
use hyper_util::{
    client::legacy::connect::{Connected, Connection, HttpConnector},
    rt::TokioIo,
};
use tokio::net::TcpStream;
use tower::{ServiceExt, util::MapResponse};

use crate::names::Names;

type Stream = MaybeHttpsStream<TokioIo<TcpStream>>;

/// A connector whose connections are wires.
pub(crate) type Wired = MapResponse<HttpsConnector<HttpConnector<Names>>, fn(Stream) -> Wire>;

/// The same connector, over wires.
pub(crate) fn wired(connector: HttpsConnector<HttpConnector<Names>>) -> Wired {
    connector.map_response(Wire::over)
}

/// A connection.
pub(crate) struct Wire {
    stream: Stream,
    /// Whether something was written that is not known to have left.
    written: bool,
}

impl Wire {
    fn over(stream: Stream) -> Self {
        fail::fail_point!("connect");
        Self { stream, written: false }
    }
}

impl Connection for Wire {
    fn connected(&self) -> Connected {
        self.stream.connected()
    }
}

impl Read for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl Write for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let taken = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.written |= matches!(taken, Poll::Ready(Ok(1..)));
        taken
    }

    /// Hyper flushes when it has written the whole request; once that is done, the kernel has it, TLS or not.
    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(context);
        if matches!(flushed, Poll::Ready(Ok(()))) && std::mem::take(&mut self.written) {
            fail::fail_point!("bytes-out");
        }
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
