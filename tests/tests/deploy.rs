//! What a deployment starts from: files that parse, and name commands, settings, ports and probes that are there.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
    process::Command,
};

use clap::Parser;
use postback::{cli::Cli, config::Config};
use postback_core::Key;
use postback_tests::Postback;
use serde::Deserialize;
use serde_json::Value;
use tempfile::TempDir;

/// Where the deployments mount secrets.
const SECRETS: [&str; 3] = ["/run/secrets/", "/etc/postback/secrets/", "%d/"];

fn deploy() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy")
}

fn read(path: &str) -> String {
    fs::read_to_string(deploy().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The documents of a YAML text.
fn yaml(text: &str) -> Vec<Value> {
    let documents = serde_norway::Deserializer::from_str(text);
    documents
        .map(|document| Value::deserialize(document).unwrap_or_else(|error| panic!("{error} in\n{text}")))
        .collect()
}

/// A list of words.
fn words(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().map(|word| word.as_str().expect("a word").to_owned()).collect()
}

/// The manifests that the kustomization names.
fn manifests() -> Vec<Value> {
    let kustomization = yaml(&read("kubernetes/kustomization.yaml")).remove(0);
    let files = words(&kustomization["resources"]);
    files.iter().flat_map(|file| yaml(&read(&format!("kubernetes/{file}")))).collect()
}

fn of_kind<'a>(manifests: &'a [Value], kind: &str) -> impl Iterator<Item = &'a Value> {
    manifests.iter().filter(move |manifest| manifest["kind"] == kind)
}

/// The one container of a workload.
fn container(workload: &Value) -> &Value {
    let containers = workload["spec"]["template"]["spec"]["containers"].as_array().expect("containers");
    assert_eq!(containers.len(), 1);
    &containers[0]
}

/// The command line must be one that the program takes.
fn takes(place: &str, arguments: &[String]) {
    let line = ["postback".to_owned()].into_iter().chain(arguments.iter().cloned());
    if let Err(error) = Cli::try_parse_from(line) {
        panic!("{place}: {error}");
    }
}

/// The secrets that a deployment mounts.
fn secrets() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("postback.key"), Key::new(1, [7; 32]).reveal()).expect("a key");
    folder
}

/// A text with the mounted secrets' paths replaced.
fn mounted(text: &str, secrets: &TempDir) -> String {
    let folder = format!("{}/", secrets.path().display());
    SECRETS.into_iter().fold(text.to_owned(), |text, at| text.replace(at, &folder))
}

/// A config with its variables must be right.
fn right(place: &str, text: &str, env: &[(String, String)]) {
    let secrets = secrets();
    let env = env.iter().map(|(name, value)| (name.clone(), mounted(value, &secrets)));
    if let Err(problems) = Config::read(&mounted(text, &secrets), env) {
        let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
        panic!("{place}: {}", problems.join("; "));
    }
}

/// The port of a listener's section in a config.
fn port(config: &toml::Table, section: &str) -> u64 {
    let address = config[section]["listen"].as_str().expect("an address");
    address.rsplit(':').next().and_then(|port| port.parse().ok()).expect("a port")
}

#[test]
fn kubernetes_runs_commands_settings_and_ports_that_are_there() {
    let (manifests, text) = (manifests(), read("kubernetes/postback.toml"));
    right("kubernetes/postback.toml", &text, &[]);
    let config: toml::Table = text.parse().expect("TOML");
    let mut roles = BTreeSet::new();
    for workload in of_kind(&manifests, "Deployment") {
        let name = workload["metadata"]["name"].as_str().expect("a name");
        let container = container(workload);
        let arguments = words(&container["args"]);
        takes(name, &arguments);
        let own: BTreeSet<&str> = arguments.last().expect("roles").split(',').collect();
        let want = [("http", "edge"), ("grpc", "api"), ("console", "console")];
        for listed in container["ports"].as_array().expect("ports") {
            let (_, section) = want.iter().find(|(it, _)| listed["name"] == *it).expect("a known port");
            assert!(own.contains(section), "{name} has a port of {section}");
            assert_eq!(listed["containerPort"].as_u64(), Some(port(&config, section)), "{name}: {section}");
        }
        roles.extend(own.into_iter().map(str::to_owned));
        for probe in ["startupProbe", "livenessProbe", "readinessProbe"] {
            let path = &container[probe]["httpGet"]["path"];
            let tcp = container[probe]["tcpSocket"].is_object();
            assert!(tcp || path == "/livez" || path == "/readyz", "{name}: {probe} asks {path}");
        }
        let pod = &workload["spec"]["template"]["spec"];
        let rest = container["lifecycle"]["preStop"]["sleep"]["seconds"].as_u64().expect("a rest");
        assert!(
            pod["terminationGracePeriodSeconds"].as_u64() >= Some(rest + 30),
            "{name} is killed too early"
        );
        assert_eq!(workload["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"], 0, "{name}");
        assert_eq!(container["securityContext"]["readOnlyRootFilesystem"], true, "{name}");
        assert_eq!(pod["securityContext"]["runAsNonRoot"], true, "{name}");
    }
    assert_eq!(roles.into_iter().collect::<Vec<_>>(), ["api", "console", "dispatch", "edge"]);
}

