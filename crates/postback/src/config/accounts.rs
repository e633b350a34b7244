//! The accounts and campaigns of the config, and the networks that this binary knows.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    num::{NonZeroU32, NonZeroUsize},
    sync::Arc,
};

use postback_adapters_altercpa::AlterCpa;
use postback_adapters_powerspace::Powerspace;
use postback_adapters_trafficstars::TrafficStars;
use postback_core::{Account, AccountId, AccountTag, Accounts, Adapter, CampaignId};
use postback_hub::{Campaign, LandingTemplate};
use serde::Deserialize;

use super::{
    Problem,
    de::read,
    tree::{Node, Origin, Table, Value},
};

/// The networks by the name under which an account's `network` picks one.
pub(super) const NETWORKS: [(&str, Build); 3] = [
    ("altercpa", |node, path, problems| build(read(node, path, problems)?, AlterCpa::new, path, problems)),
    ("powerspace", |node, path, problems| {
        build(read(node, path, problems)?, |settings| Ok(Powerspace::new(settings)), path, problems)
    }),
    ("trafficstars", |node, path, problems| {
        build(read(node, path, problems)?, TrafficStars::new, path, problems)
    }),
];

pub(super) type Build = fn(Node, &str, &mut Vec<Problem>) -> Option<Arc<dyn Adapter>>;

fn build<S, A: Adapter + 'static>(
    settings: S,
    new: fn(S) -> postback_core::Result<A>,
    path: &str,
    problems: &mut Vec<Problem>,
) -> Option<Arc<dyn Adapter>> {
    match new(settings) {
        Ok(adapter) => Some(Arc::new(adapter)),
        Err(error) => {
            let path = error.field().map_or_else(|| path.to_owned(), |field| format!("{path}.{field}"));
            problems.push(Problem { origin: None, path, message: error.message().to_owned() });
            None
        }
    }
}

/// The most calls of an account that may be under way at once.
const MOST_AT_ONCE: usize = 10_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Common {
    network: String,
    #[serde(default = "sixteen")]
    concurrency: NonZeroUsize,
    per_second: Option<NonZeroU32>,
}

fn sixteen() -> NonZeroUsize {
    NonZeroUsize::MIN.saturating_add(15)
}

pub(super) const COMMON: [&str; 3] = ["network", "concurrency", "per_second"];

fn entries(node: Node, section: &str, problems: &mut Vec<Problem>) -> Table {
    match node.value {
        Value::Table(table) => table,
        _ => {
            problems.push(Problem::at(
                node.origin,
                section,
                format!("is not a table such as [{section}.name]"),
            ));
            Table::new()
        }
    }
}

fn name<T: std::str::FromStr<Err = postback_core::Error>>(
    key: &str,
    origin: &Origin,
    path: &str,
    problems: &mut Vec<Problem>,
) -> Option<T> {
    key.parse()
        .map_err(|error: T::Err| problems.push(Problem::at(origin.clone(), path, error.message())))
        .ok()
}

pub(super) fn accounts(node: Node, problems: &mut Vec<Problem>) -> Accounts {
    let mut accounts = Accounts::new();
    for (key, (origin, node)) in entries(node, "accounts", problems) {
        let path = format!("accounts.{key}");
        let Some(account) = account(&key, &origin, node, &path, problems) else { continue };
        if let Some(twin) = twin_of(&account.id, &accounts) {
            let message = format!("cannot be told from `{twin}` in a click token; want another name");
            problems.push(Problem::at(origin, &path, message));
            continue;
        }
        accounts.insert(account.id.clone(), account);
    }
    accounts
}

/// The account that tokens could not tell from this one.
fn twin_of<'a>(account: &AccountId, accounts: &'a Accounts) -> Option<&'a AccountId> {
    accounts.keys().find(|other| AccountTag::of(other) == AccountTag::of(account))
}

