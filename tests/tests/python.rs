//! Callers in Python: a gRPC client made of reflection alone, and a network's own way of being notified.

use std::{path::PathBuf, process::Command};

use postback_sandbox::Network;
use postback_tests::{Engine, House};
use serde_json::{Value, json};

/// Runs a script with the interpreter that `tests/run.sh` installs, and reads the JSON that it prints.
async fn python(script: &str, arguments: Vec<String>) -> Value {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut command = Command::new(root.join("target/python/bin/python"));
    command.arg(root.join("tests/python").join(script)).args(arguments);
    let output = tokio::task::spawn_blocking(move || command.output()).await.expect("the task ends");
    let output = output.expect("target/python is there; `sh tests/run.sh` installs it");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("the script prints JSON")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_python_client_made_of_reflection_records_a_conversion_and_reads_its_story() {
    let house = House::on(Engine::Embedded).await;
    let id = house.issue(Network::Powerspace);
    let token = house.land("powerspace", &format!("clickId={id}")).await;
    let address = house.api.strip_prefix("http://").unwrap().to_owned();
    let seen = python("story.py", vec![address, token]).await;
    assert_eq!(seen["health"]["status"], "SERVING");
    let story = &seen["story"];
    assert_eq!(story["conversion"]["click_id"], id);
    assert_eq!(story["conversion"]["details"]["value"], json!({"amount": "89.99", "currency": "EUR"}));
    assert_eq!(story["deliveries"][0]["state"], "DELIVERY_STATE_DELIVERED");
    assert_eq!(story["deliveries"][0]["attempts"][0]["outcome"], "OUTCOME_ACCEPTED");
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn powerspace_is_notified_from_python_as_its_document_says() {
    let house = House::on(Engine::Embedded).await;
    let seen = python("notify.py", vec![format!("http://{}", house.networks)]).await;
    assert_eq!(seen, json!([true, true, true, false, false]));
    house.end().await;
}
