//! The config as a tree: each value with the line or the environment variable that it came from.

use std::{collections::BTreeMap, ffi::OsString, fmt, fs, path::Path};

use toml::de::{DeTable, DeValue};

use super::Problem;

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A line of the file, from 1.
    Line(usize),
    /// An environment variable.
    Env(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(line) => write!(f, "line {line}"),
            Self::Env(name) => f.write_str(name),
        }
    }
}

/// A value and where it came from.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) origin: Origin,
    pub(crate) value: Value,
}

#[derive(Clone, Debug)]
pub(crate) enum Value {
    Text(String),
    /// Text from a variable or a file, which stands for a value of any type; a list is parted by commas or lines.
    Loose(String),
    Integer(i64),
    Float(f64),
    Boolean(bool),
    Array(Vec<Node>),
    Table(Table),
}

/// Keys with their values, each with the origin of its key.
pub(crate) type Table = BTreeMap<String, (Origin, Node)>;

impl Node {
    /// An empty table that a section which is not there stands for.
    pub(crate) fn absent() -> Self {
        Self { origin: Origin::Line(1), value: Value::Table(Table::new()) }
    }

    pub(crate) fn table(&mut self) -> Option<&mut Table> {
        match &mut self.value {
            Value::Table(table) => Some(table),
            _ => None,
        }
    }

    /// Text of the file is made a path from `folder`.
    fn lead_from(&mut self, folder: &Path) {
        if let Value::Text(path) = &mut self.value {
            *path = folder.join(&*path).display().to_string();
        }
    }
}

/// Where each key of a section came from, for checks after it was read.
pub(super) struct Origins(Origin, Table);

impl Origins {
    pub(super) fn of(node: &mut Node) -> Self {
        Self(node.origin.clone(), node.table().cloned().unwrap_or_default())
    }

    /// Whether the section says anything of a key.
    pub(super) fn has(&self, key: &str) -> bool {
        self.1.contains_key(key)
    }

    pub(super) fn problem(&self, section: &str, key: &str, message: impl Into<String>) -> Problem {
        let first = key.split('.').next().unwrap_or(key);
        let origin = self.1.get(first).map_or(&self.0, |(origin, _)| origin);
        Problem::at(origin.clone(), &format!("{section}.{key}"), message)
    }
}

/// Reads TOML; syntax errors become problems, and what could be read is returned.
pub(crate) fn parse(text: &str, problems: &mut Vec<Problem>) -> Table {
    let lines = Lines::of(text);
    let (table, errors) = DeTable::parse_recoverable(text);
    problems.extend(errors.iter().map(|error| {
        let line = error.span().map_or(1, |span| lines.line(span.start));
        Problem::at(Origin::Line(line), "", error.message())
    }));
    lines.table(table.into_inner(), problems)
}

struct Lines(Vec<usize>);

impl Lines {
    fn of(text: &str) -> Self {
        Self(text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at).collect())
    }

    fn line(&self, at: usize) -> usize {
        self.0.partition_point(|&end| end < at) + 1
    }

    fn table(&self, table: DeTable<'_>, problems: &mut Vec<Problem>) -> Table {
        let mut read = Table::new();
        for (key, value) in table {
            let origin = Origin::Line(self.line(key.span().start));
            let at = Origin::Line(self.line(value.span().start));
            let value = self.value(value.into_inner(), &at, problems);
            read.insert(key.into_inner().into_owned(), (origin, Node { origin: at, value }));
        }
        read
    }

    fn value(&self, value: DeValue<'_>, at: &Origin, problems: &mut Vec<Problem>) -> Value {
        match value {
            DeValue::String(text) => Value::Text(text.into_owned()),
            DeValue::Boolean(boolean) => Value::Boolean(boolean),
            DeValue::Datetime(time) => Value::Text(time.to_string()),
            DeValue::Integer(integer) => match i64::from_str_radix(integer.as_str(), integer.radix()) {
                Ok(integer) => Value::Integer(integer),
                Err(_) => {
                    problems.push(Problem::at(at.clone(), "", "is an integer outside 64 bits"));
                    Value::Integer(0)
                }
            },
            DeValue::Float(float) => Value::Float(float.as_str().parse().unwrap_or(f64::NAN)),
            DeValue::Array(items) => Value::Array(
                items
                    .into_iter()
                    .map(|item| {
                        let origin = Origin::Line(self.line(item.span().start));
                        Node { value: self.value(item.into_inner(), &origin, problems), origin }
                    })
                    .collect(),
            ),
            DeValue::Table(table) => Value::Table(self.table(table, problems)),
        }
    }
}

/// The prefix of every variable that sets a setting; the path follows, its steps parted by `__`.
pub(crate) const PREFIX: &str = "POSTBACK_";
/// Variables of the command line, which are no settings.
const COMMAND_LINE: [&str; 7] = [
    "POSTBACK_CONFIG",
    "POSTBACK_API",
    "POSTBACK_TOKEN",
    "POSTBACK_TOKEN_FILE",
    "POSTBACK_CA",
    "POSTBACK_CERTIFICATE",
    "POSTBACK_CERTIFICATE_KEY",
];

