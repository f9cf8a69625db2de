//! Placeholders: addresses that are kept while what is mapped there changes.
//! Windows 10 1803 and later have them; the functions are looked up, so that the
//! crate runs on older systems too.

use std::ffi::c_void;
use std::ptr::{self, NonNull};
use std::sync::OnceLock;

use windows_sys::Win32::Foundation::{FARPROC, HANDLE, HMODULE};
use windows_sys::Win32::System::LibraryLoader::{GetModuleHandleW, GetProcAddress};
use windows_sys::Win32::System::Memory::{
    MEM_COMMIT, MEM_PRESERVE_PLACEHOLDER, MEM_RELEASE, MEM_REPLACE_PLACEHOLDER, MEM_RESERVE,
    MEM_RESERVE_PLACEHOLDER, PAGE_NOACCESS, VirtualFree,
};
use windows_sys::Win32::System::Threading::GetCurrentProcess;
use windows_sys::w;

use super::memory::{Block, Kind, page_protection, set_protection};
use super::section::Section;
use super::{file_len, page_size};
use crate::registry::Range;

/// Makes one placeholder of several neighbours.
const MEM_COALESCE_PLACEHOLDERS: u32 = 1;

type VirtualAlloc2 = unsafe extern "system" fn(
    process: HANDLE,
    base: *const c_void,
    size: usize,
    kind: u32,
    protection: u32,
    extended: *mut c_void,
    extended_count: u32,
) -> *mut c_void;

type MapViewOfFile3 = unsafe extern "system" fn(
    section: HANDLE,
    process: HANDLE,
    base: *const c_void,
    offset: u64,
    size: usize,
    kind: u32,
    protection: u32,
    extended: *mut c_void,
    extended_count: u32,
) -> *mut c_void;

type UnmapViewOfFileEx = unsafe extern "system" fn(base: *mut c_void, flags: u32) -> i32;

struct Api {
    allocate: VirtualAlloc2,
    map: MapViewOfFile3,
    unmap: UnmapViewOfFileEx,
}

/// A function of the library that every process has loaded.
///
/// # Safety
/// `F` must be the type of the pointer to it.
pub(super) unsafe fn function<F: Copy>(name: &std::ffi::CStr) -> Option<F> {
    const { assert!(size_of::<F>() == size_of::<FARPROC>()) };
    // SAFETY: the library stays loaded.
    let found = unsafe {
        let library: HMODULE = GetModuleHandleW(w!("kernelbase.dll"));
        GetProcAddress(library, name.as_ptr().cast())
    };
    // SAFETY: it is a pointer to that function, by the caller's promise.
    found.map(|found| unsafe { std::mem::transmute_copy(&found) })
}

fn api() -> Option<&'static Api> {
    static API: OnceLock<Option<Api>> = OnceLock::new();
    let look_up = || {
        // SAFETY: these are their types.
        unsafe {
            Some(Api {
                allocate: function(c"VirtualAlloc2")?,
                map: function(c"MapViewOfFile3")?,
                unmap: function(c"UnmapViewOfFileEx")?,
            })
        }
    };
    API.get_or_init(look_up).as_ref()
}

/// Whether the system has placeholders.
pub(super) fn exist() -> bool {
    static EXIST: OnceLock<bool> = OnceLock::new();
    // Some have the functions and refuse to do it.
    *EXIST.get_or_init(|| {
        api().and_then(|api| api.reserve(page_size())).is_some_and(|base| {
            // SAFETY: the placeholder was just made, and nobody uses it.
            unsafe { VirtualFree(base.as_ptr().cast(), 0, MEM_RELEASE) != 0 }
        })
    })
}

impl Api {
    fn reserve(&self, len: usize) -> Option<NonNull<u8>> {
        let how = MEM_RESERVE | MEM_RESERVE_PLACEHOLDER;
        // SAFETY: the system chooses an address that nothing else uses.
        let base = unsafe {
            let process = GetCurrentProcess();
            (self.allocate)(process, ptr::null(), len, how, PAGE_NOACCESS, ptr::null_mut(), 0)
        };
        NonNull::new(base.cast())
    }

    /// Maps a part of a section in the place of the placeholder at `base`. `len`
    /// may end inside its last page.
    ///
    /// # Safety
    /// The placeholder must be the caller's.
    unsafe fn map(&self, section: &Section, base: *mut u8, offset: u64, len: usize) -> bool {
        // A view is as long as its placeholder, in whole pages; whether it may be
        // said to end where the file does depends on the system's version.
        [len, len.next_multiple_of(page_size())].into_iter().any(|len| {
            // SAFETY: the caller's promise.
            let view = unsafe {
                (self.map)(
                    section.handle(),
                    GetCurrentProcess(),
                    base.cast(),
                    offset,
                    len,
                    MEM_REPLACE_PLACEHOLDER,
                    section.most,
                    ptr::null_mut(),
                    0,
                )
            };
            !view.is_null()
        })
    }

