//! Memory that processes find by its name.
#![allow(clippy::unwrap_used)]

mod common;

use std::io;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use common::program::this_program;
use common::{kind, pattern};
use faultless::{Create, Error, ErrorKind, Map, MapOptions, Result, page_size, unlink_shared};

/// A name that nobody else has, taken away in the end.
struct Name(String);

impl Name {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        Self(format!("faultless-{}-{count}", std::process::id()))
    }

    fn map(&self, create: Create, len: Option<usize>) -> Result<Map> {
        let mut options = MapOptions::new();
        options.name(&self.0, create);
        if let Some(len) = len {
            options.len(len);
        }
        options.map_anonymous()
    }
}

impl Drop for Name {
    fn drop(&mut self) {
        let _ = unlink_shared(&self.0);
    }
}

#[track_caller]
fn io_kind<T>(result: Result<T>) -> io::ErrorKind {
    let error: Error = result.map(drop).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Os, "{error}");
    io::Error::from(error).kind()
}

#[test]
fn those_who_know_the_name_see_the_same_bytes() {
    let name = Name::new();
    let len = 3 * page_size();
    let made = name.map(Create::New, Some(len)).unwrap();
    assert!(made.is_writable());
    assert_eq!(made.to_vec(..).unwrap(), vec![0; len]);
    let found = name.map(Create::Never, Some(len)).unwrap();
    let either = name.map(Create::IfMissing, Some(len)).unwrap();
    made.write_at(5, b"made").unwrap();
    found.write_at(len - 5, b"found").unwrap();
    for map in [made, found, either] {
        assert_eq!(map.to_vec(5..9).unwrap(), b"made");
        assert_eq!(map.to_vec(len - 5..).unwrap(), b"found");
        map.flush().unwrap();
    }
}

/// The test calls itself in another process, which has the name from this
/// variable.
#[test]
fn another_process_sees_it_and_is_seen() {
    const VARIABLE: &str = "FAULTLESS_TEST_SHARED";
    let bytes = pattern(2 * page_size() + 7);
    if let Ok(name) = std::env::var(VARIABLE) {
        let name = Name(name);
        let theirs = name.map(Create::Never, Some(bytes.len())).unwrap();
        assert_eq!(theirs.to_vec(..).unwrap(), bytes);
        theirs.write_at(7, b"from the other process").unwrap();
        // The name is the other's.
        std::mem::forget(name);
        return;
    }
    let name = Name::new();
    let ours = name.map(Create::New, Some(bytes.len())).unwrap();
    ours.write_at(0, &bytes).unwrap();
    let output = this_program()
        .args(["another_process_sees_it_and_is_seen", "--exact"])
        .env(VARIABLE, &name.0)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
    assert_eq!(ours.to_vec(7..29).unwrap(), b"from the other process");
    assert_eq!(ours.to_vec(29..).unwrap(), bytes[29..]);
}

#[test]
fn what_must_be_new_must_not_be_there() {
    let name = Name::new();
    let first = name.map(Create::New, Some(10)).unwrap();
    first.set(0, 7).unwrap();
    assert_eq!(io_kind(name.map(Create::New, Some(10))), io::ErrorKind::AlreadyExists);
    assert_eq!(first.get(0).unwrap(), 7);
}

#[test]
fn what_must_be_there_must_not_be_missing() {
    let name = Name::new();
    assert_eq!(io_kind(name.map(Create::Never, Some(10))), io::ErrorKind::NotFound);
    assert_eq!(io_kind(name.map(Create::Never, None)), io::ErrorKind::NotFound);
    // And was not made.
    drop(name.map(Create::New, Some(10)).unwrap());
}

#[test]
fn either_makes_it_once() {
    let name = Name::new();
    let maps: Vec<_> = thread::scope(|scope| {
        let starts: Vec<_> = (0..8)
            .map(|_| scope.spawn(|| name.map(Create::IfMissing, Some(page_size())).unwrap()))
            .collect();
        starts.into_iter().map(|start| start.join().unwrap()).collect()
    });
    for (nth, map) in maps.iter().enumerate() {
        map.set(nth, 1).unwrap();
    }
    for map in &maps {
        assert_eq!(map.to_vec(..10).unwrap(), [1, 1, 1, 1, 1, 1, 1, 1, 0, 0]);
    }
}

