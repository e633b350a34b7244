//! What the doctor finds, and what it leaves alone.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use postback_access::testing::Authority;
use postback_redis_link::testing::RedisServer;
use postback_sandbox::{Network, Sandbox, Seed};
use postback_tests::{Postback, Ran};
use serde_json::Value;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// A config on a disk, and a sandbox that its account calls.
struct Patient {
    folder: TempDir,
    config: PathBuf,
    sandbox: Sandbox,
    address: String,
    stop: CancellationToken,
}

impl Patient {
    async fn with(more: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let (sandbox, stop) = (Sandbox::new(Seed::documented()).unwrap(), CancellationToken::new());
        let (serving, ended) = (sandbox.clone(), stop.clone());
        tokio::spawn(async move { serving.serve(listener, ended.cancelled()).await.unwrap() });
        let key = folder.path().join("postback.key");
        fs::write(&key, postback_core::Key::new(1, [7; 32]).reveal()).unwrap();
        mode(&key, 0o600);
        let patient = Self { config: folder.path().join("postback.toml"), folder, sandbox, address, stop };
        patient.write(more);
        patient
    }

    fn write(&self, more: &str) {
        let (folder, address) = (self.folder.path().display(), &self.address);
        let text = format!(
            "key.current_file = '{folder}/postback.key'\n\
             store.path = '{folder}/data'\n\
             accounts.ps = {{ network = \"powerspace\", base_url = \"{address}\" }}\n{more}"
        );
        let text = if more.contains("store =") { text.replace("store.path", "# store.path") } else { text };
        fs::write(&self.config, text).unwrap();
    }

    fn program(&self, arguments: &[&str]) -> Postback {
        Postback::with(&[arguments, &["--config", self.config.to_str().unwrap()]].concat())
    }

    async fn looked(&self) -> Ran {
        self.program(&["doctor", "--json"]).run("").await
    }
}

