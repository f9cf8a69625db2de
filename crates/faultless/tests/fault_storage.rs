//! Faults that are not truncations: full file systems, input/output errors, and
//! pools of huge pages, on file systems that Linux lets a test make.
#![allow(clippy::unwrap_used)]
#![cfg(target_os = "linux")]

mod fault_support;

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::Path;

use fault_support::areas::areas;
use fault_support::child::{in_child, in_child_with, skip};
use fault_support::disks::{mount, mount_point, run_or_skip};
use fault_support::fuse::FailingFile;
use fault_support::{
    PatternFile, assert_truncated, fault_of, page, pattern, pattern_of, raw_get, raw_set,
};
use faultless::{Access, ErrorKind, Fault, FaultReason, Map, MapOptions, Protection};

const MIB: usize = 1 << 20;

fn create(path: &Path) -> File {
    OpenOptions::new().read(true).write(true).create_new(true).open(path).unwrap()
}

#[track_caller]
fn assert_reason(fault: Fault, reason: FaultReason) {
    assert_eq!(fault.reason, reason, "{fault}");
}

/// Writes pages of a map of holes until one fails, and returns its offset.
fn fill_up(map: &Map) -> usize {
    for at in (0..map.len()).step_by(page()) {
        if let Err(error) = map.write_at(at, b"full?") {
            let fault = fault_of(Err::<(), _>(error));
            assert_reason(fault, FaultReason::NoSpace);
            assert_eq!(fault.offset, at);
            return at;
        }
    }
    panic!("{} bytes did not fill the file system", map.len());
}

#[test]
fn a_full_file_system_in_memory() {
    in_child(|| {
        let folder = mount_point();
        mount("small", &folder, c"tmpfs", "size=1m").unwrap();
        let file = create(&folder.join("holes"));
        file.set_len(4 * MIB as u64).unwrap();
        let map = MapOptions::new().access(Access::Write).map(&file).unwrap();
        let full = fill_up(&map);
        assert!((MIB / 2..=MIB).contains(&full), "{full}");
        assert_reason(fault_of(map.write_at(full, b"again")), FaultReason::NoSpace);
        assert_reason(fault_of(map.flush()), FaultReason::NoSpace);
        assert_reason(map.fault().unwrap(), FaultReason::NoSpace);
        assert_eq!(map.to_vec(..5).unwrap(), b"full?");
        raw_set(&map, 3 * MIB, 1);
        assert_eq!(raw_get(&map, 2 * MIB), 0);
        assert_reason(fault_of(map.to_vec(..)), FaultReason::NoSpace);

        // Room again: what is written reaches the file.
        run_or_skip("mount", &["-o", "remount,size=8m", folder.to_str().unwrap()]);
        let _ = map.flush();
        map.write_at(full, b"space").unwrap();
        map.write_at(4 * MIB - 5, b"space").unwrap();
        map.flush().unwrap();
        assert_eq!(map.fault(), None);
        let mut bytes = [0; 5];
        for at in [full, 4 * MIB - 5] {
            file.read_exact_at(&mut bytes, at as u64).unwrap();
            assert_eq!(&bytes, b"space");
        }
        assert_eq!(map.get(3 * MIB).unwrap(), 0, "the store to the replaced page was lost");
    });
}

#[test]
fn growing_on_a_full_file_system_is_an_error_at_the_call() {
    in_child(|| {
        let folder = mount_point();
        mount("small", &folder, c"tmpfs", "size=1m").unwrap();
        let file = PatternFile::at(folder.join("file"), 4 * page());
        let mut map = file.map(Access::Write);
        let error = map.resize(4 * MIB).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ENOSPC), "{error}");
        assert_eq!(map.to_vec(..).unwrap(), pattern_of(0..file.len));
        assert_eq!(file.bytes().len(), file.len);
        map.resize(8 * page()).unwrap();

        // With holes it is a fault at the store.
        let sparse = MapOptions::new().access(Access::Write).sparse(true).open(&file.path);
        let mut sparse = sparse.unwrap();
        sparse.resize(4 * MIB).unwrap();
        assert_reason(fault_of(sparse.fill(.., 1)), FaultReason::NoSpace);
    });
}

