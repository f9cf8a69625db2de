//! Memory that several processes find by a name.

use std::io;

use crate::error::{Error, ErrorKind, Result};
use crate::map::Map;
use crate::options::{Access, MapOptions};
use crate::os;

/// Whether [named memory](MapOptions::name) is made or found.
///
/// ```
/// use faultless::{Create, MapOptions};
/// let name = format!("faultless-doc-create-{}", std::process::id());
/// let ours = MapOptions::new().name(&name, Create::New).len(100).map_anonymous()?;
/// let theirs = MapOptions::new().name(&name, Create::Never).map_anonymous()?;
/// ours.write_at(0, b"hello")?;
/// assert_eq!(theirs.to_vec(..5)?, b"hello");
/// faultless::unlink_shared(&name)?;
/// # Ok::<(), faultless::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Create {
    /// It is made if there is none of that name.
    #[default]
    IfMissing,
    /// It must be new: an error (`EEXIST`) if there is one of that name.
    New,
    /// It must be there: an error (`ENOENT`) if there is none of that name.
    Never,
}

/// The one check of a name.
fn check(operation: &'static str, name: &str) -> Result<()> {
    let refuse = |why: String| {
        let message = format!("the name {name:?} {why}");
        Err(Error::new(ErrorKind::InvalidInput, operation, message))
    };
    if name.is_empty() || name == "." || name == ".." {
        return refuse("means nothing".into());
    }
    if let Some(found) = name.chars().find(|&c| matches!(c, '/' | '\\' | '\0')) {
        return refuse(format!("has a {found:?}, which no name may have"));
    }
    if name.len() > os::NAME_MAX {
        return refuse(format!("has {} bytes; {} is the most here", name.len(), os::NAME_MAX));
    }
    Ok(())
}

impl MapOptions {
    /// Gives memory that belongs to no file a name by which other processes find
    /// it, for [`map_anonymous`](Self::map_anonymous). It is shared with all who
    /// know the name, can be written, and keeps its bytes until its name is
    /// [taken away](unlink_shared) and its last map is gone; on Windows, until its
    /// last map is gone.
    ///
    /// Memory that is made has the [length](Self::len) asked for, and zeros. Of
    /// memory that is there, all is mapped, or as many bytes as asked for, from its
    /// first on. By default memory has no name.
    ///
    /// A name has 1 to 250 bytes, 30 on macOS, and no slash, backslash or NUL.
    /// It is seen by this user's processes only, on Unix; by those of this session,
    /// on Windows.
    ///
    /// # Errors
    /// `map_anonymous` then has these:
    /// * [`InvalidInput`](ErrorKind::InvalidInput): no memory can have the name, or
    ///   new memory would have no length.
    /// * [`OutOfRange`](ErrorKind::OutOfRange): the memory that is there has not as
    ///   many bytes as asked for.
    /// * [`Os`](ErrorKind::Os): `EEXIST` or `ENOENT` as [`Create`] says, `EACCES`
    ///   for memory of another user, `ENOSPC`.
    /// * [`Unsupported`](ErrorKind::Unsupported): the system has no named memory
    ///   (Android).
    ///
    /// See [`shm_open(3)`](https://man7.org/linux/man-pages/man3/shm_open.3.html).
    ///
    /// ```
    /// use faultless::{Create, MapOptions};
    /// let name = format!("faultless-doc-{}", std::process::id());
    /// let map = MapOptions::new().name(&name, Create::New).len(4096).map_anonymous()?;
    /// map.write_at(0, b"for all who know the name")?;
    /// faultless::unlink_shared(&name)?;
    /// # Ok::<(), faultless::Error>(())
    /// ```
    pub fn name(&mut self, name: impl Into<String>, create: Create) -> &mut Self {
        self.name = Some((name.into(), create));
        self
    }

    /// Makes or finds memory by its name.
    pub(crate) fn map_named(&self, name: &str, create: Create) -> Result<Map> {
        check("shared", name)?;
        let len = self.len.filter(|&len| len != 0);
        let needs_len = || {
            let message = format!("new memory named {name:?} needs a length of a byte or more");
            Error::new(ErrorKind::InvalidInput, "shared", message)
        };
        if create == Create::New && len.is_none() {
            return Err(needs_len());
        }
        let failed = |error: io::Error| match (error.kind(), create) {
            (io::ErrorKind::NotFound, Create::IfMissing) if len.is_none() => needs_len(),
            _ => Error::os("shared", format!("cannot have the memory named {name:?}"), error),
        };
        let named = os::Name { text: name, create, len, sparse: self.sparse };
        let mut options = self.clone();
        (options.name, options.len) = (None, len);
        if let Some(file) = os::open_shared(&named) {
            return options.access(Access::Write).offset(0).map_owned(file.map_err(failed)?);
        }
        let mut layout = options.shared(true).anonymous_layout(len.unwrap_or(0))?;
        let request = os::Request { name: Some(named), ..layout.request() };
        let mapping = os::map(&request, None).map_err(failed)?;
        layout = options.anonymous_layout(len.unwrap_or(mapping.len()))?;
        options.finish(Map::new(layout, mapping, None))
    }
}

/// Takes a name of [shared memory](MapOptions::name) away, as removing a file
/// does: nobody finds it any more, and the memory is given back when the last map
/// of it is gone. On Windows that happens by itself, and this does nothing.
///
/// # Errors
/// * [`InvalidInput`](ErrorKind::InvalidInput): no memory has such a name.
/// * [`Os`](ErrorKind::Os): `ENOENT` if there is no memory of this name,
///   `EACCES` if it belongs to another user.
/// * [`Unsupported`](ErrorKind::Unsupported): the system has no named memory.
///
/// See [`shm_unlink(3)`](https://man7.org/linux/man-pages/man3/shm_unlink.3.html).
///
/// ```
/// use faultless::{Create, MapOptions};
/// let name = format!("faultless-doc-unlink-{}", std::process::id());
/// let map = MapOptions::new().name(&name, Create::New).len(8).map_anonymous()?;
/// faultless::unlink_shared(&name)?;
/// map.set(0, 7)?; // the map lives on
/// # Ok::<(), faultless::Error>(())
/// ```
pub fn unlink_shared(name: &str) -> Result<()> {
    check("unlink_shared", name)?;
    os::unlink_shared(name).map_err(|error| {
        Error::os("unlink_shared", format!("cannot take the name {name:?} away"), error)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked() {
        for name in ["a", "...", "with space", "päge", &"x".repeat(os::NAME_MAX)] {
            check("t", name).unwrap();
        }
        for (name, why) in [
            ("", "means nothing"),
            (".", "means nothing"),
            ("..", "means nothing"),
            ("a/b", "'/'"),
            ("/a", "'/'"),
            ("a\\b", "'\\\\'"),
            ("a\0", "'\\0'"),
            (&"x".repeat(os::NAME_MAX + 1), "the most"),
        ] {
            let error = check("t", name).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
            assert!(error.to_string().contains(why), "{error}");
        }
    }
}
