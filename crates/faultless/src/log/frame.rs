//! The bytes of a log file: its header, and the frame around each record.
//! `docs/log-format.md` describes them.

use std::io::{self, Read};

use crate::error::{Error, ErrorKind, Result};

/// Bytes before the first frame.
pub(super) const HEADER: usize = 128;
/// Bytes of a frame's word; frames begin at multiples of it.
pub(super) const WORD: usize = 8;
/// Where in the header the checkpoint stands.
pub(super) const CHECKPOINT: usize = 64;
/// The longest record, in bytes.
pub(super) const LONGEST: usize = (1 << LEN_BITS) - 1;

const LEN_BITS: u32 = 30;
const MAGIC: [u8; 8] = *b"\x89FLOG\r\n\x1a";
const VERSION: u32 = 1;
/// The bytes that the header's own checksum covers.
const CHECKED: usize = 28;

/// The beginning of a log file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// The offset that the file's first byte has in the log.
    pub(super) base: u64,
}

impl Header {
    pub(super) fn to_bytes(self) -> [u8; HEADER] {
        let mut bytes = [0; HEADER];
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[8..12].copy_from_slice(&VERSION.to_le_bytes());
        bytes[12..16].copy_from_slice(&(HEADER as u32).to_le_bytes());
        bytes[16..24].copy_from_slice(&self.base.to_le_bytes());
        let sum = crc32c::crc32c(&bytes[..CHECKED]);
        bytes[CHECKED..CHECKED + 4].copy_from_slice(&sum.to_le_bytes());
        bytes[CHECKPOINT..CHECKPOINT + WORD].copy_from_slice(&(HEADER as u64).to_le_bytes());
        bytes
    }

    /// Reads the header from the beginning of a file. `None`: the file is empty.
    pub(super) fn read(file: &mut impl Read) -> Result<Option<Self>> {
        let mut bytes = Vec::new();
        file.take(HEADER as u64)
            .read_to_end(&mut bytes)
            .map_err(|error| Error::os("open", "cannot read the log's header", error))?;
        if bytes.is_empty() { Ok(None) } else { Self::parse(&bytes).map(Some) }
    }

    fn parse(bytes: &[u8]) -> Result<Self> {
        let number = |at: usize| {
            bytes.get(at..at + 4).and_then(|part| part.try_into().ok()).map(u32::from_le_bytes)
        };
        if !bytes.starts_with(&MAGIC) {
            return Err(corrupt("open", "this is no log of faultless: other bytes begin it"));
        }
        let (Some(version), Some(len), Some(sum)) = (number(8), number(12), number(CHECKED)) else {
            return Err(corrupt("open", "the log ends inside its header"));
        };
        if version != VERSION || len as usize != HEADER {
            let message = format!("the log has version {version}, this is for version {VERSION}");
            return Err(corrupt("open", message));
        }
        if bytes.len() < HEADER || crc32c::crc32c(&bytes[..CHECKED]) != sum {
            return Err(corrupt("open", "the log's header is damaged"));
        }
        let base = (0..8).fold(0, |base, at| base | u64::from(bytes[16 + at]) << (8 * at));
        Ok(Self { base })
    }
}

#[cold]
pub(super) fn corrupt(
    operation: &'static str,
    message: impl Into<std::borrow::Cow<'static, str>>,
) -> Error {
    Error::new(ErrorKind::Corrupt, operation, message)
}

/// What a frame's word says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Word {
    /// Nobody has claimed this place yet.
    Free,
    /// A record of this many bytes is being written here, or was given up.
    Claimed(usize),
    /// A record of this many bytes, with its checksum.
    Committed(usize, u32),
    /// The log was closed here; who appends next claims the mark's place.
    End,
    /// The log goes on in another file.
    Rotated,
    /// No program of this version wrote that.
    Unknown(u64),
}

const CLAIMED: u64 = 1 << LEN_BITS;
const COMMITTED: u64 = 2 << LEN_BITS;
const STATE: u64 = 3 << LEN_BITS;
// Every byte of the marks is set, so that a file that ends with one ends with a
// byte that is not zero.
const END: u64 = 0xE0D5_E0D5_FFFF_FF01;
const ROTATED: u64 = 0xA07A_7ED5_FFFF_FF02;

impl Word {
    /// From the bytes of the file, as a little-endian number.
    #[inline]
    pub(super) fn decode(word: u64) -> Self {
        let len = (word & LONGEST as u64) as usize;
        match word & STATE {
            _ if word == 0 => Self::Free,
            CLAIMED if word >> 32 == 0 => Self::Claimed(len),
            COMMITTED => Self::Committed(len, (word >> 32) as u32),
            _ if word == END => Self::End,
            _ if word == ROTATED => Self::Rotated,
            _ => Self::Unknown(word),
        }
    }

    #[inline]
    pub(super) fn encode(self) -> u64 {
        match self {
            Self::Free => 0,
            Self::Claimed(len) => CLAIMED | len as u64,
            Self::Committed(len, sum) => COMMITTED | len as u64 | u64::from(sum) << 32,
            Self::End => END,
            Self::Rotated => ROTATED,
            Self::Unknown(word) => word,
        }
    }
}

/// Bytes from a frame's beginning to the next one's.
#[inline]
pub(super) fn size_of_frame(len: usize) -> usize {
    WORD + len.next_multiple_of(WORD)
}

/// The checksum of a record: it belongs to its place, so that bytes of another
/// time or file are never taken for a record here.
#[inline]
pub(super) fn checksum(offset: u64, record: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&offset.to_le_bytes()), record)
}

/// An error of the system on the way to a log file.
#[cold]
pub(super) fn failed(
    message: &'static str,
    path: &std::path::Path,
) -> impl FnOnce(io::Error) -> Error {
    move |error| Error::os("open", message, error).with_path(Some(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_what_they_were_made_of() {
        for word in [
            Word::Free,
            Word::Claimed(0),
            Word::Claimed(LONGEST),
            Word::Committed(0, 0),
            Word::Committed(LONGEST, u32::MAX),
            Word::End,
            Word::Rotated,
        ] {
            assert_eq!(Word::decode(word.encode()), word);
        }
        assert_eq!(Word::decode(7), Word::Unknown(7));
        assert_eq!(Word::decode(CLAIMED | 1 << 32), Word::Unknown(CLAIMED | 1 << 32));
    }

    #[test]
    fn headers_are_checked() {
        let bytes = Header { base: 0x0102_0304_0506 }.to_bytes();
        assert_eq!(Header::read(&mut &bytes[..]).unwrap(), Some(Header { base: 0x0102_0304_0506 }));
        assert_eq!(Header::read(&mut &[][..]).unwrap(), None);
        for at in 0..CHECKED + 4 {
            let mut damaged = bytes;
            damaged[at] ^= 1;
            assert_eq!(Header::read(&mut &damaged[..]).unwrap_err().kind(), ErrorKind::Corrupt);
        }
        for len in 1..HEADER {
            assert_eq!(Header::read(&mut &bytes[..len]).unwrap_err().kind(), ErrorKind::Corrupt);
        }
    }

    #[test]
    fn frames_are_multiples_of_words() {
        assert_eq!([0, 1, 8, 9].map(size_of_frame), [8, 16, 16, 24]);
    }
}
