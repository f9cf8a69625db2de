//! File systems that only this process sees, and that go away with it.

use std::ffi::{CStr, CString};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::ptr;

use super::child::skip;

/// A folder to mount something at. The process leaves the machine's namespace of
/// mounts first, so that nothing it mounts outlives it.
pub(crate) fn mount_point() -> PathBuf {
    // In front of what others keep there: nothing is left when the process ends.
    let folder = std::env::temp_dir();
    // SAFETY: changes what this thread, and those it starts, see mounted.
    if unsafe { libc::unshare(libc::CLONE_NEWNS) } == -1 {
        skip(&format!("no namespace of mounts: {}", io::Error::last_os_error()));
    }
    let private = libc::MS_REC | libc::MS_PRIVATE;
    // SAFETY: the strings live.
    let done =
        unsafe { libc::mount(ptr::null(), c"/".as_ptr(), ptr::null(), private, ptr::null()) };
    if done == -1 {
        skip(&format!("cannot keep mounts private: {}", io::Error::last_os_error()));
    }
    mount("tmpfs", &folder, c"tmpfs", "size=64m")
        .unwrap_or_else(|error| skip(&format!("cannot mount a tmpfs: {error}")));
    let inner = folder.join("mounted");
    std::fs::create_dir(&inner).unwrap();
    inner
}

pub(crate) fn mount(source: &str, folder: &Path, kind: &CStr, options: &str) -> io::Result<()> {
    let string = |text: &str| CString::new(text).unwrap();
    let (source, options) = (string(source), string(options));
    let folder = string(folder.to_str().unwrap());
    let (source, folder, kind) = (source.as_ptr(), folder.as_ptr(), kind.as_ptr());
    // SAFETY: the strings live.
    match unsafe { libc::mount(source, folder, kind, 0, options.as_ptr().cast()) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

/// Runs a command; its output is the reason if the machine cannot.
pub(crate) fn run_or_skip(command: &str, arguments: &[&str]) {
    let path = format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default());
    match Command::new(command).args(arguments).env("PATH", path).output() {
        Ok(output) if output.status.success() => {}
        Ok(output) => skip(&format!(
            "{command} failed: {}",
            String::from_utf8_lossy(&output.stderr).trim().replace('\n', "; ")
        )),
        Err(error) => skip(&format!("no {command}: {error}")),
    }
}
