//! The program as an operator runs it: processes, exit codes, signals.

use std::{
    ffi::OsStr,
    fs,
    net::TcpStream,
    os::unix::ffi::OsStrExt,
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use postback_redis_link::testing::RedisServer;
use postback_tests::{Caller, Postback, Started, Visitor, free_address, lead, token, until};
use serde_json::Value;
use tokio::task::JoinSet;

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn start(arguments: &[&str], env: &[(&str, &str)]) -> Started {
    env.iter().fold(Postback::with(arguments), |hub, (name, value)| hub.env(name, value)).start()
}

#[test]
fn the_demo_accounts_for_every_conversion_on_both_sides() {
    let output = Postback::with(&["demo", "--once", "--json", "--conversions", "60"]).output();
    assert!(output.status.success(), "{}", text(&output.stderr));
    let shown: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(shown["accounted"], true);
    for network in ["powerspace", "trafficstars", "altercpa"] {
        let row = &shown["networks"][network];
        for count in ["clicks", "conversions", "delivered", "received"] {
            assert_eq!(row[count], 20, "{network} {count}: {shown}");
        }
        for count in ["in_doubt", "dead", "pending"] {
            assert_eq!(row[count], 0, "{network} {count}: {shown}");
        }
    }
}

#[test]
fn the_demo_prints_a_table_of_both_sides() {
    let output = Postback::with(&["demo", "--once", "--conversions", "3"]).output();
    assert!(output.status.success(), "{}", text(&output.stderr));
    let shown = text(&output.stdout);
    for word in ["network", "powerspace", "trafficstars", "altercpa", "sandbox received", "3 conversions"] {
        assert!(shown.contains(word), "{word} in\n{shown}");
    }
}

#[test]
fn a_new_key_is_printed_and_no_two_are_alike() {
    let key = || text(&Postback::with(&["keygen", "--id", "7"]).output().stdout);
    let (one, other) = (key(), key());
    assert_ne!(one, other);
    assert!(one.starts_with("7:") && one.trim().parse::<postback_core::Key>().is_ok(), "{one}");
}

#[test]
fn a_new_token_is_printed_once_with_the_lines_that_let_it_in() {
    let made = Postback::with(&["token", "billing", "--scope", "report", "--scope", "read"]).output();
    let (token, lines) = (text(&made.stdout), text(&made.stderr));
    assert!(token.starts_with("pbt_") && token.trim_end().len() == 47, "{token}");
    let hash = postback_access::TokenHash::of(token.trim_end());
    let want = format!("[access.tokens.billing]\nscopes = [\"report\", \"read\"]\nsha256 = [\"{hash}\"]\n");
    assert!(lines.ends_with(&want) && !lines.contains(token.trim_end()), "{lines}");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("postback.toml");
    let key = postback_core::Key::new(1, [7; 32]).reveal();
    fs::write(&file, format!("key.current = \"{key}\"\n{lines}")).unwrap();
    let checked = Postback::with(&["check", file.to_str().unwrap()]).output();
    assert!(checked.status.success(), "{}", text(&checked.stderr));
    for wrong in
        [&["token", "billing"][..], &["token", "Öl", "--scope", "read"], &["token", "a", "--scope", "all"]]
    {
        let refused = Postback::with(wrong).output();
        assert!(refused.status.code() == Some(2) && refused.stdout.is_empty(), "{wrong:?}");
    }
}

#[test]
fn the_example_config_is_right_once_it_has_its_key() {
    let folder = tempfile::tempdir().unwrap();
    let key = Postback::with(&["keygen"]).output().stdout;
    fs::write(folder.path().join("postback.key"), key).unwrap();
    fs::write(folder.path().join("postback.toml"), postback::config::EXAMPLE).unwrap();
    let mut check = Postback::with(&["check", "postback.toml"]).command();
    let output = check.current_dir(folder.path()).output().unwrap();
    assert_eq!(
        (text(&output.stdout).as_str(), text(&output.stderr).as_str()),
        ("postback.toml is right\n", "")
    );
    assert!(output.status.success());
}

#[test]
fn a_variable_that_is_not_utf8_is_told_where_it_is_ours_and_left_alone_where_it_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("postback.toml");
    fs::write(&file, settings(folder.path())).unwrap();
    let said = |arguments: &[&str], name: &str| {
        let mut program = Postback::with(arguments).command();
        let output =
            program.env(name, OsStr::from_bytes(b"\xff")).env("POSTBACK_CONFIG", &file).output().unwrap();
        (output.status.code(), text(&output.stderr))
    };
    let check = ["check", file.to_str().unwrap()];
    assert_eq!(said(&check, "NOT_OURS"), (Some(0), String::new()));
    assert_eq!(said(&check, "POSTBACK_TOKEN_FILE"), (Some(0), String::new()));
    let wrong = "POSTBACK_EDGE__COOKIE: is not UTF-8\n";
    assert_eq!(said(&check, "POSTBACK_EDGE__COOKIE"), (Some(1), wrong.to_owned()));
    assert_eq!(said(&["link", "spring"], "POSTBACK_EDGE__COOKIE"), (Some(1), wrong.to_owned()));
    let doctor = said(&["doctor"], "NOT_OURS").1;
    assert!(!doctor.contains("panicked"), "{doctor}");
}