/// A disk of this many MiB whose bytes are a file; it is mounted at the folder
/// that is returned with it.
fn disk(mebibytes: usize) -> (File, std::path::PathBuf) {
    let folder = mount_point();
    let image = folder.with_file_name("image");
    let backing = create(&image);
    backing.set_len((mebibytes * MIB) as u64).unwrap();
    let (image, at) = (image.to_str().unwrap(), folder.to_str().unwrap());
    run_or_skip("mkfs.ext4", &["-q", "-F", "-O", "^has_journal", "-m", "0", image]);
    run_or_skip("mount", &["-o", "loop", image, at]);
    (backing, folder)
}

#[test]
fn a_full_disk() {
    in_child(|| {
        let (_backing, folder) = disk(8);
        let file = create(&folder.join("holes"));
        file.set_len(32 * MIB as u64).unwrap();
        let map = MapOptions::new().access(Access::Write).map(&file).unwrap();
        let full = fill_up(&map);
        fault_of(map.flush());
        assert_eq!(map.to_vec(..5).unwrap(), b"full?");
        file.set_len(full as u64).unwrap();
        assert_truncated(map.to_vec(full..full + 1), full);
    });
}

#[test]
fn a_disk_that_was_cut() {
    in_child(|| {
        let (backing, folder) = disk(16);
        let path = folder.join("file");
        PatternFile::at(path.clone(), 8 * MIB).file.sync_all().unwrap();
        let file = File::open(&path).unwrap();
        // SAFETY: asks that the pages of a file leave memory.
        unsafe {
            use std::os::fd::AsRawFd;
            libc::posix_fadvise(file.as_raw_fd(), 0, 0, libc::POSIX_FADV_DONTNEED);
        }
        let map = Map::open(&path).unwrap();
        let before = areas();
        backing.set_len(2 * MIB as u64).unwrap();
        let error = map.to_vec(..).unwrap_err();
        assert_eq!(error.path(), Some(path.as_path()));
        let fault = fault_of(Err::<(), _>(error));
        assert_reason(fault, FaultReason::Io);
        assert_reason(map.fault().unwrap(), FaultReason::Io);
        for at in (fault.offset..map.len()).step_by(page()) {
            let _ = raw_get(&map, at);
        }
        assert_reason(fault_of(map.count(b"x", ..)), FaultReason::Io);
        assert!(areas() <= before + 40, "{before} areas became {}", areas());
        assert_eq!(
            map.to_vec(..fault.offset).map(|bytes| bytes == pattern_of(0..fault.offset)).ok(),
            Some(true)
        );
    });
}

fn failing(pages: usize) -> FailingFile {
    let folder = mount_point();
    FailingFile::mount(&folder, pages * page())
        .unwrap_or_else(|error| skip(&format!("no FUSE: {error}")))
}

#[test]
fn a_file_system_without_shared_maps() {
    in_child(|| {
        let folder = mount_point();
        let file = FailingFile::mount_unshared(&folder, 16 * page())
            .unwrap_or_else(|error| skip(&format!("no FUSE: {error}")));
        let mut map = Map::open(&file.path).unwrap();
        assert!(map.is_private_fallback());
        assert_eq!(map.to_vec(..).unwrap(), pattern_of(0..map.len()));
        map.flush().unwrap();

        // It was asked for to be read only, and stays so.
        let both = Protection::READ | Protection::WRITE;
        assert_eq!(map.protect(both).unwrap_err().kind(), ErrorKind::Access);
        assert_eq!(map.set(0, 1).unwrap_err().kind(), ErrorKind::Access);
        map.protect(Protection::READ).unwrap();

        // It fails and heals as others do.
        file.make_bad(|page| page == 5);
        let map = MapOptions::new().offset(3).open(&file.path).unwrap();
        let fault = fault_of(map.to_vec(..));
        assert_reason(fault, FaultReason::Io);
        file.make_bad(|_| false);
        assert_eq!(map.to_vec(..).unwrap(), pattern_of(3..16 * page()));

        // What asks for a shared map in so many words does not get another.
        let mut options = MapOptions::new();
        let error = options.raw_flags(libc::MAP_SHARED).open(&file.path).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ENODEV), "{error}");
        let copy = MapOptions::new().access(Access::CopyOnWrite).open(&file.path).unwrap();
        assert!(!copy.is_private_fallback());
    });
}