#[test]
fn kubernetes_services_budgets_and_policies_select_what_runs() {
    let manifests = manifests();
    let mut run: Vec<BTreeMap<String, String>> = Vec::new();
    let mut named = BTreeSet::new();
    for workload in of_kind(&manifests, "Deployment").chain(of_kind(&manifests, "StatefulSet")) {
        let labels = &workload["spec"]["template"]["metadata"]["labels"];
        assert_eq!(labels["app.kubernetes.io/name"], workload["metadata"]["name"]);
        run.push(serde_json::from_value(labels.clone()).expect("labels"));
        let ports = container(workload)["ports"].as_array().expect("ports");
        named.extend(ports.iter().map(|port| port["name"].as_str().expect("a name").to_owned()));
    }
    let mut selectors = Vec::new();
    for manifest in &manifests {
        let spec = &manifest["spec"];
        match manifest["kind"].as_str() {
            Some("Service") => selectors.push(&spec["selector"]),
            Some("PodDisruptionBudget") => selectors.push(&spec["selector"]["matchLabels"]),
            Some("NetworkPolicy") => selectors.push(&spec["podSelector"]["matchLabels"]),
            _ => {}
        }
        for rule in spec["ingress"].as_array().into_iter().flatten() {
            for port in rule["ports"].as_array().expect("ports") {
                assert!(named.contains(port["port"].as_str().expect("a name")), "no port {port}");
            }
        }
    }
    assert!(selectors.len() > 10);
    for selector in selectors.into_iter().filter(|selector| !selector.is_null()) {
        let wanted: BTreeMap<String, String> = serde_json::from_value(selector.clone()).expect("labels");
        let found = run.iter().any(|labels| wanted.iter().all(|(key, value)| labels.get(key) == Some(value)));
        assert!(found, "nothing runs that is {wanted:?}");
    }
}

#[test]
fn every_redis_is_on_disk_before_it_acknowledges_and_drops_nothing() {
    let manifests = manifests();
    let redis = of_kind(&manifests, "StatefulSet").next().expect("a Redis");
    let compose = yaml(&read("compose/compose.yaml")).remove(0);
    for arguments in [words(&container(redis)["args"]), words(&compose["services"]["redis"]["command"])] {
        for (setting, value) in [
            ("--appendonly", "yes"),
            ("--appendfsync", "always"),
            ("--aof-load-truncated", "no"),
            ("--maxmemory-policy", "noeviction"),
        ] {
            let set = arguments.windows(2).any(|pair| pair == [setting, value]);
            assert!(set, "{setting} {value} in {arguments:?}");
        }
    }
    let (limit, arguments) =
        (&container(redis)["resources"]["limits"]["memory"], words(&container(redis)["args"]));
    let number = |text: &str, unit: &str| text.strip_suffix(unit).and_then(|it| it.parse::<u64>().ok());
    let most = arguments.windows(2).find(|pair| pair[0] == "--maxmemory").expect("a maxmemory");
    let (most, limit) = (number(&most[1], "gb"), number(limit.as_str().expect("a limit"), "Gi"));
    assert!(2 * most.expect("GB") <= limit.expect("GiB"), "no room to fork: {most:?} of {limit:?}");
}

#[test]
fn compose_runs_commands_settings_and_ports_that_are_there() {
    let (compose, text) = (yaml(&read("compose/compose.yaml")).remove(0), read("compose/postback.toml"));
    let (mut roles, mut consoles) = (BTreeSet::new(), Vec::new());
    for name in ["edge", "api"] {
        let service = &compose["services"][name];
        let arguments = words(&service["command"]);
        takes(name, &arguments);
        roles.extend(arguments.last().expect("roles").split(',').map(str::to_owned));
        let env: BTreeMap<String, String> =
            serde_json::from_value(service["environment"].clone()).expect("variables");
        let env: Vec<_> = env.into_iter().collect();
        right(name, &text, &env);
        for published in words(&service["ports"]) {
            let (outer, inner) = published.rsplit_once(':').expect("two ports");
            let listener = env.iter().find(|(_, value)| value.ends_with(&format!(":{inner}")));
            assert!(published.starts_with("127.0.0.1:"), "{name} publishes {published}");
            match listener.map(|(setting, _)| setting.as_str()) {
                None => panic!("{name} publishes {published}, where nothing listens"),
                Some("POSTBACK_CONSOLE__LISTEN") => consoles.push(outer.to_owned()),
                Some(_) => {}
            }
        }
    }
    assert_eq!(roles.into_iter().collect::<Vec<_>>(), ["api", "console", "dispatch", "edge"]);
    let prometheus = yaml(&read("prometheus/prometheus.yml")).remove(0);
    let scraped = words(&prometheus["scrape_configs"][0]["static_configs"][0]["targets"]);
    assert_eq!(consoles.len(), 2);
    assert!(consoles.iter().all(|console| scraped.contains(console)), "{consoles:?}, but {scraped:?}");
    let hub = &compose["x-hub"];
    assert_eq!((&hub["read_only"], &hub["user"]), (&Value::Bool(true), &Value::from("65532:65532")));
    for place in ["configs", "secrets"] {
        for (_, file) in compose[place].as_object().expect("files") {
            let file = file["file"].as_str().expect("a file");
            assert!(file.starts_with("secrets/") || deploy().join("compose").join(file).exists(), "{file}");
        }
    }
}

