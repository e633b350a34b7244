//! The command line as a client of gRPC: what an operator types at night, and what a script relies on.

use std::{io::Write, path::Path, process::Stdio, time::Duration};

use postback_access::{Scope, TokenHash, testing::Authority};
use postback_hub::Registry;
use postback_proto::v1::{ConversionDetails, Customer, DeliveryState};
use postback_sandbox::{FaultKind, Network};
use postback_tests::{Engine, House, Postback, Ran, lead, order, token};
use serde_json::{Value, json};
use tokio::time::timeout;

/// The program against a house's hub.
async fn run(house: &House, arguments: &[&str]) -> Ran {
    Postback::with(arguments).env("POSTBACK_API", &house.api).run("").await
}

/// The same, with an answer for its question.
async fn answering(house: &House, arguments: &[&str], answer: &str) -> Ran {
    Postback::with(arguments).env("POSTBACK_API", &house.api).run(answer).await
}

/// Records a lead and returns its delivery's id.
async fn reported(house: &House) -> String {
    let landed = house.landed(Network::Powerspace).await;
    house.caller.record(token(&landed), lead()).await.unwrap().delivery_id
}

/// Two leads delivered, one dead, one in doubt, and a landing without a click id. Returns the ids of the last two.
async fn a_night(house: &House) -> (String, String) {
    house.visitor.get("/c/powerspace?utm_source=powerspace").await;
    house.inject(Network::Powerspace, FaultKind::Status { code: 404, retry_after: None }, 1);
    let dead = reported(house).await;
    house.until("powerspace", |stats| stats.dead == 1).await;
    house.inject(Network::Powerspace, FaultKind::DropAfter, 1);
    let doubtful = reported(house).await;
    house.until("powerspace", |stats| stats.in_doubt == 1).await;
    reported(house).await;
    reported(house).await;
    house.until("powerspace", |stats| stats.delivered == 2).await;
    (dead, doubtful)
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_read_enough_hears_no_complaint() {
    let house = House::on(Engine::Embedded).await;
    reported(&house).await;
    let mut list = Postback::with(&["deliveries", "--json"]).env("POSTBACK_API", &house.api).command();
    let mut list = list.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(list.stdout.take());
    let said = tokio::task::spawn_blocking(|| list.wait_with_output().unwrap()).await.unwrap();
    assert!(said.status.success() && said.stderr.is_empty(), "{said:?}");
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stats_say_what_became_of_each_conversion_and_what_to_do() {
    let house = House::on(Engine::Embedded).await;
    a_night(&house).await;
    let shown = run(&house, &["stats", "--account", "powerspace"]).await.done();
    let lines: Vec<&str> = shown.lines().collect();
    let cells = |line: &str| {
        line.split(['│', '┆'])
            .map(str::trim)
            .filter(|cell| !cell.is_empty())
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let row = lines.iter().find(|line| line.contains("powerspace")).unwrap();
    assert_eq!(cells(row), ["powerspace", "powerspace", "4", "1", "4", "2", "0", "1", "1", "0"]);
    for (reason, to_do) in [
        ("expired_click", "postback replay --account powerspace --reason expired_click"),
        ("in_doubt", "postback resolve --account powerspace"),
        ("missing", "powerspace"),
    ] {
        assert!(
            lines.iter().any(|line| line.contains(reason) && line.contains(to_do)),
            "{reason} in\n{shown}"
        );
    }

    let told: Value = run(&house, &["stats", "--json"]).await.json();
    let account =
        &told["accounts"].as_array().unwrap().iter().find(|it| it["account"] == "powerspace").unwrap();
    let count = |name: &str| account[name].as_u64().unwrap();
    assert_eq!(
        count("conversions"),
        count("delivered") + count("pending") + count("in_doubt") + count("dead")
    );
    assert_eq!(
        (count("clicks"), &account["lost"], &told["complete"]),
        (4, &json!({ "missing": 1 }), &json!(true))
    );
    let before = run(&house, &["stats", "--until", "1h", "--since", "2h", "--json"]).await.json();
    assert_eq!(before["accounts"][1]["conversions"], 0);
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_is_counted_apart_from_its_conversion() {
    let house = House::on(Engine::Embedded).await;
    let id = house.issue(Network::Altercpa);
    let landed = house.land("altercpa", &format!("click={id}")).await;
    let recorded = house.caller.record(token(&landed), lead()).await.unwrap();
    run(&house, &["send", "--conversion", &recorded.conversion_id, "--status", "approved"]).await.done();
    house.until("altercpa", |stats| stats.delivered == 2).await;
    let told = run(&house, &["stats", "--account", "altercpa", "--json"]).await.json();
    let account = &told["accounts"][0];
    assert_eq!((&account["conversions"], &account["delivered"]), (&json!(1), &json!(1)));
    assert_eq!(
        (&account["changes"]["conversions"], &account["changes"]["delivered"]),
        (&json!(1), &json!(1))
    );
    assert!(run(&house, &["stats"]).await.done().contains("Later changes of conversions"));
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conversion_tells_its_whole_story() {
    let house = House::on(Engine::Embedded).await;
    let (dead, _) = a_night(&house).await;
    let listed =
        run(&house, &["deliveries", "--state", "dead", "--reason", "expired_click", "--json"]).await.json();
    assert_eq!(listed["delivery_id"], dead);
    let story = run(&house, &["conversions", listed["conversion_id"].as_str().unwrap()]).await.done();
    for words in [
        "kind         lead",
        "state        dead",
        "HTTP 404 rejected",
        "    > GET http",
        "campaign     powerspace",
    ] {
        assert!(story.contains(words), "{words} in\n{story}");
    }
    let one = run(&house, &["deliveries", &dead]).await.done();
    assert!(one.starts_with(&format!("delivery {dead} of the conversion\n")), "{one}");
    assert!(run(&house, &["deliveries", "--reason", "other"]).await.done().is_empty());
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_are_bounded_and_come_whole_for_programs() {
    let house = House::on(Engine::Embedded).await;
    for _ in 0..7 {
        reported(&house).await;
    }
    let all = run(&house, &["conversions", "--limit", "100", "--json"]).await;
    assert_eq!((all.out.lines().count(), all.err.as_str()), (7, ""));
    let some =
        run(&house, &["conversions", "--limit", "3", "--kind", "lead", "--account", "powerspace"]).await;
    assert_eq!(some.out.matches("lead").count(), 3, "{}", some.out);
    assert_eq!(some.err, "the latest 3 are shown; --limit shows more\n");
    let none = run(&house, &["conversions", "--since", "2020-01-01", "--until", "2020-01-02"]).await;
    assert_eq!((none.code, none.out.as_str(), none.err.as_str()), (0, "", "none\n"));
    let line: Value = serde_json::from_str(all.out.lines().next().unwrap()).unwrap();
    assert_eq!((&line["details"]["kind"], &line["account"]), (&json!("KIND_LEAD"), &json!("powerspace")));
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn clicks_are_found_by_what_is_known_of_them() {
    let house = House::on(Engine::Embedded).await;
    let id = house.issue(Network::Powerspace);
    let token = house.land("powerspace", &format!("clickId={id}&utm_source=ps")).await;
    // Counting brings what is known of the latest clicks to the logbook.
    run(&house, &["stats"]).await.done();
    for which in [
        &["clicks", "--click-token", &token][..],
        &["clicks", "--account", "powerspace", "--click-id", &id],
        &["clicks", "--campaign", "powerspace"],
        &["clicks", "--ip", "127.0.0.1"],
    ] {
        let found = run(&house, &[which, &["--json"]].concat()).await.json();
        assert_eq!(found["click_id"], id, "{which:?}");
    }
    assert!(run(&house, &["clicks", "--campaign", "powerspace"]).await.done().contains(&id));
    assert_eq!(run(&house, &["clicks"]).await.code, 2, "nothing says which");
    assert_eq!(run(&house, &["clicks", "--click-id", &id]).await.code, 2, "no account");
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conversion_is_sent_from_flags_and_a_repeat_says_so() {
    let house = House::on(Engine::Embedded).await;
    let landed = house.landed(Network::Powerspace).await;
    let sale = [
        "send", "--click-token", &landed, "--kind", "order", "--value", "89.99", "--currency", "EUR",
        "--transaction-id", "A-1",
    ];
    let shown = run(&house, &[&sale[..], &["--validate-only"]].concat()).await.done();
    assert!(shown.starts_with("nothing is recorded; the call would be\nGET http"), "{shown}");
    assert_eq!(house.stats("powerspace").await.conversions, 0);
    let sent = run(&house, &[&sale[..], &["--json"]].concat()).await.json();
    assert_eq!(sent["already_recorded"], false);
    assert!(run(&house, &sale).await.done().contains("(it was there before)"));
    assert_eq!(house.stats("powerspace").await.conversions, 1);
    let other = [
        "send", "--click-token", &landed, "--kind", "order", "--value", "1", "--currency", "EUR",
        "--transaction-id", "A-1",
    ];
    let refused = run(&house, &other).await;
    assert_eq!(refused.code, 4, "{}", refused.err);
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_come_from_standard_input_too() {
    let house = House::on(Engine::Embedded).await;
    let id = house.issue(Network::Altercpa);
    let landed = house.land("altercpa", &format!("click={id}")).await;
    let source = json!({ "click_token": landed });
    let lead = json!({ "source": source, "details": {
        "kind": "KIND_LEAD", "transaction_id": "L-1", "customer": { "phone": "+4930" }
    } });
    let change = json!({ "key": { "source": source, "transaction_id": "L-1" }, "status": "approved" });
    answering(&house, &["send", "--stdin"], &format!("{lead}\n{change}\n")).await.done();
    house.until("altercpa", |stats| stats.delivered == 2).await;
    let wrong = answering(&house, &["send", "--stdin"], r#"{"sorce": {}}"#).await;
    assert!(wrong.code == 2 && wrong.err.contains("sorce"), "{}", wrong.err);
    let nobody = json!({ "source": { "click_token": "no-token" }, "details": { "kind": "KIND_LEAD" } });
    for (broken, code) in [(nobody.to_string(), 2), ("{".to_owned(), 2)] {
        let stopped = answering(&house, &["send", "--stdin"], &format!("{lead}\n{broken}\n{lead}\n")).await;
        let first = stopped.err.lines().find(|line| line.starts_with("postback: object 2: "));
        assert!(stopped.code == code && first.is_some(), "{}", stopped.err);
        assert!(stopped.err.ends_with("1 was recorded, what follows was not sent\n"), "{}", stopped.err);
    }
    assert_eq!(answering(&house, &["send", "--stdin"], "").await.code, 2);
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_change_should_mend_is_said_before_and_after_it_is_taken() {
    let house = House::on(Engine::Embedded).await;
    let landed = house.landed(Network::Altercpa).await;
    let recorded = house.caller.record(token(&landed), lead()).await.unwrap();
    let change = ["send", "--conversion", &recorded.conversion_id, "--status", "shipped"];
    for more in [&["--validate-only"][..], &[]] {
        let sent = run(&house, &[&change[..], more].concat()).await;
        let said = sent.err.starts_with("warning: status `shipped` is in none of the account's lists");
        assert!(sent.code == 0 && said, "{}", sent.err);
        let told = run(&house, &[&change[..], more, &["--json"]].concat()).await.json();
        assert_eq!(told["warnings"].as_array().map(Vec::len), Some(1), "{told}");
    }
    house.end().await;
}

/// The row of a list that holds these words.
fn row<'a>(shown: &'a str, words: &str) -> &'a str {
    let row = shown.lines().find(|line| line.contains(words));
    row.unwrap_or_else(|| panic!("{words} in\n{shown}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_sent_by_itself_says_what_holds_it() {
    let house = House::on(Engine::Embedded).await;
    house.inject(Network::Powerspace, FaultKind::DropAfter, 1);
    let landed = house.landed(Network::Powerspace).await;
    let doubtful = house.caller.record(token(&landed), lead()).await.unwrap().delivery_id;
    house.until("powerspace", |stats| stats.in_doubt == 1).await;
    let held = house.caller.record(token(&landed), order("5")).await.unwrap();
    for account in ["altercpa", "trafficstars"] {
        run(&house, &["pause", account, "--reason", "its key is changed"]).await.done();
    }
    let landed = house.landed(Network::Altercpa).await;
    let paused = house.caller.record(token(&landed), lead()).await.unwrap();
    let landed = house.landed(Network::Trafficstars).await;
    let removed = house.caller.record(token(&landed), lead()).await.unwrap();
    let (mut accounts, registry) = (house.hub.registry().accounts().clone(), house.hub.registry());
    accounts.retain(|id, _| id.as_str() != "trafficstars");
    let campaigns = registry.campaigns().filter(|it| accounts.contains_key(&it.account)).cloned();
    house.hub.replace(Registry::new(accounts.clone(), campaigns.collect::<Vec<_>>()).unwrap());

    let behind = format!("behind {doubtful}, in doubt");
    let listed = run(&house, &["deliveries", "--state", "pending"]).await.done();
    let told = run(&house, &["stats"]).await.done();
    for (of, why, to_do) in [
        (&held, behind.as_str(), "postback resolve"),
        (&paused, "account paused", "postback resume altercpa"),
        (&removed, "account is not in the config", "bring it back into the config"),
    ] {
        assert!(row(&listed, &of.delivery_id).contains(why), "{why} in\n{listed}");
        let one = run(&house, &["deliveries", &of.delivery_id]).await.done();
        let story = run(&house, &["conversions", &of.conversion_id]).await.done();
        for shown in [one, story] {
            assert!(shown.contains(&format!("  next         {why}\n")), "{why} in\n{shown}");
        }
        row(&told, to_do);
    }
    assert!(row(&told, "behind_in_doubt").contains("postback resolve --account powerspace"), "{told}");
    assert!(!told.contains("is sent by itself"), "{told}");
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_are_replayed_only_after_their_count_was_shown_and_confirmed() {
    let house = House::on(Engine::Embedded).await;
    let (dead, _) = a_night(&house).await;
    let replay = ["replay", "--account", "powerspace", "--reason", "expired_click"];
    let counted = run(&house, &[&replay[..], &["--validate-only"]].concat()).await.done();
    assert_eq!(counted, "1 dead letters would be replayed\n");
    let refused = answering(&house, &replay, "n\n").await;
    assert_eq!(refused.code, 4);
    let asked = "replay 1 dead letters of powerspace for expired_click? [y/N] postback: nothing is changed\n";
    assert_eq!(refused.err, asked);
    let nobody = answering(&house, &replay, "").await;
    assert!(nobody.code == 2 && nobody.err.contains("--yes"), "{}", nobody.err);
    assert_eq!(house.stats("powerspace").await.dead, 1, "nothing is changed");
    assert_eq!(answering(&house, &replay, "y\n").await.done(), "1 dead letters replayed\n");
    house.until("powerspace", |stats| stats.delivered == 3).await;
    let nothing = run(&house, &["replay", "--all", "--yes", "--json"]).await.json();
    assert_eq!(nothing, json!({ "count": 0, "refused": 0, "left": 0 }));
    let nothing = run(&house, &["replay", "--all", "--yes"]).await.done();
    assert_eq!(nothing, "none matches; nothing is changed\n");
    let late = run(&house, &["replay", &dead]).await;
    assert!(late.code == 4 && late.err.contains(&dead), "{}", late.err);
    assert_eq!(run(&house, &["replay"]).await.code, 2, "nothing says which");
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn deliveries_in_doubt_are_decided_by_id_or_together() {
    let house = House::on(Engine::Embedded).await;
    let (_, doubtful) = a_night(&house).await;
    assert_eq!(run(&house, &["resolve", &doubtful]).await.code, 2, "nothing says what");
    let decided = run(&house, &["resolve", &doubtful, "--delivered", "--json"]).await.json();
    assert_eq!(decided["state"], DeliveryState::Delivered.as_str_name());
    let shown = run(&house, &["deliveries", &doubtful]).await.done();
    assert!(shown.contains("  why          a person said that the network has it\n"), "{shown}");
    house.inject(Network::Powerspace, FaultKind::DropAfter, 1);
    reported(&house).await;
    house.until("powerspace", |stats| stats.in_doubt == 1).await;
    let resent = run(&house, &["resolve", "--account", "powerspace", "--resend", "--yes"]).await.done();
    assert_eq!(resent, "1 deliveries in doubt sent again\n");
    house.until("powerspace", |stats| stats.delivered == 4).await;
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_is_erased_only_after_a_yes_and_the_trail_names_nobody() {
    let house = House::on(Engine::Embedded).await;
    run(&house, &["pause", "altercpa", "--reason", "a customer is kept until the delivery"]).await.done();
    let landed = house.land("altercpa", &format!("click={}", house.issue(Network::Altercpa))).await;
    let customer = Some(Customer { phone: "+331".into(), ..Customer::default() });
    house.caller.record(token(&landed), ConversionDetails { customer, ..lead() }).await.unwrap();
    let erase = ["erase", "--click-token", &landed];
    let refused = answering(&house, &erase, "n\n").await;
    assert_eq!((refused.code, refused.err.contains("nothing is changed")), (4, true), "{}", refused.err);
    assert_eq!(answering(&house, &erase, "").await.code, 2, "nobody answered");
    assert_eq!(answering(&house, &erase, "y\n").await.done(), "erased; 1 conversion touched\n");
    let nobody = run(&house, &["erase", "--user", "nobody", "--yes", "--json"]).await.json();
    assert_eq!(nobody, json!({ "found": false, "conversions": 0 }));
    assert_eq!(run(&house, &["erase", "--user", "nobody", "--yes"]).await.done(), "nothing was found\n");
    let trail = run(&house, &["actions"]).await.done();
    assert!(trail.contains("a click") && !trail.contains(&landed), "{trail}");
    assert_eq!(run(&house, &["erase"]).await.code, 2, "nothing says whom");
    let alone = run(&house, &["erase", "--account", "powerspace", "--yes"]).await;
    assert_eq!(alone.code, 2, "an account is no person");
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_is_paused_and_resumed_and_the_trail_says_by_whom_and_why() {
    let ops = format!(
        "[access.tokens.ops]\nscopes = [\"read\", \"operate\"]\nsha256 = [\"{}\"]",
        TokenHash::of("pbt_ops")
    );
    let house = House::with(Engine::Embedded, &ops).await;
    let run = async |arguments: &[&str]| {
        Postback::with(arguments)
            .env("POSTBACK_API", &house.api)
            .env("POSTBACK_TOKEN", "pbt_ops")
            .run("")
            .await
    };
    let paused = run(&["pause", "powerspace", "--reason", "a new key"]).await.done();
    assert!(paused.contains("powerspace is paused since") && paused.contains("a new key"), "{paused}");
    assert!(run(&["stats"]).await.done().contains("powerspace is paused since"));
    let again = run(&["pause", "powerspace", "--reason", "another reason"]).await.done();
    assert!(again.starts_with("powerspace was paused before, and the first reason stays\n"), "{again}");
    assert!(again.contains("a new key") && !again.contains("another reason"), "{again}");
    assert_eq!(run(&["pause", "powerspace", "--reason", " "]).await.code, 2, "no reason");
    let long = run(&["pause", "powerspace", "--reason", &"x".repeat(513)]).await;
    assert!(
        long.code == 2 && long.err.contains("reason: has 513 characters; want at most 512"),
        "{}",
        long.err
    );
    assert_eq!(run(&["resume", "powerspace"]).await.done(), "powerspace goes on; 0 pending\n");
    let actions = run(&["actions", "--json"]).await.out;
    let actions: Vec<Value> = actions.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let told: Vec<_> =
        actions.iter().map(|action| (&action["deed"], &action["actor"], &action["reason"])).collect();
    assert_eq!(
        told,
        [
            (&json!("DEED_RESUME"), &json!("ops"), &json!("")),
            (&json!("DEED_PAUSE"), &json!("ops"), &json!("a new key"))
        ]
    );
    assert!(run(&["actions"]).await.done().contains("a new key"));
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_are_shown_as_they_happen() {
    let house = House::on(Engine::Embedded).await;
    let tail = Postback::with(&["tail", "--account", "powerspace", "--since", "1h"]);
    let mut tail = tail.env("POSTBACK_API", &house.api).start();
    let id = reported(&house).await;
    tail.says(&[&id, "the conversion delivered HTTP 200"]);
    drop(tail);
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exit_code_says_to_a_script_what_happened() {
    let tokens = |name: &str, scope: Scope| {
        format!(
            "[access.tokens.{name}]\nscopes = [\"{scope}\"]\nsha256 = [\"{}\"]\n",
            TokenHash::of(&format!("pbt_{name}"))
        )
    };
    let house =
        House::with(Engine::Embedded, &(tokens("reader", Scope::Read) + &tokens("ops", Scope::Operate)))
            .await;
    let nobody = "0198f3a2-7c11-7d3e-8b4e-0c5d2f1a9b77";
    let run = async |token: &str, arguments: &[&str]| {
        Postback::with(arguments).env("POSTBACK_API", &house.api).env("POSTBACK_TOKEN", token).run("").await
    };
    assert_eq!(run("pbt_reader", &["stats"]).await.code, 0);
    assert_eq!(run("pbt_reader", &["conversions", "--since", "yesterday"]).await.code, 2);
    assert_eq!(run("pbt_reader", &["conversions", "17"]).await.code, 2);
    assert_eq!(run("pbt_reader", &["conversions", nobody]).await.code, 3);
    assert_eq!(run("pbt_ops", &["pause", "nowhere", "--reason", "x"]).await.code, 3);
    let missing = run("pbt_reader", &["resume", "powerspace"]).await;
    assert_eq!(missing.code, 4);
    for words in ["`reader` does not have the scope `operate`", "postback token NAME --scope operate"] {
        assert!(missing.err.contains(words), "{}", missing.err);
    }
    let unknown = run("pbt_other", &["stats"]).await;
    assert!(unknown.code == 4 && unknown.err.contains("--token-file"), "{}", unknown.err);
    assert!(!unknown.err.contains("pbt_other"), "a token is not shown");
    let away = Postback::with(&["stats"]).env("POSTBACK_API", "http://127.0.0.1:1").run("").await;
    assert_eq!(away.code, 5);
    for words in ["http://127.0.0.1:1", "postback serve", "POSTBACK_API"] {
        assert!(away.err.contains(words), "{}", away.err);
    }
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_the_hub_does_not_know_is_told_so() {
    let house = House::on(Engine::Embedded).await;
    for arguments in [
        &["stats", "--account", "powerspce"][..],
        &["deliveries", "--account", "powerspce"],
        &["conversions", "--account", "powerspce"],
        &["tail", "--account", "powerspce"],
        &["erase", "--account", "powerspce", "--click-id", "abc", "--yes"],
    ] {
        let ran = timeout(Duration::from_secs(60), run(&house, arguments)).await.expect("it ends");
        assert_eq!((ran.code, ran.out.as_str()), (3, ""), "{arguments:?}: {}", ran.err);
        assert!(ran.err.contains("`powerspce` is not an account of this hub"), "{arguments:?}: {}", ran.err);
    }
    for list in ["clicks", "conversions"] {
        let ran = run(&house, &[list, "--campaign", "autum"]).await;
        assert_eq!((ran.code, ran.out.as_str()), (3, ""), "{list}: {}", ran.err);
        assert!(ran.err.contains("`autum` is not a campaign of this hub"), "{list}: {}", ran.err);
    }
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hub_under_tls_is_believed_by_its_authority_and_shown_a_certificate() {
    let (authority, folder) = (Authority::new(), tempfile::tempdir().unwrap());
    let files = authority.files(folder.path());
    let [certificate, key, clients] =
        [&files.certificate, &files.key, files.clients.as_ref().unwrap()].map(|file| file.display());
    let config = format!(
        "[api.tls]\ncertificate = '{certificate}'\nkey = '{key}'\nclients = '{clients}'\n\
         [access.certificates.\"ops.internal\"]\nscopes = [\"read\"]\n"
    );
    let house = House::with(Engine::Embedded, &config).await;
    let shown = authority.sign("ops.internal");
    let path = |name: &str| folder.path().join(name).display().to_string();
    std::fs::write(path("ops.pem"), shown.certificate).unwrap();
    std::fs::write(path("ops.key"), shown.key).unwrap();
    std::fs::write(path("other.pem"), Authority::new().pem()).unwrap();
    let api = house.api.replace("http://", "https://");
    let (ca, other) = (path("ca.pem"), path("other.pem"));
    let (certificate, key) = (path("ops.pem"), path("ops.key"));
    let stats = ["stats", "--api", &api, "--certificate", &certificate, "--key", &key, "--ca"];
    Postback::with(&[&stats[..], &[&ca]].concat()).run("").await.done();
    let wrong = Postback::with(&[&stats[..], &[&other]].concat()).run("").await;
    assert!(wrong.code == 5 && wrong.err.contains("--ca"), "{}", wrong.err);
    let nobody = Postback::with(&["stats", "--api", &api, "--ca", &ca]).run("").await;
    assert!(nobody.code == 4 && nobody.err.contains("--certificate"), "{}", nobody.err);
    let missing = Postback::with(&[&stats[..], &["/nowhere.pem"]].concat()).run("").await;
    assert!(missing.code == 2 && missing.err.contains("/nowhere.pem"), "{}", missing.err);
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_comes_from_a_file() {
    let reader = format!(
        "[access.tokens.reader]\nscopes = [\"read\"]\nsha256 = [\"{}\"]",
        TokenHash::of("pbt_reader")
    );
    let house = House::with(Engine::Embedded, &reader).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, "pbt_reader\n").unwrap();
    run(&house, &["stats", "--token-file", file.to_str().unwrap()]).await.done();
    house.end().await;
}

#[test]
fn a_token_that_would_leave_this_machine_in_the_clear_is_warned_of() {
    let said = |api: &str| {
        let arguments = ["stats", "--api", api, "--token", "pbt_x", "--timeout", "1s"];
        String::from_utf8(Postback::with(&arguments).output().stderr).unwrap()
    };
    assert!(said("http://[::ffff:127.0.0.1]:1").starts_with("warning: --api is http"));
    assert!(
        !said("http://127.0.0.1:1").contains("warning") && !said("http://localhost:1").contains("warning")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_hubs_api_is_told_with_its_url_and_what_to_compare() {
    let (authority, folder) = (Authority::new(), tempfile::tempdir().unwrap());
    let files = authority.files(folder.path());
    let tls = format!(
        "[api.tls]\ncertificate = '{}'\nkey = '{}'\n",
        files.certificate.display(),
        files.key.display()
    );
    let house = House::with(Engine::Embedded, &tls).await;
    let network = house.networks;
    let others = [house.edge, house.console, network].map(|address| format!("http://{address}"));
    let https = others[0].replace("http://", "https://");
    for api in others.iter().chain([&house.api, &https]) {
        for _ in 0..3 {
            let ran = Postback::with(&["stats", "--api", api]).run("").await;
            let told = ran.err.contains(&format!("no hub at {api}: ")) && ran.err.contains("is --api right");
            assert!(ran.code == 5 && told, "{api}: {} {}", ran.code, ran.err);
        }
    }
    house.end().await;
}

/// A hub that takes connections and answers nothing.
#[test]
fn a_hub_that_does_not_answer_is_given_up_in_time() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let api = format!("http://{}", silent.local_addr().unwrap());
    let output = Postback::with(&["stats", "--api", &api, "--timeout", "100ms"]).output();
    assert_eq!(output.status.code(), Some(5));
    assert!(String::from_utf8_lossy(&output.stderr).contains("--timeout gives it more time"));

    let lead = ["send", "--account", "ps", "--click-id", "abc123xyz789", "--kind", "lead"];
    let output = Postback::with(&[&lead[..], &["--api", &api, "--timeout", "100ms"]].concat()).output();
    let said = String::from_utf8_lossy(&output.stderr);
    let (_, id) = said.trim().rsplit_once("say it again with --request-id ").expect("an id to repeat it by");
    assert_eq!((output.status.code(), id.len()), (Some(5), 36), "{said}");
}

#[test]
fn completions_load_in_bash() {
    let script = Postback::with(&["completions", "bash"]).output().stdout;
    let check = "source /dev/stdin && complete -p postback && COMP_WORDS=(postback deliv) COMP_CWORD=1 \
                 && _postback postback deliv postback && echo \"${COMPREPLY[@]}\"";
    let mut bash = std::process::Command::new("bash")
        .args(["--norc", "-c", check])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("bash runs");
    bash.stdin.take().unwrap().write_all(&script).unwrap();
    let output = bash.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && said.ends_with("deliveries\n"), "{said}");
    for shell in ["zsh", "fish"] {
        assert!(Postback::with(&["completions", shell]).output().status.success(), "{shell}");
    }
}

#[test]
fn every_help_has_an_example_and_the_first_says_the_exit_codes() {
    let help = |arguments: &[&str]| String::from_utf8(Postback::with(arguments).output().stdout).unwrap();
    let whole = help(&["--help"]);
    assert!(whole.contains("Exit codes: 0 done; 1 something failed; 2 wrong usage"), "{whole}");
    let commands = [
        "stats", "conversions", "deliveries", "clicks", "tail", "send", "import", "replay", "resolve",
        "pause", "resume", "erase", "actions", "doctor", "completions",
    ];
    for command in commands {
        let help = help(&[command, "--help"]);
        assert!(help.contains(&format!("  postback {command}")) || help.contains("<(postback"), "{help}");
    }
}

#[test]
fn a_certificate_for_a_hub_in_the_clear_is_a_mistake() {
    let ca = ["stats", "--ca", "x.pem"];
    let output = Postback::with(&ca).output();
    assert_eq!(output.status.code(), Some(2));
    assert!(!Path::new("x.pem").exists());
}