#[test]
fn an_input_output_error_on_one_page() {
    in_child(|| {
        let file = failing(16);
        file.make_bad(|page| page == 5);
        let map = Map::open(&file.path).unwrap();
        let fault = fault_of(map.to_vec(..));
        assert_eq!((fault.offset, fault.reason), (5 * page(), FaultReason::Io));
        assert_eq!(map.to_vec(..5 * page()).unwrap(), pattern_of(0..5 * page()));
        assert_eq!(map.to_vec(6 * page()..).unwrap(), pattern_of(6 * page()..16 * page()));
        let fault = fault_of(map.get(5 * page() + 9));
        assert_reason(fault, FaultReason::Io);
        assert_eq!(map.fault().map(|fault| fault.offset), Some(5 * page()));
        fault_of(map.flush());

        file.make_bad(|_| false);
        assert_eq!(map.to_vec(..).unwrap(), pattern_of(0..map.len()));
        assert_eq!(map.fault(), None);
        map.flush().unwrap();
    });
}

#[test]
fn an_input_output_error_that_goes_away_by_itself() {
    in_child(|| {
        use std::sync::Arc;
        use std::sync::atomic::{AtomicUsize, Ordering};
        let file = failing(64);
        let asked = Arc::new(AtomicUsize::new(0));
        let map = Map::open(&file.path).unwrap();
        // Every page fails the first time that it is asked for.
        let seen = std::sync::Mutex::new(std::collections::HashSet::new());
        let count = Arc::clone(&asked);
        file.make_bad(move |page| {
            count.fetch_add(1, Ordering::Relaxed);
            seen.lock().unwrap().insert(page)
        });
        for at in (0..64).map(|nth| nth * page()) {
            match map.get(at) {
                Ok(byte) => assert_eq!(byte, pattern(at)),
                Err(error) => assert_reason(fault_of(Err::<(), _>(error)), FaultReason::Io),
            }
        }
        let _ = map.get(0);
        assert_eq!(map.to_vec(..).unwrap(), pattern_of(0..map.len()));
        assert_eq!(map.fault(), None);
        assert!(asked.load(Ordering::Relaxed) >= 128);
    });
}

/// Scattered over the file: what they cost is bounded, at the price of pages
/// between them.
#[test]
fn many_input_output_errors() {
    in_child(|| {
        let file = failing(3000);
        file.make_bad(|page| page % 2 == 1);
        let map = Map::open(&file.path).unwrap();
        let before = areas();
        for at in (0..map.len()).step_by(page()) {
            let byte = raw_get(&map, at);
            assert!(byte == 0 || byte == pattern(at));
        }
        assert!(areas() <= before + 40, "{before} areas became {}", areas());
        let fault = fault_of(map.to_vec(..));
        assert_reason(fault, FaultReason::Io);
        assert_eq!(map.to_vec(..page()).unwrap(), pattern_of(0..page()));

        file.make_bad(|_| false);
        let _ = map.get(0);
        assert_eq!(map.to_vec(..).unwrap(), pattern_of(0..map.len()));
        assert_eq!(map.fault(), None);
        // Areas of such a file are never merged again.
        assert!(areas() <= before + 40, "{before} areas became {}", areas());
    });
}

