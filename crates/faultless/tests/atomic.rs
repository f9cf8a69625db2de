//! Numbers that threads and processes change at the same time.
#![allow(clippy::unwrap_used)]

mod common;

use std::thread;
use std::time::Duration;

use common::{anonymous, file, kind, pattern, writable};
use faultless::{Access, Atomic, AtomicScalar, ErrorKind, Map, MapOptions, Protection, page_size};

const MOMENT: Duration = Duration::from_millis(20);
/// Longer than any of this takes.
const AGES: Option<Duration> = Some(Duration::from_secs(60));

/// What every access does, in numbers of one kind.
fn every_access<T: AtomicScalar + std::fmt::Debug>(numbers: [T; 4], to_ne: fn(T) -> Vec<u8>) {
    let [zero, least, most, one] = numbers;
    let map = anonymous(&[0; 64]);
    let size = size_of::<T>();
    let number = map.atomic::<T>(3 * size).unwrap();
    assert_eq!(number.load().unwrap(), zero);
    number.store(most).unwrap();
    assert_eq!(number.load().unwrap(), most);
    assert_eq!(map.to_vec(3 * size..4 * size).unwrap(), to_ne(most));
    assert_eq!(number.fetch_add(one).unwrap(), most);
    assert_eq!(number.load().unwrap(), least, "it goes round");
    assert_eq!(number.compare_exchange(most, one).unwrap(), Err(least));
    assert_eq!(number.compare_exchange(least, one).unwrap(), Ok(least));
    assert_eq!(number.fetch_or(most).unwrap(), one);
    assert_eq!(number.fetch_and(one).unwrap(), most);
    assert_eq!(number.load().unwrap(), one);
    // Nothing beside it.
    let bytes = map.to_vec(..).unwrap();
    assert!(bytes[..3 * size].iter().chain(&bytes[4 * size..]).all(|&byte| byte == 0));
}

#[test]
fn every_access_to_every_kind() {
    every_access([0, 0, u32::MAX, 1], |n| n.to_ne_bytes().to_vec());
    every_access([0, 0, u64::MAX, 1], |n| n.to_ne_bytes().to_vec());
    every_access([0, i32::MIN, i32::MAX, 1], |n| n.to_ne_bytes().to_vec());
    every_access([0, i64::MIN, i64::MAX, 1], |n| n.to_ne_bytes().to_vec());
}

#[test]
fn places_that_there_are_not() {
    let map = anonymous(&[0; 20]);
    for offset in [17, 20, 24, usize::MAX, usize::MAX - 7] {
        assert_eq!(kind(map.atomic::<u32>(offset).map(drop)), ErrorKind::OutOfRange);
    }
    assert_eq!(kind(map.atomic::<u64>(16).map(drop)), ErrorKind::OutOfRange);
    for offset in [1, 2, 3, 5, 14] {
        assert_eq!(kind(map.atomic::<i32>(offset).map(drop)), ErrorKind::InvalidInput);
    }
    assert_eq!(kind(map.atomic::<i64>(4).map(drop)), ErrorKind::InvalidInput);
    map.atomic::<u32>(16).unwrap();
    let empty = MapOptions::new().len(0).map_anonymous().unwrap();
    assert_eq!(kind(empty.atomic::<u32>(0).map(drop)), ErrorKind::OutOfRange);
}

/// The place in the file counts: another map of the same file that begins
/// elsewhere has the same numbers.
#[test]
fn a_map_that_begins_anywhere() {
    let (file, whole) = writable(&pattern(page_size() + 64));
    let mut options = MapOptions::new();
    let part = options.access(Access::Write).offset(5).open(file.path()).unwrap();
    assert_eq!(kind(part.atomic::<u64>(8).map(drop)), ErrorKind::InvalidInput);
    part.atomic::<u64>(3).unwrap().store(77).unwrap();
    assert_eq!(whole.atomic::<u64>(8).unwrap().load().unwrap(), 77);
    let part = options.offset(page_size() as u64 + 4).open(file.path()).unwrap();
    part.atomic::<u32>(0).unwrap().store(78).unwrap();
    assert_eq!(whole.load_ne::<u32>(page_size() + 4).unwrap(), 78);
}

