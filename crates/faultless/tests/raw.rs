//! The memory itself, and the slices of it that are safe.
#![allow(clippy::unwrap_used)]

mod common;

use common::{anonymous, file, kind, pattern, writable};
use faultless::{Access, ErrorKind, Map, MapOptions, Protection, page_size};

#[test]
fn pointer_is_to_the_first_byte() {
    let bytes = pattern(3 * page_size());
    let file = file(&bytes);
    for offset in [0, 1, page_size() + 33] {
        let map = MapOptions::new().offset(offset as u64).open(file.path()).unwrap();
        // SAFETY: both bytes are in the map, which lives.
        let ends = unsafe { (map.as_ptr().read(), map.as_ptr().add(map.len() - 1).read()) };
        assert_eq!(ends, (bytes[offset], bytes[3 * page_size() - 1]));
    }
}

#[test]
fn pointer_can_be_written_through() {
    let (file, map) = writable(b"0123456789");
    // SAFETY: the map has ten bytes, can be written, and lives.
    unsafe { map.as_mut_ptr().add(9).write(b'x') };
    assert_eq!(map.get(9).unwrap(), b'x');
    assert_eq!(std::fs::read(file.path()).unwrap(), b"012345678x");
}

#[test]
fn pointer_of_an_empty_map_is_not_null() {
    let map = MapOptions::new().len(0).map_anonymous().unwrap();
    assert!(!map.as_ptr().is_null());
}

#[test]
fn slices_are_of_the_range() {
    let bytes = pattern(5000);
    let mut map = anonymous(&bytes);
    // SAFETY: private memory that nobody changes meanwhile.
    unsafe {
        assert_eq!(map.as_slice(17..4200).unwrap(), &bytes[17..4200]);
        assert_eq!(map.as_slice(5000..).unwrap(), b"");
        assert_eq!(kind(map.as_slice(..5001)), ErrorKind::OutOfRange);
        assert_eq!(kind(map.as_mut_slice(..5001)), ErrorKind::OutOfRange);
        map.as_mut_slice(4999..).unwrap()[0] = 0xEE;
    }
    assert_eq!(map.get(4999).unwrap(), 0xEE);
    assert_eq!(map.to_vec(..4999).unwrap(), bytes[..4999]);

    let file = file(b"0123456789");
    let mut map = Map::open(file.path()).unwrap();
    // SAFETY: it is refused, so that no slice is had.
    assert_eq!(kind(unsafe { map.as_mut_slice(..) }), ErrorKind::Access);
}

#[test]
fn immutable_slice_is_only_of_what_cannot_change() {
    let (file, mut map) = writable(b"0123456789");
    assert!(map.immutable_slice().is_none());
    map.protect(Protection::READ).unwrap();
    assert!(map.immutable_slice().is_none(), "others can write the file");
    assert!(Map::open(file.path()).unwrap().immutable_slice().is_none());
    let mut private = MapOptions::new().access(Access::CopyOnWrite).open(file.path()).unwrap();
    private.protect(Protection::READ).unwrap();
    assert!(private.immutable_slice().is_none(), "a page that was not written is the file's");
    let mut shared = MapOptions::new().len(10).shared(true).map_anonymous().unwrap();
    shared.protect(Protection::READ).unwrap();
    assert!(shared.immutable_slice().is_none(), "a child may write it");

    let mut memory = anonymous(b"0123456789");
    assert!(memory.immutable_slice().is_none());
    memory.protect(Protection::NONE).unwrap();
    assert!(memory.immutable_slice().is_none());
    memory.protect(Protection::READ).unwrap();
    assert_eq!(memory.immutable_slice().unwrap(), b"0123456789");
}

#[test]
fn private_slice_is_only_of_memory_of_ones_own() {
    let (_file, mut map) = writable(b"0123456789");
    assert!(map.private_slice_mut().is_none());
    let mut shared = MapOptions::new().len(10).shared(true).map_anonymous().unwrap();
    assert!(shared.private_slice_mut().is_none());
    let mut memory = anonymous(b"0123456789");
    memory.private_slice_mut().unwrap()[9] = b'x';
    assert_eq!(memory.to_vec(..).unwrap(), b"012345678x");
    memory.protect(Protection::READ).unwrap();
    assert!(memory.private_slice_mut().is_none());
}

/// Only Linux seals files.
#[cfg(target_os = "linux")]
#[test]
fn sealed_file_gives_an_immutable_slice() {
    use std::fs::File;
    use std::os::fd::{AsRawFd, FromRawFd};

    let seal = |file: &File, seals: i32| {
        // SAFETY: changes this file's seals, nothing in memory.
        let result = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_ADD_SEALS, seals) };
        assert_eq!(result, 0);
    };
    let bytes = pattern(page_size() + 5);
    // SAFETY: a new descriptor, which nobody else owns.
    let file = unsafe {
        let number = libc::memfd_create(c"sealed".as_ptr(), libc::MFD_ALLOW_SEALING);
        assert_ne!(number, -1);
        File::from_raw_fd(number)
    };
    std::io::Write::write_all(&mut &file, &bytes).unwrap();
    // Kernels before 6.7 take a map of a file that is open for writing for one
    // that may write.
    let read = File::open(format!("/proc/self/fd/{}", file.as_raw_fd())).unwrap();
    let map = || MapOptions::new().offset(3).map(&read).unwrap();
    assert!(map().immutable_slice().is_none());
    seal(&file, libc::F_SEAL_GROW | libc::F_SEAL_SHRINK);
    assert!(map().immutable_slice().is_none(), "it can be written");
    seal(&file, libc::F_SEAL_WRITE);
    assert_eq!(map().immutable_slice().unwrap(), &bytes[3..]);

    let private = MapOptions::new().access(Access::CopyOnWrite).map(&read).unwrap();
    private.set(0, 1).unwrap();
    assert!(private.immutable_slice().is_none(), "this map can be written");
    let not_kept = MapOptions::new().keep_file(false).map(&read).unwrap();
    assert!(not_kept.immutable_slice().is_none(), "nobody can tell");
}

/// With the numbers of madvise(2), which Windows has not.
#[cfg(unix)]
#[test]
fn raw_advice_is_taken_as_it_is() {
    let page = page_size();
    let map = MapOptions::new().len(2 * page).map_anonymous().unwrap();
    // SAFETY: advice that changes nothing.
    unsafe {
        map.raw_advise(.., libc::MADV_NORMAL).unwrap();
        map.raw_advise(page.., libc::MADV_RANDOM).unwrap();
        let unaligned = map.raw_advise(1.., libc::MADV_NORMAL).unwrap_err();
        assert_eq!(unaligned.raw_os_error(), Some(libc::EINVAL));
        let unknown = map.raw_advise(.., 9999).unwrap_err();
        assert_eq!((unknown.kind(), unknown.raw_os_error()), (ErrorKind::Os, Some(libc::EINVAL)));
        let outside = map.raw_advise(..=2 * page, libc::MADV_NORMAL);
        assert_eq!(kind(outside), ErrorKind::OutOfRange);
    }
}
