//! What the config makes of paths, and that the example leaves no setting out.

use std::{fs, iter::empty, path::PathBuf, slice};

use postback_core::Key;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use tempfile::TempDir;
use toml::{Table, Value};

use super::{
    Config, EXAMPLE, Problem,
    accounts::{COMMON, NETWORKS},
};

/// A folder with a key, and with a certificate and its key.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(["hub.internal".to_owned()]).unwrap();
    let key = Key::new(1, [7; 32]).reveal();
    let files = [("postback.key", key), ("edge.pem", cert.pem()), ("edge.key", signing_key.serialize_pem())];
    for (name, text) in files {
        fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

fn said(problems: Vec<Problem>) -> Vec<String> {
    problems.iter().map(ToString::to_string).collect()
}

#[test]
fn relative_paths_of_a_file_lead_from_its_folder() {
    let folder = folder();
    let file = folder.path().join("postback.toml");
    for (store, path) in
        [("", "data"), ("store.path = \"kept\"", "kept"), ("store.path = \"/kept\"", "/kept")]
    {
        let text = format!(
            "{store}\nkey.current_file = \"postback.key\"\n\
             edge.tls = {{ certificate = \"edge.pem\", key = \"edge.key\" }}"
        );
        fs::write(&file, text).unwrap();
        let config = Config::load(Some(&file)).map_err(said).expect("all files are found");
        assert_eq!(config.store.path, folder.path().join(path));
    }
}

#[test]
fn a_file_that_is_not_there_is_told_with_the_folder_in_which_it_was_looked_for() {
    let folder = folder();
    let problems = Config::read_in(folder.path(), "key.current_file = \"other.key\"", empty()).unwrap_err();
    let path = folder.path().join("other.key");
    assert!(said(problems)[0].contains(&format!("`{}` cannot be read", path.display())));
}

#[test]
fn relative_paths_of_variables_lead_from_the_working_directory() {
    let folder = folder();
    let env = [("POSTBACK_STORE__PATH", "kept"), ("POSTBACK_EDGE__TLS__KEY", "edge.key")];
    let env = env.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let text = "key.current_file = \"postback.key\"";
    let config = Config::read_in(folder.path(), text, env[..1].iter().cloned()).map_err(said).expect("right");
    assert_eq!(config.store.path, PathBuf::from("kept"));
    let text = format!("{text}\n[edge.tls]\ncertificate = \"edge.pem\"");
    let problems = Config::read_in(folder.path(), &text, env.into_iter()).unwrap_err();
    assert!(said(problems)[0].contains("edge.tls.key: `edge.key`"));
}

/// The example with every setting that it shows as a comment.
fn uncommented(text: &str) -> Table {
    let shows = |line: &&str| {
        let setting = line.split_once(" = ").is_some_and(|(name, _)| !name.contains(' '));
        setting || line.starts_with('[')
    };
    let line = |line| str::strip_prefix(line, "# ").filter(shows).unwrap_or(line);
    text.lines().map(line).collect::<Vec<_>>().join("\n").parse().expect("TOML")
}

/// The settings that a table of the config knows: it says so of one that nobody has.
fn known(config: &Table, table: &[String]) -> Vec<String> {
    let mut config = config.clone();
    let inner = table.iter().fold(&mut config, |outer, step| outer[step].as_table_mut().unwrap());
    inner.insert("nobodys".to_owned(), Value::Boolean(true));
    let problems = said(Config::read(&config.to_string(), empty()).unwrap_err());
    let begin = format!("{}.nobodys: `nobodys` is no setting here; want one of ", table.join("."));
    let listed = problems.iter().find_map(|problem| Some(problem.split_once(&begin)?.1));
    listed.map_or(Vec::new(), |listed| listed.split(", ").map(str::to_owned).collect())
}

/// The settings that the tables of a config know and do not show, those from a file aside.
fn left_out(config: &Table, path: &[String], left: &mut Vec<String>) {
    let shown = path.iter().fold(config, |outer, step| outer[step].as_table().unwrap());
    let known = known(config, path).into_iter();
    let missing =
        known.filter(|name| !shown.contains_key(name) && !shown.contains_key(&format!("{name}_file")));
    left.extend(missing.map(|name| format!("{}.{name}", path.join("."))));
    for name in shown.iter().filter(|(_, value)| value.is_table()).map(|(name, _)| name) {
        left_out(config, &[path, slice::from_ref(name)].concat(), left);
    }
}

#[test]
fn the_example_shows_every_setting_of_every_section_and_of_every_network() {
    let example = uncommented(EXAMPLE);
    let accounts: Vec<&Table> =
        example["accounts"].as_table().unwrap().values().map(|account| account.as_table().unwrap()).collect();
    for (network, _) in NETWORKS {
        assert!(accounts.iter().any(|account| account["network"].as_str() == Some(network)), "{network}");
    }
    for setting in COMMON {
        assert!(accounts.iter().any(|account| account.contains_key(setting)), "{setting}");
    }
    let mut left = Vec::new();
    left_out(&example, &[], &mut left);
    // Visitors have no certificates.
    assert_eq!(left, ["edge.tls.clients"]);
}

#[test]
fn the_examples_accounts_are_right_without_their_comment_signs() {
    let (before, rest) = EXAMPLE.split_once("# One table per account").unwrap();
    let (accounts, campaigns) = rest.split_once("# One table per campaign").unwrap();
    let text = format!("{before}\n{}\n#{campaigns}", uncommented(&format!("#{accounts}")));
    let folder = folder();
    for name in ["trafficstars.key", "altercpa.token"] {
        fs::write(folder.path().join(name), "123-abcde\n").unwrap();
    }
    let config = Config::read_in(folder.path(), &text, empty()).map_err(said).expect("right");
    assert_eq!(config.accounts.len(), NETWORKS.len());
}

#[test]
fn an_account_is_another_only_where_the_config_says_another_thing_of_it() {
    let settings = |text: &str, value: &str| {
        let env = [("POSTBACK_ACCOUNTS__TS__KEY".to_owned(), value.to_owned())];
        let text = format!("key.current = \"{}\"\n{text}", Key::new(1, [7; 32]).reveal());
        let config = Config::read(&text, env.into_iter()).map_err(said).expect("right");
        config.accounts.values().map(|account| account.settings).collect::<Vec<_>>()
    };
    let text = "[accounts.ts]\nnetwork = \"trafficstars\"\ncurrency = \"EUR\"\n";
    let before = settings(text, "one");
    assert_eq!(settings(&format!("# A comment.\n{text}# Another.\n"), "one"), before);
    assert_ne!(settings(text, "two"), before);
    assert_ne!(settings(&text.replace("EUR", "USD"), "one"), before);
}

#[test]
fn a_name_that_ends_like_a_files_setting_is_a_name() {
    let text = format!(
        "key.current = \"{}\"\n\
         [access.tokens.x_file]\nscopes = [\"read\"]\nsha256 = [\"{}\"]\n\
         [accounts.a_file]\nnetwork = \"powerspace\"\n\
         [campaigns.download_file]\naccount = \"a_file\"\nlanding = \"https://shop.example/\"",
        Key::new(1, [7; 32]).reveal(),
        "0".repeat(64)
    );
    let config = Config::read(&text, empty()).map_err(said).expect("right");
    assert_eq!((config.accounts.len(), config.campaigns.len()), (1, 1));
}