fn account(
    key: &str,
    origin: &Origin,
    mut node: Node,
    path: &str,
    problems: &mut Vec<Problem>,
) -> Option<Account> {
    let before = problems.len();
    let id: Option<AccountId> = name(key, origin, path, problems);
    let Some(table) = node.table() else {
        problems.push(Problem::at(origin.clone(), path, "is not a table"));
        return None;
    };
    let origins = table.clone();
    let settings = hash(Node { origin: origin.clone(), value: Value::Table(origins.clone()) });
    let common: Table = COMMON.iter().filter_map(|key| table.remove_entry(*key)).collect();
    let common: Option<Common> =
        read(Node { origin: origin.clone(), value: Value::Table(common.clone()) }, path, problems);
    let common = common?;
    if common.concurrency.get() > MOST_AT_ONCE {
        let at = origins.get("concurrency").map_or(origin, |(origin, _)| origin);
        let message = format!("`{}` is not 1 to {MOST_AT_ONCE}", common.concurrency);
        problems.push(Problem::at(at.clone(), &format!("{path}.concurrency"), message));
    }
    let Some((_, adapter)) = NETWORKS.iter().find(|(network, _)| *network == common.network) else {
        let known = NETWORKS.map(|(network, _)| network).join(", ");
        let message = format!("`{}` is no network; want one of {known}", common.network);
        problems.push(Problem::at(origin.clone(), &format!("{path}.network"), message));
        return None;
    };
    let adapter = adapter(node, path, problems);
    for problem in &mut problems[before..] {
        let setting = problem.path.strip_prefix(path).unwrap_or_default().trim_start_matches('.');
        let found = origins.get(setting).map_or(origin, |(origin, _)| origin);
        problem.origin.get_or_insert_with(|| found.clone());
    }
    Some(Account {
        id: id?,
        adapter: adapter?,
        concurrency: common.concurrency,
        per_second: common.per_second,
        settings,
    })
}

/// A hash of what an account's table says, wherever each setting came from.
fn hash(node: Node) -> u64 {
    let said = serde_json::Value::deserialize(node).unwrap_or_default();
    let mut hasher = DefaultHasher::new();
    said.to_string().hash(&mut hasher);
    hasher.finish()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CampaignSection {
    account: String,
    landing: String,
    parameter: Option<String>,
    #[serde(default)]
    find_by_ip: bool,
}

pub(super) fn campaigns(node: Node, accounts: &Accounts, problems: &mut Vec<Problem>) -> Vec<Campaign> {
    let mut campaigns = Vec::new();
    for (key, (origin, mut node)) in entries(node, "campaigns", problems) {
        let path = format!("campaigns.{key}");
        let origins = node.table().cloned().unwrap_or_default();
        let at =
            |field: &str| origins.get(field).map_or_else(|| origin.clone(), |(origin, _)| origin.clone());
        let id: Option<CampaignId> = name(&key, &origin, &path, problems);
        let Some(section) = read::<CampaignSection>(node, &path, problems) else { continue };
        let mut wrong = |field: &str, message: &str| {
            problems.push(Problem::at(at(field), &format!("{path}.{field}"), message))
        };
        let account = section.account.parse().ok().filter(|account| accounts.contains_key(account));
        if account.is_none() {
            wrong(
                "account",
                &format!("`{}` is not an account of this config, or one that is wrong", section.account),
            );
        }
        if section.parameter.as_deref().is_some_and(|name| name.is_empty() || name.len() > 64) {
            wrong("parameter", "is not 1 to 64 characters");
        }
        let landing = LandingTemplate::parse(&section.landing);
        let landing = landing.map_err(|error| wrong("landing", error.message())).ok();
        if let (Some(id), Some(account), Some(landing)) = (id, account, landing) {
            let (parameter, find_by_ip) = (section.parameter, section.find_by_ip);
            campaigns.push(Campaign { id, account, landing, parameter, find_by_ip });
        }
    }
    campaigns
}
