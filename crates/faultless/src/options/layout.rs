//! From options to what is mapped, with every refusal before anything is touched.

use std::io;

use crate::error::{Error, ErrorKind, Result};
use crate::options::{Access, HugePages, MapOptions, Protection};
use crate::os::{self, BorrowedFile, Mapping, Request};
use crate::range::Placement;
use crate::view::View;

/// Where a map lies in its file and how it was asked for: all that is needed to
/// map it again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Layout {
    pub(crate) placement: Placement,
    /// Bytes of the map, which begin `placement.lead` bytes into the mapping; and
    /// those behind them that were allocated ahead.
    pub(crate) len: usize,
    pub(crate) protection: i32,
    pub(crate) flags: i32,
    /// The page size of the mapping.
    pub(crate) page: usize,
    /// Whether the file is a regular one, whose length bounds the map.
    pub(crate) regular: bool,
    /// Whether growing the file leaves a hole.
    pub(crate) sparse: bool,
    /// Whether resizing the map may resize its file.
    pub(crate) resizes: bool,
    /// Whether a shared map is made private if the file's system has no shared
    /// ones, and whether that was done.
    pub(crate) fallback: Fallback,
}

/// What becomes of a shared map that the file's system refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fallback {
    /// An error.
    Refused,
    /// A private one.
    Allowed,
    /// It is a private one.
    Taken,
}

impl Layout {
    /// Maps it. An empty map needs no memory.
    pub(crate) fn map(&mut self, file: Option<BorrowedFile<'_>>) -> Result<Mapping> {
        self.map_with_room(file, None)
    }

    /// Maps it, of which the file has so many bytes: it can grow in place.
    pub(crate) fn map_with_room(
        &mut self,
        file: Option<BorrowedFile<'_>>,
        present: Option<usize>,
    ) -> Result<Mapping> {
        if self.len == 0 {
            return Ok(Mapping::empty());
        }
        let mut mapped = os::map(&Request { present, ..self.request() }, file);
        if self.fallback == Fallback::Allowed && mapped.as_ref().is_err_and(os::has_no_shared_maps)
        {
            let private =
                Self { flags: os::private(self.flags), fallback: Fallback::Taken, ..*self };
            if let Ok(mapping) = os::map(&Request { present, ..private.request() }, file) {
                *self = private;
                mapped = Ok(mapping);
            }
        }
        mapped.map_err(|error| {
            let why = os::explain(&error);
            Error::os("map", format!("the system cannot map {} bytes{why}", self.len), error)
        })
    }

    pub(crate) fn request(&self) -> Request<'static> {
        Request {
            file_offset: self.placement.file_offset,
            map_len: self.placement.map_len,
            protection: self.protection,
            flags: self.flags,
            present: None,
            name: None,
        }
    }

    /// Maps what is there by a name, or what is made by it.
    #[cfg(windows)]
    pub(crate) fn map_named(
        &self,
        file: Option<BorrowedFile<'_>>,
        name: os::Name<'_>,
    ) -> Result<Mapping> {
        let len = self.len;
        if len == 0 {
            return Err(Error::new(ErrorKind::InvalidInput, "map", "no bytes can have a name"));
        }
        let text = name.text;
        os::map(&Request { name: Some(name), ..self.request() }, file).map_err(|error| {
            Error::os("map", format!("cannot map {len} bytes by the name {text:?}"), error)
        })
    }

    pub(crate) fn anonymous(&self) -> bool {
        self.flags & os::ANONYMOUS != 0
    }

    pub(crate) fn shared(&self) -> bool {
        os::is_shared(self.flags)
    }

    /// Bytes in memory, in whole pages, from the mapping's first byte on.
    pub(crate) fn mapped_len(&self) -> usize {
        if self.len == 0 { 0 } else { self.placement.map_len.next_multiple_of(self.page) }
    }

    /// The same with another length, no more than one that was checked.
    pub(crate) fn of_len(&self, len: usize) -> Self {
        Self { placement: self.placement.of_len(len), len, ..*self }
    }

    pub(crate) fn view(&self, mapping: &Mapping) -> View {
        View::new(mapping, self.placement.lead, self.len)
    }
}

impl MapOptions {
    pub(crate) fn anonymous_layout(&self, len: usize) -> Result<Layout> {
        let protection = self.protection.unwrap_or(Protection::READ | Protection::WRITE);
        let kind = if self.is_shared() { os::SHARED } else { os::PRIVATE };
        if self.reserve.is_some() && self.shared {
            let message = "shared anonymous memory cannot grow";
            return Err(Error::new(ErrorKind::Unsupported, "map", message));
        }
        let flags = self.flags(kind)? | os::ANONYMOUS;
        Ok(Layout {
            placement: Placement::new(0, len, os::allocation_granularity())?,
            len,
            protection: protection.raw(),
            flags,
            page: os::huge_page_of_flags(flags).unwrap_or_else(os::page_size),
            regular: false,
            sparse: self.sparse,
            resizes: true,
            fallback: Fallback::Refused,
        })
    }

