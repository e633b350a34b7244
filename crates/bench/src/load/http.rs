//! Visitors over HTTP/1.1, one at a time on each connection.

use std::rc::Rc;

use anyhow::{Context, bail, ensure};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::{Options, meter::Meter, traffic};

/// The longest answer that is read: a redirect has no body.
const LONGEST: usize = 8 * 1024;

pub(super) async fn send(options: &Options, meter: &Rc<Meter>) -> anyhow::Result<()> {
    let mut visitors = Vec::new();
    for _ in 0..options.connections {
        let stream = TcpStream::connect(options.to).await?;
        stream.set_nodelay(true)?;
        let until_closed = options.until_closed;
        let visitor = visit(stream, options.to.to_string(), options.seed, Rc::clone(meter));
        visitors.push(async move {
            match visitor.await {
                Err(error) if until_closed && error.is::<Closed>() => Ok(()),
                ended => ended,
            }
        });
    }
    meter.run(visitors).await
}

/// With what a server announces that it closes the connection.
const LAST: &[u8] = b"\r\nconnection: close\r\n";

/// The server closed a connection, or said with an answer that it would.
#[derive(Debug, thiserror::Error)]
#[error("the server closed a connection")]
struct Closed;

async fn visit(mut stream: TcpStream, host: String, seed: u64, meter: Rc<Meter>) -> anyhow::Result<()> {
    let (mut request, mut answer) = (Vec::with_capacity(1024), Box::new([0; LONGEST]));
    while let Some(turn) = meter.next().await {
        traffic::visit(&mut request, &host, seed, turn.number);
        stream.write_all(&request).await.map_err(|_| Closed)?;
        let mut filled = 0;
        loop {
            // Closed before an answer has begun, or else the answer breaks off.
            let read = match stream.read(&mut answer[filled..]).await {
                Ok(0) | Err(_) if filled == 0 => return Err(Closed.into()),
                read => read?,
            };
            ensure!(read > 0, "an answer breaks off");
            filled += read;
            if is_redirect(&answer[..filled])? {
                break;
            }
        }
        meter.answered(&turn);
        if answer[..filled].windows(LAST.len()).any(|line| line.eq_ignore_ascii_case(LAST)) {
            return Err(Closed.into());
        }
    }
    Ok(())
}

/// Whether these bytes are one whole redirect with its cookie; anything else is an error.
fn is_redirect(bytes: &[u8]) -> anyhow::Result<bool> {
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut answer = httparse::Response::new(&mut headers);
    let head = match answer.parse(bytes)? {
        httparse::Status::Partial => return Ok(false),
        httparse::Status::Complete(head) => head,
    };
    ensure!(answer.code == Some(302), "an answer is {:?}, not 302", answer.code);
    let has = |name: &str| {
        answer.headers.iter().any(|it| it.name.eq_ignore_ascii_case(name) && !it.value.is_empty())
    };
    ensure!(has("location") && has("set-cookie"), "an answer without a location or a cookie");
    let length = answer.headers.iter().find(|it| it.name.eq_ignore_ascii_case("content-length"));
    let length = length.context("an answer without a length")?.value;
    if length != b"0" || head != bytes.len() {
        bail!("an answer with a body");
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_redirect_with_its_cookie_will_do() {
        let good = "HTTP/1.1 302 Found\r\nlocation: /x\r\nSet-Cookie: a=b\r\ncontent-length: 0\r\n\r\n";
        assert!(is_redirect(good.as_bytes()).unwrap());
        assert!(!is_redirect(&good.as_bytes()[..good.len() - 1]).unwrap());
        for (is, becomes) in [("302", "200"), ("location", "nowhere"), ("Set-Cookie", "x"), (": 0", ": 1")] {
            assert!(is_redirect(good.replace(is, becomes).as_bytes()).is_err(), "{becomes}");
        }
    }
}