/// Huge pages in the pool of the machine, given back when this is dropped.
struct Pool {
    before: String,
}

const POOL: &str = "/proc/sys/vm/nr_hugepages";

impl Pool {
    fn of(pages: usize) -> Self {
        let before = std::fs::read_to_string(POOL)
            .unwrap_or_else(|error| skip(&format!("no pool of huge pages: {error}")));
        let more = before.trim().parse::<usize>().unwrap() + pages;
        if let Err(error) = std::fs::write(POOL, more.to_string()) {
            skip(&format!("the pool of huge pages cannot be changed: {error}"));
        }
        let pool = Self { before };
        let now = std::fs::read_to_string(POOL).unwrap();
        if now.trim() != more.to_string() {
            drop(pool);
            skip("the machine has no memory in one piece for huge pages");
        }
        pool
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        let _ = std::fs::write(POOL, &self.before);
    }
}

#[test]
fn files_of_huge_pages() {
    in_child(|| {
        let folder = mount_point();
        let _pool = Pool::of(4);
        if let Err(error) = mount("huge", &folder, c"hugetlbfs", "") {
            skip(&format!("cannot mount hugetlbfs: {error}"));
        }
        let file = create(&folder.join("file"));
        file.set_len(2 << 21).unwrap();
        let map = MapOptions::new().access(Access::Write).map(&file).unwrap();
        let huge = map.len() / 2;
        map.write_at(huge - 5, b"together").unwrap();
        file.set_len(huge as u64).unwrap();
        assert_truncated(map.get(huge), huge);
        assert_truncated(map.to_vec(huge - 5..huge + 5), huge);
        assert_eq!(map.to_vec(huge - 5..huge).unwrap(), b"toget");
        assert_truncated(map.flush(), huge);
        file.set_len(2 * huge as u64).unwrap();
        assert_eq!(map.to_vec(huge - 5..huge + 3).unwrap(), b"toget\0\0\0");
        map.write_at(huge, b"her").unwrap();
        assert_eq!(map.to_vec(huge - 5..huge + 3).unwrap(), b"together");
        assert_eq!(map.fault(), None);
        drop(map);

        // More pages than the pool has.
        let before = areas();
        file.set_len(0).unwrap();
        file.set_len(16 * huge as u64).unwrap();
        let map = MapOptions::new().access(Access::Write).no_reserve(true).map(&file).unwrap();
        let fault = fault_of(map.fill(.., 7));
        assert_reason(fault, FaultReason::NoSpace);
        assert!(fault.offset <= 4 * huge && fault.offset % huge == 0, "{fault}");
        assert_reason(fault_of(map.flush()), FaultReason::NoSpace);
        assert!(areas() <= before + 20);
        drop(map);
        file.set_len(0).unwrap();
    });
}

#[test]
fn atomic_numbers_on_a_disk_that_fails() {
    in_child(|| {
        let bad = FailingFile::mount(&mount_point(), 16 * page())
            .unwrap_or_else(|error| skip(&format!("no FUSE: {error}")));
        bad.make_bad(|page| page == 5);
        let map = Map::open(&bad.path).unwrap();
        let operations: [fn(&Map, usize) -> faultless::Result<()>; 3] = [
            |map, at| map.atomic::<u64>(at)?.load().map(drop),
            |map, at| map.atomic::<u32>(at)?.wait(0, None).map(drop),
            |map, at| map.atomic::<i32>(at)?.wake(1).map(drop),
        ];
        for operation in operations {
            let fault = fault_of(operation(&map, 5 * page() + 8));
            assert!((5 * page()..=5 * page() + 8).contains(&fault.offset), "{fault}");
            assert_reason(fault, FaultReason::Io);
            operation(&map, 6 * page()).unwrap();
        }
    });
}

