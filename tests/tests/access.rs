//! Who is let in to gRPC: tokens, certificates, scopes, the TLS under which they come, and what a reload changes.

use std::{fs, path::Path};

use postback_access::{
    Rules, Scope, TlsFiles, TokenHash,
    testing::{Authority, Signed},
};
use postback_core::Key;
use postback_proto::v1::{
    GetStatsRequest, ListConversionsRequest, PauseAccountRequest, RecordConversionRequest,
};
use postback_tests::{Caller, Engine, House, Postback, until};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tonic::{
    Code, Status,
    transport::{Certificate, Channel, ClientTlsConfig, Identity},
};
use tonic_types::StatusExt;

const BILLING: &str = "pbt_billing";
const OLDER: &str = "pbt_billing-before";
const OPS: &str = "pbt_ops";

fn tokens() -> String {
    let [billing, older, ops] = [BILLING, OLDER, OPS].map(TokenHash::of);
    format!(
        r#"
        [access.tokens.billing]
        scopes = ["report"]
        sha256 = ["{billing}", "{older}"]
        [access.tokens.ops]
        scopes = ["read", "operate"]
        sha256 = ["{ops}"]
        "#
    )
}

fn with(house: &House, token: Option<&str>) -> Caller {
    at(&house.api, token)
}

fn at(api: &str, token: Option<&str>) -> Caller {
    Caller::over(Channel::from_shared(api.to_owned()).unwrap().connect_lazy(), token)
}

/// A report that is wrong: it is let in where it is refused for what it holds.
async fn report(caller: &Caller) -> Status {
    caller.send(RecordConversionRequest::default()).await.unwrap_err()
}

async fn look(caller: &Caller) -> Result<(), Status> {
    caller.conversions.clone().list_conversions(ListConversionsRequest::default()).await.map(drop)
}

async fn pause(caller: &Caller) -> Result<(), Status> {
    let request = PauseAccountRequest { account: "powerspace".into(), reason: "a test".into() };
    caller.deliveries.clone().pause_account(request).await.map(drop)
}

