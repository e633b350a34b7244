//! Why a command ended badly: words for a person, an exit code for a script.

use std::{fmt, io, process::ExitCode};

use tonic::{Code, Status, TimeoutExpired};
use tonic_types::StatusExt;

/// The exit codes, as every help says them.
pub(crate) const EXITS: &str = "\
Exit codes: 0 done; 1 something failed; 2 wrong usage, or a value that the hub does not take; 3 not found; 4 refused: \
not allowed, or not in its present state; 5 the hub or its store cannot be reached, or was too slow.";

/// What to compare where something else than the hub answers.
const COMPARE: &str = "is --api right, http or https as the hub has it, and --ca its authority?";

/// What a script is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exit {
    /// Whoever reads what is printed has seen enough, as `head` has.
    Unread = 0,
    Failed = 1,
    Usage = 2,
    NotFound = 3,
    Refused = 4,
    Unavailable = 5,
}

/// Why a command ended badly.
#[derive(Debug)]
pub(crate) struct Failure {
    exit: Exit,
    message: String,
    /// Whether no hub was heard, so that its address is worth a look.
    unheard: bool,
}

impl Failure {
    pub(super) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into(), unheard: false }
    }

    /// A command that was given wrongly.
    pub(super) fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }

    /// A hub that does not answer.
    pub(super) fn away(error: &(dyn std::error::Error + 'static)) -> Self {
        let hint = if refused(error) {
            "nothing listens there. `postback serve` starts a hub; --api or POSTBACK_API says where one is"
        } else {
            COMPARE
        };
        Self::unheard(&chain(error), hint)
    }

    fn unheard(why: &str, hint: &str) -> Self {
        let message = format!("{why}\n{hint}");
        Self { exit: Exit::Unavailable, message, unheard: true }
    }

    /// With the address that was asked, where no hub was heard there.
    pub(super) fn at(self, api: &str) -> Self {
        if !self.unheard {
            return self;
        }
        Self { message: format!("no hub at {api}: {}", self.message), ..self }
    }

    /// With what it is about before it.
    pub(super) fn of(self, what: &str) -> Self {
        Self { message: format!("{what}: {}", self.message), ..self }
    }

    /// With one more line.
    pub(super) fn with(self, line: &str) -> Self {
        Self { message: format!("{}\n{line}", self.message), ..self }
    }

    /// A hub that answers too late.
    pub(super) fn slow() -> Self {
        Self::new(Exit::Unavailable, "the hub took too long; --timeout gives it more time")
    }

    pub(super) fn exit(&self) -> Exit {
        self.exit
    }

    pub(super) fn code(&self) -> ExitCode {
        ExitCode::from(self.exit as u8)
    }
}

/// What went wrong on the way, where the hub itself said nothing.
fn lost(status: &Status) -> Option<Failure> {
    let Some(source) = std::error::Error::source(status) else {
        let foreign = status.message().starts_with("grpc-status header missing");
        return foreign.then(|| Failure::unheard("what answers there is no gRPC", COMPARE));
    };
    let late = causes(source).any(|cause| cause.is::<TimeoutExpired>());
    Some(if late { Failure::slow() } else { Failure::away(source) })
}

fn causes<'a>(
    error: &'a (dyn std::error::Error + 'static),
) -> impl Iterator<Item = &'a (dyn std::error::Error + 'static)> {
    std::iter::successors(Some(error), |error| error.source())
}

fn refused(error: &(dyn std::error::Error + 'static)) -> bool {
    let io = |error: &(dyn std::error::Error + 'static)| Some(error.downcast_ref::<io::Error>()?.kind());
    causes(error).any(|error| io(error) == Some(io::ErrorKind::ConnectionRefused))
}

/// An error with its causes, each said once.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut said = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        if !said.contains(&text) {
            said = format!("{said}: {text}");
        }
        cause = error.source();
    }
    said
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl From<Status> for Failure {
    fn from(status: Status) -> Self {
        if let Some(lost) = lost(&status) {
            return lost;
        }
        let said = status.message();
        match status.code() {
            Code::InvalidArgument | Code::OutOfRange => Self::new(Exit::Usage, said),
            Code::NotFound => Self::new(Exit::NotFound, said),
            Code::PermissionDenied => {
                let details = status.get_error_details();
                let scope = details.error_info().and_then(|info| info.metadata.get("scope"));
                let hint = scope.map(|scope| {
                    format!("\n`postback token NAME --scope {scope}` makes a token that has it")
                });
                Self::new(Exit::Refused, format!("{said}{}", hint.unwrap_or_default()))
            }
            Code::Unauthenticated => {
                let hint =
                    "show a token with --token-file or POSTBACK_TOKEN, or a certificate with --certificate";
                Self::new(Exit::Refused, format!("{said}\n{hint}"))
            }
            Code::FailedPrecondition | Code::AlreadyExists | Code::Aborted => Self::new(Exit::Refused, said),
            Code::Cancelled | Code::DeadlineExceeded => Self::slow(),
            Code::Unavailable | Code::ResourceExhausted => Self::new(Exit::Unavailable, said),
            Code::Unimplemented => {
                Self::new(Exit::Failed, "the hub does not know this call; is it older than this program?")
            }
            _ => Self::new(Exit::Failed, said),
        }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        let unread = error.kind() == io::ErrorKind::BrokenPipe;
        Self::new(if unread { Exit::Unread } else { Exit::Failed }, error.to_string())
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::new(Exit::Failed, format!("{error:#}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_of_grpc_has_an_exit_code_that_says_what_to_do() {
        let exit = |code| Failure::from(Status::new(code, "why")).exit();
        assert_eq!(exit(Code::InvalidArgument), Exit::Usage);
        assert_eq!(exit(Code::NotFound), Exit::NotFound);
        for code in
            [Code::PermissionDenied, Code::Unauthenticated, Code::FailedPrecondition, Code::AlreadyExists]
        {
            assert_eq!(exit(code), Exit::Refused, "{code:?}");
        }
        for code in [Code::Unavailable, Code::ResourceExhausted, Code::DeadlineExceeded, Code::Cancelled] {
            assert_eq!(exit(code), Exit::Unavailable, "{code:?}");
        }
        assert_eq!((exit(Code::Internal), exit(Code::Unimplemented)), (Exit::Failed, Exit::Failed));
    }
}
