//! The class `mmap`: its object, its type, and the C functions that Python
//! calls.
//!
//! It is a heap type made with `PyType_FromSpec` rather than a class of `PyO3`,
//! because the standard's is one: immutable, no base but `object`, with a
//! sequence protocol of its own, and as fast as C. `ARCHITECTURE.md` has what
//! that is worth.
#![allow(unsafe_code)]

mod atomic;
mod by_reference;
mod extras;
mod file;
mod grow;
mod lines;
mod methods;
mod new;
mod pages;
mod regex;
mod search;
mod slots;
mod state;
mod subsections;
mod text;

use std::ffi::{CStr, c_int, c_uint, c_ulong, c_void};
use std::mem::offset_of;
use std::path::Path;
use std::ptr;

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

pub(crate) use atomic::Atomic;
pub(crate) use pages::Residency;
pub(crate) use regex::Match;
pub(crate) use state::LONG;
use state::Mmap;
pub(crate) use text::LineIndex;

use crate::glue::{self, Args, Call, Outcome, Output, Returned};

/// What lies in memory for an object of the class.
#[repr(C)]
struct Object {
    head: ffi::PyObject,
    weak_references: *mut ffi::PyObject,
    state: Mmap,
}

/// # Safety
/// `object` must be of this class, or a subclass, and live for `'a`.
#[inline(always)]
unsafe fn state<'a>(object: *mut ffi::PyObject) -> &'a Mmap {
    // SAFETY: every object of the class was made by `construct`.
    unsafe { &(*object.cast::<Object>()).state }
}

/// Runs the body of a slot or method on the object it was called on.
///
/// # Safety
/// As Python calls slots: attached, with a live object of the class.
#[inline(always)]
unsafe fn on<'py, R: Output>(
    object: *mut ffi::PyObject,
    body: impl FnOnce(Python<'py>, &Mmap) -> Outcome<R>,
) -> R::Raw {
    // SAFETY: the caller's promise.
    unsafe { glue::enter(|py| body(py, state(object))) }
}

/// The same for a body that is short and cannot panic.
///
/// # Safety
/// As `on`.
#[inline(always)]
unsafe fn on_hot<'py, R: Output>(
    object: *mut ffi::PyObject,
    body: impl FnOnce(Python<'py>, &Mmap) -> Outcome<R>,
) -> R::Raw {
    // SAFETY: the caller's promise.
    unsafe { glue::enter_hot(|py| body(py, state(object))) }
}

/// The same for a body that may let go of a `Py` or a `PyErr`. In a call that `PyO3`
/// does not know of it would put that off until the next one that it knows of, and
/// the map would stay open, or the exception be kept, until then.
///
/// # Safety
/// As `on`.
#[inline(never)]
unsafe fn on_known<'py, R: Output>(
    object: *mut ffi::PyObject,
    body: impl FnOnce(Python<'py>, &Mmap) -> Outcome<R>,
) -> R::Raw {
    // SAFETY: the caller's promise.
    unsafe { glue::enter(|py| Python::attach(|_| body(py, state(object)))) }
}

/// A method's entry in the table: its name, its function, and its documentation,
/// which begins with the signature that `inspect` reads.
macro_rules! method {
    ($name:literal, $on:ident, $function:path, NOARGS, $doc:literal) => {
        method!($name, $doc, PyCFunction, METH_NOARGS, |object, _none: *mut ffi::PyObject| {
            $on(object, |py, mmap| $function(py, mmap))
        })
    };
    ($name:literal, $on:ident, $function:path, SELF, $doc:literal) => {
        method!($name, $doc, PyCFunction, METH_NOARGS, |object, _none: *mut ffi::PyObject| {
            $on(object, |py, mmap| $function(py, mmap, &glue::borrowed(py, object)))
        })
    };
    ($name:literal, $on:ident, $function:path, O, $doc:literal) => {
        method!($name, $doc, PyCFunction, METH_O, |object, arg: *mut ffi::PyObject| {
            $on(object, |py, mmap| $function(mmap, glue::borrowed(py, arg)))
        })
    };
    ($name:literal, $on:ident, $function:path, FASTCALL, $doc:literal) => {
        method!($name, $doc, PyCFunctionFast, METH_FASTCALL, |
            object,
            args: *mut *mut ffi::PyObject,
            count: ffi::Py_ssize_t
        | {
            $on(object, |py, mmap| $function(mmap, &Args::new(py, $name, args, count)))
        })
    };
    ($name:literal, $on:ident, $function:path, SELF_FASTCALL, $doc:literal) => {
        method!($name, $doc, PyCFunctionFast, METH_FASTCALL, |
            object,
            args: *mut *mut ffi::PyObject,
            count: ffi::Py_ssize_t
        | {
            $on(object, |py, mmap| {
                let args = Args::new(py, $name, args, count);
                $function(mmap, &glue::borrowed(py, object), &args)
            })
        })
    };
    ($name:literal, $on:ident, $function:path, KEYWORDS, $doc:literal) => {
        method!($name, $doc, PyCFunctionFastWithKeywords, METH_FASTCALL | METH_KEYWORDS, |
            object,
            args: *const *mut ffi::PyObject,
            count: ffi::Py_ssize_t,
            names: *mut ffi::PyObject
        | {
            $on(object, |py, mmap| {
                let this = glue::borrowed(py, object);
                $function(mmap, &Call::new(this, $name, args, count, names))
            })
        })
    };
    // By the kind of C function, its flags, its parameters and its body.
    ($name:literal, $doc:literal, $kind:ident, $($flag:ident)|+, |
        $object:ident, $($param:ident: $type:ty),+
    | $body:block) => {{
        unsafe extern "C" fn call(
            $object: *mut ffi::PyObject,
            $($param: $type),+
        ) -> *mut ffi::PyObject {
            // SAFETY: Python calls it as it is declared.
            unsafe { $body }
        }
        let meth = ffi::PyMethodDefPointer { $kind: call };
        define(concat!($name, "\0"), meth, $(ffi::$flag)|+, $doc)
    }};
}

