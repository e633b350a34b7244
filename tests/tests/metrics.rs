//! The metrics: what the hub exports is what the table says, and alerts and dashboard ask for nothing else.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use http::Method;
use postback_access::{Rules, Scope, TokenHash};
use postback_proto::v1::GetStatsRequest;
use postback_sandbox::{FaultKind, Network};
use postback_tests::{Engine, House, Visitor, click, lead, token, until};
use serde_json::Value;

/// A metric as it is documented or exported.
#[derive(Clone, Debug, Default)]
struct Metric {
    kind: String,
    labels: BTreeSet<String>,
    /// What is known of the values that its labels take, but for those that the config or the call names.
    values: BTreeSet<String>,
}

/// Labels whose values are named by the config, the call or the build.
const OPEN: [&str; 6] = ["account", "campaign", "code", "instance", "method", "version"];

type Metrics = BTreeMap<String, Metric>;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// What stands between back-ticks.
fn quoted(text: &str) -> impl Iterator<Item = String> {
    text.split('`').skip(1).step_by(2).map(str::to_owned)
}

/// The table of docs/metrics.md.
fn documented() -> Metrics {
    let page = read("docs/metrics.md");
    let rows = page.lines().filter(|line| line.starts_with("| `postback_"));
    rows.map(|row| {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let name = quoted(cells[1]).next().expect("a name");
        let (kind, labels) = (cells[2].to_owned(), quoted(cells[3]).collect());
        (name, Metric { kind, labels, values: listed(cells[4]) })
    })
    .collect()
}

/// The words that a meaning lists behind its colon: `accepted, retry; lead or order`.
fn listed(meaning: &str) -> BTreeSet<String> {
    let (_, list) = meaning.split_once(": ").unwrap_or_default();
    let words =
        list.split([',', ';']).flat_map(|part| part.split(" or ")).map(|word| word.trim_matches([' ', '`']));
    words.filter(|word| is_word(word)).map(str::to_owned).collect()
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_lowercase() || ['_', '-'].contains(&c))
}

/// Every word that stands alone between quotation marks in a crate's code.
fn literals() -> BTreeSet<String> {
    let mut literals = BTreeSet::new();
    let mut folders = vec![root().join("crates")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|it| it == "rs")
                && path.iter().any(|part| part == "src")
                && !path.ends_with("tests.rs")
                && !path.to_string_lossy().contains("/src/tests/")
            {
                let text = fs::read_to_string(&path).expect("a source");
                literals.extend(text.split('"').filter(|word| is_word(word)).map(str::to_owned));
            }
        }
    }
    literals
}

/// Whether a literal names a metric: it is the name of no crate, nor of the edge's cookie.
fn is_metric(word: &str) -> bool {
    let part = word.strip_prefix("postback_");
    part.is_some_and(|it| it != "click" && !root().join("crates").join(it.replace('_', "-")).exists())
}

/// What a scrape shows: each metric with its type and labels, and those without a HELP.
fn exported(text: &str) -> (Metrics, BTreeSet<String>) {
    let (mut metrics, mut helped) = (Metrics::new(), BTreeSet::new());
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').expect("a help");
            assert!(!help.is_empty(), "{line}");
            helped.insert(name.to_owned());
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').expect("a type");
            metrics.insert(name.to_owned(), Metric { kind: kind.to_owned(), ..Metric::default() });
        } else if !line.is_empty() {
            let name = line.split(['{', ' ']).next().expect("a name");
            let base = ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end));
            let name = base.filter(|base| metrics.contains_key(*base)).unwrap_or(name);
            let metric = metrics.get_mut(name).unwrap_or_else(|| panic!("no type before {line}"));
            for (label, value) in labels(line).into_iter().filter(|(label, _)| label != "le") {
                metric.values.extend((!OPEN.contains(&label.as_str())).then_some(value));
                metric.labels.insert(label);
            }
        }
    }
    let without = metrics.keys().filter(|name| !helped.contains(*name)).cloned().collect();
    (metrics, without)
}

/// The labels of a sample or a selector, words before `=`, `!=` or `=~` within braces, each with its value.
fn labels(text: &str) -> Vec<(String, String)> {
    let inside =
        text.split_once('{').and_then(|(_, rest)| rest.rsplit_once('}')).map_or("", |(inside, _)| inside);
    let parts: Vec<&str> = inside.split('"').collect();
    let pairs = parts.chunks_exact(2).filter_map(|pair| {
        let word = pair[0].trim_end_matches(['=', '~', '!', ' ']).rsplit([',', ' ', '{']).next()?;
        Some((word.to_owned(), pair[1].to_owned()))
    });
    pairs.collect()
}