#[test]
fn new_memory_needs_a_length() {
    let name = Name::new();
    for create in [Create::New, Create::IfMissing] {
        for len in [None, Some(0)] {
            assert_eq!(kind(name.map(create, len)), ErrorKind::InvalidInput);
        }
    }
    assert_eq!(
        io_kind(name.map(Create::Never, None)),
        io::ErrorKind::NotFound,
        "and none was made"
    );
}

#[test]
fn length_is_that_of_what_is_there_or_less() {
    let name = Name::new();
    let len = 4 * page_size();
    let made = name.map(Create::New, Some(len)).unwrap();
    made.write_at(0, &pattern(len)).unwrap();
    let all = name.map(Create::Never, None).unwrap();
    assert_eq!(all.len(), len);
    assert_eq!(all.to_vec(..).unwrap(), pattern(len));
    assert_eq!(name.map(Create::IfMissing, None).unwrap().len(), len);
    assert_eq!(name.map(Create::Never, Some(0)).unwrap().len(), len);
    let part = name.map(Create::IfMissing, Some(100)).unwrap();
    assert_eq!(part.to_vec(..).unwrap(), pattern(len)[..100]);
    // What is a matter of the system: how the system says that it is too long.
    assert!(name.map(Create::IfMissing, Some(len + 1)).is_err());
    assert_eq!(made.len(), len);
    assert_eq!(made.to_vec(..).unwrap(), pattern(len));
}

#[test]
fn names_that_no_memory_can_have_are_refused() {
    let long = "x".repeat(1000);
    for name in ["", ".", "..", "a/b", "/a", "a\\b", "a\0b", &long] {
        for create in [Create::New, Create::Never, Create::IfMissing] {
            let mut options = MapOptions::new();
            let result = options.name(name, create).len(10).map_anonymous();
            assert_eq!(kind(result), ErrorKind::InvalidInput, "{name:?}");
        }
        assert_eq!(kind(unlink_shared(name)), ErrorKind::InvalidInput, "{name:?}");
    }
}

#[test]
fn error_names_the_name() {
    let name = Name::new();
    let error = name.map(Create::Never, None).unwrap_err();
    assert!(error.to_string().contains(&format!("{:?}", name.0)), "{error}");
    assert!(error.to_string().starts_with("shared: "), "{error}");
}

/// On Windows a name goes away with the last map.
#[cfg(unix)]
#[test]
fn name_is_taken_away_and_the_memory_stays() {
    let name = Name::new();
    let map = name.map(Create::New, Some(10)).unwrap();
    map.write_at(0, b"0123456789").unwrap();
    drop(map);
    let map = name.map(Create::Never, None).unwrap();
    assert_eq!(map.to_vec(..).unwrap(), b"0123456789");
    unlink_shared(&name.0).unwrap();
    assert_eq!(map.to_vec(..).unwrap(), b"0123456789");
    assert_eq!(io_kind(name.map(Create::Never, None)), io::ErrorKind::NotFound);
    assert_eq!(io_kind(unlink_shared(&name.0)), io::ErrorKind::NotFound);
    let other = name.map(Create::New, Some(10)).unwrap();
    assert_eq!(other.to_vec(..).unwrap(), [0; 10]);
    assert_eq!(map.get(0).unwrap(), b'0');
}

/// Between being made and being given its length it has none: a file, on Linux.
#[cfg(target_os = "linux")]
#[test]
fn memory_that_is_being_made_is_waited_for() {
    use std::fs::File;
    use std::time::Duration;
    for create in [Create::Never, Create::IfMissing] {
        let name = Name::new();
        let made = File::create_new(format!("/dev/shm/{}", name.0)).unwrap();
        thread::scope(|scope| {
            scope.spawn(|| {
                thread::sleep(Duration::from_millis(100));
                made.set_len(10).unwrap();
            });
            assert_eq!(name.map(create, Some(10)).unwrap().to_vec(..).unwrap(), [0; 10]);
        });
    }
}

/// A file with rights, on Linux.
#[cfg(target_os = "linux")]
#[test]
fn nobody_else_can_open_it() {
    use std::os::unix::fs::PermissionsExt;
    let name = Name::new();
    let map = name.map(Create::New, Some(10)).unwrap();
    let mode = map.file().unwrap().metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}
