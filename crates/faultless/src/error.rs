//! The one error type of the crate.

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::{fmt, io};

use crate::fault::Fault;

/// The result of the operations of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What kind of thing went wrong. More kinds may come.
///
/// ```
/// let map = faultless::MapOptions::new().len(4).map_anonymous()?;
/// let error = map.get(9).unwrap_err();
/// assert_eq!(error.kind(), faultless::ErrorKind::OutOfRange);
/// # Ok::<(), faultless::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A page of the map failed: the file was truncated, or its storage gave an
    /// error. [`Error::fault`] has the offset and the reason.
    Fault,
    /// An offset, a length or a range does not fit the map, the file or the
    /// address space. Nothing was read or changed.
    OutOfRange,
    /// An argument that no map could take, whatever its length.
    InvalidInput,
    /// The map was not made for writing, or its pages are not readable.
    Access,
    /// The map keeps no file ([`MapOptions::keep_file`](crate::MapOptions::keep_file)),
    /// so it cannot be resized or asked its file's length.
    NoFile,
    /// A file is not what it should be: not a log, or a damaged one. The message
    /// says what was found and where; nothing was changed.
    Corrupt,
    /// Under a path there is another file than the one
    /// [expected](crate::MapOptions::expect_file).
    Replaced,
    /// What was asked to do something has been closed.
    Closed,
    /// This system, or this kind of map, cannot do it.
    Unsupported,
    /// The operating system refused; [`Error::raw_os_error`] says why.
    Os,
}

/// An error of a map: what was attempted, what went wrong, and where.
///
/// It is one pointer wide, and converts into [`std::io::Error`], so that `?`
/// works in functions of `std::io`.
///
/// ```
/// # fn main() -> Result<(), faultless::Error> {
/// let map = faultless::MapOptions::new().len(10).map_anonymous()?;
/// let error = map.get(10).unwrap_err();
/// assert_eq!(error.kind(), faultless::ErrorKind::OutOfRange);
/// assert_eq!(error.to_string(), "get: offset 10 is outside the map of 10 bytes");
/// # Ok(())
/// # }
/// ```
pub struct Error(Box<Repr>);

struct Repr {
    kind: ErrorKind,
    operation: &'static str,
    message: Cow<'static, str>,
    os: Option<io::Error>,
    fault: Option<Fault>,
    path: Option<PathBuf>,
}

impl Error {
    #[cold]
    pub(crate) fn new(
        kind: ErrorKind,
        operation: &'static str,
        message: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self(Box::new(Repr {
            kind,
            operation,
            message: message.into(),
            os: None,
            fault: None,
            path: None,
        }))
    }

    /// An error of the operating system. `message` says what was attempted.
    #[cold]
    pub(crate) fn os(
        operation: &'static str,
        message: impl Into<Cow<'static, str>>,
        error: io::Error,
    ) -> Self {
        let kind = match error.kind() {
            io::ErrorKind::Unsupported => ErrorKind::Unsupported,
            // The library's own, such as a path with a NUL; the system's has a
            // number.
            io::ErrorKind::InvalidInput if error.raw_os_error().is_none() => {
                ErrorKind::InvalidInput
            }
            _ => ErrorKind::Os,
        };
        let mut new = Self::new(kind, operation, message);
        new.0.os = Some(error);
        new
    }

    #[cold]
    pub(crate) fn from_fault(operation: &'static str, fault: Fault) -> Self {
        let mut new = Self::new(ErrorKind::Fault, operation, fault.to_string());
        new.0.fault = Some(fault);
        new
    }

    pub(crate) fn with_path(mut self, path: Option<&Path>) -> Self {
        self.0.path = path.map(Path::to_path_buf);
        self
    }

    /// What kind of thing went wrong.
    ///
    /// ```
    /// let map = faultless::MapOptions::new().len(4).map_anonymous()?;
    /// let error = map.get(9).unwrap_err();
    /// assert_eq!(error.kind(), faultless::ErrorKind::OutOfRange);
    /// # Ok::<(), faultless::Error>(())
    /// ```
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The operation that failed, as its method is named: `"read_at"`, `"flush"`.
    ///
    /// ```
    /// let map = faultless::MapOptions::new().len(4).map_anonymous()?;
    /// let error = map.get(9).unwrap_err();
    /// assert_eq!(error.operation(), "get");
    /// # Ok::<(), faultless::Error>(())
    /// ```
    #[must_use]
    pub fn operation(&self) -> &'static str {
        self.0.operation
    }

    /// The operating system's number for the error, where it has one.
    ///
    /// ```
    /// let error = faultless::Map::open("there/is/no/such/file").unwrap_err();
    /// assert!(error.raw_os_error().is_some());
    /// ```
    #[must_use]
    pub fn raw_os_error(&self) -> Option<i32> {
        self.0.os.as_ref().and_then(io::Error::raw_os_error)
    }

    /// Where and why a page failed, for [`ErrorKind::Fault`].
    ///
    /// ```
    /// let map = faultless::MapOptions::new().len(4).map_anonymous()?;
    /// let error = map.get(9).unwrap_err();
    /// assert_eq!(error.fault(), None);
    /// # Ok::<(), faultless::Error>(())
    /// ```
    #[must_use]
    pub fn fault(&self) -> Option<Fault> {
        self.0.fault
    }

    /// The file that the map belongs to, where it is known.
    ///
    /// ```
    /// let error = faultless::Map::open("there/is/no/such/file").unwrap_err();
    /// assert_eq!(error.path(), Some("there/is/no/such/file".as_ref()));
    /// ```
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        self.0.path.as_deref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.operation, self.0.message)?;
        if let Some(path) = &self.0.path {
            write!(f, " ({})", path.display())?;
        }
        if let Some(os) = &self.0.os {
            write!(f, ": {os}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("operation", &self.0.operation)
            .field("message", &self.0.message)
            .field("path", &self.0.path)
            .field("os", &self.0.os)
            .finish()
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.os.as_ref().map(|error| error as _)
    }
}

impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        let kind = match error.kind() {
            ErrorKind::Fault => io::ErrorKind::Other,
            ErrorKind::Corrupt | ErrorKind::Replaced => io::ErrorKind::InvalidData,
            ErrorKind::OutOfRange
            | ErrorKind::InvalidInput
            | ErrorKind::NoFile
            | ErrorKind::Closed => io::ErrorKind::InvalidInput,
            ErrorKind::Access => io::ErrorKind::PermissionDenied,
            ErrorKind::Unsupported => io::ErrorKind::Unsupported,
            ErrorKind::Os => error.0.os.as_ref().map_or(io::ErrorKind::Other, Self::kind),
        };
        Self::new(kind, error)
    }
}
