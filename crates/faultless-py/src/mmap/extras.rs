//! The table of the methods that the standard's class has not.

use pyo3::exceptions::{PyAttributeError, PyTypeError};
use pyo3::types::PyDict;

use super::*;
use crate::glue::Arg;

/// An object of the class that another object needs.
pub(super) struct Owner(Py<PyAny>);

impl Owner {
    pub(super) fn new(object: &Bound<'_, PyAny>) -> PyResult<Self> {
        if object.is_instance(class(object.py())?)? {
            Ok(Self(object.clone().unbind()))
        } else {
            Err(PyTypeError::new_err("it must be an mmap"))
        }
    }

    pub(super) fn object(&self) -> &Py<PyAny> {
        &self.0
    }

    pub(super) fn mmap<'a>(&'a self, _: Python<'a>) -> &'a Mmap {
        // SAFETY: it is of the class, and lives while this does.
        unsafe { state(self.0.as_ptr()) }
    }
}

/// An attribute that is computed, unless an object of a subclass has one of that
/// name: programs that were written for the standard's class may give it one.
macro_rules! shadowed {
    ($name:literal, $function:path, $doc:literal) => {{
        unsafe extern "C" fn get(object: *mut ffi::PyObject, _: *mut c_void) -> *mut ffi::PyObject {
            // SAFETY: Python calls it as it is declared.
            unsafe {
                on(object, |py, mmap| match extras::own(&glue::borrowed(py, object), $name)? {
                    Some(own) => Ok(own),
                    None => $function(py, mmap),
                })
            }
        }
        unsafe extern "C" fn set(
            object: *mut ffi::PyObject,
            value: *mut ffi::PyObject,
            _: *mut c_void,
        ) -> c_int {
            // SAFETY: Python calls it as it is declared; null means deletion.
            unsafe {
                on(object, |py, _| {
                    let value = (!value.is_null()).then(|| glue::borrowed(py, value));
                    extras::set_own(&glue::borrowed(py, object), $name, value)
                })
            }
        }
        ffi::PyGetSetDef {
            name: concat!($name, "\0").as_ptr().cast(),
            get: Some(get),
            set: Some(set),
            doc: $doc.as_ptr(),
            closure: ptr::null_mut(),
        }
    }};
}
pub(super) use shadowed;

/// The attributes of an object's own; only those of subclasses have some.
fn owned<'py>(object: &Bound<'py, PyAny>) -> Option<Bound<'py, PyDict>> {
    let py = object.py();
    if class(py).is_ok_and(|class| object.get_type().is(class)) {
        return None;
    }
    match object.getattr("__dict__") {
        Ok(owned) => owned.cast_into().ok(),
        Err(error) => {
            glue::forget(error);
            None
        }
    }
}

pub(super) fn own<'py>(
    object: &Bound<'py, PyAny>,
    name: &str,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    owned(object).map_or(Ok(None), |owned| owned.get_item(name))
}

pub(super) fn set_own(
    object: &Bound<'_, PyAny>,
    name: &str,
    value: Option<Arg<'_, '_>>,
) -> Outcome<()> {
    let Some(owned) = owned(object) else {
        let kind = object.get_type().fully_qualified_name()?;
        let message = format!("attribute '{name}' of '{kind}' objects is not writable");
        return Err(PyAttributeError::new_err(message).into());
    };
    match value {
        Some(value) => owned.set_item(name, value)?,
        None if owned.contains(name)? => owned.del_item(name)?,
        None => return Err(PyAttributeError::new_err(name.to_owned()).into()),
    }
    Ok(())
}