impl Drop for Patient {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

fn mode(file: &Path, mode: u32) {
    fs::set_permissions(file, fs::Permissions::from_mode(mode)).unwrap();
}

/// What was found of a thing: the verdict and the words.
fn found(ran: &Ran, what: &str) -> (String, String) {
    let mut checks = ran.out.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let check =
        checks.find(|check| check["what"] == what).unwrap_or_else(|| panic!("{what} in\n{}", ran.out));
    assert_eq!(check["verdict"] == "ok", check["to_do"] == "", "what is not well says what to do: {check}");
    (check["verdict"].as_str().unwrap().to_owned(), check["found"].as_str().unwrap().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_healthy_hub_is_well_and_no_conversion_is_sent() {
    let patient = Patient::with("").await;
    let ran = patient.looked().await;
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    for what in ["config", "key.current_file", "store", "disk", "accounts.ps", "clock"] {
        assert_eq!(found(&ran, what).0, "ok", "{}", ran.out);
    }
    assert!(patient.sandbox.received(Network::Powerspace).is_empty());
    assert!(!patient.folder.path().join("data").exists(), "nothing is made");
    let shown = patient.program(&["doctor"]).run("").await.done();
    assert!(shown.contains("what to do") && shown.contains("agrees with ps"), "{shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_config_that_is_wrong_is_told_as_check_tells_it() {
    let patient = Patient::with("edge.cookie = 7\n").await;
    let ran = patient.looked().await;
    assert_eq!(ran.code, 1);
    let (verdict, words) = found(&ran, "config");
    assert!(verdict == "wrong" && words.contains("line 4: edge.cookie"), "{words}");
    assert_eq!(ran.err, "postback: one thing is wrong\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_that_cannot_be_reached_is_wrong() {
    let patient = Patient::with(
        "accounts.away = { network = \"powerspace\", base_url = \"http://127.0.0.1:1\" }\n\
         accounts.plain = { network = \"powerspace\", base_url = \"https://127.0.0.1:2\" }\n",
    )
    .await;
    let ran = patient.looked().await;
    assert_eq!((ran.code, found(&ran, "accounts.ps").0.as_str()), (1, "ok"));
    let (verdict, words) = found(&ran, "accounts.away");
    assert!(verdict == "wrong" && words.contains("http://127.0.0.1:1: cannot be reached"), "{words}");
    assert_eq!(found(&ran, "accounts.plain").0, "wrong");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_whose_certificate_nobody_signed_is_wrong() {
    let (authority, folder) = (Authority::new(), tempfile::tempdir().unwrap());
    let tls = postback_access::Tls::open(authority.files(folder.path()), "http/1.1").unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let _ = postback_access::Tls::enter(Some(&tls), stream, std::time::Duration::from_secs(60)).await;
    });
    let account =
        format!("accounts.own = {{ network = \"powerspace\", base_url = \"https://{address}\" }}\n");
    let ran = Patient::with(&account).await.looked().await;
    let (verdict, words) = found(&ran, "accounts.own");
    assert!(
        verdict == "wrong" && words.contains("no TLS: invalid peer certificate: UnknownIssuer"),
        "{words}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_everybody_can_read_is_warned_of() {
    let patient = Patient::with("").await;
    mode(&patient.folder.path().join("postback.key"), 0o644);
    let ran = patient.looked().await;
    let (verdict, words) = found(&ran, "key.current_file");
    assert!(verdict == "warning" && words.ends_with("(644)"), "{words}");
    assert_eq!(ran.code, 0, "a warning is not wrong");
    patient.write(
        "accounts.alter = { network = \"altercpa\", base_url = \"http://127.0.0.1:9\", token = \"1-a\" }\n",
    );
    mode(&patient.config, 0o644);
    assert_eq!(found(&patient.looked().await, "config").0, "warning", "a secret stands in it");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_a_variable_names_is_looked_at_without_a_config_too() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("postback.key");
    std::fs::write(&file, postback_core::Key::new(1, [7; 32]).reveal()).unwrap();
    mode(&file, 0o644);
    let doctor =
        Postback::with(&["doctor", "--json"]).env("POSTBACK_STORE__PATH", folder.path().to_str().unwrap());
    let ran = doctor.env("POSTBACK_KEY__CURRENT_FILE", file.to_str().unwrap()).run("").await;
    assert_eq!(found(&ran, "POSTBACK_KEY__CURRENT_FILE").0, "warning", "{}", ran.out);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_certificate_of_a_listener_is_looked_at() {
    let (authority, folder) = (Authority::new(), tempfile::tempdir().unwrap());
    let files = authority.files(folder.path());
    let [certificate, key] = [&files.certificate, &files.key].map(|file| file.display());
    let patient =
        Patient::with(&format!("api.tls = {{ certificate = '{certificate}', key = '{key}' }}\n")).await;
    let ran = patient.looked().await;
    let (verdict, words) = found(&ran, "api.tls");
    assert!(verdict == "ok" && words.contains("the certificate ends "), "{words}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_says_what_it_promises_or_what_forbids_it() {
    let redis = RedisServer::start();
    let patient =
        Patient::with(&format!("store = {{ engine = \"redis\", redis = [\"{}\"] }}\n", redis.url())).await;
    let (verdict, promise) = found(&patient.looked().await, "store");
    assert!(verdict == "warning" && promise.contains("memory alone"), "{promise}");
    redis.set("appendonly", "yes");
    for (sync, want) in [("everysec", "ok"), ("always", "ok"), ("no", "warning")] {
        redis.set("appendfsync", sync);
        assert_eq!(found(&patient.looked().await, "store").0, want, "{sync}");
    }
    redis.set("requirepass", "hunter2");
    let refused = patient.looked().await;
    assert!(refused.code == 1 && refused.out.contains("are user and password right?"), "{}", refused.out);
    patient.write("store = { engine = \"redis\", redis = [\"redis://127.0.0.1:1\"] }\n");
    let away = patient.looked().await;
    assert_eq!((away.code, found(&away, "store").0.as_str()), (1, "wrong"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_file_of_the_store_is_found_whichever_it_is() {
    for file in ["clicks", "outbox", "logbook"] {
        let patient = Patient::with("").await;
        let data = patient.folder.path().join("data");
        fs::create_dir(&data).unwrap();
        fs::write(data.join(file).with_extension("redb"), "no database").unwrap();
        let ran = patient.looked().await;
        let (verdict, words) = found(&ran, "store");
        assert!(ran.code == 1 && verdict == "wrong" && words.contains(file), "{words}");
        assert_eq!(fs::read_dir(&data).unwrap().count(), 1, "nothing is made");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_a_hub_holds_is_left_to_it() {
    let listen = ["edge", "api", "console"].map(|part| format!("{part}.listen = \"127.0.0.1:0\"\n")).concat();
    let patient = Patient::with(&listen).await;
    let mut hub = patient.program(&["serve"]).start();
    hub.says(&["listening", "console"]);
    let ran = patient.looked().await;
    assert_eq!(found(&ran, "store"), ("ok".to_owned(), "held by a hub at work".to_owned()));
    assert_eq!(found(&ran, "disk").0, "ok");

    drop(hub);
    let (verdict, promise) = found(&patient.looked().await, "store");
    assert!(verdict == "ok" && promise.contains("survives a crash"), "{promise}");
}
