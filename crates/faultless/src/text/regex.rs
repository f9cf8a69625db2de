//! Regular expressions.

use std::ops::Range;

use regex::bytes::Regex;
use regex_syntax::hir::{Class, Hir, HirKind, Look};

use super::{Left, MOST, PartSearch};
use crate::error::{Error, ErrorKind, Result};
use crate::map::Map;

/// What a regular expression matched: a copy of its bytes, and where its groups
/// are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegexMatch {
    start: usize,
    bytes: Vec<u8>,
    /// The places of the groups among the bytes; the first is all of them.
    groups: Vec<Option<Range<usize>>>,
}

impl RegexMatch {
    /// Where the match is in the map.
    ///
    /// ```
    /// let map = faultless::MapOptions::new().len(5).map_anonymous()?;
    /// map.write_at(1, b"ab")?;
    /// let search = faultless::FindRegex::new("[a-z]+", 0..5)?;
    /// assert_eq!(map.search(search).next().transpose()?.unwrap().range(), 1..3);
    /// # Ok::<(), faultless::Error>(())
    /// ```
    #[must_use]
    pub fn range(&self) -> Range<usize> {
        self.start..self.start + self.bytes.len()
    }

    /// What was matched.
    ///
    /// ```
    /// let map = faultless::MapOptions::new().len(5).map_anonymous()?;
    /// map.write_at(1, b"ab")?;
    /// let search = faultless::FindRegex::new("[a-z]+", 0..5)?;
    /// assert_eq!(map.search(search).next().transpose()?.unwrap().bytes(), b"ab");
    /// # Ok::<(), faultless::Error>(())
    /// ```
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Where a group is in the map, and what it matched. Group 0 is all of the
    /// match; `None` for one that took no part in it, or is not in the expression.
    ///
    /// ```
    /// let map = faultless::MapOptions::new().len(5).map_anonymous()?;
    /// map.write_at(1, b"ab")?;
    /// let found = map.search(faultless::FindRegex::new("(a)(b)?(c)?", 0..5)?).next();
    /// let found = found.transpose()?.unwrap();
    /// assert_eq!(found.group(2), Some((2..3, &b"b"[..])));
    /// assert_eq!(found.group(3), None);
    /// # Ok::<(), faultless::Error>(())
    /// ```
    #[must_use]
    pub fn group(&self, number: usize) -> Option<(Range<usize>, &[u8])> {
        let range = self.groups.get(number)?.clone()?;
        let bytes = &self.bytes[range.clone()];
        Some((self.start + range.start..self.start + range.end, bytes))
    }

    /// How many groups the expression has, with group 0.
    ///
    /// ```
    /// let map = faultless::MapOptions::new().len(5).map_anonymous()?;
    /// let found = map.search(faultless::FindRegex::new("(a)|\0", 0..5)?).next();
    /// assert_eq!(found.transpose()?.unwrap().groups(), 2);
    /// # Ok::<(), faultless::Error>(())
    /// ```
    #[must_use]
    pub fn groups(&self) -> usize {
        self.groups.len()
    }
}

/// The matches of a regular expression, without overlaps, in the syntax of the
/// crate `regex` for bytes. Takes time linear in the range and the expression for
/// every match.
///
/// Unless the expression says so itself (`(?-u)`), `.` and classes such as `\w`
/// mean characters in UTF-8. The range is the text: what `\A` and `\b` look at
/// ends with it.
///
/// An expression that matches no more than so many bytes, or never some ASCII
/// character, as a newline, is searched for in parts. Any other is searched for
/// from one match to the next, however far that is, because every byte up to the
/// end of the range may decide about it; a part has then all matches that begin
/// in 8 MiB.
///
/// ```
/// use faultless::{FindRegex, MapOptions};
/// let map = MapOptions::new().len(20).map_anonymous()?;
/// map.write_at(0, b"id=17, id=4, name=me")?;
/// let numbers: Vec<Vec<u8>> = map
///     .search(FindRegex::new("id=([0-9]+)", 0..20)?)
///     .map(|found| found.map(|found| found.group(1).unwrap().1.to_vec()))
///     .collect::<Result<_, _>>()?;
/// assert_eq!(numbers, [&b"17"[..], b"4"]);
/// # Ok::<(), faultless::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct FindRegex {
    regex: Regex,
    parts: Parts,
    per_line: bool,
    /// Where the last match ended: an empty one there is none of its own.
    last: Option<usize>,
    /// So far the matches are known to be apart from what follows.
    apart: usize,
    left: Left,
}

