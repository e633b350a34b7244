//! TLS over real sockets: who is let through the handshake, and files that change.

// Helpers of tests fail as tests do.
#![allow(clippy::unwrap_used)]

use std::{fs, io, net::SocketAddr, time::Duration};

use postback_access::{
    Socket, Tls, TlsFiles,
    testing::{Authority, Signed},
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

const PROTOCOL: &str = "echo";
const LONG: Duration = Duration::from_secs(60);

struct Door {
    authority: Authority,
    files: TlsFiles,
    tls: Tls,
    listener: TcpListener,
    _folder: TempDir,
}

impl Door {
    async fn new() -> Self {
        let (authority, folder) = (Authority::new(), tempfile::tempdir().unwrap());
        let files = authority.files(folder.path());
        let tls = Tls::open(files.clone(), PROTOCOL).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self { authority, files, tls, listener, _folder: folder }
    }

    fn address(&self) -> SocketAddr {
        self.listener.local_addr().unwrap()
    }

    /// Lets in one who believes `authority` and shows this; returns what both sides came to.
    async fn meet(
        &self,
        authority: &Authority,
        shown: Option<&Signed>,
    ) -> (io::Result<Socket>, io::Result<()>) {
        let client = async {
            let mut stream = authority.connect(self.address(), shown, PROTOCOL).await?;
            stream.write_all(b"x").await?;
            stream.read_u8().await.map(drop)
        };
        let server = async {
            let (stream, _) = self.listener.accept().await.unwrap();
            let mut socket = Tls::enter(Some(&self.tls), stream, LONG).await?;
            let said = socket.read_u8().await?;
            socket.write_u8(said).await?;
            socket.flush().await?;
            Ok(socket)
        };
        tokio::join!(server, client)
    }

    async fn is_believed(&self, authority: &Authority) -> bool {
        self.meet(authority, None).await.1.is_ok()
    }
}

#[tokio::test]
async fn a_certificate_of_the_authority_is_read_by_its_name() {
    let door = Door::new().await;
    let billing = door.authority.sign("billing.internal");
    let (socket, answered) = door.meet(&door.authority, Some(&billing)).await;
    answered.unwrap();
    let certificate = socket.unwrap().certificate().unwrap();
    assert_eq!(certificate.names().collect::<Vec<_>>(), ["billing.internal"]);
}

#[tokio::test]
async fn one_without_a_certificate_is_let_through_and_has_none() {
    let door = Door::new().await;
    let (socket, answered) = door.meet(&door.authority, None).await;
    answered.unwrap();
    assert_eq!(socket.unwrap().certificate(), None);
}

#[tokio::test]
async fn a_certificate_of_another_authority_ends_the_handshake() {
    let door = Door::new().await;
    let forged = Authority::new().sign("billing.internal");
    let (socket, answered) = door.meet(&door.authority, Some(&forged)).await;
    let refused = socket.unwrap_err().to_string();
    assert!(refused.starts_with("invalid peer certificate"), "{refused}");
    assert!(answered.is_err());
}

#[tokio::test]
async fn what_is_not_tls_ends_the_handshake() {
    let door = Door::new().await;
    let server = async {
        let (stream, _) = door.listener.accept().await.unwrap();
        Tls::enter(Some(&door.tls), stream, LONG).await
    };
    let client = async {
        let mut stream = TcpStream::connect(door.address()).await.unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
        let mut heard = Vec::new();
        let _ = stream.read_to_end(&mut heard).await;
        heard
    };
    let (socket, heard) = tokio::join!(server, client);
    assert_eq!(socket.unwrap_err().kind(), io::ErrorKind::InvalidData);
    assert!(!heard.starts_with(b"HTTP"), "{heard:?}");
}

#[tokio::test]
async fn a_handshake_that_is_never_finished_is_ended() {
    let door = Door::new().await;
    let _peer = TcpStream::connect(door.address()).await.unwrap();
    let (stream, _) = door.listener.accept().await.unwrap();
    let entered = Tls::enter(Some(&door.tls), stream, Duration::from_millis(100)).await;
    assert_eq!(entered.unwrap_err().kind(), io::ErrorKind::TimedOut);
}

#[tokio::test]
async fn where_there_is_no_tls_a_connection_is_let_in_as_it_is() {
    let door = Door::new().await;
    let mut peer = TcpStream::connect(door.address()).await.unwrap();
    let (stream, _) = door.listener.accept().await.unwrap();
    let mut socket = Tls::enter(None, stream, LONG).await.unwrap();
    peer.write_all(b"x").await.unwrap();
    assert_eq!(socket.read_u8().await.unwrap(), b'x');
    assert_eq!(socket.certificate(), None);
}

#[tokio::test]
async fn files_that_change_are_taken_over_for_new_connections() {
    let door = Door::new().await;
    assert!(door.is_believed(&door.authority).await);
    let next = Authority::new();
    next.write(&door.files);
    assert!(door.is_believed(&door.authority).await, "not before they were looked at");
    door.tls.refresh();
    assert!(door.is_believed(&next).await && !door.is_believed(&door.authority).await);
}

#[tokio::test]
async fn wrong_files_change_nothing_until_they_are_right() {
    let door = Door::new().await;
    let next = Authority::new();
    let (before, signed) = (fs::read(&door.files.key).unwrap(), next.sign("127.0.0.1"));
    for wrong in [signed.key.as_bytes(), b"nonsense"] {
        fs::write(&door.files.key, wrong).unwrap();
        door.tls.refresh();
        assert!(door.is_believed(&door.authority).await);
    }
    fs::remove_file(&door.files.key).unwrap();
    door.tls.refresh();
    assert!(door.is_believed(&door.authority).await);
    fs::write(&door.files.key, before).unwrap();
    door.tls.refresh();
    assert!(door.is_believed(&door.authority).await);
    next.write(&door.files);
    door.tls.refresh();
    assert!(door.is_believed(&next).await);
}

#[tokio::test]
async fn the_files_are_looked_at_by_themselves() {
    let door = Door::new().await;
    let following = tokio::spawn(door.tls.clone().follow());
    let next = Authority::new();
    next.write(&door.files);
    while !door.is_believed(&next).await {}
    following.abort();
}

#[tokio::test]
async fn files_that_are_wrong_are_told_by_their_field_and_no_key_is_shown() {
    let door = Door::new().await;
    let signed = Authority::new().sign("127.0.0.1");
    let said = |change: &dyn Fn(&mut TlsFiles)| {
        let mut files = door.files.clone();
        change(&mut files);
        Tls::open(files, PROTOCOL).unwrap_err().to_string()
    };
    let certificate = door.files.certificate.clone();
    assert_eq!(
        said(&|files| files.certificate = "/nowhere".into()),
        "certificate: `/nowhere` cannot be read: No such file or directory (os error 2)"
    );
    assert_eq!(
        said(&|files| files.certificate = files.key.clone()),
        "certificate: holds no certificate in PEM"
    );
    assert_eq!(
        said(&|files| files.key = certificate.clone()),
        "key: holds no private key in PEM without a passphrase"
    );
    assert_eq!(
        said(&|files| files.key = signed.key.clone().into()),
        "key: is PEM itself; want the path of a file that holds it"
    );
    assert_eq!(
        said(&|files| files.clients = Some(files.key.clone())),
        "clients: holds no certificate in PEM"
    );
    fs::write(&door.files.key, &signed.key).unwrap();
    assert_eq!(
        said(&|_| ()),
        "certificate: does not go with the key: keys may not be consistent: KeyMismatch"
    );
}