/// Those of the environment that set a setting.
pub(crate) fn variables(
    env: impl Iterator<Item = (OsString, OsString)>,
) -> Result<Vec<(String, String)>, Vec<Problem>> {
    let (mut ours, mut problems) = (Vec::new(), Vec::new());
    for (name, text) in env {
        let name = name.to_string_lossy().into_owned();
        if !name.starts_with(PREFIX) || COMMAND_LINE.contains(&name.as_str()) {
            continue;
        }
        match text.into_string() {
            Ok(text) => ours.push((name, text)),
            Err(_) => problems.push(Problem::at(Origin::Env(name), "", "is not UTF-8")),
        }
    }
    if problems.is_empty() { Ok(ours) } else { Err(problems) }
}

/// Lays environment variables over the file: `POSTBACK_ACCOUNTS__TRAFFICSTARS__KEY` is `accounts.trafficstars.key`.
/// A `-` in a name is written `_`.
pub(crate) fn overlay(
    root: &mut Table,
    env: impl Iterator<Item = (String, String)>,
    problems: &mut Vec<Problem>,
) {
    for (name, text) in env {
        let Some(path) = name.strip_prefix(PREFIX).filter(|_| !COMMAND_LINE.contains(&name.as_str())) else {
            continue;
        };
        let origin = Origin::Env(name.clone());
        let steps: Vec<String> = path.split("__").map(str::to_lowercase).collect();
        if steps.iter().any(String::is_empty) || !put(root, &steps, &origin, text) {
            problems.push(Problem::at(origin, "", "names no setting"));
        }
    }
}

fn put(table: &mut Table, steps: &[String], origin: &Origin, text: String) -> bool {
    let Some((step, rest)) = steps.split_first() else { return false };
    let key = table.keys().find(|key| key.replace('-', "_") == *step).unwrap_or(step).clone();
    if rest.is_empty() {
        table.insert(key, (origin.clone(), Node { origin: origin.clone(), value: Value::Loose(text) }));
        return true;
    }
    let inner = table.entry(key).or_insert_with(|| {
        let value = Value::Table(Table::new());
        (origin.clone(), Node { origin: origin.clone(), value })
    });
    inner.1.table().is_some_and(|inner| put(inner, rest, origin, text))
}

/// Lets the relative paths that the file holds lead from its `folder`: of each `NAME_file`, of certificates and of the
/// store. What a variable says leads from the working directory.
pub(crate) fn lead_from(folder: &Path, root: &mut Table) {
    for (section, (_, node)) in root.iter_mut() {
        let Some(table) = node.table() else { continue };
        let tls = ["edge", "api", "console"].contains(&section.as_str());
        if tls && let Some(files) = table.get_mut("tls").and_then(|(_, tls)| tls.table()) {
            files.values_mut().for_each(|(_, file)| file.lead_from(folder));
        }
        if section == "store"
            && let Some((_, path)) = table.get_mut("path")
        {
            path.lead_from(folder);
        }
    }
    files_lead_from(folder, root);
}

fn files_lead_from(folder: &Path, table: &mut Table) {
    for (name, (_, node)) in table {
        match node.table() {
            Some(inner) => files_lead_from(folder, inner),
            None if name.ends_with("_file") => node.lead_from(folder),
            None => {}
        }
    }
}

/// Replaces each `NAME_file = "PATH"` by `NAME`, read from that file without its last line break.
pub(crate) fn read_files(table: &mut Table, path: &str, problems: &mut Vec<Problem>) {
    // A table is an account, a campaign or a caller whose name ends so.
    let is_file = |name: &str, node: &Node| name.ends_with("_file") && !matches!(node.value, Value::Table(_));
    let files = table.iter().filter(|(name, (_, node))| is_file(name, node));
    for name in files.map(|(name, _)| name.clone()).collect::<Vec<_>>() {
        let Some((origin, node)) = table.remove(&name) else { continue };
        let target = name.trim_end_matches("_file");
        let full = format!("{path}{name}");
        let (Value::Text(file) | Value::Loose(file)) = &node.value else {
            problems.push(Problem::at(origin, &full, "is not the path of a file"));
            continue;
        };
        if table.contains_key(target) {
            problems.push(Problem::at(origin, &full, format!("is set beside {target}; want one of them")));
            continue;
        }
        match fs::read_to_string(file) {
            Ok(text) => {
                let value = Value::Loose(text.trim_end_matches(['\r', '\n']).to_owned());
                table.insert(target.to_owned(), (origin.clone(), Node { origin, value }));
            }
            Err(error) => {
                problems.push(Problem::at(origin, &full, format!("`{file}` cannot be read: {error}")))
            }
        }
    }
    for (key, (_, node)) in table.iter_mut() {
        if let Value::Table(inner) = &mut node.value {
            read_files(inner, &format!("{path}{key}."), problems);
        }
    }
}