/// Code, reason, and the scope that is missing.
fn why(status: &Status) -> (Code, String, Option<String>) {
    let info = status.get_error_details().error_info().cloned().expect("a reason");
    (status.code(), info.reason, info.metadata.get("scope").cloned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_does_what_its_scopes_say_and_nothing_else() {
    let house = House::with(Engine::Embedded, &tokens()).await;
    let (billing, ops) = (with(&house, Some(BILLING)), with(&house, Some(OPS)));
    assert_eq!(report(&billing).await.code(), Code::InvalidArgument, "let in, and refused for what it holds");
    look(&ops).await.unwrap();
    pause(&ops).await.unwrap();
    let missing = |scope: &str| (Code::PermissionDenied, "MISSING_SCOPE".to_owned(), Some(scope.to_owned()));
    assert_eq!(why(&report(&ops).await), missing("report"));
    assert_eq!(why(&look(&billing).await.unwrap_err()), missing("read"));
    let refused = pause(&billing).await.unwrap_err();
    assert_eq!(why(&refused), missing("operate"));
    assert_eq!(refused.message(), "`billing` does not have the scope `operate`, which this method wants");
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_token_that_is_known_nobody_is_let_in() {
    let house = House::with(Engine::Embedded, &tokens()).await;
    for (token, reason) in
        [(None, "NOBODY"), (Some("pbt_made-up"), "UNKNOWN_TOKEN"), (Some(""), "UNKNOWN_TOKEN")]
    {
        let caller = with(&house, token);
        let want = (Code::Unauthenticated, reason.to_owned(), None);
        assert_eq!(why(&report(&caller).await), want);
        assert_eq!(why(&look(&caller).await.unwrap_err()), want);
        assert_eq!(why(&pause(&caller).await.unwrap_err()), want);
    }
    let stats = with(&house, None).deliveries.clone().get_stats(GetStatsRequest::default()).await;
    assert_eq!(stats.unwrap_err().code(), Code::Unauthenticated);
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_older_token_is_alive_until_a_reload_drops_it() {
    let house = House::with(Engine::Embedded, &tokens()).await;
    let (older, newer) = (with(&house, Some(OLDER)), with(&house, Some(BILLING)));
    assert_eq!(report(&older).await.code(), Code::InvalidArgument);
    assert_eq!(report(&newer).await.code(), Code::InvalidArgument);
    let mut rules = Rules::default();
    rules.token("billing", &[Scope::Report], &[TokenHash::of(BILLING)]).unwrap();
    house.access.replace(rules).unwrap();
    assert_eq!(report(&older).await.code(), Code::Unauthenticated, "on the connection that it has");
    assert_eq!(report(&newer).await.code(), Code::InvalidArgument);
    house.end().await;
}

fn secured(authority: &Authority, folder: &Path) -> (TlsFiles, String) {
    let files = authority.files(folder);
    let [certificate, key, clients] =
        [&files.certificate, &files.key, files.clients.as_ref().unwrap()].map(|file| file.display());
    let config = format!(
        r#"
        [api.tls]
        certificate = '{certificate}'
        key = '{key}'
        clients = '{clients}'
        [access.certificates."billing.internal"]
        scopes = ["report"]
        {}
        "#,
        tokens()
    );
    (files, config)
}

/// A caller who believes the authority, on a connection of its own.
fn under_tls(house: &House, authority: &Authority, shown: Option<&Signed>, token: Option<&str>) -> Caller {
    let mut tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(authority.pem()));
    if let Some(signed) = shown {
        tls = tls.identity(Identity::from_pem(&signed.certificate, &signed.key));
    }
    let channel = Channel::from_shared(house.api.replace("http://", "https://")).unwrap();
    Caller::over(channel.tls_config(tls).unwrap().connect_lazy(), token)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_certificate_does_in_place_of_a_token() {
    let (authority, folder) = (Authority::new(), tempfile::tempdir().unwrap());
    let house = House::with(Engine::Embedded, &secured(&authority, folder.path()).1).await;
    let (billing, other) = (authority.sign("billing.internal"), authority.sign("other.internal"));

    let known = under_tls(&house, &authority, Some(&billing), None);
    assert_eq!(report(&known).await.code(), Code::InvalidArgument);
    let denied = look(&known).await.unwrap_err();
    assert_eq!(
        denied.message(),
        "`billing.internal` does not have the scope `read`, which this method wants"
    );

    let stranger = under_tls(&house, &authority, Some(&other), None);
    assert_eq!(why(&report(&stranger).await), (Code::Unauthenticated, "UNKNOWN_CERTIFICATE".into(), None));
    let nobody = under_tls(&house, &authority, None, None);
    assert_eq!(why(&report(&nobody).await), (Code::Unauthenticated, "NOBODY".into(), None));
    look(&under_tls(&house, &authority, Some(&other), Some(OPS))).await.unwrap();
    let wrong = under_tls(&house, &authority, Some(&billing), Some("pbt_made-up"));
    assert_eq!(why(&report(&wrong).await), (Code::Unauthenticated, "UNKNOWN_TOKEN".into(), None));

    let forged = Authority::new().sign("billing.internal");
    let forged = report(&under_tls(&house, &authority, Some(&forged), None)).await;
    assert!(forged.get_error_details().error_info().is_none(), "the handshake ended: {forged:?}");
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn certificate_files_that_change_are_served_without_a_restart() {
    let (authority, folder) = (Authority::new(), tempfile::tempdir().unwrap());
    let (files, config) = secured(&authority, folder.path());
    let house = House::with(Engine::Embedded, &config).await;
    let before = under_tls(&house, &authority, None, Some(OPS));
    look(&before).await.unwrap();
    let next = Authority::new();
    next.write(&files);
    let taken_over = || async { look(&under_tls(&house, &next, None, Some(OPS))).await.ok() };
    until("the new certificate is served", taken_over).await;
    look(&before).await.expect("the connection that was there goes on");
    assert!(look(&under_tls(&house, &authority, None, Some(OPS))).await.is_err());
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_tls_is_not_answered_where_tls_is_spoken() {
    let (authority, folder) = (Authority::new(), tempfile::tempdir().unwrap());
    let house = House::with(Engine::Embedded, &secured(&authority, folder.path()).1).await;
    assert!(look(&with(&house, Some(OPS))).await.is_err());
    let mut stream = TcpStream::connect(house.api.trim_start_matches("http://")).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    let mut heard = Vec::new();
    let _ = stream.read_to_end(&mut heard).await;
    assert!(!heard.starts_with(b"HTTP"), "{heard:?}");
    house.end().await;
}

/// Puts a program's config in place, whole at every moment: these callers may read, each by a token of its own.
fn write_config(folder: &Path, callers: &[&str], more: &str) -> String {
    let key = Key::new(1, [7; 32]).reveal();
    let data = folder.join("data");
    let mut config = format!("key.current = \"{key}\"\nstore.path = '{}'\n{more}\n", data.display());
    for token in callers {
        let (name, hash) = (token.trim_start_matches("pbt_"), TokenHash::of(token));
        config += &format!("[access.tokens.{name}]\nscopes = [\"read\"]\nsha256 = [\"{hash}\"]\n");
    }
    let (file, draft) = (folder.join("postback.toml"), folder.join("draft.toml"));
    fs::write(&draft, config).unwrap();
    fs::rename(draft, &file).unwrap();
    file.to_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_program_takes_over_who_may_call_and_is_not_left_open() {
    let folder = tempfile::tempdir().unwrap();
    let write = |callers: &[&str]| write_config(folder.path(), callers, "api.listen = \"127.0.0.1:0\"");
    let program = Postback::with(&["serve", "--role", "api", "--config", &write(&["pbt_ann"])]);
    let mut hub = program.env("POSTBACK_LOG__FORMAT", "json").start();
    let api = format!("http://{}", hub.listens("api"));
    let [ann, bob, cyd] = ["pbt_ann", "pbt_bob", "pbt_cyd"].map(|token| at(&api, Some(token)));
    let unknown = (Code::Unauthenticated, "UNKNOWN_TOKEN".to_owned(), None);
    look(&ann).await.unwrap();
    assert_eq!(why(&look(&bob).await.unwrap_err()), unknown);

    write(&["pbt_bob"]);
    hub.signal("-HUP");
    hub.until(&["access", "reloaded"]);
    assert_eq!(why(&look(&ann).await.unwrap_err()), unknown, "on the connection that it has");
    look(&bob).await.unwrap();

    write(&["pbt_bob", "pbt_cyd"]);
    while look(&cyd).await.is_err() {
        hub.until(&["access", "reloaded"]);
    }

    write(&[]);
    hub.signal("-HUP");
    let refused = hub.until(&["what held before holds on"]);
    assert_eq!(
        refused["problems"], "access: is empty, which would let everybody in; want a restart for that",
        "{refused}"
    );
    look(&bob).await.unwrap();
    assert_eq!(why(&look(&at(&api, None)).await.unwrap_err()).1, "NOBODY");
    hub.signal("-TERM");
    hub.until(&["stopped"]);
    assert!(hub.ended().success());
}

#[test]
fn tokens_that_would_cross_the_network_in_the_clear_are_refused_by_serve_and_by_check() {
    let folder = tempfile::tempdir().unwrap();
    for part in ["api", "console"] {
        let file = write_config(folder.path(), &["pbt_ann"], &format!("{part}.listen = \"0.0.0.0:0\""));
        for arguments in [["serve", "--config", &file].as_slice(), &["check", &file]] {
            let output = Postback::with(arguments).output();
            let said = [output.stdout, output.stderr].concat();
            let said = String::from_utf8_lossy(&said);
            let want = format!(
                "{part}.listen: `0.0.0.0:0` can be reached from other machines, and tokens would cross the network \
                 in the clear; want {part}.tls = "
            );
            assert!(!output.status.success() && said.contains(&want), "{arguments:?}: {said}");
        }
    }
}
