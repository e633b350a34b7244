//! A connection to one server that carries one batch of commands at a time: written in one go, answered in order.

use bytes::{Buf, BytesMut};
use redis::{
    ConnectionAddr, ConnectionInfo, ErrorKind, RedisConnectionInfo, RedisError, RedisResult, Value, cmd,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpStream, UnixStream},
};

use crate::reply;

/// The least room for what is read at once, in bytes: most batches' answers fit.
const ROOM: usize = 16 * 1_024;

/// The connection. One whose question broke off must not be asked again.
pub(crate) struct Wire {
    stream: Box<dyn Stream>,
    /// What came and was not read.
    came: BytesMut,
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

impl Wire {
    pub(crate) async fn connect(server: &ConnectionInfo) -> RedisResult<Self> {
        let stream: Box<dyn Stream> = match server.addr() {
            ConnectionAddr::Tcp(host, port) => {
                let stream = TcpStream::connect((host.as_str(), *port)).await?;
                stream.set_nodelay(true)?;
                Box::new(stream)
            }
            ConnectionAddr::Unix(path) => Box::new(UnixStream::connect(path).await?),
            _ => return Err(RedisError::from((ErrorKind::InvalidClientConfig, "TLS is not built in"))),
        };
        let mut wire = Self { stream, came: BytesMut::new() };
        wire.enter(server.redis_settings()).await?;
        Ok(wire)
    }

    /// Says who asks, and which database is meant.
    async fn enter(&mut self, settings: &RedisConnectionInfo) -> RedisResult<()> {
        let mut words = Vec::new();
        if let Some(password) = settings.password() {
            words.push(cmd("AUTH").arg(settings.username()).arg(password).take());
        }
        if settings.db() != 0 {
            words.push(cmd("SELECT").arg(settings.db()).take());
        }
        let mut packed = Vec::new();
        words.iter().for_each(|word| word.write_packed_command(&mut packed));
        self.ask(&packed, words.len())
            .await?
            .into_iter()
            .try_for_each(|answer| answer.extract_error().map(drop))
    }

    /// What is answered to so many commands, refusals among it.
    pub(crate) async fn ask(&mut self, packed: &[u8], commands: usize) -> RedisResult<Vec<Value>> {
        self.stream.write_all(packed).await?;
        let mut answers = Vec::with_capacity(commands);
        while answers.len() < commands {
            match reply::read(&self.came)? {
                Some((answer, length)) => {
                    self.came.advance(length);
                    answers.push(answer);
                }
                None => {
                    self.came.reserve(ROOM);
                    if self.stream.read_buf(&mut self.came).await? == 0 {
                        return Err(RedisError::from((ErrorKind::Io, "redis closed the connection")));
                    }
                }
            }
        }
        Ok(answers)
    }
}
