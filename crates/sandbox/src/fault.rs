//! A fault: how a network misbehaves, for which calls, and how often.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{Network, SandboxError, fault_form::FaultForm};

/// Misbehaviour on demand. Where several fit a call, the one that was injected first is met.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "FaultForm", into = "FaultForm")]
pub struct Fault {
    pub(crate) network: Network,
    pub(crate) kind: FaultKind,
    pub(crate) rate: f64,
    pub(crate) times: Option<u32>,
    pub(crate) path: Option<String>,
}

/// What happens to the call. Each kind says whether the call still reaches the books.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// Answers this status with a short text. Not counted.
    Status {
        /// 400 to 599.
        code: u16,
        /// `Retry-After` in seconds.
        retry_after: Option<u32>,
    },
    /// Counts the call at once and answers it late. At most ten minutes.
    Delay(Duration),
    /// Resets the connection. Not counted.
    DropBefore,
    /// Counts the call, then resets the connection without an answer.
    DropAfter,
    /// Counts the call, then answers 200 with bytes that are neither JSON nor UTF-8.
    Garbage,
    /// Counts the call, then sends its answer's body byte by byte at this pace. At most a minute a byte.
    SlowBody(Duration),
    /// Counts the call, then answers 200 with a body that never ends.
    EndlessBody,
    /// Answers 302 to this location, where a 200 waits for those who follow. Not counted.
    Redirect(String),
    /// Answers 200 with this body, as JSON where it looks like it. Not counted.
    Answer(String),
}

impl FaultKind {
    /// The name in the control API.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Status { .. } => "status",
            Self::Delay(_) => "delay",
            Self::DropBefore => "drop_before",
            Self::DropAfter => "drop_after",
            Self::Garbage => "garbage",
            Self::SlowBody(_) => "slow_body",
            Self::EndlessBody => "endless_body",
            Self::Redirect(_) => "redirect",
            Self::Answer(_) => "answer",
        }
    }

    /// Whether a call that meets this fault still reaches the books.
    pub const fn lets_count(&self) -> bool {
        match self {
            Self::Status { .. } | Self::DropBefore | Self::Redirect(_) | Self::Answer(_) => false,
            Self::Delay(_) | Self::DropAfter | Self::Garbage | Self::SlowBody(_) | Self::EndlessBody => true,
        }
    }
}

impl Fault {
    /// A fault that every call of `network` meets until it is cleared.
    ///
    /// # Errors
    /// A status outside 400 to 599, a time past its bound, a location that no header can carry.
    pub fn new(network: Network, kind: FaultKind) -> Result<Self, SandboxError> {
        check(&kind)?;
        Ok(Self { network, kind, rate: 1.0, times: None, path: None })
    }

    /// Only this share of the calls, drawn from the seed: 0 for none, 1 for all.
    ///
    /// # Errors
    /// A rate that is not from 0 to 1.
    pub fn rate(mut self, rate: f64) -> Result<Self, SandboxError> {
        if !(0.0..=1.0).contains(&rate) {
            return Err(SandboxError::invalid("rate", format!("is {rate}; want 0 to 1")));
        }
        self.rate = rate;
        Ok(self)
    }

    /// Only so many calls; the fault is gone after the last.
    ///
    /// # Errors
    /// Zero.
    pub fn times(mut self, times: u32) -> Result<Self, SandboxError> {
        if times == 0 {
            return Err(SandboxError::invalid("times", "is 0; want at least 1"));
        }
        self.times = Some(times);
        Ok(self)
    }

    /// Only calls whose path begins so.
    ///
    /// # Errors
    /// A path that is not the network's.
    pub fn path(mut self, path: impl Into<String>) -> Result<Self, SandboxError> {
        let path = path.into();
        if Network::of_path(&path) != Some(self.network) {
            let message = format!("`{path}` is no path of {}", self.network);
            return Err(SandboxError::invalid("path", message));
        }
        self.path = Some(path);
        Ok(self)
    }

    /// Whether a call of `network` at `path` may meet it.
    pub(crate) fn fits(&self, network: Network, path: &str) -> bool {
        self.network == network && self.path.as_ref().is_none_or(|start| path.starts_with(start))
    }
}

const LONGEST_DELAY: Duration = Duration::from_secs(600);
const SLOWEST_PACE: Duration = Duration::from_secs(60);

fn check(kind: &FaultKind) -> Result<(), SandboxError> {
    match kind {
        FaultKind::Status { code, .. } if !(400..=599).contains(code) => {
            Err(SandboxError::invalid("code", format!("is {code}; want 400 to 599")))
        }
        FaultKind::Delay(time) if *time > LONGEST_DELAY => {
            Err(SandboxError::invalid("ms", "want at most 600000, ten minutes"))
        }
        FaultKind::SlowBody(pace) if pace.is_zero() || *pace > SLOWEST_PACE => {
            Err(SandboxError::invalid("ms", "want 1 to 60000, a minute a byte"))
        }
        FaultKind::Redirect(location) if http::HeaderValue::from_str(location).is_err() => {
            Err(SandboxError::invalid("location", "has a character that no header can carry"))
        }
        _ => Ok(()),
    }
}