const fn define(
    name: &'static str,
    ml_meth: ffi::PyMethodDefPointer,
    ml_flags: c_int,
    doc: &'static CStr,
) -> ffi::PyMethodDef {
    ffi::PyMethodDef { ml_name: name.as_ptr().cast(), ml_meth, ml_flags, ml_doc: doc.as_ptr() }
}

/// An attribute that is computed.
macro_rules! getter {
    ($name:literal, $on:ident, $function:path, $doc:literal) => {{
        unsafe extern "C" fn get(object: *mut ffi::PyObject, _: *mut c_void) -> *mut ffi::PyObject {
            // SAFETY: Python calls it as it is declared.
            unsafe { $on(object, |py, mmap| $function(py, mmap)) }
        }
        ffi::PyGetSetDef {
            name: concat!($name, "\0").as_ptr().cast(),
            get: Some(get),
            set: None,
            doc: $doc.as_ptr(),
            closure: ptr::null_mut(),
        }
    }};
}

use method;

/// Those that the standard's class has.
fn standard_methods() -> Vec<ffi::PyMethodDef> {
    use methods::*;
    vec![
        method!(
            "close",
            on,
            close,
            NOARGS,
            c"close($self, /)\n--\n\n\
            Unmap the memory and close the file. Any further use is a ValueError.\n\n\
            BufferError if a memoryview or an array still looks at the memory."
        ),
        method!(
            "find",
            on_hot,
            find,
            KEYWORDS,
            c"find($self, view, start=None, end=None, /, *, threads=1)\n--\n\n\
            Offset of the first place of `view` in start:end, or -1.\n\n\
            The search begins at the current position if no start is given. A search of\n\
            some MiB may use several threads; 0 means as many as the machine has cores."
        ),
        method!(
            "rfind",
            on_hot,
            rfind,
            KEYWORDS,
            c"rfind($self, view, start=None, end=None, /, *, threads=1)\n--\n\n\
            Offset of the last place of `view` in start:end, or -1.\n\n\
            `threads` is as for find."
        ),
        method!(
            "flush",
            on,
            flush,
            KEYWORDS,
            c"flush($self, offset=0, size=-1, /, *, flags=0)\n--\n\n\
            Write changes back to the file and wait until they are there.\n\n\
            `offset`, a multiple of PAGESIZE, and `size` are in bytes. `flags` is one of\n\
            the MS_ constants; 0 means MS_SYNC. FaultError if pages of the map failed."
        ),
        #[cfg(windows)]
        method!(
            "__sizeof__",
            on,
            sizeof,
            SELF,
            c"__sizeof__($self, /)\n--\n\nSize in memory, in bytes, without the mapped pages."
        ),
        #[cfg(unix)]
        method!(
            "madvise",
            on,
            madvise,
            FASTCALL,
            c"madvise($self, option, start=0, length=None, /)\n--\n\n\
            Tell the system what to expect of a range, in bytes. See madvise(2)."
        ),
        method!(
            "move",
            on_hot,
            move_,
            FASTCALL,
            c"move($self, dest, src, count, /)\n--\n\n\
            Copy `count` bytes from offset `src` to offset `dest`; they may overlap."
        ),
        method!(
            "read",
            on_hot,
            read,
            FASTCALL,
            c"read($self, n=None, /)\n--\n\n\
            The next `n` bytes from the position on, or all that are left."
        ),
        method!(
            "read_byte",
            on_hot,
            read_byte,
            NOARGS,
            c"read_byte($self, /)\n--\n\n\
            The byte at the position, as an integer. ValueError at the end."
        ),
        method!(
            "readline",
            on_hot,
            readline,
            NOARGS,
            c"readline($self, /)\n--\n\n\
            The bytes up to the next newline, and it; b'' at the end."
        ),
        method!(
            "resize",
            on,
            resize,
            O,
            c"resize($self, newsize, /)\n--\n\n\
            Make the map and its file `newsize` bytes long.\n\n\
            Growing allocates the file's blocks, so that a full disk is an error here."
        ),
        method!(
            "seek",
            on_hot,
            seek,
            FASTCALL,
            c"seek($self, pos, whence=0, /)\n--\n\n\
            Set the position: from the beginning (0), from here (1), from the end (2).\n\n\
            Returns the new position."
        ),
        method!(
            "seekable",
            on_hot,
            seekable,
            NOARGS,
            c"seekable($self, /)\n--\n\n\
            True."
        ),
        method!(
            "set_name",
            on,
            set_name,
            O,
            c"set_name($self, name, /)\n--\n\n\
            Name anonymous memory in /proc/self/maps, in Python's development mode."
        ),
        method!(
            "size",
            on_hot,
            size,
            NOARGS,
            c"size($self, /)\n--\n\n\
            The file's length in bytes, which may differ from the map's."
        ),
        method!(
            "tell",
            on_hot,
            tell,
            NOARGS,
            c"tell($self, /)\n--\n\n\
            The position, in bytes from the beginning."
        ),
        method!(
            "write",
            on_hot,
            write,
            O,
            c"write($self, bytes, /)\n--\n\n\
            Write all the bytes at the position and return how many, or, if they do not\n\
            fit, none: ValueError."
        ),
        method!(
            "write_byte",
            on_hot,
            write_byte,
            O,
            c"write_byte($self, byte, /)\n--\n\n\
            Write an integer as the byte at the position. ValueError at the end."
        ),
        method!("__enter__", on, enter, SELF, c"__enter__($self, /)\n--\n\n"),
        method!(
            "__exit__",
            on,
            exit,
            FASTCALL,
            c"__exit__($self, exc_type, exc_value, traceback, /)\n--\n\n"
        ),
    ]
}

