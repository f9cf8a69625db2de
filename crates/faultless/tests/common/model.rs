//! A map beside a plain vector of bytes that is given the same operations, and
//! has to give the same results. The fuzz target of the same name uses it too.

use std::fs;
use std::mem::MaybeUninit;
use std::path::Path;

use faultless::{Access, ErrorKind, Flush, Map, MapOptions, Result};

use super::naive;

/// What happens to a map. Offsets and lengths in bytes; they need not fit.
#[derive(Clone, Debug)]
pub(crate) enum Operation {
    Read { at: usize, len: usize },
    ReadExact { at: usize, len: usize },
    ToVec { from: usize, len: usize },
    Write { at: usize, bytes: Vec<u8> },
    Get { at: usize },
    Set { at: usize, byte: u8 },
    Load { at: usize },
    Store { at: usize, number: u32 },
    Move { from: usize, len: usize, to: usize },
    Fill { from: usize, len: usize, byte: u8 },
    Find { from: usize, len: usize, needle: Vec<u8> },
    Compare { from: usize, len: usize, to: Vec<u8> },
    Resize { len: usize },
    Flush { from: usize, len: usize },
    ReadStrided { at: usize, step: isize, count: usize },
    WriteStrided { at: usize, step: isize, bytes: Vec<u8> },
    Reopen { access: Access, offset: usize, len: Option<usize> },
}

/// Numbers of a few pages of most systems.
fn small(number: u16) -> usize {
    usize::from(number % (1 << 14))
}

/// Steps forwards and backwards, and none.
fn step(number: usize) -> isize {
    number as isize % 41 - 20
}

/// Numbers and bytes of any value, from which an operation is made.
pub(crate) type Raw = (u8, u16, u16, u16, Vec<u8>);

impl From<Raw> for Operation {
    fn from((which, a, b, c, bytes): Raw) -> Self {
        let [a, b, c] = [a, b, c].map(small);
        match which % 18 {
            0 => Self::Read { at: a, len: b },
            1 => Self::ReadExact { at: a, len: b },
            2 => Self::ToVec { from: a, len: b },
            3 => Self::Write { at: a, bytes },
            4 => Self::Get { at: a },
            5 => Self::Set { at: a, byte: b as u8 },
            6 => Self::Load { at: a },
            7 => Self::Store { at: a, number: (b << 16 | c) as u32 },
            8 => Self::Move { from: a, len: b, to: c },
            9 => Self::Fill { from: a, len: b, byte: c as u8 },
            10 => Self::Find { from: a, len: b, needle: bytes },
            11 => Self::Compare { from: a, len: b, to: bytes },
            12 => Self::Resize { len: a },
            13 => Self::Flush { from: a, len: b },
            14 => Self::ReadStrided { at: a, step: step(c), count: b },
            15 => Self::WriteStrided { at: a, step: step(c), bytes },
            _ => {
                let access = match c % 4 {
                    0 => Access::Read,
                    1 => Access::CopyOnWrite,
                    _ => Access::Write,
                };
                Self::Reopen { access, offset: a, len: (c & 4 == 0).then_some(b) }
            }
        }
    }
}

/// A map, and what it and its file have to hold.
pub(crate) struct Pair<'path> {
    map: Map,
    bytes: Vec<u8>,
    access: Access,
    offset: usize,
    home: Home<'path>,
}

enum Home<'path> {
    File { path: &'path Path, bytes: Vec<u8> },
    Memory { shared: bool },
}

impl<'path> Pair<'path> {
    /// A map of a file, which is made anew, of about `len` bytes.
    pub(crate) fn with_file(path: &'path Path, len: u16) -> Self {
        let bytes = content(len);
        fs::write(path, &bytes).unwrap();
        let map = MapOptions::new().access(Access::Write).open(path).unwrap();
        let home = Home::File { path, bytes: bytes.clone() };
        Self { map, bytes, access: Access::Write, offset: 0, home }
    }

    /// Anonymous memory of about `len` bytes.
    pub(crate) fn with_memory(len: u16, shared: bool) -> Self {
        let bytes = content(len);
        let map = MapOptions::new().len(bytes.len()).shared(shared).map_anonymous().unwrap();
        map.write_at(0, &bytes).unwrap();
        Self { map, bytes, access: Access::Write, offset: 0, home: Home::Memory { shared } }
    }

