//! The error of the core and of the ports: a kind to match, the field at fault, a sentence for a person.

use std::{borrow::Cow, fmt, time::Duration};

/// What a caller can do about an [`Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The input is wrong whatever the state of the system: mend it before trying again.
    InvalidArgument,
    /// The named thing does not exist.
    NotFound,
    /// The same key was used before with other content.
    AlreadyExists,
    /// The input is right but the state of the system forbids it (an expired click, say).
    FailedPrecondition,
    /// A bound is reached: try again later.
    ResourceExhausted,
    /// The store or the network cannot be reached or refuses work now: try again later.
    Unavailable,
    /// A defect or damaged data: trying again will not help.
    Internal,
}

/// The result of the core and of the ports.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why something was refused or failed.
///
/// The text reads `field: message`, in lower case and without a period, and never holds a secret.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    reason: &'static str,
    field: Option<Cow<'static, str>>,
    message: String,
    retry_after: Option<Duration>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// An error of `kind` with a stable `reason` in `UPPER_SNAKE_CASE` and a sentence for a person.
    pub fn new(kind: ErrorKind, reason: &'static str, message: impl Into<String>) -> Self {
        Self { kind, reason, field: None, message: message.into(), retry_after: None, source: None }
    }

    /// A wrong value of `field`; `message` says what is wrong with it and what would be right.
    pub fn invalid(field: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self::new(ErrorKind::InvalidArgument, "INVALID_VALUE", message).at(field)
    }

    /// A thing that does not exist.
    pub fn not_found(reason: &'static str, message: impl Into<String>) -> Self {
        Self::new(ErrorKind::NotFound, reason, message)
    }

    /// A right request in a wrong state.
    pub fn precondition(reason: &'static str, message: impl Into<String>) -> Self {
        Self::new(ErrorKind::FailedPrecondition, reason, message)
    }

    /// A key that was used before with other content.
    pub fn conflict(field: &'static str) -> Self {
        Self::new(ErrorKind::AlreadyExists, "CONTENT_DIFFERS", "was used before with other content").at(field)
    }

    /// A store or network that is away; worth another try.
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Unavailable, "STORE_UNAVAILABLE", message)
    }

    /// A defect or damaged data.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Internal, "INTERNAL", message)
    }

    /// The same error, laid at `field`.
    #[must_use]
    pub fn at(mut self, field: impl Into<Cow<'static, str>>) -> Self {
        self.field = Some(field.into());
        self
    }

    /// The same error with another stable reason.
    #[must_use]
    pub fn because(mut self, reason: &'static str) -> Self {
        self.reason = reason;
        self
    }

    /// The same error, with a time after which another try makes sense.
    #[must_use]
    pub fn retry_after(mut self, after: Duration) -> Self {
        self.retry_after = Some(after);
        self
    }

    /// The same error with its cause.
    #[must_use]
    pub fn caused_by(mut self, cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.source = Some(cause.into());
        self
    }

    /// What a caller can do about it.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Whether the same may succeed later: a bound is reached, or something is away.
    pub fn is_passing(&self) -> bool {
        matches!(self.kind, ErrorKind::ResourceExhausted | ErrorKind::Unavailable)
    }

    /// A stable word in `UPPER_SNAKE_CASE` for programs.
    pub fn reason(&self) -> &'static str {
        self.reason
    }

    /// The field at fault, in the caller's words.
    pub fn field(&self) -> Option<&str> {
        self.field.as_deref()
    }

    /// What is wrong, without the field's name.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// How long to wait before another try, where that is known.
    pub fn wait(&self) -> Option<Duration> {
        self.retry_after
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.field {
            Some(field) => write!(f, "{field}: {}", self.message),
            None => f.write_str(&self.message),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_ref().map(|cause| cause.as_ref() as _)
    }
}