/// The words of a Dockerfile's instructions of one kind.
fn instructions<'a>(dockerfile: &'a str, kind: &str) -> Vec<&'a str> {
    dockerfile.lines().filter_map(|line| line.strip_prefix(kind)?.strip_prefix(' ')).collect()
}

#[test]
fn the_image_is_small_runs_as_nobody_and_starts_the_hub() {
    let dockerfile = read("Dockerfile");
    let stages = instructions(&dockerfile, "FROM");
    assert!(stages.last().is_some_and(|last| last.starts_with("gcr.io/distroless/cc-")), "{stages:?}");
    assert_eq!(instructions(&dockerfile, "USER"), ["65532:65532"]);
    let list =
        |kind| serde_json::from_str::<Vec<String>>(instructions(&dockerfile, kind)[0]).expect("a list");
    assert_eq!(list("ENTRYPOINT"), ["/usr/bin/postback"]);
    takes("Dockerfile", &list("CMD"));
    let example: toml::Table = postback::config::EXAMPLE.parse().expect("TOML");
    let ports = ["edge", "api", "console"].map(|section| port(&example, section).to_string());
    assert_eq!(instructions(&dockerfile, "EXPOSE")[0].split(' ').collect::<Vec<_>>(), ports);
    let channel = fs::read_to_string(deploy().join("../rust-toolchain.toml")).expect("the toolchain");
    let version = stages[0].split([':', '-']).nth(1).expect("a version");
    assert!(channel.contains(version), "built with {version}, but the toolchain is\n{channel}");
    let ignored = read("Dockerfile.dockerignore");
    for kept in ignored.lines().filter_map(|line| line.strip_prefix('!')) {
        assert!(deploy().join("..").join(kept).exists(), "{kept} is not there");
    }
    let workspace = fs::read_to_string(deploy().join("../Cargo.toml")).expect("the workspace");
    assert!(workspace.contains(r#"members = ["crates/*", "tests"]"#), "what the builder is sent");
}

#[test]
fn systemd_takes_the_unit_and_finds_little_exposed() {
    let unit = read("systemd/postback.service");
    let lines = |key: &str| unit.lines().filter_map(|line| line.strip_prefix(key)).collect::<Vec<_>>();
    for line in lines("ExecStart=").into_iter().chain(lines("ExecStartPre=")) {
        let arguments: Vec<String> = line.split(' ').skip(1).map(str::to_owned).collect();
        takes("postback.service", &arguments);
    }
    let variables = lines("Environment=").into_iter().flat_map(|line| line.split(' '));
    let env: Vec<_> = variables
        .filter_map(|it| it.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    assert_eq!(env.len(), 2);
    right("postback.service", "", &env);
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("postback.service");
    let program = Postback::with(&[]).command().get_program().to_string_lossy().into_owned();
    fs::write(&file, unit.replace("/usr/bin/postback", &program)).expect("a unit");
    let systemd = |arguments: &[&str]| {
        let said = Command::new("systemd-analyze").args(arguments).arg(&file).output();
        said.expect("systemd-analyze is there; `sh tests/run.sh` installs it")
    };
    let verified = systemd(&["verify"]);
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stderr));
    let exposed = systemd(&["security", "--offline=true", "--threshold=20"]);
    assert!(exposed.status.success(), "{}", String::from_utf8_lossy(&exposed.stdout));
}

#[test]
fn kustomize_builds_what_the_manifests_say() {
    let built = Command::new("kubectl").arg("kustomize").arg(deploy().join("kubernetes")).output();
    let Ok(built) = built else {
        // Past what holds a test's output back, for `tests/run.sh` cannot install it.
        writeln!(io::stderr(), "there is no kubectl: what it makes of the manifests is not checked").unwrap();
        return;
    };
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    let built = yaml(&String::from_utf8_lossy(&built.stdout));
    let names = |manifests: &[Value]| {
        let name = |it: &Value| format!("{} {}", it["kind"], it["metadata"]["name"]);
        manifests.iter().map(name).collect::<BTreeSet<_>>()
    };
    let mut wanted = manifests();
    wanted.push(serde_json::json!({ "kind": "ConfigMap", "metadata": { "name": "postback" } }));
    assert_eq!(names(&built), names(&wanted));
    let config = of_kind(&built, "ConfigMap").next().expect("the config");
    assert_eq!(config["data"]["postback.toml"], read("kubernetes/postback.toml"));
    let image = container(of_kind(&built, "Deployment").next().expect("a workload"))["image"].clone();
    assert_eq!(image, format!("registry.example/postback:{}", env!("CARGO_PKG_VERSION")));
}
