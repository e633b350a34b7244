//! The files that hold secrets: who else can read them.

use std::{
    env, fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use toml::{Table, Value};
use url::Url;

use super::Check;

/// Settings that are secrets, and those that name a private key's file.
const SECRETS: [&str; 5] = ["current", "older", "key", "token", "secret"];
/// Settings that are URLs, in which a secret may stand.
const URLS: [&str; 2] = ["redis", "webhook"];
/// What gives everybody on a machine a file's content.
const OTHERS: u32 = 0o004;

/// The config itself where it holds a secret, and every file of secrets that it or a variable names.
pub(super) fn checks(config: Option<&Path>) -> Vec<Check> {
    let mut files = config.map(named).unwrap_or_default();
    let variables = env::vars_os().map(|(name, file)| (name.to_string_lossy().into_owned(), file));
    let secret = |name: &str| name.ends_with("_FILE") || name.ends_with("__TLS__KEY");
    let variables = variables
        .filter(|(name, _)| name.starts_with("POSTBACK_") && secret(name) && name != "POSTBACK_TOKEN_FILE");
    files.extend(variables.map(|(name, file)| (name, PathBuf::from(file))));
    files.iter().filter_map(|(what, file)| check(what, file)).collect()
}

/// The files of secrets that a config names, and itself where it holds a secret.
fn named(config: &Path) -> Vec<(String, PathBuf)> {
    let Some(table) = fs::read_to_string(config).ok().and_then(|text| text.parse::<Table>().ok()) else {
        return Vec::new();
    };
    let (mut files, mut inside) = (Vec::new(), false);
    walk("", &table, &mut files, &mut inside);
    let folder = config.parent().unwrap_or(Path::new(""));
    files.iter_mut().for_each(|(_, file)| *file = folder.join(&*file));
    if inside {
        files.push(("config".to_owned(), config.to_owned()));
    }
    files
}

/// Collects the files that a table names, and whether a secret stands in it.
fn walk(path: &str, table: &Table, files: &mut Vec<(String, PathBuf)>, inside: &mut bool) {
    for (name, value) in table {
        let full = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        let tls = path.ends_with("tls");
        match value {
            Value::Table(inner) => walk(&full, inner, files, inside),
            Value::String(file) if name.ends_with("_file") || (tls && name == "key") => {
                files.push((full, PathBuf::from(file)));
            }
            Value::String(_) | Value::Array(_) if SECRETS.contains(&name.as_str()) && !tls => *inside = true,
            Value::String(_) | Value::Array(_) if URLS.contains(&name.as_str()) => {
                let one = std::slice::from_ref(value);
                *inside |= value.as_array().map_or(one, Vec::as_slice).iter().any(tells);
            }
            _ => {}
        }
    }
}

/// Whether a URL holds more than an address: a user, a password, or a path or query by which one is let in.
fn tells(url: &Value) -> bool {
    let Some(url) = url.as_str().and_then(|url| Url::parse(url).ok()) else { return true };
    let path = url.path().trim_start_matches('/');
    let database = url.scheme() == "redis" && path.bytes().all(|byte| byte.is_ascii_digit());
    let named = !url.username().is_empty() || url.password().is_some();
    named || url.query().is_some() || !(path.is_empty() || database || url.host().is_none())
}

/// What others may do with a file; nothing where it is not there, which the config's own check says.
fn check(what: &str, file: &Path) -> Option<Check> {
    let mode = fs::metadata(file).ok()?.permissions().mode();
    let found = format!("{} ({:03o})", file.display(), mode & 0o777);
    Some(if mode & OTHERS == 0 {
        Check::ok(what, found)
    } else {
        let to_do = format!("everybody on this machine can read it: chmod 600 {}", file.display());
        Check::warning(what, found, to_do)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_beside_the_config_is_found_from_anywhere() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("postback.toml"), "key.current_file = \"postback.key\"").unwrap();
        fs::write(at("postback.key"), "").unwrap();
        fs::set_permissions(at("postback.key"), fs::Permissions::from_mode(0o644)).unwrap();
        let told: Vec<String> =
            checks(Some(&at("postback.toml"))).iter().map(|check| format!("{check:?}")).collect();
        assert!(told[0].contains("key.current_file") && told[0].contains("chmod 600"), "{told:?}");
    }

    #[test]
    fn a_config_is_one_of_secrets_where_a_secret_stands_in_it() {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("postback.toml");
        for (settings, secret) in [
            ("alerts.secret = \"sixteen bytes or more\"", true),
            ("alerts.webhook = \"https://a.example/hook?key=hidden\"", true),
            ("alerts.webhook = \"https://me:hidden@a.example/hook\"", true),
            ("alerts.webhook = \"https://a.example/services/T0/B0/hidden\"", true),
            ("alerts.webhook = \"http://127.0.0.1:9093/\"", false),
            ("store.redis = [\"redis://127.0.0.1:16399\"]", false),
            ("store.redis = \"redis://127.0.0.1:16399/2\"", false),
            ("store.redis = [\"redis://a\", \"redis://:hidden@b\"]", true),
            ("store.redis = \"redis+unix:///run/redis.sock?pass=hidden\"", true),
            ("accounts.ts.key = \"hidden\"", true),
            ("key.older = [\"1:hidden\"]", true),
        ] {
            fs::write(&config, settings).unwrap();
            fs::set_permissions(&config, fs::Permissions::from_mode(0o644)).unwrap();
            let warned = checks(Some(&config)).iter().any(|it| it.verdict == super::super::Verdict::Warning);
            assert_eq!(warned, secret, "{settings}");
        }
    }
}
