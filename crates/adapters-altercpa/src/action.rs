//! What a call does to a lead.

use postback_core::Event;

/// What is done to a lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// `/api/site/click.json`
    Create,
    /// `/api/site/status.json`
    Change,
}

impl Action {
    pub(crate) const fn of(event: &Event) -> Self {
        match event {
            Event::Created => Self::Create,
            Event::Changed(_) => Self::Change,
        }
    }

    pub(crate) const fn path(self) -> &'static str {
        match self {
            Self::Create => "/api/site/click.json",
            Self::Change => "/api/site/status.json",
        }
    }
}
