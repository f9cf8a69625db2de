//! Bytes in and out, numbers, moves and comparisons.
#![allow(clippy::unwrap_used)]

mod common;

use std::mem::MaybeUninit;
use std::ops::Bound;

use common::{anonymous, file, kind, naive, pattern, writable};
use faultless::{Access, ErrorKind, MapOptions, Protection, page_size};

#[test]
fn read_at_gives_what_there_is() {
    let bytes = pattern(5000);
    let map = anonymous(&bytes);
    for (offset, asked) in [(0, 5000), (0, 6000), (4999, 1), (4999, 2), (4090, 20), (17, 0)] {
        let mut buf = vec![0xAA; asked];
        let count = map.read_at(offset, &mut buf).unwrap();
        assert_eq!(count, asked.min(5000 - offset));
        assert_eq!(buf[..count], bytes[offset..offset + count]);
        assert!(buf[count..].iter().all(|&byte| byte == 0xAA), "the rest is untouched");
    }
    for offset in [5000, 5001, usize::MAX] {
        assert_eq!(map.read_at(offset, &mut [0; 8]).unwrap(), 0);
    }
}

#[test]
fn read_exact_at_reads_all_or_nothing() {
    let bytes = pattern(5000);
    let map = anonymous(&bytes);
    let mut buf = [0; 10];
    map.read_exact_at(4990, &mut buf).unwrap();
    assert_eq!(buf, bytes[4990..]);
    for offset in [4991, 5000, 5001, usize::MAX - 9, usize::MAX - 10, usize::MAX] {
        let mut buf = [0xAA; 10];
        assert_eq!(kind(map.read_exact_at(offset, &mut buf)), ErrorKind::OutOfRange);
        assert_eq!(buf, [0xAA; 10]);
    }
    map.read_exact_at(5000, &mut []).unwrap();
    assert_eq!(kind(map.read_exact_at(5001, &mut [])), ErrorKind::OutOfRange);
}

#[test]
fn read_exact_uninit_at_fills_the_buffer() {
    let map = anonymous(b"0123456789");
    let mut buf = [MaybeUninit::uninit(); 4];
    let filled = map.read_exact_uninit_at(6, &mut buf).unwrap();
    assert_eq!(filled, b"6789");
    filled[0] = b'x';
    assert_eq!(kind(map.read_exact_uninit_at(7, &mut buf)), ErrorKind::OutOfRange);
}

#[test]
fn write_at_writes_all_or_nothing() {
    let bytes = pattern(5000);
    let (file, map) = writable(&bytes);
    for offset in [4991, 5000, 5001, usize::MAX - 9, usize::MAX] {
        assert_eq!(kind(map.write_at(offset, b"0123456789")), ErrorKind::OutOfRange);
    }
    assert_eq!(map.to_vec(..).unwrap(), bytes);
    map.write_at(4990, b"0123456789").unwrap();
    map.write_at(5000, b"").unwrap();
    assert_eq!(map.to_vec(..4990).unwrap(), bytes[..4990]);
    assert_eq!(std::fs::read(file.path()).unwrap()[4990..], *b"0123456789");
}

#[test]
fn ranges_of_every_form_are_taken() {
    let map = anonymous(b"0123456789");
    assert_eq!(map.to_vec(..).unwrap(), b"0123456789");
    assert_eq!(map.to_vec(4..).unwrap(), b"456789");
    assert_eq!(map.to_vec(..4).unwrap(), b"0123");
    assert_eq!(map.to_vec(..=4).unwrap(), b"01234");
    assert_eq!(map.to_vec(4..6).unwrap(), b"45");
    assert_eq!(map.to_vec(4..=9).unwrap(), b"456789");
    assert_eq!(map.to_vec((Bound::Excluded(4), Bound::Included(6))).unwrap(), b"56");
    assert_eq!(map.to_vec(10..).unwrap(), b"");
    assert_eq!(map.to_vec(10..10).unwrap(), b"");
}