    /// Does it to both, and compares the results.
    pub(crate) fn apply(&mut self, operation: &Operation) {
        let len = self.bytes.len();
        match *operation {
            Operation::Read { at, len } => {
                let rest = self.bytes.get(at..).unwrap_or_default();
                let expected = &rest[..len.min(rest.len())];
                let mut found = vec![0xAA; len];
                let count = self.map.read_at(at, &mut found).unwrap();
                naive::assert_same(&found[..count], expected);
                assert!(found[count..].iter().all(|&byte| byte == 0xAA));
            }
            Operation::ReadExact { at, len } => {
                let mut found = vec![0xAA; len];
                let result = self.map.read_exact_at(at, &mut found);
                match self.bytes.get(at..at + len) {
                    Some(expected) => {
                        result.unwrap();
                        naive::assert_same(&found, expected);
                    }
                    None => {
                        assert_kind(result, ErrorKind::OutOfRange);
                        assert!(found.iter().all(|&byte| byte == 0xAA));
                    }
                }
            }
            Operation::ToVec { from, len } => {
                let result = self.map.to_vec(from..from + len);
                match self.bytes.get(from..from + len) {
                    Some(expected) => naive::assert_same(&result.unwrap(), expected),
                    None => assert_kind(result, ErrorKind::OutOfRange),
                }
            }
            Operation::Write { at, ref bytes } => {
                let result = self.map.write_at(at, bytes);
                self.change(result, at, bytes.len(), |place| {
                    place.copy_from_slice(bytes);
                });
            }
            Operation::Get { at } => self.same(self.map.get(at), self.bytes.get(at).copied()),
            Operation::Set { at, byte } => {
                let result = self.map.set(at, byte);
                self.change(result, at, 1, |place| place[0] = byte);
            }
            Operation::Load { at } => {
                let expected: Option<[u8; 4]> =
                    self.bytes.get(at..at + 4).map(|bytes| bytes.try_into().unwrap());
                self.same(self.map.load_le(at), expected.map(u32::from_le_bytes));
                self.same(self.map.load_be(at), expected.map(i32::from_be_bytes));
            }
            Operation::Store { at, number } => {
                let result = self.map.store_be(at, number);
                let bytes = number.to_be_bytes();
                self.change(result, at, 4, |place| place.copy_from_slice(&bytes));
            }
            Operation::Move { from, len: count, to } => {
                let result = self.map.copy_within(from..from + count, to);
                let copy = self.bytes.get(from..from + count).map(<[u8]>::to_vec);
                let fits = copy.is_some();
                let place = if fits { to } else { len + 1 };
                self.change(result, place, count, |place| {
                    place.copy_from_slice(&copy.unwrap_or_default());
                });
            }
            Operation::Fill { from, len, byte } => {
                let result = self.map.fill(from..from + len, byte);
                self.change(result, from, len, |place| place.fill(byte));
            }
            Operation::Find { from, len, ref needle } => self.find(from, len, needle),
            Operation::Compare { from, len, ref to } => {
                let expected = self.bytes.get(from..from + len).map(|bytes| bytes.cmp(to));
                self.same(self.map.compare(from..from + len, to), expected);
            }
            Operation::Resize { len } => self.resize(len),
            Operation::Flush { from, len } => {
                let result = self.map.flush_range(from..from + len, Flush::ASYNC);
                let inside = from + len <= self.bytes.len();
                self.same(result, inside.then_some(()));
                self.check();
            }
            Operation::ReadStrided { at, step, count } => {
                let count = count % 100;
                let mut found = vec![MaybeUninit::new(0xAA); count];
                let result = self.map.read_strided_at(at, step, &mut found);
                match self.places(at, step, count) {
                    _ if step == 0 => assert_kind(result, ErrorKind::InvalidInput),
                    Some(places) => {
                        let expected: Vec<u8> =
                            places.into_iter().map(|at| self.bytes[at]).collect();
                        naive::assert_same(result.unwrap(), &expected);
                    }
                    None => assert_kind(result, ErrorKind::OutOfRange),
                }
            }
            Operation::WriteStrided { at, step, ref bytes } => {
                let result = self.map.write_strided_at(at, step, bytes);
                let places = self.places(at, step, bytes.len());
                if step == 0 && self.access != Access::Read {
                    return assert_kind(result, ErrorKind::InvalidInput);
                }
                let all = if places.is_some() { 0 } else { len + 1 };
                self.change(result, all, len, |map| {
                    for (at, &byte) in places.unwrap_or_default().into_iter().zip(bytes) {
                        map[at] = byte;
                    }
                });
            }
            Operation::Reopen { access, offset, len } => self.reopen(access, offset, len),
        }
        assert_eq!(self.map.len(), self.bytes.len());
    }

