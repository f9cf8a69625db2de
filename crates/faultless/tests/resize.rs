//! Growing and shrinking maps with their files.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;

use common::{anonymous, file, kind, naive, pattern, writable};
use faultless::{Access, Advice, ErrorKind, MapOptions, Protection, page_size};

/// The lengths a map goes through one after the other, from and to none at all.
fn lengths() -> Vec<usize> {
    let page = page_size();
    let mut lengths = vec![0, 1, 100, 0, page - 1, page, page + 1, 3 * page, 3 * page - 1];
    lengths.extend([5, 10, 64 * page, 2, 1 << 20, page + 17, 0, 3, 0, 5 * page, 5 * page]);
    lengths
}

#[test]
fn file_follows_its_map() {
    for offset in [0, 1, page_size() - 1, page_size(), page_size() + 33] {
        let mut expected = pattern(2 * page_size());
        let file = file(&expected);
        let mut options = MapOptions::new();
        options.access(Access::Write).offset(offset as u64);
        let mut map = options.open(file.path()).unwrap();
        for (round, len) in lengths().into_iter().enumerate() {
            map.resize(len).unwrap();
            expected.resize(offset + len, 0);
            assert_eq!(map.len(), len);
            assert_eq!(map.file_len().unwrap(), (offset + len) as u64);
            assert_eq!(map.file_offset(), offset as u64);
            naive::assert_same(&map.to_vec(..).unwrap(), &expected[offset..]);
            map.fill(.., round as u8 + 1).unwrap();
            expected[offset..].fill(round as u8 + 1);
            naive::assert_same(&fs::read(file.path()).unwrap(), &expected);
            assert_eq!(map.fault(), None);
        }
    }
}

#[test]
fn private_memory_grows_and_shrinks() {
    let mut map = MapOptions::new().len(10).map_anonymous().unwrap();
    let mut expected = vec![0; 10];
    for (round, len) in lengths().into_iter().enumerate() {
        map.resize(len).unwrap();
        expected.resize(len, 0);
        assert_eq!(map.len(), len);
        naive::assert_same(&map.to_vec(..).unwrap(), &expected);
        map.fill(.., round as u8 + 1).unwrap();
        expected.fill(round as u8 + 1);
    }
}

#[test]
fn memory_that_was_cut_off_comes_back_as_zeros() {
    let mut map = anonymous(b"0123456789");
    map.resize(5).unwrap();
    map.resize(10).unwrap();
    assert_eq!(map.to_vec(..).unwrap(), b"01234\0\0\0\0\0");
}

#[test]
fn shared_memory_only_shrinks() {
    let bytes = pattern(3 * page_size());
    let map = MapOptions::new().len(bytes.len()).shared(true).map_anonymous();
    let mut map = map.unwrap();
    map.write_at(0, &bytes).unwrap();
    assert_eq!(kind(map.resize(bytes.len() + 1)), ErrorKind::Unsupported);
    assert_eq!(map.to_vec(..).unwrap(), bytes);
    for len in [bytes.len(), 2 * page_size() + 1, page_size(), 1] {
        map.resize(len).unwrap();
        assert_eq!(map.to_vec(..).unwrap(), bytes[..len]);
    }
    assert_eq!(kind(map.resize(2)), ErrorKind::Unsupported);
    map.resize(0).unwrap();
    assert!(map.is_empty());
}

#[test]
fn map_of_a_part_makes_the_file_end_with_it() {
    let bytes = pattern(5000);
    for (len, expected) in [(100, 110), (1000, 1010), (4990, 5000), (50, 60), (0, 10)] {
        let file = file(&bytes);
        let mut options = MapOptions::new();
        options.access(Access::Write).offset(10).len(100);
        let mut map = options.open(file.path()).unwrap();
        map.resize(len).unwrap();
        assert_eq!(map.to_vec(..).unwrap(), bytes[10..10 + len]);
        assert_eq!(fs::read(file.path()).unwrap(), bytes[..expected]);
    }
}

#[test]
fn growing_moves_no_other_map() {
    let (file, mut map) = writable(&pattern(page_size()));
    let others: Vec<_> = (0..20).map(|_| faultless::Map::open(file.path()).unwrap()).collect();
    map.resize(1000 * page_size()).unwrap();
    map.set(1000 * page_size() - 1, 7).unwrap();
    for other in others {
        assert_eq!(other.to_vec(..).unwrap(), pattern(page_size()));
    }
}