    /// Checks the options against the file.
    pub(crate) fn layout_in(&self, file: BorrowedFile<'_>) -> Result<Layout> {
        let info = os::file_info(file)
            .map_err(|error| Error::os("map", "cannot ask the file for its length", error))?;
        let len = match self.len {
            Some(len) if info.regular => {
                match self.offset.checked_add(len as u64) {
                    Some(end) if end <= info.len => {}
                    Some(end) if self.extend && self.access == Access::Write => {
                        // What no map has is refused before the file grows.
                        Placement::new(self.offset, len, os::allocation_granularity())?;
                        self.extend_file(file, info.len, end)?;
                    }
                    _ => return Err(past_end(self.offset, Some(len), info.len)),
                }
                len
            }
            Some(len) => len,
            None if info.regular => {
                let Some(len) = info.len.checked_sub(self.offset) else {
                    return Err(past_end(self.offset, None, info.len));
                };
                usize::try_from(len).map_err(|_| {
                    let message = format!("the file's {len} bytes do not fit the address space");
                    Error::new(ErrorKind::OutOfRange, "map", message)
                })?
            }
            None => {
                return Err(match info.error.map(io::Error::from_raw_os_error) {
                    Some(error) => Error::os("map", "there are no bytes to map", error),
                    None => invalid("a file that is not a regular one needs a length"),
                });
            }
        };
        let (protection, kind) = match self.access {
            Access::Read => (Protection::READ, os::SHARED),
            Access::Write => (Protection::READ | Protection::WRITE, os::SHARED),
            Access::CopyOnWrite => (Protection::READ | Protection::WRITE, os::PRIVATE),
        };
        if self.reserve.is_some() && self.access != Access::Write {
            return Err(invalid("only a map that is written to its file can grow, and reserve"));
        }
        let page = info.huge_page.unwrap_or_else(os::page_size);
        let granularity = os::allocation_granularity().max(page);
        Ok(Layout {
            placement: Placement::new(self.offset, len, granularity)?,
            len,
            protection: self.protection.unwrap_or(protection).raw(),
            flags: self.file_flags(kind)?,
            page,
            regular: info.regular,
            sparse: self.sparse,
            resizes: self.raw_flags.is_some() || kind == os::SHARED,
            fallback: if self.access == Access::Read && self.raw_flags.is_none() {
                Fallback::Allowed
            } else {
                Fallback::Refused
            },
        })
    }

    fn extend_file(&self, file: BorrowedFile<'_>, from: u64, to: u64) -> Result<()> {
        os::duplicate(file)
            .and_then(|file| os::set_file_len(&file, from, to, !self.sparse))
            .map_err(|error| {
                Error::os("map", format!("cannot make the file {to} bytes long"), error)
            })
    }

    /// The flags for a map of a file.
    pub(super) fn file_flags(&self, kind: i32) -> Result<i32> {
        if matches!(self.huge_pages, Some(HugePages::Default | HugePages::Shift(_))) {
            return Err(invalid(
                "huge pages of the pool are for anonymous memory; map a file on hugetlbfs instead",
            ));
        }
        if self.reserve.is_some() && !self.keep_file {
            return Err(invalid("a map that grows has to keep its file"));
        }
        let flags = self.flags(kind)?;
        if self.reserve.is_some() && !os::is_shared(flags) {
            return Err(invalid("only a map that is written to its file can grow, and reserve"));
        }
        Ok(flags)
    }

    #[allow(clippy::bad_bit_mask, reason = "a system may have no flag for it")]
    fn flags(&self, kind: i32) -> Result<i32> {
        let mut flags = self.raw_flags.unwrap_or(kind);
        if flags & os::PLACED != 0 {
            return Err(invalid("flags that place the map at an address are not allowed"));
        }
        // What is only reserved is not populated, and takes no swap space.
        if self.populate && self.reserve.is_none() {
            flags |= os::POPULATE.unwrap_or(0);
        }
        if self.no_reserve || self.reserve.is_some() {
            flags |= os::NO_RESERVE;
        }
        if self.stack {
            flags |= os::STACK;
        }
        let shift = match self.huge_pages {
            Some(HugePages::Default) => None,
            Some(HugePages::Shift(shift)) => Some(shift),
            None | Some(HugePages::Transparent) => return Ok(flags),
        };
        let huge = os::huge_flags(shift).ok_or_else(|| {
            Error::new(ErrorKind::Unsupported, "map", "this system has no huge pages of that size")
        })?;
        Ok(flags | huge)
    }
}

#[cold]
pub(crate) fn invalid(message: &'static str) -> Error {
    Error::new(ErrorKind::InvalidInput, "map", message)
}

#[cold]
fn past_end(offset: u64, len: Option<usize>, file_len: u64) -> Error {
    let message = match len {
        Some(len) => {
            format!("length {len} at offset {offset} is greater than file size {file_len}")
        }
        None => format!("offset {offset} is greater than file size {file_len}"),
    };
    Error::new(ErrorKind::OutOfRange, "map", message)
}
