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

/// What a list holds.
fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// A list of words.
fn words(value: &Value) -> Vec<String> {
    list(value).map(|word| word.as_str().expect("a word").to_owned()).collect()
}

/// The manifests that the kustomization names, with its one patch.
fn manifests() -> Vec<Value> {
    let kustomization = yaml(&read("kubernetes/kustomization.yaml")).remove(0);
    let files = words(&kustomization["resources"]);
    let mut manifests: Vec<_> =
        files.iter().flat_map(|file| yaml(&read(&format!("kubernetes/{file}")))).collect();
    let patch = &kustomization["patches"][0];
    let all = yaml(&read(&format!("kubernetes/{}", patch["path"].as_str().expect("a file")))).remove(0);
    for manifest in manifests.iter_mut().filter(|it| it["kind"] == patch["target"]["kind"]) {
        merge(&mut manifest["spec"], &all["spec"]);
    }
    manifests
}

/// Lays a patch over a part of a manifest; a list that both have is that of the one container.
fn merge(part: &mut Value, patch: &Value) {
    match (part, patch) {
        (Value::Object(part), Value::Object(patch)) => {
            for (key, patch) in patch {
                merge(part.entry(key).or_insert(Value::Null), patch);
            }
        }
        (Value::Array(part), Value::Array(patch)) => merge(&mut part[0], &patch[0]),
        (part, patch) => *part = patch.clone(),
    }
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

/// The config that a command line names.
fn config_of(arguments: &[String]) -> &str {
    &arguments.windows(2).find(|pair| pair[0] == "--config").expect("a config")[1]
}

/// A config with its variables must be right where the deployment mounts a key at `key`, and no other secret.
fn right(place: &str, text: &str, env: &[(String, String)], key: &str) {
    let file = tempfile::NamedTempFile::new().expect("a file");
    fs::write(&file, Key::new(1, [7; 32]).reveal()).expect("a key");
    let mounted = |text: &str| text.replace(key, &file.path().to_string_lossy());
    let env = env.iter().map(|(name, value)| (name.clone(), mounted(value)));
    if let Err(problems) = Config::read(&mounted(text), env) {
        let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
        panic!("{place}: {}", problems.join("; "));
    }
}

/// Whether a workload's container has a port of this name or number.
fn exposes(workload: &Value, port: &Value) -> bool {
    list(&container(workload)["ports"]).any(|it| it["name"] == *port || it["containerPort"] == *port)
}

/// Where a pod finds a volume.
fn mount(workload: &Value, is: impl Fn(&Value) -> bool) -> &str {
    let volume = list(&workload["spec"]["template"]["spec"]["volumes"]).find(|it| is(it)).expect("a volume");
    let mount = list(&container(workload)["volumeMounts"]).find(|it| it["name"] == volume["name"]);
    mount.expect("a mount")["mountPath"].as_str().expect("a path")
}

/// The port of a listener's section in a config.
fn port(config: &toml::Table, section: &str) -> u64 {
    let address = config[section]["listen"].as_str().expect("an address");
    address.rsplit(':').next().and_then(|port| port.parse().ok()).expect("a port")
}

#[test]
fn kubernetes_runs_commands_settings_and_ports_that_are_there() {
    let (manifests, text) = (manifests(), read("kubernetes/postback.toml"));
    let kustomization = read("kubernetes/kustomization.yaml");
    let generated = &yaml(&kustomization).remove(0)["configMapGenerator"][0];
    let created = kustomization.lines().find_map(|line| line.split_once("create secret generic "));
    let (secret, key) = created.and_then(|(_, line)| line.split_once(" --from-file=")).expect("a secret");
    let config: toml::Table = text.parse().expect("TOML");
    let mut roles = BTreeSet::new();
    for workload in of_kind(&manifests, "Deployment") {
        let name = workload["metadata"]["name"].as_str().expect("a name");
        let container = container(workload);
        let arguments = words(&container["args"]);
        takes(name, &arguments);
        let (config_at, secret_at) = (
            mount(workload, |it| it["configMap"]["name"] == generated["name"]),
            mount(workload, |it| it["secret"]["secretName"] == secret),
        );
        let file = generated["files"][0].as_str().expect("a file");
        assert_eq!(config_of(&arguments), format!("{config_at}/{file}"), "{name}");
        right(name, &text, &[], &format!("{secret_at}/{key}"));
        let own: BTreeSet<&str> = arguments.last().expect("roles").split(',').collect();
        let want = [("http", "edge"), ("grpc", "api"), ("console", "console")];
        for listed in list(&container["ports"]) {
            let (_, section) = want.iter().find(|(it, _)| listed["name"] == *it).expect("a known port");
            assert!(own.contains(section), "{name} has a port of {section}");
            assert_eq!(listed["containerPort"].as_u64(), Some(port(&config, section)), "{name}: {section}");
        }
        roles.extend(own.into_iter().map(str::to_owned));
        for probe in ["startupProbe", "livenessProbe", "readinessProbe"] {
            let (http, tcp) = (&container[probe]["httpGet"], &container[probe]["tcpSocket"]);
            let shown = http["port"] == "console" && (http["path"] == "/livez" || http["path"] == "/readyz");
            assert!(shown || exposes(workload, &tcp["port"]), "{name}: {probe} asks {http} {tcp}");
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
    let mut run = Vec::new();
    for workload in of_kind(&manifests, "Deployment").chain(of_kind(&manifests, "StatefulSet")) {
        let labels = &workload["spec"]["template"]["metadata"]["labels"];
        assert_eq!(labels["app.kubernetes.io/name"], workload["metadata"]["name"]);
        run.push((labels, workload));
    }
    // Something runs that is selected, and all of it has the ports.
    let reach = |selector: &Value, ports: Vec<&Value>| {
        let wanted = selector.as_object().expect("labels");
        let selected = |labels: &Value| wanted.iter().all(|(key, value)| labels[key] == *value);
        let mut found =
            run.iter().filter(|(labels, _)| selected(labels)).map(|(_, workload)| workload).peekable();
        assert!(found.peek().is_some(), "nothing runs that is {selector}");
        assert!(found.all(|it| ports.iter().all(|port| exposes(it, port))), "{ports:?} of {selector}");
    };
    let (mut reached, mut egress) = (0, BTreeSet::new());
    for manifest in &manifests {
        let spec = &manifest["spec"];
        match manifest["kind"].as_str() {
            Some("Service") => {
                let targets = list(&spec["ports"]).map(|it| it.get("targetPort").unwrap_or(&it["port"]));
                reach(&spec["selector"], targets.collect());
            }
            Some("PodDisruptionBudget") => reach(&spec["selector"]["matchLabels"], Vec::new()),
            // The one that denies what no other allows selects all.
            Some("NetworkPolicy") if spec["podSelector"]["matchLabels"].is_null() => continue,
            Some("NetworkPolicy") => {
                let ports =
                    list(&spec["ingress"]).flat_map(|rule| list(&rule["ports"])).map(|it| &it["port"]);
                reach(&spec["podSelector"]["matchLabels"], ports.collect());
                for rule in list(&spec["egress"]) {
                    let ports: Vec<&Value> = list(&rule["ports"]).map(|it| &it["port"]).collect();
                    egress.extend(ports.iter().map(|port| port.as_u64().expect("a number")));
                    for pods in list(&rule["to"]).filter_map(|to| to.get("podSelector")) {
                        reach(&pods["matchLabels"], ports.clone());
                    }
                }
            }
            _ => continue,
        }
        reached += 1;
    }
    assert!(reached > 10);
    assert_eq!(
        egress,
        [53, 443, 4317, 6379, 6380].into(),
        "names, networks, traces, the store, one elsewhere"
    );
    assert!(read("kubernetes/postback.toml").contains("\"redis://redis:6379\""), "the store");
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
        let hub = &service["<<"];
        let arguments = words(&service["command"]);
        takes(name, &arguments);
        let own: BTreeSet<String> = arguments.last().expect("roles").split(',').map(str::to_owned).collect();
        let config =
            list(&hub["configs"]).find(|it| it["target"] == config_of(&arguments)).expect("a config");
        assert_eq!(compose["configs"][config["source"].as_str().expect("a name")]["file"], "postback.toml");
        let key = words(&hub["secrets"]).remove(0);
        assert!(compose["secrets"][&key].is_object(), "{key}");
        let env: BTreeMap<String, String> =
            serde_json::from_value(service["environment"].clone()).expect("variables");
        let env: Vec<_> = env.into_iter().collect();
        right(name, &text, &env, &format!("/run/secrets/{key}"));
        for role in own.iter().filter(|role| *role != "dispatch") {
            let listens = format!("POSTBACK_{}__LISTEN", role.to_uppercase());
            assert!(env.iter().any(|(setting, _)| *setting == listens), "{name} lacks {listens}");
        }
        for published in words(&service["ports"]) {
            let (outer, inner) = published.rsplit_once(':').expect("two ports");
            let listener = env.iter().find(|(_, value)| value.ends_with(&format!(":{inner}")));
            assert!(published.starts_with("127.0.0.1:"), "{name} publishes {published}");
            let section =
                listener.and_then(|(setting, _)| setting.strip_prefix("POSTBACK_")?.strip_suffix("__LISTEN"));
            let role = section.map(str::to_lowercase).filter(|role| own.contains(role));
            match role.as_deref() {
                None => panic!("{name} publishes {published}, where nothing listens"),
                Some("console") => consoles.push(outer.to_owned()),
                Some(_) => {}
            }
        }
        roles.extend(own);
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
    let credential = lines("LoadCredential=").remove(0).split(':').next().expect("a name");
    right("postback.service", "", &env, &format!("%d/{credential}"));
    let state = format!("%S/{}", lines("StateDirectory=")[0]);
    assert_eq!(lines("WorkingDirectory="), [state.as_str()]);
    assert!(env.contains(&("POSTBACK_STORE__PATH".to_owned(), state)), "{env:?}");
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
    let image = format!("registry.example/postback:{}", env!("CARGO_PKG_VERSION"));
    for workload in of_kind(&wanted, "Deployment") {
        let name = &workload["metadata"]["name"];
        let made =
            of_kind(&built, "Deployment").find(|it| it["metadata"]["name"] == *name).expect("it is built");
        let mut spec = workload["spec"].clone();
        spec["template"]["spec"]["containers"][0]["image"] = image.clone().into();
        assert_eq!(made["spec"], spec, "{name}");
    }
}