#[test]
fn memory_advised_in_parts_grows() {
    let page = page_size();
    let bytes = pattern(4 * page);
    let mut map = anonymous(&bytes);
    if !Advice::DontFork.is_supported() {
        return common::skip("no advice that sets pages apart");
    }
    map.advise(page..2 * page, Advice::DontFork).unwrap();
    map.resize(8 * page).unwrap();
    assert_eq!(map.to_vec(..4 * page).unwrap(), bytes);
    assert_eq!(map.to_vec(4 * page..).unwrap(), vec![0; 4 * page]);
    map.set(8 * page - 1, 1).unwrap();

    let mut map = anonymous(&bytes);
    map.advise(page..2 * page, Advice::DontFork).unwrap();
    map.resize(page + 1).unwrap();
    assert_eq!(map.to_vec(..).unwrap(), bytes[..page + 1]);

    let (file, mut map) = writable(&bytes);
    map.advise(page..2 * page, Advice::DontFork).unwrap();
    map.resize(8 * page).unwrap();
    map.set(8 * page - 1, 1).unwrap();
    assert_eq!(map.to_vec(..4 * page).unwrap(), bytes);
    assert_eq!(fs::read(file.path()).unwrap(), map.to_vec(..).unwrap());
}

#[test]
fn memory_that_cannot_be_read_keeps_its_bytes() {
    let bytes = pattern(4 * page_size());
    let mut map = anonymous(&bytes);
    map.protect(Protection::NONE).unwrap();
    let grown = map.resize(8 * page_size());
    map.protect(Protection::READ).unwrap();
    match grown {
        Ok(()) => assert_eq!(map.len(), 8 * page_size()),
        // Where growing is a copy.
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Access);
            assert_eq!(map.len(), 4 * page_size());
        }
    }
    assert_eq!(map.to_vec(..4 * page_size()).unwrap(), bytes);
}

#[test]
fn lengths_that_nothing_has_are_refused() {
    let bytes = pattern(100);
    let (file, mut map) = writable(&bytes);
    let mut memory = anonymous(&bytes);
    for len in [usize::MAX, usize::MAX - 4095, isize::MAX as usize, isize::MAX as usize + 1] {
        assert_eq!(kind(map.resize(len)), ErrorKind::OutOfRange);
        assert_eq!(kind(memory.resize(len)), ErrorKind::OutOfRange);
    }
    // Within what a pointer can tell apart, and beyond what any system has; with
    // 32 bits there is no such length.
    if let Some(vast) = 1usize.checked_shl(62) {
        assert_eq!(kind(map.resize(vast)), ErrorKind::Os);
        assert_eq!(kind(memory.resize(vast)), ErrorKind::Os);
    }
    for map in [map, memory] {
        assert_eq!(map.to_vec(..).unwrap(), bytes);
    }
    assert_eq!(fs::read(file.path()).unwrap(), bytes);
}

#[test]
fn blocks_are_allocated_unless_the_file_is_to_be_sparse() {
    let allocated = |sparse| {
        let file = file(b"");
        let mut options = MapOptions::new();
        let mut map = options.access(Access::Write).sparse(sparse).open(file.path()).unwrap();
        map.resize(8 << 20).unwrap();
        assert_eq!(map.file_len().unwrap(), 8 << 20);
        map.set((8 << 20) - 1, 1).unwrap();
        map.flush().unwrap();
        common::allocated(file.as_file())
    };
    assert!(allocated(false) >= 8 << 20);
    assert!(allocated(true) < 1 << 20);
}

/// What a file system answers that is mounted for the test alone, as Linux allows.
#[cfg(target_os = "linux")]
mod on_a_small_disk {
    use std::io;
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::{FileExt, MetadataExt};

    use super::*;

    /// A memory file system of 1 MiB that only this thread sees.
    struct Disk(tempfile::TempDir);

    impl Disk {
        fn mount() -> Option<Self> {
            let folder = tempfile::tempdir().unwrap();
            match Self::mount_on(&folder) {
                Ok(()) => Some(Self(folder)),
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                    common::skip(&format!("only root may mount: {error}"));
                    None
                }
                Err(error) => panic!("mount: {error}"),
            }
        }

