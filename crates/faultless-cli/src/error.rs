//! What a command comes to: an outcome, or a failure in words.

use std::fmt::Display;
use std::io;
use std::path::Path;

use faultless::FaultReason;

/// What was done, for the exit status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Found, or done.
    Done,
    /// Not found, or not the same.
    Not,
}

impl Outcome {
    pub(crate) fn found(found: bool) -> Self {
        if found { Self::Done } else { Self::Not }
    }
}

#[derive(Debug)]
pub(crate) enum Failure {
    /// Nobody reads the standard output any more.
    ClosedPipe,
    Message(String),
}

impl Failure {
    /// About a file: `name: message`.
    pub(crate) fn about(name: impl Display, message: impl Display) -> Self {
        Self::Message(format!("{name}: {message}"))
    }

    pub(crate) fn path(path: &Path, message: impl Display) -> Self {
        Self::about(path.display(), message)
    }

    /// What a map could not do.
    pub(crate) fn map(name: impl Display, error: &faultless::Error) -> Self {
        if let Some(fault) = error.fault() {
            let offset = fault.offset;
            let what = match fault.reason {
                FaultReason::Truncated => {
                    format!("the file was truncated: it has no bytes from offset {offset} on")
                }
                FaultReason::Io => format!("input/output error at offset {offset}"),
                FaultReason::NoSpace => {
                    format!("no space left, or no memory, for the page at offset {offset}")
                }
                FaultReason::Hardware => format!("memory failure at offset {offset}"),
                _ => format!("cannot read the page at offset {offset}"),
            };
            return Self::about(name, what);
        }
        // The library names the path where the system refused something.
        if error.path().is_some() {
            return Self::Message(error.to_string());
        }
        Self::about(name, error)
    }
}

impl From<io::Error> for Failure {
    /// For the standard output alone: the others are about a file.
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Self::ClosedPipe;
        }
        Self::Message(format!("cannot write to the standard output: {error}"))
    }
}

impl Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::ClosedPipe => f.write_str("the pipe was closed"),
            Self::Message(message) => f.write_str(message),
        }
    }
}