#[test]
#[expect(clippy::reversed_empty_ranges, reason = "that they are refused is the point")]
fn ranges_outside_are_refused() {
    let map = anonymous(b"0123456789");
    let outside = |range: (Bound<usize>, Bound<usize>)| {
        assert_eq!(kind(map.to_vec(range)), ErrorKind::OutOfRange);
        assert_eq!(kind(map.fill(range, 1)), ErrorKind::OutOfRange);
        assert_eq!(kind(map.copy_within(range, 0)), ErrorKind::OutOfRange);
        assert_eq!(kind(map.compare(range, b"")), ErrorKind::OutOfRange);
        assert_eq!(kind(map.find(b"", range)), ErrorKind::OutOfRange);
        assert_eq!(kind(map.rfind(b"", range)), ErrorKind::OutOfRange);
        assert_eq!(kind(map.count(b"", range)), ErrorKind::OutOfRange);
        assert_eq!(kind(map.find_iter(b"", range).map(drop)), ErrorKind::OutOfRange);
        assert_eq!(kind(map.flush_range(range, faultless::Flush::SYNC)), ErrorKind::OutOfRange);
        assert_eq!(kind(map.advise(range, faultless::Advice::Normal)), ErrorKind::OutOfRange);
        assert_eq!(kind(map.lock(range)), ErrorKind::OutOfRange);
        assert_eq!(kind(map.unlock(range)), ErrorKind::OutOfRange);
    };
    let (included, excluded) = (Bound::Included, Bound::Excluded);
    outside((included(0), excluded(11)));
    outside((included(11), Bound::Unbounded));
    outside((included(11), excluded(11)));
    outside((included(4), excluded(3)));
    outside((included(0), included(10)));
    outside((included(0), included(usize::MAX)));
    outside((excluded(usize::MAX), Bound::Unbounded));
    outside((included(usize::MAX), excluded(usize::MAX)));
    assert_eq!(kind(map.to_vec(4..3)), ErrorKind::OutOfRange);
    assert_eq!(map.to_vec(..).unwrap(), b"0123456789");
}

#[test]
fn get_and_set_reach_the_ends_and_no_further() {
    let bytes = pattern(page_size() + 1);
    let map = anonymous(&bytes);
    for (at, &byte) in bytes.iter().enumerate() {
        assert_eq!(map.get(at).unwrap(), byte);
    }
    map.set(0, 0xFE).unwrap();
    map.set(bytes.len() - 1, 0xFF).unwrap();
    assert_eq!(map.get(0).unwrap(), 0xFE);
    assert_eq!(map.get(bytes.len() - 1).unwrap(), 0xFF);
    assert_eq!(map.to_vec(1..bytes.len() - 1).unwrap(), bytes[1..bytes.len() - 1]);
    for outside in [bytes.len(), bytes.len() + 1, usize::MAX] {
        assert_eq!(kind(map.get(outside)), ErrorKind::OutOfRange);
        assert_eq!(kind(map.set(outside, 1)), ErrorKind::OutOfRange);
    }
}

