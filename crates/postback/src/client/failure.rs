//! Why a command ended badly: words for a person, an exit code for a script.

use std::{fmt, io, process::ExitCode};

use tonic::{Code, Status};
use tonic_types::StatusExt;

/// The exit codes, as every help says them.
pub(crate) const EXITS: &str = "\
Exit codes: 0 done; 1 something failed; 2 wrong usage, or a value that the hub does not take; 3 not found; 4 refused: \
not allowed, or not in its present state; 5 the hub or its store cannot be reached, or was too slow.";

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
}

impl Failure {
    pub(super) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into() }
    }

    /// A command that was given wrongly.
    pub(super) fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }

    /// A hub that does not answer.
    pub(super) fn away(api: &str, error: &(dyn std::error::Error + 'static)) -> Self {
        let hint = if refused(error) {
            "nothing listens there. `postback serve` starts a hub; --api or POSTBACK_API says where one is"
        } else {
            "is --api right, http or https as the hub has it, and --ca its authority?"
        };
        Self::new(Exit::Unavailable, format!("no hub at {api}: {}\n{hint}", chain(error)))
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

fn refused(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        let io = error.downcast_ref::<io::Error>();
        if io.is_some_and(|error| error.kind() == io::ErrorKind::ConnectionRefused) {
            return true;
        }
        cause = error.source();
    }
    false
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
            Code::Unavailable | Code::ResourceExhausted => {
                let cause = std::error::Error::source(&status).map(chain).unwrap_or_default();
                let cause = Some(cause).filter(|cause| !cause.is_empty() && !said.contains(cause.as_str()));
                let cause = cause.map(|cause| format!(": {cause}")).unwrap_or_default();
                Self::new(Exit::Unavailable, format!("{said}{cause}"))
            }
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