fn methods_table() -> Vec<ffi::PyMethodDef> {
    let mut table = standard_methods();
    table.extend(extras::methods());
    // SAFETY: all null is what ends the table.
    table.push(unsafe { std::mem::zeroed() });
    table
}

fn getters_table() -> Vec<ffi::PyGetSetDef> {
    use methods::*;
    vec![
        extras::shadowed!("mode", file::mode, c"'rb', or 'rb+' if the map can be written."),
        extras::shadowed!("name", file::name, c"The path of the map's file, or None."),
        getter!("closed", on_hot, closed, c"Whether the map is closed."),
        getter!(
            "fault",
            on,
            fault,
            c"(offset, reason) of the pages that failed and are not back, or None."
        ),
        getter!(
            "guarded",
            on,
            guarded,
            c"Whether a failing page is an exception rather than the end of the process."
        ),
        getter!(
            "private_fallback",
            on,
            private_fallback,
            c"Whether the map is private because the file's system has no shared maps."
        ),
        // SAFETY: all null is what ends the table.
        unsafe { std::mem::zeroed() },
    ]
}

/// The class. It lives as long as the process.
pub(crate) fn class(py: Python<'_>) -> PyResult<&Bound<'_, PyAny>> {
    static CLASS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    CLASS.get_or_try_init(py, || make_class(py).map(Bound::unbind)).map(|class| class.bind(py))
}

fn make_class(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    methods::look_at_version(py);
    let members = vec![
        ffi::PyMemberDef {
            name: c"__weaklistoffset__".as_ptr(),
            type_code: ffi::Py_T_PYSSIZET,
            offset: offset_of!(Object, weak_references) as ffi::Py_ssize_t,
            flags: ffi::Py_READONLY,
            doc: ptr::null(),
        },
        ffi::PyMemberDef::default(),
    ];
    let mut slots = vec![
        (ffi::Py_tp_doc, new::SIGNATURE.as_ptr().cast_mut().cast()),
        (ffi::Py_tp_new, construct as *mut c_void),
        (ffi::Py_tp_dealloc, deallocate as *mut c_void),
        (ffi::Py_tp_traverse, traverse as *mut c_void),
        (ffi::Py_tp_getattro, ffi::PyObject_GenericGetAttr as *mut c_void),
        // The type keeps pointers into these tables.
        (ffi::Py_tp_methods, methods_table().leak().as_mut_ptr().cast()),
        (ffi::Py_tp_getset, getters_table().leak().as_mut_ptr().cast()),
        (ffi::Py_tp_members, members.leak().as_mut_ptr().cast()),
    ];
    slots.extend(slots::table());
    // The standard's name, which its repr and its messages show.
    // SAFETY: the slots are functions for an `Object`, and tables that end and are
    // never freed.
    unsafe { make_type::<Object>(py, c"mmap.mmap", ffi::Py_TPFLAGS_BASETYPE, &slots) }
}

/// A heap type that cannot be changed and takes part in garbage collection.
///
/// # Safety
/// The slots must be what their numbers say, for objects that are a `T`.
unsafe fn make_type<'py, T>(
    py: Python<'py>,
    name: &'static CStr,
    flags: c_ulong,
    slots: &[(c_int, *mut c_void)],
) -> PyResult<Bound<'py, PyAny>> {
    let end = (0, ptr::null_mut());
    let slots = slots.iter().chain([&end]);
    let mut slots: Vec<_> = slots.map(|&(slot, pfunc)| ffi::PyType_Slot { slot, pfunc }).collect();
    let flags =
        flags | ffi::Py_TPFLAGS_DEFAULT | ffi::Py_TPFLAGS_HAVE_GC | ffi::Py_TPFLAGS_IMMUTABLETYPE;
    let mut spec = ffi::PyType_Spec {
        name: name.as_ptr(),
        basicsize: size_of::<T>() as c_int,
        itemsize: 0,
        flags: flags as c_uint,
        slots: slots.as_mut_ptr(),
    };
    // SAFETY: the specification is complete, and the type copies it; the rest is
    // the caller's promise.
    unsafe { Bound::from_owned_ptr_or_err(py, ffi::PyType_FromSpec(&raw mut spec)) }
}

