//! The config: TOML, overlaid by `POSTBACK_*` variables, checked whole before anything starts.

mod access;
mod accounts;
mod address;
mod de;
mod listen;
mod observed;
mod sections;
#[cfg(test)]
mod tests;
mod tree;

use std::{env, fmt, fs, path::Path};

use postback_access::Rules;
use postback_core::{Accounts, Keyring};
use postback_hub::{Campaign, Registry};

pub(crate) use listen::Listen;
pub(crate) use observed::{Alerts, Log, LogFormat, Traces};
pub(crate) use sections::{Dispatch, Edge, Engine, Store};
use tree::{Node, Origin, Table};

/// The documented example; its settings are what holds where a file says nothing.
pub const EXAMPLE: &str = include_str!("../../../../postback.example.toml");

/// One thing that is wrong with a config.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    origin: Option<Origin>,
    path: String,
    message: String,
}

impl Problem {
    fn at(origin: Origin, path: &str, message: impl Into<String>) -> Self {
        Self { origin: Some(origin), path: path.to_owned(), message: message.into() }
    }

    fn whole(message: impl Into<String>) -> Self {
        Self { origin: None, path: String::new(), message: message.into() }
    }

    /// The same of no file.
    fn without_line(self) -> Self {
        Self { origin: self.origin.filter(|origin| !matches!(origin, Origin::Line(_))), ..self }
    }

    fn place(&self) -> (usize, &str) {
        match &self.origin {
            None => (0, ""),
            Some(Origin::Line(line)) => (*line, ""),
            Some(Origin::Env(name)) => (usize::MAX, name),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(origin) = &self.origin {
            write!(f, "{origin}: ")?;
        }
        match self.path.as_str() {
            "" => f.write_str(&self.message),
            path => write!(f, "{path}: {}", self.message),
        }
    }
}

/// A config that is right.
#[derive(Debug)]
pub struct Config {
    pub(crate) keyring: Keyring,
    pub(crate) store: Store,
    pub(crate) edge: Edge,
    pub(crate) access: Rules,
    pub(crate) api: Listen,
    pub(crate) console: Listen,
    pub(crate) dispatch: Dispatch,
    pub(crate) log: Log,
    pub(crate) traces: Traces,
    pub(crate) alerts: Option<Alerts>,
    pub(crate) accounts: Accounts,
    pub(crate) campaigns: Vec<Campaign>,
}

impl Config {
    /// Reads a file, or the variables alone where there is none. A relative path in the file leads from the file's
    /// folder, one in a variable from the working directory.
    ///
    /// # Errors
    /// Everything that is wrong, in the order of the file.
    pub fn load(file: Option<&Path>) -> Result<Self, Vec<Problem>> {
        let env = tree::variables(env::vars_os())?.into_iter();
        let Some(file) = file else {
            if env.len() == 0 {
                return Err(vec![Problem::whole("no config: want --config FILE or POSTBACK_CONFIG")]);
            }
            return Self::read("", env).map_err(|all| all.into_iter().map(Problem::without_line).collect());
        };
        let text = fs::read_to_string(file)
            .map_err(|error| vec![Problem::whole(format!("`{}` cannot be read: {error}", file.display()))])?;
        Self::read_in(file.parent().unwrap_or(Path::new("")), &text, env)
    }

    /// Reads a text with variables laid over it. Every relative path leads from the working directory.
    ///
    /// # Errors
    /// Everything that is wrong, in the order of the text.
    pub fn read(text: &str, env: impl Iterator<Item = (String, String)>) -> Result<Self, Vec<Problem>> {
        Self::read_in(Path::new(""), text, env)
    }

    fn read_in(
        folder: &Path,
        text: &str,
        env: impl Iterator<Item = (String, String)>,
    ) -> Result<Self, Vec<Problem>> {
        let mut problems = Vec::new();
        let mut root = tree::parse(text, &mut problems);
        tree::overlay(&mut root, env, &mut problems);
        tree::lead_from(folder, &mut root);
        tree::read_files(&mut root, "", &mut problems);
        let config = Self::build(root, folder, &mut problems);
        // What a file was to say is not missing.
        let named: Vec<String> =
            problems.iter().filter_map(|it| it.path.strip_suffix("_file").map(str::to_owned)).collect();
        problems.retain(|it| !(named.contains(&it.path) && it.message.starts_with("is missing")));
        if problems.is_empty()
            && let Some(Err(error)) = config.as_ref().map(Self::registry)
        {
            problems.push(Problem::whole(error.to_string()));
        }
        problems.sort_by(|one, other| one.place().cmp(&other.place()));
        config.filter(|_| problems.is_empty()).ok_or(problems)
    }

    fn build(mut root: Table, folder: &Path, problems: &mut Vec<Problem>) -> Option<Self> {
        let mut section = |name: &str| root.remove(name).map_or_else(Node::absent, |(_, node)| node);
        let keyring = sections::keyring(section("key"), problems);
        let store = sections::store(section("store"), folder, problems);
        let edge = sections::edge(section("edge"), problems);
        let access = access::rules(section("access"), problems);
        let api = listen::listen(section("api"), &listen::API, access.as_ref(), problems);
        let console = listen::listen(section("console"), &listen::CONSOLE, access.as_ref(), problems);
        if let (Some(access), Some(api), Some(console)) = (&access, &api, &console)
            && access.have_certificates()
            && !(api.asks_for_certificates() || console.asks_for_certificates())
        {
            let message = "names certificates, but no listener asks for any; want api.tls.clients or \
                           console.tls.clients, the authority that signed them";
            problems.push(Problem::whole(format!("access.certificates: {message}")));
        }
        let dispatch = sections::dispatch(section("dispatch"), problems);
        let log = observed::log(section("log"), problems);
        let traces = observed::traces(section("traces"), problems);
        let alerts = observed::alerts(section("alerts"), problems);
        let accounts = accounts::accounts(section("accounts"), problems);
        let campaigns = accounts::campaigns(section("campaigns"), &accounts, problems);
        problems.extend(root.into_iter().map(|(key, (origin, _))| {
            let want = "key, store, access, edge, api, console, dispatch, log, traces, alerts, accounts or campaigns";
            Problem::at(origin, "", format!("`{key}` is no section; want {want}"))
        }));
        Some(Self {
            keyring: keyring?,
            store: store?,
            edge: edge?,
            access: access?,
            api: api?,
            console: console?,
            dispatch: dispatch?,
            log: log?,
            traces: traces?,
            alerts: alerts?,
            accounts,
            campaigns,
        })
    }

    /// The accounts and campaigns, for the hub.
    pub(crate) fn registry(&self) -> postback_core::Result<Registry> {
        Registry::new(self.accounts.clone(), self.campaigns.clone())
    }
}
