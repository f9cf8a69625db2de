//! What is searched for.

use std::ffi::OsStr;
use std::ops::Range;

use faultless::{FindAll, FindRegex, Map, PartSearch, Result};

use super::Places;
use crate::hex;
use crate::ordered::threads;

/// What is searched for, and how a search of a part of a map is begun.
pub(crate) enum Pattern {
    Literal {
        needle: Vec<u8>,
        /// Whether two matches can overlap.
        overlaps: bool,
    },
    /// An expression that matches so many bytes, and looks at no others.
    Fixed { expression: String, len: usize },
    /// An expression whose matches have to be looked for line by line, or else in
    /// the whole file.
    Regex { expression: String, per_line: bool },
}

impl Pattern {
    pub(crate) fn new(
        text: &OsStr,
        hex: bool,
        regex: bool,
        ignore_case: bool,
    ) -> std::result::Result<Self, String> {
        let utf8 = || text.to_str().ok_or("it is not in UTF-8");
        if regex {
            let flags = if ignore_case { "(?mi)" } else { "(?m)" };
            let expression = format!("{flags}{}", utf8()?);
            let search = FindRegex::new(&expression, 0..0).map_err(|error| error.to_string())?;
            return Ok(Self::Regex { expression, per_line: search.is_per_line() });
        }
        if hex {
            let bytes = hex::parse_wild(utf8()?)?;
            if bytes.iter().all(|byte| byte.mask == 0xff) {
                return Ok(Self::literal(bytes.iter().map(|byte| byte.value).collect()));
            }
            let expression = String::from_iter(bytes.iter().map(wild));
            return Self::fixed(&expression, bytes.len());
        }
        let needle = text.as_encoded_bytes();
        if needle.is_empty() {
            return Err("it is empty".into());
        }
        if ignore_case {
            let bytes: String = needle.iter().map(|byte| format!(r"\x{byte:02x}")).collect();
            return Self::fixed(&format!("(?i){bytes}"), needle.len());
        }
        Ok(Self::literal(needle.to_vec()))
    }

    pub(crate) fn literal(needle: Vec<u8>) -> Self {
        // A beginning that is also an end.
        let overlaps = (1..needle.len()).any(|len| needle.ends_with(&needle[..len]));
        Self::Literal { needle, overlaps }
    }

    fn fixed(expression: &str, len: usize) -> std::result::Result<Self, String> {
        let expression = format!("(?s-u){expression}");
        FindRegex::new(&expression, 0..0).map_err(|error| error.to_string())?;
        Ok(Self::Fixed { expression, len })
    }

    /// Whether the pieces of a file have to end where lines end; `None`: a file cannot
    /// be searched in pieces.
    pub(crate) fn by_lines(&self) -> Option<bool> {
        match self {
            Self::Literal { .. } | Self::Fixed { .. } => Some(false),
            Self::Regex { per_line, .. } => per_line.then_some(true),
        }
    }

    /// Whether what one piece has may depend on how the one before ended.
    pub(crate) fn overlaps(&self) -> bool {
        match self {
            Self::Literal { overlaps, .. } => *overlaps,
            Self::Fixed { .. } => true,
            Self::Regex { .. } => false,
        }
    }

    /// The matches that begin in a part of a map, whose text ends at `end`.
    pub(crate) fn search(&self, map: &Map, end: usize, part: Range<usize>) -> (Places, Result<()>) {
        let mut places = Places::default();
        let done = self.search_until(map, end, part, &mut places, |_| false);
        (places, done)
    }

    /// The same, until one begins where `enough` says.
    pub(crate) fn search_until(
        &self,
        map: &Map,
        end: usize,
        part: Range<usize>,
        places: &mut Places,
        enough: impl Fn(usize) -> bool,
    ) -> Result<()> {
        let text = |len: usize| part.start..end.min(part.end.saturating_add(len - 1));
        let regex = |expression, len, places: &mut Places| {
            let last = part.end == end;
            let mut search = FindRegex::new(expression, text(len))?;
            collect(map, &mut search, |found| {
                let range = found.range();
                // What is empty there is the next piece's.
                if range.start < part.end || last {
                    if enough(range.start) {
                        return false;
                    }
                    places.push(range, found.bytes());
                }
                true
            })
        };
        match self {
            Self::Literal { needle, .. } => {
                let len = needle.len();
                let mut search = FindAll::new(needle, text(len));
                collect(map, &mut search, |&at| {
                    let go_on = !enough(at);
                    if go_on {
                        places.push_place(at..at + len);
                    }
                    go_on
                })
            }
            Self::Fixed { expression, len } => regex(expression, *len, places),
            Self::Regex { expression, .. } => regex(expression, 1, places),
        }
    }

    /// The last place of a literal, searched from the end.
    pub(crate) fn last(&self, map: &Map) -> Result<Option<Range<usize>>> {
        let Some(needle) = self.needle() else { return Ok(None) };
        Ok(map.rfind_on(threads(), needle, ..)?.map(|at| at..at + needle.len()))
    }

    /// What is matched, where it is always the same.
    pub(crate) fn needle(&self) -> Option<&[u8]> {
        match self {
            Self::Literal { needle, .. } => Some(needle),
            _ => None,
        }
    }
}

/// Hands on what a search finds, as long as it is wanted.
fn collect<S: PartSearch>(
    map: &Map,
    search: &mut S,
    mut each: impl FnMut(&S::Found) -> bool,
) -> Result<()> {
    let mut found = Vec::new();
    loop {
        let more = search.search_part(map, &mut found);
        if !found.iter().all(&mut each) || !more? {
            return Ok(());
        }
        found.clear();
    }
}

/// The expression for a byte of which some digits are any.
fn wild(byte: &hex::Wild) -> String {
    let hex::Wild { mask, value } = *byte;
    match mask {
        0xff => format!(r"\x{value:02x}"),
        0xf0 => format!(r"[\x{value:02x}-\x{:02x}]", value | 15),
        0x0f => {
            let all = (0..16).map(|high| format!(r"\x{:02x}", high << 4 | value));
            format!("[{}]", String::from_iter(all))
        }
        _ => ".".into(),
    }
}
