//! Conversions from a CSV file: each line once, whatever happens, and a reason for each that is refused.

use std::{fs, path::PathBuf, process::Stdio};

use postback_sandbox::Network;
use postback_tests::{Engine, House, Postback, Ran};
use serde_json::{Value, json};
use tempfile::TempDir;

/// A folder with one CSV file in it.
struct Csv {
    folder: TempDir,
    path: PathBuf,
}

impl Csv {
    fn of(text: impl AsRef<[u8]>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("orders.csv");
        fs::write(&path, text).unwrap();
        Self { folder, path }
    }

    /// What lies beside it, by its name's end.
    fn beside(&self, end: &str) -> Option<String> {
        fs::read_to_string(self.folder.path().join(format!("orders.csv{end}"))).ok()
    }

    fn program(&self, house: &House, more: &[&str]) -> Postback {
        let arguments = [&["import", self.path.to_str().unwrap()], more].concat();
        Postback::with(&arguments).env("POSTBACK_API", &house.api)
    }

    async fn import(&self, house: &House, more: &[&str]) -> Ran {
        self.program(house, more).run("").await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_line_is_recorded_or_kept_with_the_reason() {
    let house = House::on(Engine::Embedded).await;
    let (one, two) = (house.landed(Network::Powerspace).await, house.landed(Network::Powerspace).await);
    let csv = Csv::of(format!(
        "click_token,kind,value,currency,transaction_id,occur_time\n\
         {one},order,89.99,EUR,A-1,\n\
         {two},lead,,,A-2,\n\
         made-up,lead,,,A-3,\n\
         {two},sale,,,A-4,\n\
         {two},lead,,,A-5,yesterday\n\
         {two},lead\n\
         {one},order,5,EUR,A-6,\n"
    ));
    let ran = csv.import(&house, &["--json"]).await;
    assert_eq!(ran.code, 1, "{}", ran.err);
    let told: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!((&told["lines"], &told["recorded"], &told["refused"]), (&json!(7), &json!(3), &json!(4)));
    assert_eq!(house.stats("powerspace").await.conversions, 3);
    let report = csv.beside(".refused.csv").unwrap();
    let lines: Vec<&str> = report.lines().collect();
    assert_eq!(
        lines[0],
        "refused_line,refused_field,refused_reason,refused_message,click_token,kind,value,currency,transaction_id,\
         occur_time"
    );
    assert!(
        lines[1].starts_with("4,source.click_token,") && lines[1].ends_with(",made-up,lead,,,A-3,"),
        "{report}"
    );
    let sale = format!("5,kind,INVALID_VALUE,\"`sale` is not lead, order or goal\",{two},sale,,,A-4,");
    let when = format!(
        "6,occur_time,INVALID_VALUE,`yesterday` is not a time such as 2026-11-21T09:30:00Z,{two},lead,,,A-5,yesterday"
    );
    let short = format!("7,line,INVALID_VALUE,has 2 fields; want 6,{two},lead,,,,");
    assert_eq!(lines[2..], [sale, when, short]);
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_is_imported_once_it_is_mended() {
    let house = House::on(Engine::Embedded).await;
    let token = house.landed(Network::Powerspace).await;
    let csv = Csv::of(format!("click_token,kind,transaction_id\n{token},lead,L-1\n{token},sale,O-1\n"));
    assert_eq!(csv.import(&house, &[]).await.code, 1);
    let mended = Csv::of(csv.beside(".refused.csv").unwrap().replace(",sale,", ",order,"));
    let told = mended.import(&house, &["--json"]).await.json();
    assert_eq!((&told["recorded"], mended.beside(".refused.csv")), (&json!(1), None));
    assert_eq!(house.stats("powerspace").await.conversions, 2);
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_that_was_killed_goes_on_and_loses_and_doubles_nothing() {
    const LINES: u64 = 4_000;
    let house = House::on(Engine::Embedded).await;
    Postback::with(&["pause", "powerspace", "--reason", "a test"])
        .env("POSTBACK_API", &house.api)
        .run("")
        .await
        .done();
    let mut tokens = Vec::new();
    for _ in 0..40 {
        tokens.push(house.landed(Network::Powerspace).await);
    }
    let lines = tokens.iter().cycle().take(LINES as usize).map(|token| format!("{token},order,5,EUR\n"));
    let csv = Csv::of(format!("click_token,kind,value,currency\n{}", lines.collect::<String>()));
    // Stopped again and again, each time a bit further.
    for stop in [300, 900, 1_700] {
        let mut program = csv.program(&house, &[]).command();
        let mut child = program.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        house.until("powerspace", |stats| stats.conversions >= stop).await;
        child.kill().unwrap();
        assert_eq!(child.wait().unwrap().code(), None, "it ended before it was killed");
    }
    let state: Value = serde_json::from_str(&csv.beside(".import").unwrap()).unwrap();
    assert!(state["lines"].as_u64().unwrap() > 0 && state["finished"] == false, "{state}");
    let ran = csv.import(&house, &["--json"]).await;
    assert!(ran.err.contains("goes on after the first"), "{}", ran.err);
    assert_eq!(ran.json()["lines"], LINES);
    assert_eq!(house.stats("powerspace").await.conversions, LINES);
    let again = csv.import(&house, &[]).await;
    assert!(again.code == 0 && again.err.contains("imported before"), "{}", again.err);
    assert_eq!(house.stats("powerspace").await.conversions, LINES);
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_what_was_kept_the_same_file_doubles_nothing() {
    let house = House::on(Engine::Embedded).await;
    let token = house.landed(Network::Powerspace).await;
    let csv = Csv::of(format!("click_token,kind\n{token},lead\n{token},order\n"));
    csv.import(&house, &[]).await.done();
    fs::remove_file(csv.folder.path().join("orders.csv.import")).unwrap();
    let report = csv.folder.path().join("orders.csv.refused.csv");
    fs::write(&report, "half mended").unwrap();
    let refused = csv.import(&house, &[]).await;
    assert!(refused.code == 4 && refused.err.contains("move it away"), "{}", refused.err);
    assert_eq!(fs::read_to_string(&report).unwrap(), "half mended");
    fs::remove_file(&report).unwrap();
    let told = csv.import(&house, &["--json"]).await.json();
    assert_eq!((&told["recorded"], &told["already_recorded"]), (&json!(0), &json!(2)));
    assert_eq!(house.stats("powerspace").await.conversions, 2);
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_changed_under_its_import_is_refused() {
    let house = House::on(Engine::Embedded).await;
    let token = house.landed(Network::Powerspace).await;
    let csv = Csv::of(format!("click_token,kind\n{token},lead\n"));
    csv.import(&house, &[]).await.done();
    fs::write(&csv.path, format!("click_token,kind\n{token},lead\n{token},order\n")).unwrap();
    let ran = csv.import(&house, &[]).await;
    assert!(ran.code == 2 && ran.err.contains("is not what it was"), "{}", ran.err);
    assert_eq!(house.stats("powerspace").await.conversions, 1);
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn validating_asks_about_every_line_and_records_none() {
    let house = House::on(Engine::Embedded).await;
    let token = house.landed(Network::Powerspace).await;
    let csv =
        Csv::of(format!("\u{feff}click_token,kind,value,currency\n{token},order,1,EUR\nmade-up,lead,,\n"));
    let ran = csv.import(&house, &["--validate-only"]).await;
    assert!(ran.code == 1 && ran.out.contains("right"), "{}{}", ran.out, ran.err);
    assert!(csv.beside(".invalid.csv").unwrap().contains("\n3,source.click_token,"));
    assert_eq!((csv.beside(".import"), house.stats("powerspace").await.conversions), (None, 0));
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_cannot_be_one_is_refused_before_anything_is_sent() {
    let house = House::on(Engine::Embedded).await;
    let refused = async |text: &str| {
        let ran = Csv::of(text).import(&house, &[]).await;
        assert_eq!(ran.code, 2, "{}", ran.err);
        ran.err
    };
    let unknown = refused("click_token,kind,amout,vlaue\n").await;
    assert!(unknown.contains("line 1: unknown columns: `amout`, `vlaue`; want click_token,"), "{unknown}");
    assert!(refused("kind\n").await.contains("no column names a source"));
    assert!(refused("").await.contains("click_token"));
    let missing = Postback::with(&["import", "/nowhere.csv"]).env("POSTBACK_API", &house.api).run("").await;
    assert!(missing.code == 2 && missing.err.contains("/nowhere.csv"), "{}", missing.err);
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_utf8_is_refused_line_by_line() {
    let house = House::on(Engine::Embedded).await;
    let token = house.landed(Network::Powerspace).await;
    let mut text = format!("click_token,kind,transaction_id\n{token},lead,").into_bytes();
    text.extend(b"\xff\xfe\n");
    text.extend(format!("{token},order,\u{e4}-1\n").as_bytes());
    let ran = Csv::of(text).import(&house, &["--json"]).await;
    let told: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!((&told["recorded"], &told["refused"]), (&json!(1), &json!(1)));
    house.end().await;
}