pub(super) fn methods() -> Vec<ffi::PyMethodDef> {
    vec![
        method!(
            "readable",
            on,
            file::readable,
            NOARGS,
            c"readable($self, /)\n--\n\nWhether the map can be read."
        ),
        method!(
            "writable",
            on,
            file::writable,
            NOARGS,
            c"writable($self, /)\n--\n\nWhether the map can be written."
        ),
        method!("isatty", on, file::isatty, NOARGS, c"isatty($self, /)\n--\n\nFalse."),
        method!(
            "fileno",
            on,
            file::fileno,
            NOARGS,
            c"fileno($self, /)\n--\n\n\
            The descriptor of the file that the map keeps.\n\n\
            Its position is not the map's. OSError if the map keeps no file."
        ),
        method!(
            "readinto",
            on,
            file::readinto,
            O,
            c"readinto($self, buffer, /)\n--\n\n\
            Read bytes from the position on into a buffer, and return how many."
        ),
        method!(
            "readlines",
            on,
            file::readlines,
            FASTCALL,
            c"readlines($self, hint=-1, /)\n--\n\n\
            The lines from the position on: all, or until they have `hint` bytes."
        ),
        method!(
            "writelines",
            on,
            file::writelines,
            O,
            c"writelines($self, lines, /)\n--\n\n\
            Write one after the other at the position. No newlines are added."
        ),
        method!(
            "truncate",
            on,
            file::truncate,
            FASTCALL,
            c"truncate($self, size=None, /)\n--\n\n\
            Make the map and its file `size` bytes long, or as long as the position.\n\n\
            Returns the size. The position stays; else it is as resize()."
        ),
        method!(
            "count",
            on,
            subsections::count,
            KEYWORDS,
            c"count($self, /, sub, start=0, end=None)\n--\n\n\
            How often `sub` stands in start:end, without overlaps, as for bytes."
        ),
        method!(
            "index",
            on,
            subsections::index,
            KEYWORDS,
            c"index($self, /, sub, start=0, end=None)\n--\n\n\
            Offset of the first place of `sub` in start:end; ValueError if there is none.\n\n\
            As for bytes: find() begins at the position, this does not."
        ),
        method!(
            "rindex",
            on,
            subsections::rindex,
            KEYWORDS,
            c"rindex($self, /, sub, start=0, end=None)\n--\n\n\
            Offset of the last place of `sub` in start:end; ValueError if there is none."
        ),
        method!(
            "startswith",
            on,
            subsections::startswith,
            KEYWORDS,
            c"startswith($self, /, prefix, start=0, end=None)\n--\n\n\
            Whether start:end begins with a prefix, or with one of a tuple of them."
        ),
        method!(
            "endswith",
            on,
            subsections::endswith,
            KEYWORDS,
            c"endswith($self, /, suffix, start=0, end=None)\n--\n\n\
            Whether start:end ends with a suffix, or with one of a tuple of them."
        ),
        method!(
            "residency",
            on,
            pages::residency,
            KEYWORDS,
            c"residency($self, /, start=0, length=None)\n--\n\n\
            Which pages of a range, in bytes, are in memory.\n\n\
            PermissionError if the system does not tell: who neither owns the file nor may\n\
            write it would only hear that everything is."
        ),
        method!(
            "prefetch",
            on_known,
            pages::prefetch,
            KEYWORDS,
            c"prefetch($self, /, start=0, length=None, *, progress=None)\n--\n\n\
            Bring a range, in bytes, into memory, and wait until all of it is there.\n\n\
            `progress` is called with the bytes done and the bytes in all. FaultError for a\n\
            page that cannot be read. Other threads run meanwhile; Ctrl-C ends it."
        ),
        method!(
            "grow",
            on,
            grow::grow,
            O,
            c"grow($self, length, /)\n--\n\n\
            Make the map and its file `length` bytes long, in place.\n\n\
            Exported memory stays valid. ValueError if the map was not opened with\n\
            `faultless.open(..., reserve=...)`, or with less."
        ),
        method!(
            "append",
            on,
            grow::append,
            O,
            c"append($self, data, /)\n--\n\n\
            Write `data` behind the end of the map, which grows as needed; its offset.\n\n\
            As `grow`, but the file gets longer in steps, and is trimmed on close."
        ),
        method!(
            "evict",
            on,
            pages::evict,
            KEYWORDS,
            c"evict($self, /, start=0, length=None)\n--\n\n\
            Write changes to the file and ask the system to take a range out of memory.\n\n\
            No byte changes. What cannot be taken out stays: residency() tells."
        ),
        method!(
            "lock",
            on,
            pages::lock,
            KEYWORDS,
            c"lock($self, /, start=0, length=None)\n--\n\n\
            Bring a range, in bytes, into memory and keep it there.\n\n\
            OSError past the limit of locked memory (RLIMIT_MEMLOCK). See mlock(2)."
        ),
        method!(
            "unlock",
            on,
            pages::unlock,
            KEYWORDS,
            c"unlock($self, /, start=0, length=None)\n--\n\n\
            Let the system take a locked range, in bytes, out of memory again."
        ),
        method!(
            "atomic",
            on_known,
            atomic::atomic,
            SELF_FASTCALL,
            c"atomic($self, kind, offset, /)\n--\n\n\
            The number at `offset`, in bytes, for atomic access: 'u64', 'i64', 'u32', 'i32'.\n\n\
            ValueError if its place is not a multiple of its size, IndexError past the end."
        ),
        method!(
            "find_all",
            on_known,
            text::find_all,
            KEYWORDS,
            c"find_all($self, /, sub, start=0, end=None, *, overlapping=False, progress=None)\n--\n\n\
            An iterator over the offsets of all places of `sub` in start:end.\n\n\
            `progress` is called with the bytes done and the bytes in all."
        ),
        method!(
            "find_any",
            on_known,
            text::find_any,
            KEYWORDS,
            c"find_any($self, /, subs, start=0, end=None, *, progress=None)\n--\n\n\
            An iterator over the places of any of `subs` in start:end, without overlaps.\n\n\
            It gives (offset, index): the index is that of the bytes in `subs`. Of those that\n\
            begin at the same place it is the first."
        ),
        method!(
            "finditer",
            on_known,
            text::finditer,
            KEYWORDS,
            c"finditer($self, /, pattern, start=0, end=None, *, progress=None)\n--\n\n\
            An iterator over the matches of a regular expression in start:end.\n\n\
            The pattern, str or bytes, has the syntax of the Rust crate regex, and takes time\n\
            linear in the bytes. Its matches have the methods of those of re."
        ),
        method!(
            "sync",
            on,
            pages::sync,
            KEYWORDS,
            c"sync($self, /, start=0, length=None)\n--\n\n\
            Write the changes of a range, in bytes, to the file, and have the device keep them.\n\n\
            flush() leaves what the device itself caches to the system: on Windows and macOS\n\
            this asks for more. FaultError if pages of the map failed; ValueError with\n\
            trackfd=False."
        ),
        method!(
            "lines",
            on_known,
            lines::lines,
            KEYWORDS,
            c"lines($self, /, start=0, end=None, *, keepends=False, progress=None)\n--\n\n\
            An iterator over the lines in start:end, which end with b'\\n'."
        ),
        method!(
            "line_index",
            on_known,
            text::line_index,
            KEYWORDS,
            c"line_index($self, /, start=0, end=None, *, progress=None)\n--\n\n\
            Where the lines in start:end are: a LineIndex, made with all processor cores."
        ),
        method!(
            "array",
            on_known,
            by_reference::array,
            KEYWORDS,
            c"array($self, /, dtype='u1', shape=None, offset=0)\n--\n\n\
            A NumPy array of the map's memory, which cannot be closed or resized while it\n\
            lives.\n\n\
            Without a shape, or with a -1 in it, it has all from `offset`, in bytes, on;\n\
            ValueError if that is no whole number of items. An array of a read-only map is\n\
            read-only. ImportError if NumPy is not installed."
        ),
        method!(
            "__reduce_ex__",
            on_known,
            by_reference::reduce_ex,
            SELF_FASTCALL,
            c"__reduce_ex__($self, protocol, /)\n--\n\n\
            For pickle: the path, offset, length, access and identity of the file, not its\n\
            bytes."
        ),
        method!(
            "protect",
            on,
            pages::protect,
            O,
            c"protect($self, prot, /)\n--\n\n\
            Change which accesses the pages allow: PROT_READ, PROT_WRITE, PROT_EXEC, 0.\n\n\
            What they no longer allow is a TypeError. BufferError if a memoryview or an\n\
            array still looks at the memory."
        ),
    ]
}