    /// Private zero pages in the place of the placeholder at `base`.
    ///
    /// # Safety
    /// The placeholder must be the caller's.
    unsafe fn zero(&self, base: *mut u8, len: usize, protection: i32) -> bool {
        let how = MEM_RESERVE | MEM_COMMIT | MEM_REPLACE_PLACEHOLDER;
        let protection = page_protection(protection, false);
        // SAFETY: the caller's promise.
        let made = unsafe {
            let process = GetCurrentProcess();
            (self.allocate)(process, base.cast(), len, how, protection, ptr::null_mut(), 0)
        };
        !made.is_null()
    }

    /// Makes a block a placeholder.
    ///
    /// # Safety
    /// The block must be the caller's, and made over a placeholder.
    unsafe fn vacate(&self, block: &Block) -> bool {
        let base = ptr::with_exposed_provenance_mut(block.start);
        let len = block.end - block.start;
        // SAFETY: the caller's promise.
        unsafe {
            match block.kind {
                Kind::View => (self.unmap)(base, MEM_PRESERVE_PLACEHOLDER) != 0,
                Kind::Private => {
                    VirtualFree(base, len, MEM_RELEASE | MEM_PRESERVE_PLACEHOLDER) != 0
                }
                Kind::Reserved => true,
            }
        }
    }
}

/// Maps a part of a section over a placeholder of its own. `None`: the system has
/// no placeholders, or none that take this view.
pub(super) fn map_anywhere(section: &Section, offset: u64, len: usize) -> Option<NonNull<u8>> {
    let api = api().filter(|_| exist())?;
    let base = api.reserve(len.next_multiple_of(page_size()))?;
    // SAFETY: the placeholder was just made, and nobody uses it.
    unsafe {
        if api.map(section, base.as_ptr(), offset, len) {
            return Some(base);
        }
        VirtualFree(base.as_ptr().cast(), 0, MEM_RELEASE);
    }
    None
}

/// Maps the first `present` bytes of a part of a file, over the beginning of a
/// placeholder for `len` bytes.
pub(super) fn map_with_room(
    section: Option<&Section>,
    offset: u64,
    present: usize,
    len: usize,
) -> Option<NonNull<u8>> {
    let api = api().filter(|_| exist())?;
    let len = len.next_multiple_of(page_size());
    let base = api.reserve(len)?;
    let whole = present.next_multiple_of(page_size());
    let Some(section) = section else { return Some(base) };
    // SAFETY: the placeholders were just made, and nobody uses them.
    unsafe {
        let how = MEM_RELEASE | MEM_PRESERVE_PLACEHOLDER;
        let split = whole == len || VirtualFree(base.as_ptr().cast(), whole, how) != 0;
        if split && api.map(section, base.as_ptr(), offset, present) {
            return Some(base);
        }
        super::memory::release(base.as_ptr(), len);
    }
    None
}

/// What part of a map is to be made of.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Content {
    File,
    /// As `File`, and of one view with what is the file's on both sides.
    Joined,
    Zeros,
    /// A placeholder.
    Nothing,
}