#[test]
fn what_the_protection_forbids() {
    let bytes = 5u64.to_ne_bytes();
    let file = file(&bytes);
    let mut map = Map::open(file.path()).unwrap();
    let number = map.atomic::<u64>(0).unwrap();
    assert_eq!(number.load().unwrap(), 5);
    assert_eq!(kind(number.store(6)), ErrorKind::Access);
    assert_eq!(kind(number.fetch_add(1)), ErrorKind::Access);
    assert_eq!(kind(number.fetch_and(1)), ErrorKind::Access);
    assert_eq!(kind(number.fetch_or(1)), ErrorKind::Access);
    assert_eq!(kind(number.compare_exchange(5, 6)), ErrorKind::Access);
    let half = map.atomic::<u32>(if cfg!(target_endian = "little") { 0 } else { 4 }).unwrap();
    assert!(half.wait(6, None).unwrap());
    assert!(!half.wait(5, Some(MOMENT)).unwrap());
    assert_eq!(half.wake(1).unwrap(), 0);
    map.protect(Protection::NONE).unwrap();
    let number = map.atomic::<u32>(0).unwrap();
    assert_eq!(kind(number.load()), ErrorKind::Access);
    assert_eq!(kind(number.wait(0, None)), ErrorKind::Access);
    assert_eq!(kind(number.wake(1)), ErrorKind::Access);
}

#[test]
fn threads_add_up() {
    const EACH: u64 = 50_000;
    let (file, map) = writable(&[0; 64]);
    let other = MapOptions::new().access(Access::Write).open(file.path()).unwrap();
    thread::scope(|scope| {
        for map in [&map, &other, &map] {
            scope.spawn(|| {
                let (long, short) = (map.atomic::<u64>(8).unwrap(), map.atomic::<i32>(20).unwrap());
                for nth in 0..EACH {
                    long.fetch_add(1 << 32 | 1).unwrap();
                    short.fetch_add(-1).unwrap();
                    map.atomic::<u64>(32).unwrap().fetch_or(1 << (nth % 64)).unwrap();
                    // By hand, as a number that no method has is changed.
                    let product = map.atomic::<u64>(40).unwrap();
                    let mut seen = product.load().unwrap();
                    while let Err(now) = product.compare_exchange(seen, seen + 3).unwrap() {
                        seen = now;
                    }
                }
            });
        }
    });
    assert_eq!(map.load_ne::<u64>(8).unwrap(), 3 * EACH * (1 << 32 | 1));
    assert_eq!(map.load_ne::<i32>(20).unwrap(), -3 * EACH as i32);
    assert_eq!(map.load_ne::<u64>(32).unwrap(), u64::MAX);
    assert_eq!(map.load_ne::<u64>(40).unwrap(), 9 * EACH);
}

#[test]
fn waiting_ends_when_it_should() {
    let map = anonymous(&[0; 8]);
    let number = map.atomic::<u32>(4).unwrap();
    assert!(number.wait(1, None).unwrap(), "another number: no waiting");
    assert!(number.wait(1, Some(Duration::ZERO)).unwrap());
    assert!(!number.wait(0, Some(Duration::ZERO)).unwrap());
    assert!(!number.wait(0, Some(MOMENT)).unwrap());
    assert_eq!(number.wake(usize::MAX).unwrap(), 0);
    // Longer than a slice of waiting, and longer than any clock.
    assert!(!number.wait(0, Some(Duration::from_millis(1100))).unwrap());
    number.store(1).unwrap();
    assert!(number.wait(0, Some(Duration::MAX)).unwrap());
    assert!(map.atomic::<i32>(4).unwrap().wait(-1, None).unwrap());
}

fn take_turns(mine: Atomic<'_, u32>, parity: u32, turns: u32) {
    loop {
        let now = mine.load().unwrap();
        if now >= turns {
            break;
        }
        if now % 2 == parity {
            mine.store(now + 1).unwrap();
            mine.wake(1).unwrap();
        } else {
            assert!(mine.wait(now, AGES).unwrap(), "a wake-up was lost");
        }
    }
}

/// Two threads take turns many times: each turn is one wake-up of the other, and
/// one that is lost ends it.
#[test]
fn no_wake_up_is_lost() {
    let (file, map) = writable(&[0; 4096]);
    let other = MapOptions::new().access(Access::Write).open(file.path()).unwrap();
    thread::scope(|scope| {
        scope.spawn(|| take_turns(map.atomic(64).unwrap(), 0, 20_000));
        scope.spawn(|| take_turns(other.atomic(64).unwrap(), 1, 20_000));
    });
    assert_eq!(map.load_ne::<u32>(64).unwrap(), 20_000);
}

#[test]
fn as_many_are_woken_as_were_asked_for() {
    let map = anonymous(&[0; 8]);
    let awake = map.atomic::<u32>(4).unwrap();
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let gate = map.atomic::<i32>(0).unwrap();
                while gate.load().unwrap() == 0 {
                    assert!(gate.wait(0, AGES).unwrap());
                }
                awake.fetch_add(1).unwrap();
            });
        }
        let gate = map.atomic::<i32>(0).unwrap();
        gate.store(1).unwrap();
        gate.wake(usize::MAX).unwrap();
    });
    assert_eq!(awake.load().unwrap(), 3);
}