#[test]
fn a_demo_that_is_stopped_early_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let demo = Postback::with(&["demo", "--once", "--conversions", "1000000"]);
    let mut demo = demo.env("TMPDIR", folder.path().to_str().unwrap()).start();
    let left = || fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path()).collect::<Vec<_>>();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(until("the demo's store is there", || async {
        left().first().filter(|store| store.join("logbook.redb").exists()).map(drop)
    }));
    demo.signal("-INT");
    assert_eq!(demo.ended().code(), Some(1), "not every conversion is accounted for");
    assert_eq!(left(), [""; 0].map(std::path::PathBuf::from));
}

#[test]
fn a_link_has_the_networks_macros_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("postback.toml");
    let key = text(&Postback::with(&["keygen"]).output().stdout);
    let config = format!(
        r#"
        key.current = "{}"
        edge.public_url = "https://click.example"
        [accounts]
        ps = {{ network = "powerspace" }}
        ts = {{ network = "trafficstars", currency = "USD" }}
        [campaigns]
        spring = {{ account = "ps", landing = "https://shop.example/" }}
        summer = {{ account = "ts", landing = "https://shop.example/", parameter = "tracking_param" }}
        "#,
        key.trim()
    );
    fs::write(&file, config).unwrap();
    let link = |campaign: &str| {
        let output = Postback::with(&["link", campaign, "--config", file.to_str().unwrap()]).output();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    assert_eq!(link("spring").1, "https://click.example/c/spring\n");
    assert_eq!(link("summer").1, "https://click.example/c/summer?tracking_param={click_id}\n");
    let (code, _, said) = link("winter");
    assert!(code == Some(3) && said.contains("`winter` is not a campaign of this hub"), "{said}");
}

#[test]
fn a_key_that_cannot_be_read_is_not_called_missing_and_no_config_is_called_so() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("postback.toml");
    fs::write(&file, "key.current_file = \"/nowhere/postback.key\"\n").unwrap();
    let said = |arguments: &[&str]| {
        let output = Postback::with(arguments).output();
        (output.status.code(), text(&output.stderr))
    };
    let path = file.to_str().unwrap();
    for arguments in [&["check", path][..], &["serve", "--config", path]] {
        let (code, said) = said(arguments);
        let one = said.lines().count() == 1 && said.starts_with("line 1: key.current_file: `/nowhere/");
        assert!(code == Some(1) && one, "{said}");
    }
    let without = "no config: want --config FILE or POSTBACK_CONFIG\n".to_owned();
    for arguments in [&["serve"][..], &["link", "spring"]] {
        assert_eq!(said(arguments), (Some(1), without.clone()));
    }
    let by_variables = Postback::with(&["link", "spring"]).env("POSTBACK_EDGE__COOKIE", "c").output();
    let missing = "key.current: is missing; `postback keygen` prints one\n";
    assert_eq!(text(&by_variables.stderr), missing);
}

fn settings(folder: &std::path::Path) -> String {
    let key = postback_core::Key::new(1, [7; 32]).reveal();
    format!(
        r#"
        key.current = "{key}"
        store.path = '{}'
        edge.listen = "127.0.0.1:0"
        api.listen = "127.0.0.1:0"
        console.listen = "127.0.0.1:0"
        [accounts.ps]
        network = "powerspace"
        base_url = "http://127.0.0.1:9"
        [campaigns.spring]
        account = "ps"
        landing = "https://shop.example/old"
        "#,
        folder.join("data").display()
    )
}

