//! The gate between the socket and hyper: a request's head passes when it is whole and well-formed.

use std::{
    io,
    pin::Pin,
    sync::{Arc, OnceLock},
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::{
    deadline::Deadline,
    head::{Verdict, judge},
    refusal::Refusal,
    settings::Limits,
};

/// What hyper is given in place of a refused head, so that it is hyper that answers, after all that came before.
const STAND_IN: &[u8] = b"GET / HTTP/1.1\r\nhost: -\r\nconnection: close\r\n\r\n";
const STAND_IN_FOR_HEAD: &[u8] = b"HEAD / HTTP/1.1\r\nhost: -\r\nconnection: close\r\n\r\n";

/// How long, and up to how many bytes, a peer that is still sending is listened to after its refusal, so that
/// no reset takes the answer away from it.
const LINGER: Duration = Duration::from_secs(1);
const LINGER_BYTES: usize = 1024 * 1024;

/// Why the peer was refused, told to whoever answers hyper's requests on the same connection.
pub(crate) type Refused = Arc<OnceLock<Refusal>>;

/// A stream that reads whole heads, one at a time. A head with a body is the last one: no byte of the body
/// passes, so nothing in it can be taken for a request.
#[derive(Debug)]
pub(crate) struct Gate<S> {
    stream: S,
    limits: Limits,
    refused: Refused,
    /// What was read and has not passed.
    held: BytesMut,
    /// How much of `held` was looked at, and is no whole head.
    looked_at: usize,
    /// How much of `held` may pass.
    passing: usize,
    /// Whether a head has passed on this connection.
    used: bool,
    /// Whether nothing passes any more.
    ended: bool,
    /// Whether all that there is to say was said.
    shut: bool,
    /// How many bytes may still be read and thrown away at the end; 0 where the peer has nothing more to say.
    linger: usize,
    reading: Deadline,
    writing: Deadline,
}

impl<S> Gate<S> {
    /// A gate before `stream`, with the cell in which it says why it ended the connection.
    pub(crate) fn new(stream: S, limits: Limits) -> (Self, Refused) {
        let refused = Refused::default();
        let gate = Self {
            stream,
            limits,
            refused: Arc::clone(&refused),
            held: BytesMut::new(),
            looked_at: 0,
            passing: 0,
            used: false,
            ended: false,
            shut: false,
            linger: 0,
            reading: Deadline::default(),
            writing: Deadline::default(),
        };
        (gate, refused)
    }

    /// Moves what may pass.
    fn pass(&mut self, buf: &mut ReadBuf<'_>) {
        let length = self.passing.min(buf.remaining());
        buf.put_slice(&self.held[..length]);
        self.held.advance(length);
        self.passing -= length;
        if self.held.is_empty() {
            self.held = BytesMut::new();
        }
    }

    /// A head is about to pass.
    fn let_in(&mut self, length: usize, body: bool) {
        self.reading.met();
        self.looked_at = 0;
        self.passing = length;
        self.used = true;
        if body {
            self.end();
        }
    }

    /// Nothing passes any more, though the peer may go on sending.
    fn end(&mut self) {
        self.ended = true;
        self.linger = LINGER_BYTES;
        self.reading.met();
    }

    fn refuse(&mut self, refusal: Refusal) {
        let stand_in = if self.held.starts_with(b"HEAD ") { STAND_IN_FOR_HEAD } else { STAND_IN };
        // Set once: after the first refusal nothing is judged.
        let _ = self.refused.set(refusal);
        self.held.clear();
        self.held.extend_from_slice(stand_in);
        self.passing = self.held.len();
        self.end();
    }

    /// Judges what is held, where there is news; returns whether that decided anything.
    fn decide(&mut self) -> bool {
        let worth_it = self.held.len() > self.looked_at && self.may_be_whole();
        self.looked_at = self.held.len();
        if !worth_it {
            return false;
        }
        match judge(&self.held, &self.limits) {
            Verdict::Whole { length, body } => self.let_in(length, body),
            Verdict::Refused(refusal) => self.refuse(refusal),
            Verdict::Partial => return false,
        }
        true
    }

    /// Whether what is held is worth judging: the first piece of a head is, a later one that brings an empty
    /// line or passes a limit. So a head that comes byte by byte is not judged byte by byte.
    fn may_be_whole(&self) -> bool {
        let crosses = |limit| (self.looked_at..self.held.len()).contains(&limit);
        let news = &self.held[self.looked_at.saturating_sub(3)..];
        self.looked_at == 0
            || crosses(self.limits.uri)
            || crosses(self.limits.head)
            || news.windows(2).any(|pair| pair == b"\n\n")
            || news.windows(3).any(|three| three == b"\n\r\n")
    }

    /// Nothing came: for how long may that be?
    fn poll_patience(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let idle = self.used && self.held.is_empty();
        let patience = if idle { self.limits.idle_timeout } else { self.limits.head_timeout };
        ready!(self.reading.poll_passed(patience, cx));
        match self.held.is_empty() {
            true => self.ended = true,
            false => self.refuse(Refusal::Slow),
        }
        Poll::Ready(())
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Gate<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let gate = self.get_mut();
        loop {
            if gate.passing > 0 {
                gate.pass(buf);
                return Poll::Ready(Ok(()));
            }
            if gate.ended {
                return Poll::Ready(Ok(()));
            }
            if gate.decide() {
                continue;
            }
            let before = buf.filled().len();
            if Pin::new(&mut gate.stream).poll_read(cx, buf)?.is_pending() {
                ready!(gate.poll_patience(cx));
                continue;
            }
            let news = &buf.filled()[before..];
            if news.is_empty() {
                gate.ended = true;
                return Poll::Ready(Ok(()));
            }
            if gate.held.is_empty() {
                // The one way of almost every request: it came in one piece and passes where it lies.
                if let Verdict::Whole { length, body } = judge(news, &gate.limits)
                    && length == news.len()
                {
                    gate.let_in(0, body);
                    return Poll::Ready(Ok(()));
                }
                if gate.used {
                    gate.reading.met();
                }
            }
            gate.held.extend_from_slice(news);
            buf.set_filled(before);
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Gate<S> {
    /// What a write came to (under TLS a flush or the end may be one too), or its end where the peer takes nothing for
    /// too long.
    fn watch<T>(&mut self, cx: &mut Context<'_>, write: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if write.is_ready() {
            self.writing.met();
            return write;
        }
        ready!(self.writing.poll_passed(self.limits.write_timeout, cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }

    /// Throws away what the peer still sends, until it ends, or the patience does.
    fn poll_linger(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut room = [0; 4096];
        while self.linger > 0 {
            let mut buf = ReadBuf::new(&mut room);
            match Pin::new(&mut self.stream).poll_read(cx, &mut buf) {
                Poll::Ready(Ok(())) if !buf.filled().is_empty() => {
                    self.linger = self.linger.saturating_sub(buf.filled().len());
                }
                Poll::Ready(_) => self.linger = 0,
                Poll::Pending => {
                    ready!(self.reading.poll_passed(LINGER, cx));
                    self.linger = 0;
                }
            }
        }
        Poll::Ready(())
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Gate<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let gate = self.get_mut();
        let write = Pin::new(&mut gate.stream).poll_write(cx, bytes);
        gate.watch(cx, write)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let gate = self.get_mut();
        let flush = Pin::new(&mut gate.stream).poll_flush(cx);
        gate.watch(cx, flush)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let gate = self.get_mut();
        if !gate.shut {
            let shutdown = Pin::new(&mut gate.stream).poll_shutdown(cx);
            ready!(gate.watch(cx, shutdown))?;
            gate.shut = true;
        }
        ready!(gate.poll_linger(cx));
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests;