/// For one type of number: loads and stores at every offset of a file map, which
/// begins in the middle of a page and crosses into the next.
macro_rules! numbers {
    ($($number:ty: $name:ident)*) => {$(
        #[test]
        fn $name() {
            const LEN: usize = size_of::<$number>();
            let bytes = pattern(3 * page_size());
            let start = page_size() - 40;
            let bytes = &bytes[start..start + 81];
            let named = file(&pattern(3 * page_size()));
            let map = MapOptions::new()
                .access(Access::CopyOnWrite)
                .offset(start as u64)
                .len(81)
                .open(named.path())
                .unwrap();
            for at in 0..=81 - LEN {
                let here: [u8; LEN] = bytes[at..at + LEN].try_into().unwrap();
                let bits = |number: $number| number.to_ne_bytes();
                let (le, be) = (<$number>::from_le_bytes(here), <$number>::from_be_bytes(here));
                let ne = <$number>::from_ne_bytes(here);
                assert_eq!(bits(map.load_le(at).unwrap()), bits(le));
                assert_eq!(bits(map.load_be(at).unwrap()), bits(be));
                assert_eq!(bits(map.load_ne(at).unwrap()), bits(ne));

                let mut expected = bytes.to_vec();
                for (stored, in_map) in [
                    (map.store_le(at, be), be.to_le_bytes()),
                    (map.store_be(at, le), le.to_be_bytes()),
                    (map.store_ne(at, be), be.to_ne_bytes()),
                    (map.store_le(at, le), here),
                    (map.store_be(at, be), here),
                    (map.store_ne(at, ne), here),
                ] {
                    stored.unwrap();
                    expected[at..at + LEN].copy_from_slice(&in_map);
                }
                assert_eq!(map.to_vec(..).unwrap(), expected);
                map.store_le(at, be).unwrap();
                expected[at..at + LEN].copy_from_slice(&be.to_le_bytes());
                assert_eq!(map.to_vec(..).unwrap(), expected);
                map.store_be(at, le).unwrap();
                expected[at..at + LEN].copy_from_slice(&le.to_be_bytes());
                assert_eq!(map.to_vec(..).unwrap(), expected);
                map.write_at(at, &here).unwrap();
            }
            for at in [82 - LEN, 81, 82, usize::MAX - LEN + 1, usize::MAX] {
                assert_eq!(kind(map.load_le::<$number>(at)), ErrorKind::OutOfRange);
                assert_eq!(kind(map.load_be::<$number>(at)), ErrorKind::OutOfRange);
                assert_eq!(kind(map.load_ne::<$number>(at)), ErrorKind::OutOfRange);
                assert_eq!(kind(map.store_le(at, 1 as $number)), ErrorKind::OutOfRange);
                assert_eq!(kind(map.store_be(at, 1 as $number)), ErrorKind::OutOfRange);
                assert_eq!(kind(map.store_ne(at, 1 as $number)), ErrorKind::OutOfRange);
            }
            assert_eq!(map.to_vec(..).unwrap(), bytes);
        }
    )*};
}

numbers! {
    u8: u8_at_every_offset i8: i8_at_every_offset
    u16: u16_at_every_offset i16: i16_at_every_offset
    u32: u32_at_every_offset i32: i32_at_every_offset
    u64: u64_at_every_offset i64: i64_at_every_offset
    u128: u128_at_every_offset i128: i128_at_every_offset
    f32: f32_at_every_offset f64: f64_at_every_offset
}

#[test]
fn float_keeps_its_bits() {
    let map = anonymous(&[0; 8]);
    let signalling = f64::from_bits(0x7FF0_0000_DEAD_BEEF);
    map.store_be(0, signalling).unwrap();
    assert_eq!(map.to_vec(..).unwrap(), 0x7FF0_0000_DEAD_BEEFu64.to_be_bytes());
    assert_eq!(map.load_be::<f64>(0).unwrap().to_bits(), signalling.to_bits());
}

#[test]
fn copy_within_is_a_copy_through_a_buffer() {
    let page = page_size();
    let start = pattern(3 * page);
    for (from, to) in [
        (0..2 * page, page),
        (page..3 * page, 0),
        (1..2 * page, 2),
        (2..2 * page, 1),
        (5..5, 3 * page),
        (0..3 * page, 0),
        (3 * page - 1..3 * page, 0),
    ] {
        let map = anonymous(&start);
        map.copy_within(from.clone(), to).unwrap();
        let mut expected = start.clone();
        expected.copy_within(from, to);
        assert_eq!(map.to_vec(..).unwrap(), expected);
    }
}