#[test]
fn growing_on_a_full_disk_is_an_error_and_changes_nothing() {
    in_child(|| {
        let folder = mount_point();
        mount("small", &folder, c"tmpfs", "size=1m").unwrap();
        let file = PatternFile::at(folder.join("file"), 4 * page());
        let mut map =
            MapOptions::new().access(Access::Write).reserve(64 * MIB).open(&file.path).unwrap();
        let error = map.grow(4 * MIB).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ENOSPC), "{error}");
        assert_eq!(map.to_vec(..).unwrap(), pattern_of(0..file.len));
        assert_eq!(file.bytes().len(), file.len);

        // What fits is appended, though there is no room for more ahead of it.
        let error = loop {
            match map.append(&[5; 512]) {
                Ok(_) => {}
                Err(error) => break error,
            }
        };
        assert_eq!(error.raw_os_error(), Some(libc::ENOSPC), "{error}");
        let len = map.len();
        assert!((MIB * 3 / 4..=MIB).contains(&len), "{len} bytes fitted");
        let mut expected = pattern_of(0..file.len);
        expected.resize(len, 5);
        assert_eq!(map.to_vec(..).unwrap(), expected);
        assert_eq!(map.fault(), None);
        map.resize(len / 2).unwrap();
        map.append(&[6; 512]).unwrap();
        drop(map);
        expected.truncate(len / 2);
        expected.extend([6; 512]);
        assert_eq!(file.bytes(), expected);
    });
}

#[test]
fn prefetch_sees_a_disk_that_fails() {
    in_child(|| {
        let bad = failing(16);
        let map = Map::open(&bad.path).unwrap();
        bad.make_bad(|page| page >= 5);
        map.prefetch(..2 * page()).unwrap();
        let fault = fault_of(map.prefetch(..));
        assert_eq!((fault.offset, fault.reason), (5 * page(), FaultReason::Io));
        assert_eq!(fault_of(map.lock(4 * page()..)).offset, 5 * page());
        bad.make_bad(|_| false);
        map.prefetch(..).unwrap();
        assert_eq!(map.fault(), None);
        assert_eq!(map.to_vec(..).unwrap(), pattern_of(0..map.len()));
    });
}

/// What the guard is off for: the page is an error all the same, and nothing
/// dies, because the system says so instead of the signal.
#[test]
fn prefetch_without_the_guard() {
    /// Inside a page.
    const END: usize = 100_000;
    in_child_with(&[("FAULTLESS_GUARD", "0")], || {
        let bad = failing(16);
        let map = Map::open(&bad.path).unwrap();
        assert!(!map.is_guarded());
        bad.make_bad(|page| page == 5);
        let fault = fault_of(map.prefetch(..));
        assert_eq!((fault.offset, fault.reason), (5 * page(), FaultReason::Io));
        bad.make_bad(|_| false);
        map.prefetch(..).unwrap();

        let file = PatternFile::pages(64);
        let map = file.map(Access::Read);
        file.cut(END);
        assert_truncated(map.prefetch(..), END);
        map.prefetch(..END).unwrap();
        file.regrow();
        map.prefetch(..).unwrap();
    });
}

/// The kernel tells what is in memory only to the owner and the writers of a
/// file, and says "all" to others.
#[test]
fn residency_is_not_told_to_others() {
    in_child(|| {
        // SAFETY: changes who this process is.
        if unsafe { libc::geteuid() } != 0 {
            skip("only the superuser can be somebody else");
        }
        let file = PatternFile::pages(64);
        file.file.sync_all().unwrap();
        let map = MapOptions::new().map(&File::open(&file.path).unwrap()).unwrap();
        map.evict(..).unwrap();
        map.prefetch(..1).unwrap();
        let truth = map.residency(..).unwrap();
        // SAFETY: as above.
        assert_eq!(unsafe { libc::seteuid(65534) }, 0);
        match map.residency(..) {
            Ok(told) => assert_eq!(told, truth),
            Err(error) => assert_eq!(error.raw_os_error(), Some(libc::EPERM), "{error}"),
        }
    });
}
