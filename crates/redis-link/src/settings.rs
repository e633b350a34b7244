//! Which Redis it is, how long it may take, and who must have a write.

use std::{fmt, time::Duration};

use postback_core::{Error, Result};
use redis::{ConnectionInfo, IntoConnectionInfo, io::tcp::TcpSettings};

use crate::Link;

/// How the servers stand together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Topology {
    /// One server; its URL.
    #[default]
    Single,
    /// A Redis Cluster; the URLs of some of its nodes, which name the rest.
    Cluster,
    /// One master that Sentinel chooses; the URLs of the sentinels, with the user, password and database of the
    /// master.
    Sentinel {
        /// The name under which the sentinels watch the master.
        master: String,
    },
}

/// A Redis to keep things in. Its `Debug` shows no password.
#[derive(Clone)]
pub struct RedisSettings {
    /// `redis://[user:password@]host:port[/database]`, as the topology wants them.
    pub urls: Vec<String>,
    /// How the servers stand together.
    pub topology: Topology,
    /// What every key begins with: at most 32 ASCII letters, digits, `-`, `_`, `.` and `:`.
    pub prefix: String,
    /// How many replicas must have a write before it is acknowledged, where the store promises so; 0 asks none.
    pub wait_replicas: usize,
    /// How long one step may take, waiting for a connection and for replicas included; past it the store is
    /// `Unavailable`.
    pub timeout: Duration,
}

impl Default for RedisSettings {
    fn default() -> Self {
        Self {
            urls: vec!["redis://127.0.0.1:6379".into()],
            topology: Topology::Single,
            prefix: "pb:".into(),
            wait_replicas: 0,
            timeout: Duration::from_millis(500),
        }
    }
}

impl fmt::Debug for RedisSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hosts: Vec<_> = self.urls.iter().map(|url| url.rsplit('@').next()).collect();
        f.debug_struct("RedisSettings")
            .field("urls", &hosts)
            .field("topology", &self.topology)
            .field("prefix", &self.prefix)
            .field("wait_replicas", &self.wait_replicas)
            .field("timeout", &self.timeout)
            .finish()
    }
}

impl RedisSettings {
    /// Whether a link can be made of them; nothing is connected.
    ///
    /// # Errors
    /// As [`Link::new`].
    pub fn check(&self) -> Result<()> {
        Link::new(self).map(drop)
    }

    /// The servers of the URLs, with the socket options that suit short commands.
    ///
    /// # Errors
    /// `InvalidArgument` at `urls` or `prefix`; it never shows a URL, for it may hold a password.
    pub(crate) fn servers(&self) -> Result<Vec<ConnectionInfo>> {
        let allowed = |c: u8| c.is_ascii_alphanumeric() || b"-_.:".contains(&c);
        if self.prefix.len() > 32 || !self.prefix.bytes().all(allowed) {
            let message =
                format!("`{}` is not valid; want at most 32 letters, digits, -, _, . and :", self.prefix);
            return Err(Error::invalid("prefix", message));
        }
        if self.urls.is_empty() || (self.topology == Topology::Single && self.urls.len() > 1) {
            let want = if self.topology == Topology::Single { "exactly one" } else { "at least one" };
            return Err(Error::invalid("urls", format!("holds {}; want {want}", self.urls.len())));
        }
        let server = |(index, url): (usize, &String)| {
            let info = url.as_str().into_connection_info().map_err(|_| {
                Error::invalid(
                    "urls",
                    format!("number {} is not a Redis URL; want redis://host:port", index + 1),
                )
            })?;
            Ok(info.set_tcp_settings(self.socket()))
        };
        self.urls.iter().enumerate().map(server).collect()
    }

    /// No waiting for company before a command is sent, and no waiting for a host that is gone without a word.
    pub(crate) fn socket(&self) -> TcpSettings {
        let settings = TcpSettings::default().set_nodelay(true);
        #[cfg(target_os = "linux")]
        let settings = settings.set_user_timeout(self.timeout * 4);
        settings
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(settings: &RedisSettings) -> String {
        settings.servers().unwrap_err().to_string()
    }

    #[test]
    fn wrong_settings_are_refused_by_name_without_showing_a_password() {
        let wrong = |urls: &[&str], topology| RedisSettings {
            urls: urls.iter().map(|url| (*url).to_owned()).collect(),
            topology,
            ..RedisSettings::default()
        };
        for (settings, expected) in [
            (wrong(&[], Topology::Single), "urls: holds 0; want exactly one"),
            (wrong(&[], Topology::Cluster), "urls: holds 0; want at least one"),
            (wrong(&["redis://a", "redis://b"], Topology::Single), "urls: holds 2; want exactly one"),
            (
                wrong(&["http://me:hunter2@here"], Topology::Single),
                "urls: number 1 is not a Redis URL; want redis://host:port",
            ),
            (
                RedisSettings { prefix: "{pb}".into(), ..RedisSettings::default() },
                "prefix: `{pb}` is not valid; want at most 32 letters, digits, -, _, . and :",
            ),
        ] {
            assert_eq!(refusal(&settings), expected);
        }
    }

    #[test]
    fn debug_shows_hosts_and_no_password() {
        let settings =
            RedisSettings { urls: vec!["redis://me:hunter2@here:6379/1".into()], ..RedisSettings::default() };
        let shown = format!("{settings:?}");
        assert!(
            shown.contains("here:6379") && !shown.contains("hunter2") && !shown.contains("me:"),
            "{shown}"
        );
    }
}
