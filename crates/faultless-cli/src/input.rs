//! Files, pipes and directories, as maps.

use std::fs::{File, FileType, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};

use faultless::{Access, Map, MapOptions};
use walkdir::WalkDir;

use crate::error::Failure;

/// What the standard input is called.
const STDIN: &str = "(standard input)";

/// A file that can be read, and what it is called in messages.
pub(crate) struct Input {
    pub(crate) path: PathBuf,
    pub(crate) map: Map,
}

impl Input {
    /// A file, a device, or all that comes out of a pipe; `-` is the standard input.
    pub(crate) fn open(path: &Path) -> Result<Self, Failure> {
        let (path, file) = if path == Path::new("-") {
            let path = PathBuf::from(STDIN);
            let file = stdin().map_err(|error| Failure::path(&path, error))?;
            (path, file)
        } else {
            let file = File::open(path).map_err(|error| Failure::path(path, error))?;
            (path.to_path_buf(), file)
        };
        let map = map_or_read(&path, file)?;
        Ok(Self { path, map })
    }

    /// A file or a device, and nothing else.
    pub(crate) fn open_file(path: &Path, access: Access) -> Result<Self, Failure> {
        let refused = |error: io::Error| Failure::path(path, error);
        // Before it is opened: opening a pipe waits for its other end.
        let kind = std::fs::metadata(path).map_err(refused)?.file_type();
        if !kind.is_file() && !is_block_device(kind) {
            return Err(Failure::path(
                path,
                format!("is {}, where a file is needed", name_of(kind)),
            ));
        }
        let write = access == Access::Write;
        let mut file = OpenOptions::new().read(true).write(write).open(path).map_err(refused)?;
        let map = map_file(&mut file, access).map_err(|error| {
            error.map_or_else(refused, |error| Failure::map(path.display(), &error))
        })?;
        Ok(Self { path: path.to_path_buf(), map })
    }

    pub(crate) fn failure(&self, error: &faultless::Error) -> Failure {
        Failure::map(self.path.display(), error)
    }

    pub(crate) fn wrong(&self, message: String) -> Failure {
        Failure::path(&self.path, message)
    }

    /// Hands the bytes of a range on, in pieces; the bytes before a page that fails,
    /// too, and then its error.
    pub(crate) fn each_piece(
        &self,
        range: Range<usize>,
        piece: usize,
        mut each: impl FnMut(usize, &[u8]) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let mut bytes = vec![0; piece];
        let mut at = range.start;
        while at < range.end {
            // Up to a multiple, so that later pieces begin there.
            let end = range.end.min((at / piece).saturating_add(1).saturating_mul(piece));
            let wanted = &mut bytes[..end - at];
            if let Err(error) = self.map.read_exact_at(at, wanted) {
                let good = error.fault().map_or(0, |fault| fault.offset.saturating_sub(at));
                let good = good.min(wanted.len());
                if good > 0 && self.map.read_exact_at(at, &mut wanted[..good]).is_ok() {
                    each(at, &wanted[..good])?;
                }
                return Err(self.failure(&error));
            }
            each(at, wanted)?;
            at = end;
        }
        Ok(())
    }