#[test]
fn a_hub_serves_reloads_refuses_to_share_its_store_and_ends_at_sigterm() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("postback.toml");
    fs::write(&file, settings(folder.path())).unwrap();
    let arguments = ["serve", "--config", file.to_str().unwrap()];
    let mut hub = start(&arguments, &[("POSTBACK_LOG__FORMAT", "json")]);
    let address = |line: &Value| line["address"].as_str().unwrap().parse().unwrap();
    let edge = Visitor::of(address(&hub.until(&["listening", "edge"])));
    let console = Visitor::of(address(&hub.until(&["listening", "console"])));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let landing = |path: &str| {
        let answer = runtime.block_on(edge.get(path));
        answer.header("location").map(str::to_owned)
    };
    assert_eq!(landing("/c/spring?clickId=abc").as_deref(), Some("https://shop.example/old"));
    assert_eq!(runtime.block_on(console.get("/livez")).status, 200);
    assert_eq!(runtime.block_on(console.get("/readyz")).status, 200);
    let metrics = runtime.block_on(console.get("/metrics")).body;
    assert!(metrics.contains("postback_redirects_total"), "{metrics}");

    let second = Postback::with(&arguments).output();
    let said = text(&second.stderr);
    assert!(
        !second.status.success() && said.contains("held by another process") && said.contains("Redis"),
        "{said}"
    );

    fs::write(&file, settings(folder.path()).replace("/old", "/new")).unwrap();
    hub.signal("-HUP");
    hub.until(&["reloaded"]);
    assert_eq!(landing("/c/spring?clickId=abc").as_deref(), Some("https://shop.example/new"));
    let others = settings(folder.path()).replace("/old", "/new").replace("127.0.0.1:0", "127.0.0.1:1");
    fs::write(&file, others + "[dispatch]\npoll_ms = 300\n").unwrap();
    let late = hub.until(&["take a restart"]);
    assert_eq!((&late["sections"], &late["level"]), (&"api, console, dispatch, edge".into(), &"WARN".into()));
    fs::write(&file, settings(folder.path()).replace("https://shop.example/old", "nonsense")).unwrap();
    hub.signal("-HUP");
    let wrong = hub.until(&["what held before holds on"]);
    assert!(wrong["problems"].as_str().unwrap().contains("campaigns.spring.landing"), "{wrong}");
    assert_eq!(landing("/c/spring?clickId=abc").as_deref(), Some("https://shop.example/new"));

    hub.signal("-TERM");
    hub.until(&["stopped"]);
    assert!(hub.ended().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_under_load_drops_no_click_and_no_report() {
    let folder = tempfile::tempdir().unwrap();
    let (file, draft) = (folder.path().join("postback.toml"), folder.path().join("draft.toml"));
    let write = |landing: u32| {
        let landing = format!("/{landing}?token={{click_token}}");
        fs::write(&draft, settings(folder.path()).replace("/old", &landing)).unwrap();
        fs::rename(&draft, &file).unwrap();
    };
    write(0);
    let mut hub = start(&["serve", "--config", file.to_str().unwrap()], &[("POSTBACK_LOG__FORMAT", "json")]);
    let edge = Visitor::of(hub.listens("edge"));
    let caller = Caller::of(&format!("http://{}", hub.listens("api")));
    let visits = Arc::new(AtomicUsize::new(0));
    let mut load = JoinSet::new();
    for _ in 0..4 {
        let (edge, caller, visits) = (edge.clone(), caller.clone(), visits.clone());
        load.spawn(async move {
            loop {
                let visit = visits.fetch_add(1, Ordering::Relaxed);
                let answer = edge.get(&format!("/c/spring?clickId=abc123xyz{visit}")).await;
                let landed = answer.token().unwrap_or_else(|| panic!("no token in {answer:?}"));
                caller.record(token(&landed), lead()).await.expect("the report is taken");
            }
        });
    }
    for landing in 1..=10 {
        write(landing);
        hub.signal("-HUP");
        hub.until(&["reloaded"]);
        let before = visits.load(Ordering::Relaxed);
        let on = || async { (visits.load(Ordering::Relaxed) > before + 20).then_some(()) };
        until("the load goes on", on).await;
        assert!(load.try_join_next().is_none(), "a click or a report was dropped");
    }
    let landed = edge.get("/c/spring?clickId=abc123xyz789").await;
    assert!(landed.header("location").unwrap().starts_with("https://shop.example/10?"), "{landed:?}");
}

#[test]
fn an_outage_of_redis_is_logged_once_by_each_store_and_with_its_address() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("postback.toml");
    fs::write(&file, settings(folder.path()).replace("store.path", "# store.path")).unwrap();
    let (edge, redis) = (free_address(), free_address());
    let mut hub = Postback::with(&["serve", "--config", file.to_str().unwrap()])
        .env("POSTBACK_EDGE__LISTEN", &edge.to_string())
        .env("POSTBACK_STORE__ENGINE", "redis")
        .env("POSTBACK_STORE__REDIS", &format!("redis://me:hunter2@{redis}"))
        .command();
    let mut hub = hub.stderr(Stdio::piped()).spawn().unwrap();
    let (runtime, visitor) = (tokio::runtime::Runtime::new().unwrap(), Visitor::of(edge));
    runtime.block_on(until("the edge listens", || {
        assert_eq!(hub.try_wait().unwrap(), None, "it ended");
        async { TcpStream::connect(edge).ok() }
    }));
    for _ in 0..10 {
        assert_eq!(runtime.block_on(visitor.get("/c/spring?clickId=abc")).status, 302);
    }
    assert!(Command::new("kill").args(["-TERM", &hub.id().to_string()]).status().unwrap().success());
    let said = text(&hub.wait_with_output().unwrap().stderr);
    let told: Vec<&str> = said.lines().filter(|line| line.contains("cannot connect to redis")).collect();
    assert!((1..=3).contains(&told.len()), "{said}");
    assert!(told.iter().all(|line| line.contains(&redis.to_string())), "{told:?}");
    assert!(!said.contains("hunter2") && !said.contains("me:"), "{said}");
}

