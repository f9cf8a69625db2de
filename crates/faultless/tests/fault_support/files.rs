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
/// system below does, and is asked itself.
#[cfg(windows)]
pub(crate) fn set_len(file: &File, path: &Path, len: usize) {
    use windows_sys::Win32::Foundation::ERROR_USER_MAPPED_FILE;

    match file.set_len(len as u64) {
        Err(error) if error.raw_os_error() == Some(ERROR_USER_MAPPED_FILE as i32) => {}
        result => return result.unwrap(),
    }
    let Some(path) = wine::path_below(path) else {
        super::child::skip("Windows cuts no file that is mapped")
    };
    wine::truncate(&path, len).unwrap();
    assert_eq!(file.metadata().unwrap().len(), len as u64);
}

#[cfg(windows)]
mod wine {
    use std::arch::asm;
    use std::ffi::{CStr, CString, c_char};
    use std::io;
    use std::os::windows::ffi::OsStrExt;
    use std::path::Path;

    use windows_sys::Win32::System::LibraryLoader::{GetModuleHandleW, GetProcAddress};
    use windows_sys::w;

    /// The file's name in the system below Wine; `None` on Windows.
    pub(super) fn path_below(path: &Path) -> Option<CString> {
        let name: Vec<u16> = path.as_os_str().encode_wide().chain([0]).collect();
        // SAFETY: the library stays loaded, and only Wine has this function, which
        // takes a string and returns one that nobody gives back.
        unsafe {
            let library = GetModuleHandleW(w!("kernel32.dll"));
            let found = GetProcAddress(library, c"wine_get_unix_file_name".as_ptr().cast())?;
            let function = std::mem::transmute::<
                unsafe extern "system" fn() -> isize,
                unsafe extern "C" fn(*const u16) -> *const c_char,
            >(found);
            let below = function(name.as_ptr());
            (!below.is_null()).then(|| CStr::from_ptr(below).to_owned())
        }
    }

    /// Linux's truncate(2).
    pub(super) fn truncate(path: &CStr, len: usize) -> io::Result<()> {
        const TRUNCATE: isize = 76;
        let mut result = TRUNCATE;
        // SAFETY: there is a Linux below, for x86-64 as this program; it reads the
        // string, and changes a file.
        unsafe {
            asm!(
                "syscall",
                inlateout("rax") result,
                in("rdi") path.as_ptr(),
                in("rsi") len,
                lateout("rcx") _,
                lateout("r11") _,
                options(nostack),
            );
        }
        match result {
            0 => Ok(()),
            error => Err(io::Error::other(format!("error {} of Linux", -error))),
        }
    }
}
