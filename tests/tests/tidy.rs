//! The house as it must stand: who depends on whom, and what a file looks like.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the package lies in the house").to_owned()
}

/// Every crate of ours with the crates of ours and of others that it needs, tests aside.
fn crates() -> BTreeMap<String, BTreeSet<String>> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--format-version", "1", "--offline"])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo speaks JSON");
    let packages = metadata["packages"].as_array().expect("packages");
    packages
        .iter()
        .map(|package| {
            let needs = package["dependencies"].as_array().expect("dependencies").iter();
            let needs = needs.filter(|dependency| dependency["kind"].is_null());
            let name = |value: &Value| value["name"].as_str().expect("a name").to_owned();
            (name(package), needs.map(name).collect())
        })
        .collect()
}

/// The ranks of the house, bottom to top. A crate needs only crates of lower ranks.
const RANKS: [&[&str]; 8] = [
    &["core"],
    &["proto", "adapters-powerspace", "adapters-trafficstars", "adapters-altercpa"],
    &["redis-link", "redb-file", "traces"],
    &["access", "clickstore", "outbox", "logbook"],
    &["hub", "dispatch"],
    &["edge", "grpc-api", "console", "sandbox"],
    &["postback"],
    &["tests", "bench"],
];

fn rank(name: &str) -> Option<usize> {
    let name = name.strip_prefix("postback-").unwrap_or(name);
    RANKS.iter().position(|rank| rank.contains(&name))
}

#[test]
fn a_crate_needs_only_crates_of_lower_ranks() {
    let crates = crates();
    assert_eq!(crates.len(), RANKS.iter().map(|rank| rank.len()).sum::<usize>(), "a crate without a rank");
    for (name, needs) in &crates {
        let own = rank(name).unwrap_or_else(|| panic!("{name} has no rank"));
        for need in needs.iter().filter(|need| crates.contains_key(*need)) {
            assert!(rank(need) < Some(own), "{name} needs {need}");
        }
    }
}

#[test]
fn an_adapter_needs_the_core_alone_and_no_runtime() {
    let crates = crates();
    for (name, needs) in crates.iter().filter(|(name, _)| name.contains("adapters-")) {
        let ours: Vec<_> = needs.iter().filter(|need| crates.contains_key(*need)).collect();
        assert_eq!(ours, ["postback-core"], "{name}");
    }
    let outside = ["tokio", "hyper", "redis", "redb", "rustls", "tracing", "tonic", "reqwest"];
    for (name, needs) in
        crates.iter().filter(|(name, _)| name.contains("adapters-") || name.ends_with("-core"))
    {
        for need in outside {
            assert!(!needs.contains(need), "{name} needs {need}");
        }
    }
}

#[test]
fn only_the_stores_know_their_engines() {
    for (name, needs) in crates() {
        let store = ["postback-clickstore", "postback-outbox", "postback-logbook"].contains(&name.as_str());
        let (link, file) = (name == "postback-redis-link", name == "postback-redb-file");
        // The benchmark has a peer that speaks to Redis as any service would.
        let peer = name == "postback-bench";
        assert!(store || link || peer || !needs.contains("redis"), "{name}");
        assert!(store || file || !needs.contains("redb"), "{name}");
    }
}