/// Moves by each of `shifts`, to the front and to the back.
fn assert_moves(len: usize, shifts: &[usize]) {
    let start = pattern(len);
    let (_file, of_file) = writable(&start);
    for map in [anonymous(&start), of_file] {
        let mut expected = start.clone();
        for &shift in shifts {
            map.copy_within(shift.., 0).unwrap();
            expected.copy_within(shift.., 0);
            naive::assert_same(&map.to_vec(..).unwrap(), &expected);
            map.write_at(0, &start).unwrap();
            map.copy_within(..len - shift, shift).unwrap();
            expected.copy_from_slice(&start);
            expected.copy_within(..len - shift, shift);
            naive::assert_same(&map.to_vec(..).unwrap(), &expected);
        }
    }
}

#[test]
fn copy_within_takes_much_at_once() {
    assert_moves(1 << 20, &[1, 4095, 4097, (256 << 10) - 1, 256 << 10, (256 << 10) + 1, 700_000]);
}

#[test]
fn copy_within_takes_more_than_the_cache_holds() {
    assert_moves(17 << 20, &[61, (1 << 20) - 1, 1 << 20, (8 << 20) + 3]);
}

/// A file whose zeros may be taken for those behind its end.
#[test]
fn zeros_at_the_end_of_a_file_are_its_own() {
    for len in [100, page_size(), 70_000, 300_001] {
        let mut bytes = pattern(len);
        let half = len / 2;
        bytes[half..].fill(0);
        let (_file, map) = writable(&bytes);
        assert_eq!(map.to_vec(..).unwrap(), bytes);
        let mut buf = vec![0xAA; len];
        assert_eq!(map.read_at(0, &mut buf).unwrap(), len);
        assert_eq!(buf, bytes);
        assert_eq!(map.get(len - 1).unwrap(), 0);
        assert!(map.compare(.., &bytes).unwrap().is_eq());
        assert_eq!(map.find(&[0; 40], half..).unwrap(), Some(half));
        assert_eq!(map.rfind(&[0; 40], ..).unwrap(), Some(len - 40));
        assert_eq!(map.count(&[0], half..).unwrap(), len - half);
        assert_eq!(map.find(&[1], half..).unwrap(), None);
        map.fill(half.., 0).unwrap();
        map.set(len - 1, 0).unwrap();
        map.flush().unwrap();
        assert_eq!(map.to_vec(..).unwrap(), bytes);
        assert_eq!(map.fault(), None);
    }
}

#[test]
fn steps_of_any_size_and_direction() {
    const LEN: usize = 40;
    let start = pattern(LEN);
    for step in (-15isize..=15).filter(|&step| step != 0) {
        for offset in 0..=LEN {
            for count in 0..8 {
                let map = anonymous(&start);
                let places: Vec<usize> =
                    (0..count as isize).map(|nth| offset.wrapping_add_signed(nth * step)).collect();
                let inside = places.iter().all(|&at| at < LEN);
                let mut buf = vec![MaybeUninit::new(0xAA); count];
                let read = map.read_strided_at(offset, step, &mut buf);
                let bytes: Vec<u8> = (0xE0..).take(count).collect();
                let written = map.write_strided_at(offset, step, &bytes);
                let mut expected = start.clone();
                if inside {
                    let there: Vec<u8> = places.iter().map(|&at| start[at]).collect();
                    assert_eq!(read.unwrap(), there);
                    written.unwrap();
                    for (&at, &byte) in places.iter().zip(&bytes) {
                        expected[at] = byte;
                    }
                } else {
                    assert_eq!(kind(read), ErrorKind::OutOfRange);
                    assert_eq!(kind(written), ErrorKind::OutOfRange);
                }
                assert_eq!(map.to_vec(..).unwrap(), expected);
            }
        }
    }
}