#[test]
fn a_hub_whose_log_is_on_a_full_disk_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("postback.toml");
    fs::write(&file, settings(folder.path())).unwrap();
    let edge = free_address();
    let mut hub: Started = Postback::with(&["serve", "--config", file.to_str().unwrap()])
        .env("POSTBACK_EDGE__LISTEN", &edge.to_string())
        .command()
        .stderr(fs::File::options().write(true).open("/dev/full").unwrap())
        .spawn()
        .unwrap()
        .into();
    let (runtime, visitor) = (tokio::runtime::Runtime::new().unwrap(), Visitor::of(edge));
    runtime.block_on(until("the edge listens", || async { TcpStream::connect(edge).ok() }));
    assert_eq!(runtime.block_on(visitor.get("/c/spring")).status, 302);
    hub.signal("-TERM");
    assert!(hub.ended().success());
}

#[test]
fn hubs_with_parted_roles_share_the_work_over_one_redis() {
    let redis = RedisServer::start();
    let mut sandbox = start(&["sandbox", "--listen", "127.0.0.1:0"], &[]);
    let networks = sandbox.until(&["the sandbox listens"])["address"].as_str().unwrap().to_owned();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("postback.toml");
    let settings = settings(folder.path())
        .replace("http://127.0.0.1:9\"", &format!("http://{networks}\""))
        .replace("store.path", "# store.path")
        .replace("/old", "/?token={click_token}");
    fs::write(&file, settings).unwrap();
    let url = redis.url();
    let env = [
        ("POSTBACK_LOG__FORMAT", "json"),
        ("POSTBACK_STORE__ENGINE", "redis"),
        ("POSTBACK_STORE__REDIS", url.as_str()),
    ];
    let config = file.to_str().unwrap();
    let mut edge = start(&["serve", "--config", config, "--role", "edge"], &env);
    let mut api = start(&["serve", "--config", config, "--role", "api"], &env);
    let mut dispatch = start(&["serve", "--config", config, "--role", "dispatch"], &env);
    let visitors: std::net::SocketAddr =
        edge.until(&["listening", "edge"])["address"].as_str().unwrap().parse().unwrap();
    let services = api.until(&["listening", "api"])["address"].as_str().unwrap().to_owned();

    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let landed = Visitor::of(visitors).get("/c/spring?clickId=abc123xyz789").await;
        let landed = landed.token().expect("the edge gives a token");
        let caller = Caller::of(&format!("http://{services}"));
        caller.record(token(&landed), lead()).await.expect("the api records it");
    });
    let line = dispatch.until(&["accepted", "abc123xyz789"]);
    assert_eq!(line["account"], "ps");
    for hub in [&mut edge, &mut api, &mut dispatch] {
        hub.signal("-TERM");
        hub.until(&["stopped"]);
        assert!(hub.ended().success());
    }
}

#[test]
fn the_sandbox_serves_alone_and_ends_at_sigterm() {
    let mut sandbox = start(&["sandbox", "--listen", "127.0.0.1:0"], &[]);
    let address = sandbox.until(&["the sandbox listens"])["address"].as_str().unwrap().parse().unwrap();
    let answer =
        tokio::runtime::Runtime::new().unwrap().block_on(Visitor::of(address).get("/ld?qci=abc123xyz789"));
    assert_eq!(answer.status, 200);
    sandbox.signal("-TERM");
    assert!(sandbox.ended().success());
}