    fn find(&self, from: usize, len: usize, needle: &[u8]) {
        let (map, range) = (&self.map, from..from + len);
        let bytes = self.bytes.get(range.clone());
        let place = |find: fn(&[u8], &[u8]) -> Option<usize>| {
            bytes.map(|bytes| find(bytes, needle).map(|at| from + at))
        };
        self.same(map.find(needle, range.clone()), place(naive::find));
        self.same(map.rfind(needle, range.clone()), place(naive::rfind));
        let all: Option<Vec<usize>> = bytes
            .map(|bytes| naive::find_all(bytes, needle).into_iter().map(|at| from + at).collect());
        self.same(map.count(needle, range.clone()), all.as_ref().map(Vec::len));
        self.same(map.find_iter(needle, range).and_then(Iterator::collect), all);
    }

    /// The places that steps lead to, if all are inside the map.
    fn places(&self, at: usize, step: isize, count: usize) -> Option<Vec<usize>> {
        (0..count as isize)
            .map(|nth| at.checked_add_signed(nth * step).filter(|&at| at < self.bytes.len()))
            .collect()
    }

    fn resize(&mut self, len: usize) {
        let result = self.map.resize(len);
        match &mut self.home {
            Home::File { .. } if self.access != Access::Write => {
                return assert_kind(result, ErrorKind::Access);
            }
            Home::Memory { shared: true } if len > self.bytes.len() => {
                return assert_kind(result, ErrorKind::Unsupported);
            }
            Home::File { bytes, .. } => {
                bytes.resize(self.offset + len, 0);
                self.bytes = bytes[self.offset..].to_vec();
            }
            Home::Memory { .. } => self.bytes.resize(len, 0),
        }
        result.unwrap();
        self.check();
    }

    fn reopen(&mut self, access: Access, offset: usize, len: Option<usize>) {
        let Home::File { path, bytes } = &self.home else {
            return;
        };
        let mut options = MapOptions::new();
        options.access(access).offset(offset as u64);
        if let Some(len) = len {
            options.len(len);
        }
        let part = bytes.get(offset..).and_then(|rest| rest.get(..len.unwrap_or(rest.len())));
        match (options.open(path), part) {
            (Ok(map), Some(part)) => {
                self.bytes = part.to_vec();
                self.map = map;
                (self.access, self.offset) = (access, offset);
                self.check();
            }
            (Err(error), None) => assert_eq!(error.kind(), ErrorKind::OutOfRange),
            (result, part) => panic!("{result:?}, with {:?} bytes there", part.map(<[u8]>::len)),
        }
    }

    /// After an operation that changes `len` bytes at `at`, if it may and they
    /// are there.
    fn change(&mut self, result: Result<()>, at: usize, len: usize, work: impl FnOnce(&mut [u8])) {
        if self.access == Access::Read {
            return assert_kind(result, ErrorKind::Access);
        }
        let Some(place) = self.bytes.get_mut(at..at + len) else {
            return assert_kind(result, ErrorKind::OutOfRange);
        };
        result.unwrap();
        work(place);
        if let (Home::File { bytes, .. }, Access::Write) = (&mut self.home, self.access) {
            bytes[self.offset + at..][..len].copy_from_slice(place);
        }
    }

    /// `None`: the range was not inside the map.
    #[track_caller]
    fn same<T: PartialEq + std::fmt::Debug>(&self, result: Result<T>, expected: Option<T>) {
        match expected {
            Some(expected) => assert_eq!(result.unwrap(), expected),
            None => assert_kind(result, ErrorKind::OutOfRange),
        }
    }

    /// Compares all bytes, in memory and in the file.
    pub(crate) fn check(&self) {
        naive::assert_same(&self.map.to_vec(..).unwrap(), &self.bytes);
        if let Home::File { path, bytes } = &self.home {
            naive::assert_same(&fs::read(path).unwrap(), bytes);
            assert_eq!(self.map.file_len().unwrap(), bytes.len() as u64);
        }
    }

    /// Compares all bytes, and those that the file has without the map.
    pub(crate) fn close(self) {
        self.check();
        drop(self.map);
        if let Home::File { path, bytes } = self.home {
            naive::assert_same(&fs::read(path).unwrap(), &bytes);
        }
    }
}

/// Bytes to begin with: none is zero, as those that are new are.
fn content(len: u16) -> Vec<u8> {
    (0..small(len)).map(|at| (at % 251) as u8 + 1).collect()
}

#[track_caller]
fn assert_kind<T>(result: Result<T>, kind: ErrorKind) {
    assert_eq!(result.err().map(|error| error.kind()), Some(kind));
}
