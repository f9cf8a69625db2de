//! Memory that processes find by a name: POSIX's shared memory objects.

use std::ffi::{CStr, CString};
use std::fs::File;
use std::io;
use std::time::{Duration, Instant};

use super::super::Name;
use super::{file_len_of, raw_file, set_file_len};
use crate::shared::Create;

/// The longest name, in bytes, without the slash before it.
pub(crate) const NAME_MAX: usize = if cfg!(target_vendor = "apple") { 30 } else { 250 };

/// How long one who finds memory of no length waits for the one who made it to
/// give it one: allocating many gigabytes takes seconds.
const PATIENCE: Duration = Duration::from_secs(10);

/// Finds or makes it. One that is made has its length, and its memory unless it is
/// to be sparse, or is gone again.
pub(crate) fn open_shared(name: &Name<'_>) -> Option<io::Result<File>> {
    Some(object(name.text).and_then(|object| find_or_make(&object, name)))
}

/// Takes the name away.
pub(crate) fn unlink_shared(name: &str) -> io::Result<()> {
    system::unlink(&object(name)?)
}

fn object(name: &str) -> io::Result<CString> {
    Ok(CString::new(format!("/{name}"))?)
}

fn find_or_make(object: &CStr, name: &Name<'_>) -> io::Result<File> {
    let new_len = if name.create == Create::Never { None } else { name.len };
    loop {
        if let Some(len) = new_len {
            match system::open(object, libc::O_RDWR | libc::O_CREAT | libc::O_EXCL) {
                Ok(file) => return with_len(object, file, len, name.sparse),
                Err(error)
                    if error.kind() == io::ErrorKind::AlreadyExists
                        && name.create == Create::IfMissing => {}
                Err(error) => return Err(error),
            }
        }
        match system::open(object, libc::O_RDWR) {
            // Gone since it kept us from making it.
            Err(error) if error.kind() == io::ErrorKind::NotFound && new_len.is_some() => {}
            found => return found.inspect(wait_for_len),
        }
    }
}

fn with_len(object: &CStr, file: File, len: usize, sparse: bool) -> io::Result<File> {
    match set_file_len(&file, 0, len as u64, !sparse) {
        Ok(()) => Ok(file),
        Err(error) => {
            let _ = system::unlink(object);
            Err(error)
        }
    }
}

fn wait_for_len(file: &File) {
    let found = Instant::now();
    while file_len_of(raw_file(file)) == Some(0) && found.elapsed() < PATIENCE {
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[cfg(not(target_os = "android"))]
mod system {
    use std::ffi::CStr;
    use std::fs::File;
    use std::io;
    use std::os::fd::FromRawFd;

    use super::super::check;

    /// For this user alone, and closed in programs that this one runs.
    pub(super) fn open(object: &CStr, flags: i32) -> io::Result<File> {
        // SAFETY: the name lives, and a mode is given.
        let fd = unsafe { libc::shm_open(object.as_ptr(), flags, 0o600) };
        check(fd)?;
        // SAFETY: it was just opened, and nobody else has it.
        Ok(unsafe { File::from_raw_fd(fd) })
    }

    pub(super) fn unlink(object: &CStr) -> io::Result<()> {
        // SAFETY: the name lives.
        check(unsafe { libc::shm_unlink(object.as_ptr()) })
    }
}

/// Android's C library has no such calls.
#[cfg(target_os = "android")]
mod system {
    use std::ffi::CStr;
    use std::fs::File;
    use std::io;

    pub(super) fn open(_object: &CStr, _flags: i32) -> io::Result<File> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(super) fn unlink(_object: &CStr) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}
