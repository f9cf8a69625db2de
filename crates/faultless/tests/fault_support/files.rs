//! Changing a file behind the back of its maps.

use std::fs::File;
use std::path::Path;

#[cfg(unix)]
pub(crate) fn write_all_at(file: &File, bytes: &[u8], offset: u64) {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, offset).unwrap();
}

#[cfg(windows)]
pub(crate) fn write_all_at(file: &File, bytes: &[u8], offset: u64) {
    let mut done = 0;
    while done < bytes.len() {
        let at = offset + done as u64;
        done += std::os::windows::fs::FileExt::seek_write(file, &bytes[done..], at).unwrap();
    }
}

/// Gives a file a length, also if it is shorter than maps of it.
#[cfg(unix)]
pub(crate) fn set_len(file: &File, _path: &Path, len: usize) {
    file.set_len(len as u64).unwrap();
}

/// Gives a file a length. Windows cuts no file that is mapped; under Wine, the
/// system below does.
#[cfg(windows)]
pub(crate) fn set_len(file: &File, path: &Path, len: usize) {
    use windows_sys::Win32::Foundation::ERROR_USER_MAPPED_FILE;

    match file.set_len(len as u64) {
        Err(error) if error.raw_os_error() == Some(ERROR_USER_MAPPED_FILE as i32) => {}
        result => return result.unwrap(),
    }
    let mut cutter = std::process::Command::new(r"\\?\unix\usr\bin\truncate");
    cutter.current_dir(path.parent().unwrap()).arg("--size").arg(len.to_string());
    if cutter.arg(path.file_name().unwrap()).status().is_err() {
        super::child::skip("Windows cuts no file that is mapped");
    }
    // Programs of the system below are not waited for.
    let started = std::time::Instant::now();
    while file.metadata().unwrap().len() != len as u64 {
        assert!(started.elapsed().as_secs() < 60, "{} was not cut", path.display());
        std::thread::yield_now();
    }
}