unsafe extern "C" fn construct(
    class: *mut ffi::PyTypeObject,
    args: *mut ffi::PyObject,
    named: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: Python calls it with a class, a tuple, and a dictionary or null.
    unsafe {
        glue::enter(|py| {
            let mmap = new::make(&glue::constructor_args(py, args, named)?)?;
            allocate(py, class, mmap)
        })
    }
}

/// A new object of the class or of a subclass.
///
/// # Safety
/// `class` must be such a type.
unsafe fn allocate(py: Python<'_>, class: *mut ffi::PyTypeObject, mmap: Mmap) -> Returned<'_> {
    // SAFETY: the memory is zeroed, large enough, and not seen by anybody before
    // its fields are written.
    unsafe {
        let object = ffi::PyType_GenericAlloc(class, 0);
        let object = Bound::from_owned_ptr_or_err(py, object)?;
        let memory = object.as_ptr().cast::<Object>();
        (&raw mut (*memory).weak_references).write(ptr::null_mut());
        (&raw mut (*memory).state).write(mmap);
        Ok(object)
    }
}

/// An object for a map that was made without the constructor, and by which
/// absolute path its file was opened.
pub(crate) fn wrap(
    py: Python<'_>,
    map: faultless::Map,
    access: i32,
    path: Option<Box<Path>>,
) -> Returned<'_> {
    let class = class(py)?.as_ptr().cast();
    let offset = map.file_offset();
    let mut mmap = Mmap::new(map, access, true, offset);
    mmap.path = path;
    // SAFETY: it is the class itself.
    unsafe { allocate(py, class, mmap) }
}

/// An object refers to its class and to nothing else.
unsafe extern "C" fn traverse(
    object: *mut ffi::PyObject,
    visit: ffi::visitproc,
    context: *mut c_void,
) -> c_int {
    // SAFETY: Python calls it with a live object and a function for what it
    // refers to.
    unsafe { visit(ffi::Py_TYPE(object).cast(), context) }
}

unsafe extern "C" fn deallocate(object: *mut ffi::PyObject) {
    // SAFETY: Python calls it once, when nobody else has the object. What the
    // class holds is moved out before the memory is given back.
    unsafe {
        let memory = object.cast::<Object>();
        ffi::PyObject_GC_UnTrack(object.cast());
        if !(*memory).weak_references.is_null() {
            ffi::PyObject_ClearWeakRefs(object);
        }
        let mmap = (&raw const (*memory).state).read();
        glue::enter(|py| {
            state::dispose(py, mmap);
            Ok(())
        });
        give_back(object);
    }
}

/// Gives the memory of an object of a heap type back, and its hold on the type.
///
/// # Safety
/// Nobody else may have the object, and what it held must be gone.
unsafe fn give_back(object: *mut ffi::PyObject) {
    // SAFETY: the caller's promise; every type has the slot.
    unsafe {
        let class = ffi::Py_TYPE(object);
        let free = ffi::PyType_GetSlot(class, ffi::Py_tp_free);
        let free = std::mem::transmute::<*mut c_void, ffi::freefunc>(free);
        free(object.cast());
        ffi::Py_DECREF(class.cast());
    }
}
