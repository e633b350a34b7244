//! The three networks, told apart by their paths.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One of the simulated networks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Network {
    /// Powerspace: `/ld` and `/ord`.
    Powerspace,
    /// Traffic Stars: `/api/v1/...`.
    Trafficstars,
    /// AlterCPA: `/api/site/...`.
    Altercpa,
}

impl Network {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Powerspace, Self::Trafficstars, Self::Altercpa];

    /// The name in lower case.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Powerspace => "powerspace",
            Self::Trafficstars => "trafficstars",
            Self::Altercpa => "altercpa",
        }
    }

    /// Whose path this is.
    pub(crate) fn of_path(path: &str) -> Option<Self> {
        match path {
            "/ld" | "/ord" => Some(Self::Powerspace),
            _ if path.starts_with("/api/v1/") => Some(Self::Trafficstars),
            _ if path.starts_with("/api/site/") => Some(Self::Altercpa),
            _ => None,
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