/// A hub that has seen everything once, and what its console shows of it.
async fn scraped() -> String {
    let house = House::on(Engine::Embedded).await;
    let status = |code| FaultKind::Status { code, retry_after: None };
    house.visitor.get("/c/powerspace?utm_source=nobody").await;
    house.visitor.get("/nothing").await;
    for (fault, landed) in [(None, 1), (Some(FaultKind::DropAfter), 2), (Some(status(404)), 3)] {
        if let Some(fault) = fault {
            house.inject(Network::Powerspace, fault, 1);
        }
        let landed_on = house.landed(Network::Powerspace).await;
        house.caller.record(token(&landed_on), lead()).await.expect("recorded");
        house.until("powerspace", |stats| stats.delivered + stats.in_doubt + stats.dead == landed).await;
    }
    house.caller.record(click("powerspace", "?"), lead()).await.expect_err("no click has this id");
    let mut rules = Rules::default();
    rules.token("scraper", &[Scope::Read], &[TokenHash::of("a token")]).expect("a rule");
    house.access.replace(rules).expect("the rules hold");
    house.caller.deliveries.clone().get_stats(GetStatsRequest::default()).await.expect_err("nobody knows us");
    let console = Visitor::of(house.console);
    let seldom = ["postback_deliveries_ending{", "postback_leases_lost_total{"];
    let whole = until("everything is exported", || async {
        let header = [("authorization", "Bearer a token")];
        let text = console.ask(Method::GET, "/metrics", &header, "").await.body;
        seldom.iter().all(|name| text.contains(name)).then_some(text)
    });
    let text = whole.await;
    house.end().await;
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn the_hub_exports_what_the_table_says_with_types_labels_and_help() {
    let (exported, without_help) = exported(&scraped().await);
    assert_eq!(without_help, BTreeSet::new(), "metrics without HELP");
    let documented = documented();
    assert_eq!(exported.keys().collect::<Vec<_>>(), documented.keys().collect::<Vec<_>>());
    for (name, metric) in &exported {
        let row = &documented[name];
        assert_eq!((&metric.kind, &metric.labels), (&row.kind, &row.labels), "{name}");
        let unlisted: Vec<_> = metric.values.difference(&row.values).collect();
        assert!(row.values.is_empty() || unlisted.is_empty(), "{name} does not list {unlisted:?}");
        assert_eq!(name.ends_with("_total"), metric.kind == "counter", "{name} is a {}", metric.kind);
        assert_eq!(
            metric.kind == "histogram",
            name.ends_with("_seconds") && metric.kind != "gauge",
            "{name}"
        );
    }
    let literals = literals();
    for (name, metric) in &documented {
        assert!(metric.values.is_subset(&literals), "{name} lists what no code says: {:?}", metric.values);
    }
    let named: BTreeSet<String> = literals.into_iter().filter(|word| is_metric(word)).collect();
    assert_eq!(named, documented.into_keys().collect(), "what the code names");
}

/// The metrics that a PromQL expression asks for, each with the labels and values that it selects by.
fn asked(expression: &str) -> Vec<(String, Vec<(String, String)>)> {
    let mut found = Vec::new();
    for (at, _) in expression.match_indices("postback_") {
        let rest = &expression[at..];
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
        let (name, rest) = rest.split_at(end);
        let selector =
            rest.starts_with('{').then(|| rest.split_inclusive('}').next()).flatten().unwrap_or("");
        found.push((name.to_owned(), labels(selector)));
    }
    found
}

/// The labels that an expression groups by, and those that a text shows.
fn shown(text: &str) -> BTreeSet<String> {
    let grouped = text.split("by (").skip(1).filter_map(|rest| rest.split(')').next());
    let grouped = grouped.flat_map(|list| list.split(',').map(str::trim));
    let told = text.split("$labels.").skip(1).filter_map(|rest| rest.split([' ', '}']).next());
    grouped.chain(told).map(str::to_owned).collect()
}

/// Holds an expression to the table.
fn hold(place: &str, expression: &str, documented: &Metrics) {
    // The recorded rate has the labels of what it is the rate of.
    let expression = &expression.replace("postback:attempts:rate10m", "postback_attempts_total");
    let mut known: BTreeSet<String> = ["le", "instance"].map(str::to_owned).into();
    for (name, labels) in asked(expression) {
        let base =
            ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(&name);
        let metric = documented.get(base).unwrap_or_else(|| panic!("{place}: no metric {name}"));
        assert_eq!(base != name, metric.kind == "histogram", "{place}: {name} is a {}", metric.kind);
        for (label, value) in labels {
            assert!(metric.labels.contains(&label), "{place}: {name} has {:?}, not {label}", metric.labels);
            let known =
                OPEN.contains(&label.as_str()) || value.split('|').all(|it| metric.values.contains(it));
            assert!(known, "{place}: {name} is never of {label} {value}, but of {:?}", metric.values);
        }
        known.extend(metric.labels.iter().cloned());
    }
    // Prometheus says itself whom it could scrape.
    let scraped = expression.contains("up{job=\"postback\"}");
    assert!(scraped || !asked(expression).is_empty(), "{place}: asks for nothing: {expression}");
    assert!(shown(expression).is_subset(&known), "{place}: {:?} of {known:?}", shown(expression));
}

#[test]
fn alerts_ask_only_for_what_is_exported_and_say_what_to_do() {
    let rules: Value = serde_norway::from_str(&read("deploy/prometheus/rules.yml")).expect("YAML");
    let documented = documented();
    let mut alerts = BTreeSet::new();
    for rule in rules["groups"]
        .as_array()
        .expect("groups")
        .iter()
        .flat_map(|it| it["rules"].as_array().expect("rules"))
    {
        let expression = rule["expr"].as_str().expect("an expression");
        let Some(alert) = rule["alert"].as_str() else {
            hold("a recorded rule", expression, &documented);
            continue;
        };
        let words = |key: &str| rule["annotations"][key].as_str().unwrap_or_default().to_owned();
        hold(alert, expression, &documented);
        assert!(
            shown(&words("summary")).is_subset(&shown(expression)),
            "{alert}: its summary names what it has not"
        );
        assert!(words("summary").len() > 20 && words("action").len() > 40, "{alert}: summary and action");
        let severity = rule["labels"]["severity"].as_str().expect("a severity");
        assert!(["page", "ticket"].contains(&severity), "{alert}: {severity}");
        assert!(alerts.insert(alert.to_owned()), "{alert} is there twice");
    }
    let page = read("docs/operate.md");
    for alert in &alerts {
        assert!(page.contains(alert.as_str()), "docs/operate.md does not say what {alert} means");
    }
    assert!(alerts.len() >= 14, "{alerts:?}");
}

#[test]
fn prometheus_itself_takes_the_rules_and_they_fire_where_they_should() {
    let promtool = root().join("target/prometheus/usr/bin/promtool");
    let promtool = if promtool.exists() { promtool } else { PathBuf::from("promtool") };
    let commands: [&[&str]; 3] = [
        &["check", "rules", "rules.yml"],
        &["check", "config", "--syntax-only", "prometheus.yml"],
        &["test", "rules", "rules.test.yml"],
    ];
    for arguments in commands {
        let folder = root().join("deploy/prometheus");
        let said = Command::new(&promtool).args(arguments).current_dir(folder).output();
        let said = said.expect("promtool is there; `sh tests/run.sh` unpacks it");
        assert!(said.status.success(), "{}", String::from_utf8_lossy(&[said.stdout, said.stderr].concat()));
    }
}

#[test]
fn the_dashboard_asks_only_for_what_is_exported() {
    let dashboard: Value = serde_json::from_str(&read("deploy/grafana/dashboard.json")).expect("JSON");
    let documented = documented();
    let panels = dashboard["panels"].as_array().expect("panels");
    let (mut places, mut used) = (BTreeSet::new(), BTreeSet::new());
    for panel in panels {
        let title = panel["title"].as_str().expect("a title");
        let place = &panel["gridPos"];
        assert!(places.insert((place["y"].as_u64(), place["x"].as_u64())), "{title} lies on another");
        for target in panel["targets"].as_array().expect("targets") {
            let expression = target["expr"]
                .as_str()
                .expect("an expression")
                .replace("account=~\"$account\"", "account=\"a\"");
            hold(title, &expression, &documented);
            used.extend(asked(&expression).into_iter().map(|(name, _)| name));
        }
    }
    assert!(used.len() >= 18, "{used:?}");
}