#[test]
fn many_bytes_any_distance_apart() {
    const LEN: usize = 9000;
    let start = pattern(LEN);
    for apart in [1, 2, 3, 4, 8, 11, 64, 100] {
        for count in [15, 16, 17, 33, 64, 80] {
            let places: Vec<usize> = (0..count).map(|nth| 5 + nth * apart).collect();
            let bytes: Vec<u8> = (1..).take(count).collect();
            let backwards: Vec<usize> = places.iter().rev().copied().collect();
            for (step, places) in [(apart as isize, &places), (-(apart as isize), &backwards)] {
                let map = anonymous(&start);
                let mut buf = vec![MaybeUninit::new(0xAA); count];
                let there: Vec<u8> = places.iter().map(|&at| start[at]).collect();
                assert_eq!(map.read_strided_at(places[0], step, &mut buf).unwrap(), there);
                map.write_strided_at(places[0], step, &bytes).unwrap();
                let mut expected = start.clone();
                for (&at, &byte) in places.iter().zip(&bytes) {
                    expected[at] = byte;
                }
                assert_eq!(map.to_vec(..).unwrap(), expected, "{count} bytes {step} apart");
            }
        }
    }
}

/// New memory and memory that was used before, in which a copy lies at any place.
#[test]
fn copies_of_many_megabytes() {
    const LEN: usize = 9 << 20;
    let bytes = pattern(LEN);
    let map = anonymous(&bytes);
    assert_eq!(map.to_vec(..).unwrap(), bytes);
    for (start, len) in [(0, LEN), (1, LEN - 2), (4097, 5 << 20), (3 << 20, 2 << 20)] {
        for used in [false, true] {
            let mut memory = Vec::<u8>::with_capacity(LEN);
            if used {
                memory.resize(LEN, 0xAA);
                memory.clear();
            }
            let memory = memory.spare_capacity_mut();
            let read = map.read_exact_uninit_at(7, &mut memory[start..start + len - 7]).unwrap();
            assert_eq!(read, &bytes[7..len]);
            let read = map.read_strided_at(LEN - 1, -1, &mut memory[start..start + len]).unwrap();
            assert!(read.iter().eq(bytes.iter().rev().take(len)));
        }
    }
}

#[test]
fn steps_that_lead_nowhere_are_refused() {
    let map = anonymous(b"0123456789");
    let mut buf = [MaybeUninit::uninit(); 2];
    assert_eq!(kind(map.read_strided_at(0, 0, &mut buf)), ErrorKind::InvalidInput);
    assert_eq!(kind(map.write_strided_at(0, 0, b"xx")), ErrorKind::InvalidInput);
    for step in [isize::MIN, isize::MIN + 1, isize::MAX, 10, -1] {
        assert_eq!(kind(map.read_strided_at(0, step, &mut buf)), ErrorKind::OutOfRange);
        assert_eq!(kind(map.write_strided_at(0, step, b"xx")), ErrorKind::OutOfRange);
    }
    for offset in [10, usize::MAX] {
        assert_eq!(kind(map.read_strided_at(offset, 1, &mut buf)), ErrorKind::OutOfRange);
        assert_eq!(kind(map.write_strided_at(offset, isize::MAX, b"xx")), ErrorKind::OutOfRange);
    }
    assert_eq!(map.read_strided_at(9, isize::MIN, &mut buf[..1]).unwrap(), b"9");
    assert_eq!(map.to_vec(..).unwrap(), b"0123456789");
}

#[test]
fn copy_within_outside_changes_nothing() {
    let map = anonymous(b"0123456789");
    for (from, to) in [(0..5, 6), (0..11, 0), (5..10, usize::MAX), (0..0, 11)] {
        assert_eq!(kind(map.copy_within(from, to)), ErrorKind::OutOfRange);
    }
    assert_eq!(map.to_vec(..).unwrap(), b"0123456789");
}

#[test]
fn fill_sets_just_the_range() {
    let page = page_size();
    let mut bytes = pattern(3 * page);
    let map = anonymous(&bytes);
    map.fill(page - 1..2 * page + 1, 0x5A).unwrap();
    bytes[page - 1..2 * page + 1].fill(0x5A);
    map.fill(7..7, 1).unwrap();
    assert_eq!(map.to_vec(..).unwrap(), bytes);
}

