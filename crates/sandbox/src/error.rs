//! What the sandbox refuses, and why.

use thiserror::Error;

/// Why a seed or a control call was refused.
#[derive(Debug, Error)]
pub enum SandboxError {
    /// The seed cannot be read, or contradicts itself.
    #[error("seed: {0}")]
    Seed(String),
    /// A field of a control call is wrong.
    #[error("{field}: {message}")]
    Invalid {
        /// The field.
        field: &'static str,
        /// What is wrong, and what is wanted.
        message: String,
    },
    /// A bounded list is full.
    #[error("no room: at most {limit} {what}")]
    Full {
        /// What the list holds.
        what: &'static str,
        /// Its bound.
        limit: usize,
    },
}

impl SandboxError {
    pub(crate) fn invalid(field: &'static str, message: impl Into<String>) -> Self {
        Self::Invalid { field, message: message.into() }
    }
}
