//! Who may call, as the config names them.

use postback_access::{Rules, Scope, TokenHash};
use postback_core::{Error, Result};
use serde::{Deserialize, de::DeserializeOwned};

use super::{
    Problem,
    de::read,
    tree::{Node, Table},
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TokenSection {
    scopes: Vec<String>,
    sha256: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CertificateSection {
    scopes: Vec<String>,
}

/// The rules of `[access]`; open where the section is not there.
pub(super) fn rules(mut node: Node, problems: &mut Vec<Problem>) -> Option<Rules> {
    let before = problems.len();
    let mut rules = Rules::default();
    let Some(section) = node.table() else {
        problems.push(Problem::at(node.origin, "access", "is not a table such as [access.tokens.billing]"));
        return None;
    };
    let mut kind = |name: &str| section.remove(name).map_or_else(Node::absent, |(_, node)| node);
    let (tokens, certificates) = (kind("tokens"), kind("certificates"));
    for (key, (origin, _)) in std::mem::take(section) {
        let message = format!("`{key}` is no setting here; want tokens or certificates");
        problems.push(Problem::at(origin, "access", message));
    }
    each(tokens, "access.tokens", problems, |name, section: TokenSection| {
        let hashes: Result<Vec<TokenHash>> = section.sha256.iter().map(|hash| hash.parse()).collect();
        rules.token(name, &scopes(&section.scopes)?, &hashes?)
    });
    each(certificates, "access.certificates", problems, |name, section: CertificateSection| {
        rules.certificate(name, &scopes(&section.scopes)?)
    });
    (problems.len() == before).then_some(rules)
}

fn scopes(words: &[String]) -> Result<Vec<Scope>> {
    words.iter().map(|word| word.parse()).collect()
}

/// Reads each entry of a table; what is wrong with it is told at its line.
fn each<S: DeserializeOwned>(
    mut node: Node,
    path: &str,
    problems: &mut Vec<Problem>,
    mut take: impl FnMut(&str, S) -> Result<(), Error>,
) {
    let Some(entries) = node.table() else {
        problems.push(Problem::at(node.origin, path, format!("is not a table such as [{path}.billing]")));
        return;
    };
    for (name, (origin, mut node)) in std::mem::take(entries) {
        let path = format!("{path}.{name}");
        let settings: Table = node.table().cloned().unwrap_or_default();
        let Some(section) = read(node, &path, problems) else { continue };
        if let Err(error) = take(&name, section) {
            let field = error.field().unwrap_or_default();
            let found = settings.get(field).map_or(&origin, |(origin, _)| origin);
            let path = if settings.contains_key(field) { format!("{path}.{field}") } else { path };
            problems.push(Problem::at(found.clone(), &path, error.message()));
        }
    }
}