        fn mount_on(folder: &tempfile::TempDir) -> io::Result<()> {
            let folder = std::ffi::CString::new(folder.path().as_os_str().as_bytes()).unwrap();
            let check = |result| {
                if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
            };
            let (null, tmpfs) = (std::ptr::null(), c"tmpfs".as_ptr());
            // SAFETY: system calls with strings that live; they change this
            // thread's view of the file system and nothing else.
            unsafe {
                check(libc::unshare(libc::CLONE_NEWNS))?;
                let private = libc::MS_REC | libc::MS_PRIVATE;
                check(libc::mount(null, c"/".as_ptr(), null, private, std::ptr::null()))?;
                let size = c"size=1m".as_ptr().cast();
                check(libc::mount(tmpfs, folder.as_ptr(), tmpfs, 0, size))
            }
        }
    }

    impl Drop for Disk {
        fn drop(&mut self) {
            let folder = std::ffi::CString::new(self.0.path().as_os_str().as_bytes()).unwrap();
            // SAFETY: a system call with a string that lives.
            unsafe { libc::umount2(folder.as_ptr(), libc::MNT_DETACH) };
        }
    }

    #[test]
    fn full_disk_leaves_map_and_file_as_they_were() {
        let Some(disk) = Disk::mount() else { return };
        let path = disk.0.path().join("file");
        let bytes = pattern(100_000);
        fs::write(&path, &bytes).unwrap();
        let mut map = MapOptions::new().access(Access::Write).open(&path).unwrap();
        let blocks = fs::metadata(&path).unwrap().blocks();

        let error = map.resize(4 << 20).unwrap_err();
        assert_eq!((error.kind(), error.raw_os_error()), (ErrorKind::Os, Some(libc::ENOSPC)));
        assert!(error.to_string().contains(path.to_str().unwrap()));
        assert_eq!((map.len(), map.file_len().unwrap()), (100_000, 100_000));
        assert_eq!(fs::metadata(&path).unwrap().blocks(), blocks, "and no block is kept");
        naive::assert_same(&map.to_vec(..).unwrap(), &bytes);
        naive::assert_same(&fs::read(&path).unwrap(), &bytes);
        map.set(99_999, 1).unwrap();
        map.flush().unwrap();

        map.resize(500_000).unwrap();
        map.fill(100_000.., 7).unwrap();
        assert_eq!(map.count(&[7], 100_000..).unwrap(), 400_000);
    }

    #[test]
    fn sparse_file_outgrows_the_disk() {
        let Some(disk) = Disk::mount() else { return };
        let path = disk.0.path().join("file");
        fs::write(&path, b"start").unwrap();
        let mut options = MapOptions::new();
        let mut map = options.access(Access::Write).sparse(true).open(&path).unwrap();
        map.resize(64 << 20).unwrap();
        map.write_at((64 << 20) - 3, b"end").unwrap();
        assert_eq!(map.find(b"end", (64 << 20) - 100..).unwrap(), Some((64 << 20) - 3));
        assert_eq!(fs::metadata(&path).unwrap().len(), 64 << 20);
    }

    /// Shrinking the file first and then failing to map it would lose its end.
    #[test]
    fn file_too_large_to_map_is_not_cut() {
        let Some(vast) = 1usize.checked_shl(59) else {
            return common::skip("with 32 bits the system maps whatever a length can say");
        };
        let Some(disk) = Disk::mount() else { return };
        let path = disk.0.path().join("file");
        let file = fs::File::create_new(&path).unwrap();
        file.write_all_at(b"start", 0).unwrap();
        file.write_all_at(b"end", (1 << 60) - 3).unwrap();
        let mut options = MapOptions::new();
        let mut map = options.access(Access::Write).len(5).sparse(true).open(&path).unwrap();
        assert_eq!(kind(map.resize(vast)), ErrorKind::Os, "no address space is that large");
        assert_eq!((map.len(), map.file_len().unwrap()), (5, 1 << 60));
        assert_eq!(map.to_vec(..).unwrap(), b"start");
        let mut end = [0; 3];
        file.read_exact_at(&mut end, (1 << 60) - 3).unwrap();
        assert_eq!(&end, b"end");
    }
}