#[test]
fn hub_and_dispatch_know_no_network() {
    for (name, needs) in crates() {
        if name != "postback" {
            assert!(!needs.iter().any(|need| need.contains("adapters-")), "{name} knows a network");
        }
    }
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            if !path.ends_with("target") {
                sources(&path, found);
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// Every source by its path in the house.
fn all_sources() -> Vec<(PathBuf, String)> {
    let (root, mut found) = (root(), Vec::new());
    sources(&root.join("crates"), &mut found);
    sources(&root.join("tests"), &mut found);
    let within = |path: &Path| path.strip_prefix(&root).expect("a path in the house").to_owned();
    found.iter().map(|path| (within(path), fs::read_to_string(path).expect("a source"))).collect()
}

/// Whether a source is a package's test: one in its folder `tests`, as the package `tests` has one too.
fn is_test(path: &Path) -> bool {
    path.components().skip(1).any(|part| part.as_os_str() == "tests")
}

#[test]
fn every_file_opens_with_a_line_that_says_what_it_holds() {
    for (path, text) in all_sources() {
        let first = text.lines().next().unwrap_or_default();
        let documented = first.starts_with("//! ") || text.starts_with("#![doc = include_str!");
        assert!(documented, "{}", path.display());
    }
}

#[test]
fn a_file_of_code_is_short() {
    let (tests, code): (Vec<_>, Vec<_>) = all_sources().into_iter().partition(|(path, _)| is_test(path));
    assert!(!tests.is_empty() && code.iter().any(|(path, _)| path == Path::new("tests/src/lib.rs")));
    for (path, text) in code {
        let lines = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default().lines().count();
        assert!(lines <= 420, "{} has {lines} lines", path.display());
    }
}

#[test]
fn nothing_is_ignored_and_nothing_is_left_to_do() {
    let left = [
        "#[ig".to_owned() + "nore",
        "to".to_owned() + "do!(",
        "TO".to_owned() + "DO",
        "unimpl".to_owned() + "emented!(",
    ];
    for (path, text) in all_sources() {
        for word in &left {
            assert!(!text.contains(word.as_str()), "{word} in {}", path.display());
        }
    }
}

/// A row of an adapter's table of rules: the rule's id, and the cell that names the tests.
fn rule(line: &str) -> Option<(&str, &str)> {
    let cells: Vec<&str> = line.split('|').map(str::trim).collect();
    let (network, number) = cells.get(1).filter(|_| cells[0].is_empty())?.split_once('-')?;
    if network.len() != 2 || number.parse::<usize>().is_err() {
        return None;
    }
    let [_, id, _, tests, _] = cells[..] else { panic!("a rule is a row of three cells: {line}") };
    Some((id, tests))
}

/// The highest rule of a network that a test bears in its name.
fn last_proven(sources: &[(PathBuf, String)], network: &str) -> Option<usize> {
    let named = format!("fn {}_", network.to_lowercase());
    let numbers = |text: &str| {
        let rests = text.split(&named).skip(1);
        rests.filter_map(|rest| rest.split('_').next()?.parse::<usize>().ok()).max()
    };
    sources.iter().filter_map(|(_, text)| numbers(text)).max()
}

#[test]
fn every_rule_of_a_network_is_proven_by_tests_that_are_there() {
    let sources = all_sources();
    let is_there = |folder: &Path, module: Option<&str>, test: &str| {
        sources.iter().filter(|(path, _)| path.starts_with(folder)).any(|(path, text)| {
            let path = path.with_extension("");
            module.is_none_or(|module| path.components().any(|part| part.as_os_str() == module))
                && text.contains(&format!("fn {test}("))
        })
    };
    for adapter in RANKS[1].iter().filter(|name| name.starts_with("adapters-")) {
        let own = Path::new("crates").join(adapter);
        let readme = fs::read_to_string(root().join(&own).join("README.md")).expect("a README");
        let rules: Vec<_> = readme.lines().filter_map(rule).collect();
        let (network, last) = rules.last().and_then(|(id, _)| id.split_once('-')).expect("rules");
        assert_eq!(Some(last.parse().unwrap()), last_proven(&sources, network), "{adapter}: its last rule");
        for (at, (id, tests)) in rules.into_iter().enumerate() {
            assert!(id.ends_with(&format!("-{}", at + 1)), "{adapter}: {id} is rule {}", at + 1);
            let bears = format!("{}_", id.to_lowercase().replace('-', "_"));
            let mut named = 0;
            for part in tests.split("; ") {
                let other = part.split_once(": ").and_then(|(package, _)| package.strip_prefix("postback-"));
                let folder = match other {
                    None => own.clone(),
                    Some("tests") => PathBuf::from("tests"),
                    Some(package) => Path::new("crates").join(package),
                };
                for name in part.split('`').skip(1).step_by(2) {
                    let (module, test) =
                        name.split_once("::").map_or((None, name), |(m, test)| (Some(m), test));
                    assert!(other.is_some() || test.starts_with(&bears), "{test} is not of {id}");
                    assert!(is_there(&folder, module, test), "{id}: {name} is not in {}", folder.display());
                    named += 1;
                }
            }
            assert!(named > 0, "{id} names no test");
        }
    }
}
