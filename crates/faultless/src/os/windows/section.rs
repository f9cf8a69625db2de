//! Sections: what a file, or shared memory, is mapped through.

use std::io;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
use std::ptr::{self, NonNull};

use windows_sys::Win32::Foundation::{
    ERROR_ACCESS_DENIED, ERROR_ALREADY_EXISTS, ERROR_USER_MAPPED_FILE, GetLastError, HANDLE,
    INVALID_HANDLE_VALUE,
};
use windows_sys::Win32::System::Memory::{
    CreateFileMappingW, FILE_MAP_COPY, FILE_MAP_EXECUTE, FILE_MAP_READ, FILE_MAP_WRITE,
    MapViewOfFile, OpenFileMappingW, PAGE_EXECUTE_READ, PAGE_EXECUTE_READWRITE,
    PAGE_EXECUTE_WRITECOPY, PAGE_READONLY, PAGE_READWRITE, PAGE_WRITECOPY,
};

use super::super::{Name, is_shared};
use super::memory::{Block, page_protection, set_protection};
use super::{Mapping, PROT_EXEC, PROT_WRITE, Request, is_error, placeholder};
use crate::shared::Create;

/// A section, and the most that its views may do.
#[derive(Debug)]
pub(super) struct Section {
    handle: OwnedHandle,
    /// As the system spells it; a view's protection can be lowered from it and
    /// raised up to it again, but not beyond.
    pub(super) most: u32,
}

impl Section {
    /// A section of a file's first `len` bytes, or of all it has now if `len` is
    /// 0. It allows whatever the file was opened for, so that the protection can
    /// be raised later.
    pub(super) fn of_file(
        file: HANDLE,
        protection: i32,
        shared: bool,
        len: u64,
    ) -> io::Result<Self> {
        let executes = protection & PROT_EXEC != 0;
        let pick = |with, without| if executes { with } else { without };
        if !shared {
            return Self::create(file, pick(PAGE_EXECUTE_WRITECOPY, PAGE_WRITECOPY), len);
        }
        match Self::create(file, pick(PAGE_EXECUTE_READWRITE, PAGE_READWRITE), len) {
            Err(error) if is_error(&error, ERROR_ACCESS_DENIED) && protection & PROT_WRITE == 0 => {
                Self::create(file, pick(PAGE_EXECUTE_READ, PAGE_READONLY), len)
            }
            result => result,
        }
    }

    /// A section of `len` bytes of zeros that belong to no file.
    fn of_memory(protection: i32, len: u64) -> io::Result<Self> {
        let executes = protection & PROT_EXEC != 0;
        let most = if executes { PAGE_EXECUTE_READWRITE } else { PAGE_READWRITE };
        Self::create(INVALID_HANDLE_VALUE, most, len)
    }

    fn create(file: HANDLE, most: u32, len: u64) -> io::Result<Self> {
        let (high, low) = ((len >> 32) as u32, len as u32);
        // SAFETY: makes an object; the file is only referred to.
        let handle = unsafe { CreateFileMappingW(file, ptr::null(), most, high, low, ptr::null()) };
        if handle.is_null() {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the system just made it, for us.
        Ok(Self { handle: unsafe { OwnedHandle::from_raw_handle(handle) }, most })
    }

    /// A section of this name, and whether it is new.
    fn create_named(file: HANDLE, most: u32, len: u64, name: &[u16]) -> io::Result<(Self, bool)> {
        let (high, low) = ((len >> 32) as u32, len as u32);
        // SAFETY: makes an object; the file is only referred to, and the name
        // ends with a zero.
        let (handle, error) = unsafe {
            let handle = CreateFileMappingW(file, ptr::null(), most, high, low, name.as_ptr());
            (handle, GetLastError())
        };
        if handle.is_null() {
            return Err(io::Error::from_raw_os_error(error as i32));
        }
        // SAFETY: the system just made it, for us.
        let handle = unsafe { OwnedHandle::from_raw_handle(handle) };
        Ok((Self { handle, most }, error != ERROR_ALREADY_EXISTS))
    }

    /// The section that has this name.
    fn open(name: &[u16], most: u32) -> io::Result<Self> {
        // SAFETY: opens an object; the name ends with a zero.
        let handle = unsafe { OpenFileMappingW(access_of(most), 0, name.as_ptr()) };
        if handle.is_null() {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the system just made it, for us.
        Ok(Self { handle: unsafe { OwnedHandle::from_raw_handle(handle) }, most })
    }

    pub(super) fn handle(&self) -> HANDLE {
        self.handle.as_raw_handle()
    }

    /// A view at an address that the system chooses.
    fn view(&self, offset: u64, len: usize) -> io::Result<NonNull<u8>> {
        let access = access_of(self.most);
        let (high, low) = ((offset >> 32) as u32, offset as u32);
        // SAFETY: the system chooses an address that nothing else uses.
        let view = unsafe { MapViewOfFile(self.handle(), access, high, low, len) };
        NonNull::new(view.Value.cast()).ok_or_else(io::Error::last_os_error)
    }
}

/// What a view has to ask for to be as protected as that.
fn access_of(protection: u32) -> u32 {
    match protection {
        PAGE_READONLY => FILE_MAP_READ,
        PAGE_EXECUTE_READ => FILE_MAP_READ | FILE_MAP_EXECUTE,
        PAGE_WRITECOPY => FILE_MAP_COPY,
        PAGE_EXECUTE_WRITECOPY => FILE_MAP_COPY | FILE_MAP_EXECUTE,
        PAGE_EXECUTE_READWRITE => FILE_MAP_WRITE | FILE_MAP_EXECUTE,
        _ => FILE_MAP_WRITE,
    }
}

/// A section with a name, which it has as long as somebody holds a handle.
#[derive(Debug)]
pub(crate) struct NamedSection {
    section: Section,
    /// Ends with a zero.
    name: Vec<u16>,
}

/// Maps the section that has a name, or a new one. The one that is there counts,
/// whatever `file` is.
pub(super) fn map_named(
    request: &Request<'_>,
    file: HANDLE,
    name: &Name<'_>,
) -> io::Result<Mapping> {
    let mut wide: Vec<u16> = name.text.encode_utf16().collect();
    if wide.is_empty() || wide.contains(&0) {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "a name has at least one character, and none that is zero",
        ));
    }
    wide.push(0);
    let most = page_protection(request.protection, !is_shared(request.flags));
    let section = match (name.create, name.len) {
        (Create::Never, _) | (_, None) => Section::open(&wide, most)?,
        (create, Some(len)) => {
            let len = request.file_offset + len as u64;
            let (section, is_new) = Section::create_named(file, most, len, &wide)?;
            if create == Create::New && !is_new {
                return Err(io::Error::from_raw_os_error(ERROR_ALREADY_EXISTS as i32));
            }
            section
        }
    };
    view_named(NamedSection { section, name: wide }, request.file_offset, request.map_len)
}