#[test]
fn compare_orders_as_slices_do() {
    let map = anonymous(b"abcd\xFF");
    for other in [b"".as_slice(), b"a", b"abc", b"abcd", b"abcd\xFF", b"abcd\xFF\0", b"abd", b"b"] {
        for end in 0..=5 {
            assert_eq!(map.compare(..end, other).unwrap(), b"abcd\xFF"[..end].cmp(other));
        }
    }
}

#[test]
fn unreadable_map_answers_with_errors() {
    let mut options = MapOptions::new();
    let map = options.len(100).protection(Protection::NONE).map_anonymous().unwrap();
    assert!(!map.is_readable() && !map.is_writable());
    assert_eq!(kind(map.get(0)), ErrorKind::Access);
    assert_eq!(kind(map.read_at(0, &mut [0; 4])), ErrorKind::Access);
    assert_eq!(kind(map.read_exact_at(0, &mut [0; 4])), ErrorKind::Access);
    assert_eq!(kind(map.load_le::<u64>(0)), ErrorKind::Access);
    let mut uninit = [MaybeUninit::uninit(); 2];
    assert_eq!(kind(map.read_strided_at(0, 2, &mut uninit)), ErrorKind::Access);
    assert_eq!(kind(map.write_strided_at(0, 2, b"xx")), ErrorKind::Access);
    assert_eq!(kind(map.to_vec(..)), ErrorKind::Access);
    assert_eq!(kind(map.compare(.., b"")), ErrorKind::Access);
    assert_eq!(kind(map.find(b"a", ..)), ErrorKind::Access);
    assert_eq!(kind(map.rfind(b"a", ..)), ErrorKind::Access);
    assert_eq!(kind(map.count(b"a", ..)), ErrorKind::Access);
    assert_eq!(kind(map.find_iter(b"a", ..).map(drop)), ErrorKind::Access);
    assert_eq!(kind(map.copy_within(..1, 1)), ErrorKind::Access);
    assert_eq!(kind(map.set(0, 1)), ErrorKind::Access);
    assert_eq!(kind(map.write_at(0, b"")), ErrorKind::Access);
    // SAFETY: it is an error, so that no slice is had.
    assert_eq!(kind(unsafe { map.as_slice(..) }), ErrorKind::Access);
    assert!(std::io::Read::read(&mut map.cursor(), &mut [0; 4]).is_err());
    map.flush().unwrap();
}

#[test]
fn many_threads_read_and_write_one_map() {
    const THREADS: usize = 8;
    const PART: usize = 5000;
    let (file, map) = writable(&pattern((THREADS + 1) * PART));
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let map = &map;
            scope.spawn(move || {
                let (start, byte) = (thread * PART, 0xE0 + thread as u8);
                for round in 0..50u8 {
                    map.fill(start..start + PART, byte ^ round).unwrap();
                    map.store_be(start + 1, u64::from(round)).unwrap();
                    assert_eq!(map.get(start + PART - 1).unwrap(), byte ^ round);
                    assert_eq!(map.load_be::<u64>(start + 1).unwrap(), u64::from(round));
                    // What nobody writes stays what it is.
                    let rest = map.to_vec(THREADS * PART..).unwrap();
                    assert_eq!(rest, pattern((THREADS + 1) * PART)[THREADS * PART..]);
                    assert_eq!(
                        map.count(&[byte ^ round], start + 9..start + PART).unwrap(),
                        PART - 9
                    );
                }
                map.fill(start..start + PART, byte).unwrap();
            });
        }
    });
    map.flush().unwrap();
    let bytes = std::fs::read(file.path()).unwrap();
    for thread in 0..THREADS {
        let part = &bytes[thread * PART..(thread + 1) * PART];
        assert!(part.iter().all(|&byte| byte == 0xE0 + thread as u8));
    }
}