    /// An error if the file is now shorter than the map.
    pub(crate) fn check_len(&self) -> Result<(), Failure> {
        match self.map.file_len() {
            Ok(len) if len < self.map.len() as u64 => {
                Err(self
                    .wrong(format!("the file was truncated: it has no bytes from offset {len} on")))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(unix)]
fn stdin() -> io::Result<File> {
    use std::os::fd::AsFd;
    Ok(File::from(io::stdin().as_fd().try_clone_to_owned()?))
}

#[cfg(windows)]
fn stdin() -> io::Result<File> {
    use std::os::windows::io::AsHandle;
    Ok(File::from(io::stdin().as_handle().try_clone_to_owned()?))
}

#[cfg(unix)]
fn is_block_device(kind: FileType) -> bool {
    use std::os::unix::fs::FileTypeExt;
    kind.is_block_device()
}

#[cfg(windows)]
fn is_block_device(_: FileType) -> bool {
    false
}

/// What a file is called that is none.
pub(crate) fn name_of(kind: FileType) -> &'static str {
    if kind.is_dir() {
        return "a directory";
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt;
        if kind.is_fifo() {
            return "a pipe";
        }
        if kind.is_socket() {
            return "a socket";
        }
        if kind.is_block_device() {
            return "a block device";
        }
        if kind.is_char_device() {
            return "a character device";
        }
    }
    if kind.is_file() { "a file" } else { "something else" }
}

/// Files up to this length are read where the system cannot map them.
const READ_INSTEAD: u64 = 1 << 20;

fn map_or_read(path: &Path, mut file: File) -> Result<Map, Failure> {
    let refused = |error: io::Error| Failure::path(path, error);
    let about = file.metadata().map_err(refused)?;
    if about.is_dir() {
        return Err(Failure::path(path, "is a directory; --recursive is for what is in it"));
    }
    // A file of /proc has content, but no length.
    if about.is_file() && about.len() > 0 || is_block_device(about.file_type()) {
        match map_file(&mut file, Access::Read) {
            Ok(map) => return Ok(map),
            Err(Err(error)) => return Err(refused(error)),
            Err(Ok(error)) if !about.is_file() || about.len() > READ_INSTEAD => {
                return Err(Failure::map(path.display(), &error));
            }
            Err(Ok(_)) => {}
        }
    }
    read_all(&mut file).map_err(|error| match error {
        Ok(error) => Failure::map(path.display(), &error),
        Err(error) => refused(error),
    })
}

/// The library's error, or the system's.
type Either = Result<faultless::Error, io::Error>;

fn map_file(file: &mut File, access: Access) -> Result<Map, Either> {
    let about = file.metadata().map_err(Err)?;
    let mut options = MapOptions::new();
    options.access(access);
    if !about.is_file() {
        // The length of a device is where its end is.
        let len = file.seek(SeekFrom::End(0)).map_err(Err)?;
        options.len(usize::try_from(len).unwrap_or(usize::MAX));
    }
    options.map(file).map_err(Ok)
}

/// All bytes up to the end, in memory.
fn read_all(file: &mut File) -> Result<Map, Either> {
    let mut piece = vec![0; 256 << 10];
    let mut map = MapOptions::new().len(0).map_anonymous().map_err(Ok)?;
    let mut len: usize = 0;
    loop {
        let read = match file.read(&mut piece) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(Err(error)),
        };
        let end = len.saturating_add(read);
        if end > map.len() {
            let room = end.checked_next_power_of_two().unwrap_or(usize::MAX).max(1 << 20);
            let larger = MapOptions::new().len(room).map_anonymous();
            map = match map.len() {
                0 => larger.map_err(Ok)?,
                _ => map.resize(room).map(|()| map).map_err(Ok)?,
            };
        }
        map.write_at(len, &piece[..read]).map_err(Ok)?;
        len = end;
    }
    if len > 0 {
        map.resize(len).map_err(Ok)?;
    }
    Ok(map)
}

/// The files that were asked for, one after the other, those of a directory in the
/// order of their names.
pub(crate) fn expand(
    files: &[PathBuf],
    recursive: bool,
) -> impl Iterator<Item = Result<PathBuf, Failure>> + use<'_> {
    files.iter().flat_map(move |path| -> Box<dyn Iterator<Item = _> + Send> {
        if !recursive || path == Path::new("-") || !path.is_dir() {
            return Box::new(std::iter::once(Ok(path.clone())));
        }
        let entries = WalkDir::new(path).sort_by_file_name().into_iter();
        Box::new(entries.filter_map(|entry| match entry {
            Ok(entry) if entry.file_type().is_file() => Some(Ok(entry.into_path())),
            Ok(_) => None,
            Err(error) => Some(Err(Failure::Message(error.to_string()))),
        }))
    })
}