/// How a part is known to have all that decides about a match in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Parts {
    /// No match is longer.
    Bounded(usize),
    /// No match goes on behind one of these bytes.
    Between([u8; 3]),
    Whole,
}

/// What look-around looks at: a character.
const AROUND: usize = 4;
/// What most files have much of comes first among what may keep matches apart.
const FREQUENT: [u8; 7] = *b"\n ,\0\"e0";

impl FindRegex {
    /// The matches of an expression in a range of bytes.
    ///
    /// # Errors
    /// [`InvalidInput`](ErrorKind::InvalidInput): it is no regular expression, or
    /// too large a one. The message says where.
    ///
    /// ```
    /// let error = faultless::FindRegex::new("(", 0..5).unwrap_err();
    /// assert_eq!(error.kind(), faultless::ErrorKind::InvalidInput);
    /// ```
    pub fn new(expression: &str, range: Range<usize>) -> Result<Self> {
        let regex = Regex::new(expression)
            .map_err(|error| Error::new(ErrorKind::InvalidInput, "finditer", error.to_string()))?;
        let mut parser = regex_syntax::ParserBuilder::new().utf8(false).build();
        let (parts, per_line) = match parser.parse(expression) {
            Ok(hir) => {
                let about = hir.properties();
                let parts = match (about.maximum_len(), between(&hir)) {
                    (Some(len), _) if len <= super::LARGEST => Parts::Bounded(len),
                    (_, Some(bytes)) => Parts::Between(bytes),
                    _ => Parts::Whole,
                };
                let ends = [Look::Start, Look::End].map(|look| about.look_set().contains(look));
                (parts, !matches_byte(&hir, b'\n') && ends == [false; 2])
            }
            Err(_) => (Parts::Whole, false),
        };
        let mut left = Left::new(range);
        if parts == Parts::Whole {
            (left.part, left.largest) = (usize::MAX, usize::MAX);
        }
        Ok(Self { regex, parts, per_line, last: None, apart: 0, left })
    }

    /// Whether lines can be searched apart from each other, by several threads say:
    /// no match has a newline in it, and nothing in the expression asks for the
    /// beginning or the end of the whole text, as `\A` does, and `^` without `(?m)`.
    ///
    /// ```
    /// use faultless::FindRegex;
    /// assert!(FindRegex::new("(?m)^id=[0-9]+", 0..5)?.is_per_line());
    /// assert!(!FindRegex::new("^id=[0-9]+", 0..5)?.is_per_line());
    /// assert!(!FindRegex::new("id=[^,]+", 0..5)?.is_per_line());
    /// # Ok::<(), faultless::Error>(())
    /// ```
    #[must_use]
    pub fn is_per_line(&self) -> bool {
        self.per_line
    }

    /// The names of the groups, from group 0 on.
    ///
    /// ```
    /// let search = faultless::FindRegex::new("(?<key>[a-z]+)=(.*)", 0..5)?;
    /// assert_eq!(search.names().collect::<Vec<_>>(), [None, Some("key"), None]);
    /// # Ok::<(), faultless::Error>(())
    /// ```
    pub fn names(&self) -> impl Iterator<Item = Option<&str>> {
        self.regex.capture_names()
    }

