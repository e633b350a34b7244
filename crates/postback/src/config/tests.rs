//! What the config makes of paths.

use std::{fs, iter::empty, path::PathBuf};

use postback_core::Key;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use tempfile::TempDir;

use super::{Config, Problem};

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
