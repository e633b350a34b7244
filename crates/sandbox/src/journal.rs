//! The journal: every call in the order in which it took effect, within a bound of entries and of bytes.

use std::{
    collections::{BTreeMap, VecDeque},
    fmt,
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Meant, Network, call::Call};

/// The most bytes of text that the journal holds, whatever the number of its entries.
const MOST_BYTES: usize = 64 * 1024 * 1024;
/// The most entries of one page.
const MOST_ON_A_PAGE: usize = 1000;

/// One call. JSON shows it whole, keys and tokens included, as a network's own log would; Debug shows no values.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// Its number; the first call has 1.
    pub seq: u64,
    /// When it took effect, by the sandbox's clock.
    pub time: Timestamp,
    /// The network that was called.
    pub network: Network,
    /// The HTTP method.
    pub method: String,
    /// The path as it was sent, percent-encoded.
    pub path: String,
    /// The query, decoded, in order.
    pub query: Vec<(String, String)>,
    /// The form in the body, decoded, in order.
    pub form: Vec<(String, String)>,
    /// `host`, `user-agent`, `content-type`, `content-length` and `x-forwarded-proto`, where sent.
    pub headers: BTreeMap<String, String>,
    /// What was answered; nothing where a fault cut the connection.
    pub answer: Option<Answer>,
    /// What the call meant.
    pub meant: Meant,
    /// The fault that it met.
    pub fault: Option<FaultSeen>,
    /// What the network let pass, and a reviewer should not.
    pub remarks: Vec<String>,
}

/// An answer as it was sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The body; empty for an endless one.
    pub body: String,
}

/// A fault that a call met.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct FaultSeen {
    /// Its kind, such as `drop_after`.
    pub kind: &'static str,
    /// Whether the call reached the books all the same.
    pub counted: bool,
}

/// Which entries to read.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JournalQuery {
    /// Of this network alone.
    pub network: Option<Network>,
    /// After this number.
    #[serde(default)]
    pub since: u64,
    /// At most so many: 1 to 1000, 100 where not given.
    pub limit: Option<usize>,
}

/// A part of the journal.
#[derive(Clone, Debug, Serialize)]
pub struct JournalPage {
    /// The entries, oldest first.
    pub entries: Vec<Entry>,
    /// The `since` of the next page.
    pub next: u64,
    /// Whether there is more after `next`.
    pub more: bool,
    /// How many entries were dropped for want of room since the sandbox began.
    pub forgotten: u64,
}

pub(crate) struct Journal {
    entries: VecDeque<Entry>,
    most: usize,
    bytes: usize,
    last: u64,
    forgotten: u64,
}

impl Journal {
    pub(crate) fn new(most: usize) -> Self {
        Self { entries: VecDeque::new(), most, bytes: 0, last: 0, forgotten: 0 }
    }

    /// Writes a call down and returns its number.
    pub(crate) fn write(&mut self, call: Call, time: Timestamp, seen: Seen) -> u64 {
        self.last += 1;
        let entry = Entry {
            seq: self.last,
            time,
            network: call.network,
            method: call.method.to_string(),
            path: call.path,
            query: call.query,
            form: call.form,
            headers: call.headers,
            answer: seen.answer,
            meant: seen.meant,
            fault: seen.fault,
            remarks: seen.remarks,
        };
        self.bytes += weight(&entry);
        self.entries.push_back(entry);
        while self.entries.len() > self.most || self.bytes > MOST_BYTES {
            let Some(oldest) = self.entries.pop_front() else { break };
            self.bytes -= weight(&oldest);
            self.forgotten += 1;
        }
        self.last
    }

    pub(crate) fn page(&self, query: &JournalQuery) -> JournalPage {
        let limit = query.limit.unwrap_or(100).clamp(1, MOST_ON_A_PAGE);
        let mut wanted = self.matching(query.network, query.since);
        let entries: Vec<_> = wanted.by_ref().take(limit).cloned().collect();
        let more = wanted.next().is_some();
        let end = query.since.max(self.last);
        let next = if more { entries.last().map_or(end, |entry| entry.seq) } else { end };
        JournalPage { entries, next, more, forgotten: self.forgotten }
    }

    pub(crate) fn all(&self, network: Network) -> Vec<Entry> {
        self.matching(Some(network), 0).cloned().collect()
    }

    pub(crate) fn clear(&mut self) {
        self.entries.clear();
        self.bytes = 0;
    }

    fn matching(&self, network: Option<Network>, since: u64) -> impl Iterator<Item = &Entry> {
        let start = self.entries.partition_point(|entry| entry.seq <= since);
        self.entries.range(start..).filter(move |entry| network.is_none_or(|wanted| entry.network == wanted))
    }
}

/// What became of a call, for its entry.
pub(crate) struct Seen {
    pub(crate) answer: Option<Answer>,
    pub(crate) meant: Meant,
    pub(crate) fault: Option<FaultSeen>,
    pub(crate) remarks: Vec<String>,
}

fn weight(entry: &Entry) -> usize {
    let pairs = entry.query.iter().chain(&entry.form);
    let pairs: usize = pairs.map(|(name, value)| name.len() + value.len() + 48).sum();
    let headers: usize = entry.headers.iter().map(|(name, value)| name.len() + value.len() + 48).sum();
    let remarks: usize = entry.remarks.iter().map(|remark| remark.len() + 24).sum();
    let body = entry.answer.as_ref().map_or(0, |answer| answer.body.len());
    size_of::<Entry>() + entry.path.len() + pairs + headers + remarks + body
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names =
            |pairs: &[(String, String)]| pairs.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
        f.debug_struct("Entry")
            .field("seq", &self.seq)
            .field("network", &self.network)
            .field("method", &self.method)
            .field("path", &self.path)
            .field("query", &names(&self.query))
            .field("form", &names(&self.form))
            .field("answer", &self.answer.as_ref().map(|answer| answer.status))
            .field("meant", &self.meant)
            .field("fault", &self.fault)
            .field("remarks", &self.remarks)
            .finish_non_exhaustive()
    }
}