/// A view of so many bytes, or of all there are if it is 0.
fn view_named(named: NamedSection, offset: u64, len: usize) -> io::Result<Mapping> {
    let base = named.section.view(offset, len)?;
    let all = || Block::at(base.addr().get()).map_or(0, |block| block.end - block.start);
    let len = if len == 0 { all() } else { len };
    // SAFETY: the system just made it.
    let mut mapping = unsafe { Mapping::new(base, len) };
    mapping.section = Some(named);
    Ok(mapping)
}

/// Memory of another length in the place of memory with a name, with the same
/// bytes and the same name, unless somebody else holds it.
pub(super) fn remake(mut mapping: Mapping, len: usize) -> Result<Mapping, (Mapping, io::Error)> {
    let Some(NamedSection { section, name }) = mapping.section.take() else {
        return Err((mapping, io::ErrorKind::Unsupported.into()));
    };
    let most = section.most;
    // The name is free if nobody else has it; the memory stays while it is mapped.
    drop(section);
    if let Ok(section) = Section::open(&name, most) {
        mapping.section = Some(NamedSection { section, name });
        return Err((mapping, io::Error::from_raw_os_error(ERROR_USER_MAPPED_FILE as i32)));
    }
    let made = Section::create_named(INVALID_HANDLE_VALUE, most, len as u64, &name)
        .and_then(|(section, _)| view_named(NamedSection { section, name }, 0, len));
    match made {
        Ok(new) => {
            let common = len.min(mapping.len());
            // SAFETY: both have that many bytes, and nobody else uses either.
            unsafe { new.base().copy_from_nonoverlapping(mapping.base(), common) };
            Ok(new)
        }
        Err(error) => Err((mapping, error)),
    }
}

/// Maps a file: over a placeholder where the system has them, so that a part of
/// the view can be replaced when its pages fail.
pub(super) fn map_file(request: &Request<'_>, file: HANDLE) -> io::Result<Mapping> {
    let (offset, len) = (request.file_offset, request.map_len);
    let shared = is_shared(request.flags);
    let section = Section::of_file(file, request.protection, shared, offset + len as u64)?;
    let placed = placeholder::map_anywhere(&section, offset, len);
    let replaceable = placed.is_some();
    let base = placed.map_or_else(|| section.view(offset, len), Ok)?;
    // SAFETY: the system just made it.
    let mut mapping = unsafe { Mapping::new(base, len) };
    mapping.replaceable = replaceable;
    lower(&section, &mapping, request.protection, !shared)?;
    Ok(mapping)
}

/// Maps the first `present` bytes of what is asked for; the rest is addresses that
/// the map can grow into.
pub(super) fn map_with_room(
    request: &Request<'_>,
    present: usize,
    file: HANDLE,
) -> io::Result<Mapping> {
    let (offset, len) = (request.file_offset, request.map_len);
    let section = if present == 0 {
        None
    } else {
        Some(Section::of_file(file, request.protection, true, offset + present as u64)?)
    };
    let Some(base) = placeholder::map_with_room(section.as_ref(), offset, present, len) else {
        let none = !placeholder::exist();
        return Err(if none {
            io::ErrorKind::Unsupported.into()
        } else {
            io::Error::last_os_error()
        });
    };
    // SAFETY: the system just made it.
    let mut mapping = unsafe { Mapping::new(base, len) };
    mapping.replaceable = true;
    Ok(mapping)
}

/// Maps memory that can be shared.
pub(super) fn map_memory(request: &Request<'_>) -> io::Result<Mapping> {
    let len = request.map_len;
    let section = Section::of_memory(request.protection, len as u64)?;
    let base = section.view(0, len)?;
    // SAFETY: the system just made it.
    let mapping = unsafe { Mapping::new(base, len) };
    lower(&section, &mapping, request.protection, false)?;
    Ok(mapping)
}

/// Gives a new view, which allows the most that it can, the protection asked for.
fn lower(section: &Section, mapping: &Mapping, protection: i32, copy: bool) -> io::Result<()> {
    let wanted = page_protection(protection, copy);
    if wanted == section.most {
        return Ok(());
    }
    set_protection(mapping.base(), mapping.len(), wanted)
}