/// Makes the bytes `from..to` of a map, whole pages, of something else; what lies
/// beside them in the same blocks is mapped as it was. `file` is the map's, if it
/// is kept. Bytes that should be the file's, and that it does not have or that the
/// system does not map, become zeros, after `lost` was told of them.
///
/// While this runs the pages of those blocks are not there: who touches them gets
/// an access violation, and tries again when it is done. `false`: something was
/// lost, or nothing was done, or some of the pages are still not there.
///
/// # Safety
/// The map must be live and made over a placeholder, and no other thread may be
/// in here for it.
pub(super) unsafe fn put(
    range: &Range,
    from: usize,
    to: usize,
    content: Content,
    file: Option<HANDLE>,
    lost: impl Fn(usize, usize),
) -> bool {
    let Some(api) = api() else { return false };
    let (start, end) = (range.start + from, range.start + to);
    let (Some(mut first), Some(mut last)) = (Block::at(start), Block::at(end - 1)) else {
        return false;
    };
    if content == Content::Joined && range.shared {
        // The file's views on both sides and the new one become one again.
        let of_file = |block: &Block| block.kind == Kind::View;
        if start == first.start && start > range.start {
            first = Block::at(start - 1).filter(of_file).unwrap_or(first);
        }
        if end == last.end && end < range.start + range.len {
            last = Block::at(end).filter(of_file).unwrap_or(last);
        }
    }
    let content = if content == Content::Joined { Content::File } else { content };
    let beside = |block: &Block| match block.kind {
        Kind::Private => Content::Zeros,
        // What the map may grow into.
        Kind::Reserved if block.end > range.start + range.len => Content::Nothing,
        // What is not there was to be the file's, or was marked as lost.
        Kind::View | Kind::Reserved => Content::File,
    };
    let (before, after) = (beside(&first), beside(&last));
    let pieces = pieces([
        Piece { start: first.start, end: start.max(first.start), content: before },
        Piece { start, end, content },
        Piece { start: end, end: last.end.max(end), content: after },
    ]);
    let of_file = |piece: &Piece| piece.content == Content::File && !piece.is_empty();
    // Before anything is unmapped: it may fail.
    let source = match file {
        Some(file) if pieces.iter().any(of_file) => Source::open(file, range),
        _ => None,
    };
    if content == Content::File && source.is_none() {
        return false;
    }
    let (whole, mut blocks, mut at) = ((first.start, last.end), 0, first.start);
    while at < whole.1 {
        let Some(block) = Block::at(at) else { return false };
        // SAFETY: the block is the map's.
        if !unsafe { api.vacate(&block) } {
            return false;
        }
        at = block.end;
        blocks += 1;
    }
    let address = ptr::with_exposed_provenance_mut::<u8>;
    if blocks > 1 {
        let how = MEM_RELEASE | MEM_COALESCE_PLACEHOLDERS;
        // SAFETY: all of it is placeholders of the map's now.
        if unsafe { VirtualFree(address(whole.0).cast(), whole.1 - whole.0, how) } == 0 {
            return false;
        }
    }
    let mut done = true;
    for piece in pieces {
        let of_file = piece.content == Content::File;
        let reach = match &source {
            Some(source) if of_file => source.reach(range, &piece),
            _ => piece.start,
        };
        for (start, end, source) in [(piece.start, reach, &source), (reach, piece.end, &None)] {
            if start >= end {
                continue;
            }
            let (base, len) = (address(start), end - start);
            let how = MEM_RELEASE | MEM_PRESERVE_PLACEHOLDER;
            // SAFETY: this is a part of a placeholder of the map's, from its
            // beginning on, and its own one after the first call.
            unsafe {
                if end < whole.1 && VirtualFree(base.cast(), len, how) == 0 {
                    return false;
                }
                let mapped =
                    source.as_ref().is_some_and(|source| source.map(api, base, range, len));
                if mapped || piece.content == Content::Nothing {
                    continue;
                }
                if of_file {
                    lost(start - range.start, end - range.start);
                }
                done &= api.zero(base, len, range.protection) && !of_file;
            }
        }
    }
    done
}

/// Makes placeholders of the views between two addresses, and says where.
///
/// # Safety
/// As for [`put`], which has to map them again.
pub(super) unsafe fn vacate_views(mut at: usize, end: usize) -> Vec<(usize, usize)> {
    let mut vacated = Vec::new();
    while let Some(block) = Block::at(at).filter(|block| block.start < end) {
        at = block.end;
        // SAFETY: the caller's promise.
        if block.kind == Kind::View && api().is_some_and(|api| unsafe { api.vacate(&block) }) {
            vacated.push((block.start, block.end));
        }
        if at >= end {
            break;
        }
    }
    vacated
}

#[derive(Clone, Copy)]
struct Piece {
    start: usize,
    end: usize,
    content: Content,
}

impl Piece {
    fn is_empty(&self) -> bool {
        self.start >= self.end
    }
}

/// Joins neighbours that are the same; what is left over is empty.
fn pieces([mut before, mut middle, mut after]: [Piece; 3]) -> [Piece; 3] {
    if before.content == middle.content {
        middle.start = before.start;
        before.end = before.start;
    }
    if after.content == middle.content {
        middle.end = after.end;
        after.start = after.end;
    }
    [before, middle, after]
}

/// A map's file, to map parts of it again.
struct Source {
    section: Section,
    /// Bytes that the file has now.
    len: u64,
}

impl Source {
    fn open(file: HANDLE, range: &Range) -> Option<Self> {
        let section = Section::of_file(file, range.protection, range.shared, 0).ok()?;
        Some(Self { section, len: file_len(file).ok()? })
    }

    /// Up to where the file has a piece of the map.
    fn reach(&self, range: &Range, piece: &Piece) -> usize {
        let end = self.len.saturating_sub(range.file_offset);
        let end = usize::try_from(end).map_or(usize::MAX, |end| range.start.saturating_add(end));
        end.checked_next_multiple_of(page_size()).unwrap_or(end).clamp(piece.start, piece.end)
    }

    /// Maps what belongs to a part of the map there, which the file reaches.
    ///
    /// # Safety
    /// There must be a placeholder of the map's, of just that length.
    unsafe fn map(&self, api: &Api, base: *mut u8, range: &Range, len: usize) -> bool {
        let offset = range.file_offset + (base.addr() - range.start) as u64;
        let there = self.len.saturating_sub(offset).min(len as u64) as usize;
        let wanted = page_protection(range.protection, !range.shared);
        // SAFETY: the caller's promise.
        let mapped = unsafe { api.map(&self.section, base, offset, there) };
        mapped && (wanted == self.section.most || set_protection(base, len, wanted).is_ok())
    }
}