    /// The matches that begin at some places, how far they are known to be apart from what follows, and where to go on.
    fn find(
        &self,
        bytes: &[u8],
        mut places: Range<usize>,
        last: Option<usize>,
        ends: bool,
    ) -> ((Vec<RegexMatch>, usize), usize) {
        if let (Parts::Between([a, b, c]), false) = (self.parts, ends) {
            // A match that begins before such a byte ends before it.
            match memchr::memrchr3(a, b, c, &bytes[places.clone()]) {
                Some(at) => places.end = places.start + at + 1,
                // None in the part: again, with more.
                None => return ((Vec::new(), places.start), places.start),
            }
        }
        let (mut found, mut at, mut last) = (Vec::new(), places.start, last);
        let mut enough = false;
        while at < places.end && at <= bytes.len() {
            enough = found.len() == MOST || at - places.start >= super::LARGEST;
            if enough {
                break;
            }
            let Some(groups) = self.regex.captures_at(bytes, at) else { break };
            let Some(whole) = groups.get(0).filter(|whole| whole.start() < places.end) else {
                break;
            };
            at = whole.end();
            if whole.is_empty() {
                at += 1;
                if last == Some(whole.start()) {
                    continue;
                }
            }
            last = Some(whole.end());
            let start = whole.start();
            let place = |group: regex::bytes::Match<'_>| group.start() - start..group.end() - start;
            found.push(RegexMatch {
                start,
                bytes: whole.as_bytes().to_vec(),
                groups: groups.iter().map(|group| group.map(place)).collect(),
            });
        }
        let next = if enough { at } else { places.end.max(at.min(bytes.len() + 1)) };
        ((found, places.end), next)
    }
}

impl PartSearch for FindRegex {
    type Found = RegexMatch;

    fn search_part(&mut self, map: &Map, found: &mut Vec<RegexMatch>) -> Result<bool> {
        let overlap = match self.parts {
            Parts::Bounded(len) => len + AROUND,
            Parts::Between(_) => AROUND,
            Parts::Whole => 0,
        };
        let mut left = self.left.clone();
        let start = left.next;
        let first = start.saturating_sub(AROUND).max(left.range.start);
        let last = self.last.map(|last| last.wrapping_sub(first));
        let end = left.range.end.min(map.len());
        // Not to look for the end of the same part again after every few matches in it.
        left.part = left.part.max(self.apart.saturating_sub(start));
        let step = left.step(map, "finditer", (AROUND, overlap), |bytes, places| {
            let ends = first + bytes.len() == end;
            self.find(bytes, places, last, ends)
        })?;
        let (mut all, apart) = step.unwrap_or_default();
        for one in &mut all {
            one.start += first;
        }
        self.last = all.last().map(|one| one.range().end).or(self.last);
        (self.apart, self.left) = (first + apart, left);
        found.append(&mut all);
        Ok(!self.left.is_done())
    }

    fn searched(&self) -> usize {
        self.left.searched()
    }

    fn next_part(&self) -> usize {
        self.left.next_part()
    }
}

/// Up to three bytes that no match has in it.
fn between(hir: &Hir) -> Option<[u8; 3]> {
    let all = FREQUENT.into_iter().chain(0..0x80);
    let mut free = all.filter(|&byte| !matches_byte(hir, byte));
    let first = free.next()?;
    let second = free.next().unwrap_or(first);
    Some([first, second, free.next().unwrap_or(second)])
}

/// Whether a match may have an ASCII character in it.
fn matches_byte(hir: &Hir, byte: u8) -> bool {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => false,
        HirKind::Literal(literal) => literal.0.contains(&byte),
        HirKind::Class(Class::Unicode(class)) => {
            class.iter().any(|range| (range.start()..=range.end()).contains(&char::from(byte)))
        }
        HirKind::Class(Class::Bytes(class)) => {
            class.iter().any(|range| (range.start()..=range.end()).contains(&byte))
        }
        HirKind::Repetition(repeated) => matches_byte(&repeated.sub, byte),
        HirKind::Capture(group) => matches_byte(&group.sub, byte),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => {
            parts.iter().any(|part| matches_byte(part, byte))
        }
    }
}
