//! Growing and shrinking a map with its file.

use std::convert::Infallible;

use crate::error::{Error, ErrorKind, Result};
use crate::map::Map;
use crate::options::Layout;
use crate::os::{self, Mapping};
use crate::range::Placement;

impl Map {
    /// Makes the map `len` bytes long, and its file long enough for just that:
    /// the file then ends where the map does. New bytes are zeros, or what the file
    /// had there already. The map may move in memory, unless address space was
    /// [reserved](crate::MapOptions::reserve) for it.
    ///
    /// Growing allocates the file's blocks, so that a full disk is an error here
    /// and not at a store later, unless the map is
    /// [`sparse`](crate::MapOptions::sparse) or the file system cannot.
    ///
    /// # Errors
    /// The map and the file stay as they were.
    /// * [`Access`](ErrorKind::Access): the map is read-only or copy-on-write.
    /// * [`NoFile`](ErrorKind::NoFile): the file was not kept.
    /// * [`Unsupported`](ErrorKind::Unsupported): shared anonymous memory cannot
    ///   grow.
    /// * [`OutOfRange`](ErrorKind::OutOfRange): no file or address space has that
    ///   many bytes.
    /// * [`Os`](ErrorKind::Os): `ENOSPC`, `EFBIG`, `ENOMEM` … Windows does not
    ///   shorten a file while another map has it (`ERROR_USER_MAPPED_FILE`). The
    ///   map itself is unmapped meanwhile; should mapping it again fail, it is
    ///   empty.
    ///
    /// See [ftruncate(2)](https://man7.org/linux/man-pages/man2/ftruncate.2.html),
    /// [fallocate(2)](https://man7.org/linux/man-pages/man2/fallocate.2.html),
    /// [mremap(2)](https://man7.org/linux/man-pages/man2/mremap.2.html).
    ///
    /// ```
    /// # let file = tempfile::NamedTempFile::new()?;
    /// use faultless::{Access, MapOptions};
    /// std::fs::write(file.path(), b"12345")?;
    /// let mut map = MapOptions::new().access(Access::Write).open(file.path())?;
    /// map.resize(7)?;
    /// assert_eq!(map.to_vec(..)?, b"12345\0\0");
    /// map.resize(2)?;
    /// assert_eq!(std::fs::read(file.path())?, b"12");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn resize(&mut self, len: usize) -> Result<()> {
        let from = self.layout;
        if from.anonymous() {
            if from.shared() && len > self.len() && !os::is_named(&self.mapping) {
                let message = "shared anonymous memory cannot grow";
                return Err(Error::new(ErrorKind::Unsupported, "resize", message));
            }
        } else {
            self.check_writable("resize")?;
            if !from.resizes {
                let message = "a copy-on-write map does not change its file";
                return Err(Error::new(ErrorKind::Access, "resize", message));
            }
            self.kept_file("resize")?;
            if os::is_named(&self.mapping) {
                let message = "a map of a file by a name cannot be resized";
                return Err(Error::new(ErrorKind::Unsupported, "resize", message));
            }
        }
        if self.room.is_some() {
            return self.resize_in_place(len);
        }
        let offset = self.file_offset();
        let granularity = os::allocation_granularity().max(from.page);
        let to = Layout { placement: Placement::new(offset, len, granularity)?, len, ..from };
        if len == self.len() && self.file.is_none() {
            return Ok(());
        }
        if self.file.is_none() {
            return self.remap(to);
        }
        let (old, end) = (self.file_len()?, offset + len as u64);
        if end >= old {
            self.set_file_len("resize", old, end)?;
            let remapped = self.remap(to);
            if remapped.is_err() {
                let _ = self.set_file_len("resize", end, old);
            }
            return remapped;
        }
        if !os::CUTS_MAPPED_FILES {
            return self.cut_unmapped(to, old, end);
        }
        // The file's end is cut off last, when nothing else can fail.
        self.remap(to)?;
        let cut = self.set_file_len("resize", old, end);
        if cut.is_err() {
            let _ = self.remap(from);
        }
        cut
    }

    /// Shrinks a map whose file cannot be cut while it is mapped: meanwhile the
    /// map is gone. If the file cannot be cut, because somebody else maps it,
    /// the map comes back as it was.
    fn cut_unmapped(&mut self, mut to: Layout, old_end: u64, end: u64) -> Result<()> {
        let from = self.layout;
        let empty = Placement::new(self.file_offset(), 0, from.page)?;
        let empty = Layout { placement: empty, len: 0, ..from };
        self.guard.mend();
        let old = std::mem::replace(&mut self.mapping, Mapping::empty());
        let file = self.file.as_ref();
        let mut cut = Ok(());
        let made: Result<_, Infallible> = self.guard.replace(file, || {
            drop(old);
            // What cannot be mapped is found out before the file is cut.
            let trial = to.map(file.map(os::borrow)).map(drop);
            cut = trial.and_then(|()| self.set_file_len("resize", old_end, end));
            let mut wanted = if cut.is_ok() { to } else { from };
            Ok(match wanted.map(file.map(os::borrow)) {
                Ok(mapping) => (wanted, mapping),
                // There is nothing to go back to.
                Err(error) => {
                    cut = Err(error);
                    (empty, Mapping::empty())
                }
            })
        });
        let Ok((layout, mapping)) = made;
        self.settle(layout, mapping);
        cut
    }

    pub(crate) fn set_file_len(&self, operation: &'static str, from: u64, to: u64) -> Result<()> {
        let file = self.kept_file(operation)?;
        os::set_file_len(file, from, to, !self.layout.sparse).map_err(|error| {
            self.os_error(operation, format!("cannot make the file {to} bytes long"), error)
        })
    }

    /// Takes the layout `to` on: in one call if the system can, else by mapping
    /// anew.
    fn remap(&mut self, mut to: Layout) -> Result<()> {
        let from = self.layout;
        // Pages that are replaced belong to no file: that can only be mapped anew.
        let whole = self.guard.mend();
        let private = to.anonymous() || !to.shared();
        let copies = private && to.len > from.len && from.len != 0;
        let mut old = std::mem::replace(&mut self.mapping, Mapping::empty());
        let file = self.file.as_ref();
        let made = self.guard.replace(file, || {
            if whole && from.len != 0 && to.len != 0 {
                match os::remap(old, &to.request(), to.page, file.map(os::borrow)) {
                    Ok(new) => return Ok((to, new)),
                    Err((back, error)) if os::is_named(&back) => {
                        let message = "cannot make the named memory anew";
                        return Err((Error::os("resize", message, error), back));
                    }
                    // Not in one call; or not across pages that were advised
                    // or locked apart.
                    Err((back, _)) => old = back,
                }
            }
            if private && whole && to.len <= from.len && to.len != 0
                || to.anonymous() && to.len <= from.len
            {
                return Ok((to, os::shrink(old, to.placement.map_len, to.page)));
            }
            if copies && !(self.is_readable() && self.is_writable()) {
                let message = "growing copies the bytes, and the map's protection forbids it";
                return Err((Error::new(ErrorKind::Access, "resize", message), old));
            }
            match to.map(file.map(os::borrow)) {
                Ok(new) => {
                    if copies {
                        to.view(&new).copy_from(&from.view(&old));
                    }
                    Ok((to, new))
                }
                Err(error) => Err((error, old)),
            }
        });
        match made {
            Ok((layout, mapping)) => {
                self.settle(layout, mapping);
                if copies && to.anonymous() && self.is_readable() && self.is_writable() {
                    // What lies behind the old end in its page was cut off once.
                    let page = (from.placement.lead + from.len).next_multiple_of(to.page);
                    let end = (page - from.placement.lead).min(to.len);
                    return self.fill(from.len..end, 0);
                }
                Ok(())
            }
            Err((error, old)) => {
                self.mapping = old;
                Err(error)
            }
        }
    }
}
