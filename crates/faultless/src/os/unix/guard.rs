//! The handler of failing pages: SIGBUS, and SIGSEGV where the system uses it.
//!
//! It runs between two instructions of any thread, so it allocates nothing,
//! takes no lock, touches nothing thread-local, needs little stack, and leaves
//! `errno` as it was.

mod chain;

use std::cell::UnsafeCell;
use std::mem::MaybeUninit;
use std::ptr;
use std::sync::atomic::{
    AtomicBool, AtomicI32, AtomicU8, AtomicU32, AtomicU64, Ordering, compiler_fence,
};

use self::system::{BUS_MCEERR_AR, SI_TKILL, errno, is_page_failure, is_refused, thread_id};
use super::{FAULT_SIGNALS, Mapping, file_len_of, map_over, no_space_left};
use crate::fault::FaultReason;
use crate::range::round_up;
use crate::registry::{REGISTRY, Range, Slot};

type Handler = unsafe extern "C" fn(i32, *mut libc::siginfo_t, *mut libc::c_void);

/// A handler that somebody installs after ours keeps ours as the one to call
/// next. When the signal is taken back, another of these goes on top, with its
/// own predecessor: were it the same one, the two would call each other for ever.
const HANDLERS: [Handler; 8] = [
    handler::<0>,
    handler::<1>,
    handler::<2>,
    handler::<3>,
    handler::<4>,
    handler::<5>,
    handler::<6>,
    handler::<7>,
];

/// Who had the signal before the handler of the same number.
struct Predecessors([UnsafeCell<MaybeUninit<libc::sigaction>>; HANDLERS.len()]);

// SAFETY: a cell is written once, under `INSTALLING`, before the handler of its
// number is installed, which is what makes it read; `restored_default` says the
// one change that comes later.
unsafe impl Sync for Predecessors {}

struct Signal {
    number: AtomicI32,
    before: Predecessors,
    /// Handlers installed so far.
    installed: AtomicU8,
    /// Predecessors that asked to be called once only (`SA_RESETHAND`) and were.
    spent: AtomicU8,
}

impl Signal {
    const fn new() -> Self {
        Self {
            number: AtomicI32::new(0),
            before: Predecessors(
                [const { UnsafeCell::new(MaybeUninit::uninit()) }; HANDLERS.len()],
            ),
            installed: AtomicU8::new(0),
            spent: AtomicU8::new(0),
        }
    }
}

static SIGNALS: [Signal; 2] = [Signal::new(), Signal::new()];
static INSTALLING: AtomicBool = AtomicBool::new(false);
static FORK_WATCHED: AtomicBool = AtomicBool::new(false);
static FORKS: AtomicU32 = AtomicU32::new(0);

/// Sees to it that failing pages come to us first. `false`: they do not, and
/// maps made now are not guarded.
pub(crate) fn install() -> bool {
    FAULT_SIGNALS.iter().zip(&SIGNALS).all(|(&number, signal)| own(number, signal))
}

/// Whether this process has had a handler of ours.
pub(crate) fn was_installed() -> bool {
    SIGNALS.iter().any(|signal| signal.installed.load(Ordering::Relaxed) != 0)
}

/// Whether failing pages come to us first, now.
pub(crate) fn is_installed() -> bool {
    FAULT_SIGNALS.iter().all(|&number| query(number).is_some_and(|action| ours(&action).is_some()))
}

/// Whether parts of a mapping can be replaced.
pub(crate) fn covers(_mapping: &Mapping) -> bool {
    true
}

fn query(number: i32) -> Option<libc::sigaction> {
    let mut action = MaybeUninit::<libc::sigaction>::uninit();
    // SAFETY: with no new action, sigaction fills in the present one.
    (unsafe { libc::sigaction(number, ptr::null(), action.as_mut_ptr()) } == 0)
        // SAFETY: it did not fail.
        .then(|| unsafe { action.assume_init() })
}

/// The number of our handler that an action is, if it is one of ours.
fn ours(action: &libc::sigaction) -> Option<usize> {
    HANDLERS.iter().position(|&handler| action.sa_sigaction == handler as *const () as usize)
}

fn own(number: i32, signal: &Signal) -> bool {
    let Some(now) = query(number) else {
        return false;
    };
    if ours(&now).is_some() {
        return true;
    }
    // One thread installs; another that comes meanwhile goes on when it is done.
    while INSTALLING.swap(true, Ordering::Acquire) {
        std::thread::yield_now();
    }
    let done = take(number, signal);
    INSTALLING.store(false, Ordering::Release);
    done
}

fn take(number: i32, signal: &Signal) -> bool {
    let Some(now) = query(number) else {
        return false;
    };
    if ours(&now).is_some() {
        return true;
    }
    watch_forks();
    signal.number.store(number, Ordering::Relaxed);
    let installed = usize::from(signal.installed.load(Ordering::Relaxed));
    // The handler that stands over just this predecessor already can stand over
    // it again.
    let known = (0..installed).find(|&nth| {
        // SAFETY: this thread is the only one that writes predecessors.
        let before = unsafe { (*signal.before.0[nth].get()).assume_init_ref() };
        before.sa_sigaction == now.sa_sigaction && before.sa_flags == now.sa_flags
    });
    let nth = match known {
        Some(nth) => {
            signal.spent.fetch_and(!(1 << nth), Ordering::Relaxed);
            nth
        }
        None if installed < HANDLERS.len() => {
            // SAFETY: the handler of this number was never installed, so nobody
            // reads the cell.
            unsafe { (*signal.before.0[installed].get()).write(now) };
            signal.installed.store(installed as u8 + 1, Ordering::Release);
            installed
        }
        None => return false,
    };
    let mut action = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: all zero bytes are an action with the default handler and no
    // flags; the mask is then made empty as POSIX wants it.
    let action = unsafe {
        let action = action.assume_init_mut();
        libc::sigemptyset(&raw mut action.sa_mask);
        action
    };
    action.sa_sigaction = HANDLERS[nth] as *const () as usize;
    action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_NODEFER;
    // SAFETY: the handler is async-signal-safe, and hands on what is not ours.
    unsafe { libc::sigaction(number, action, ptr::null_mut()) == 0 }
}

/// How often this process, and those it came from, have been forked since somebody
/// watches: a number that a child has not in common with its parent.
#[cfg(feature = "log")]
#[inline]
pub(crate) fn forks() -> u32 {
    FORKS.load(Ordering::Relaxed)
}

pub(crate) fn watch_forks() {
    extern "C" fn child() {
        FORKS.fetch_add(1, Ordering::Relaxed);
        REGISTRY.after_fork();
        INSTALLING.store(false, Ordering::Relaxed);
        chain::forget();
    }
    if !FORK_WATCHED.swap(true, Ordering::Relaxed) {
        // SAFETY: the function only stores to atomics.
        unsafe { libc::pthread_atfork(None, None, Some(child)) };
    }
}

unsafe extern "C" fn handler<const NTH: usize>(
    number: i32,
    info: *mut libc::siginfo_t,
    context: *mut libc::c_void,
) {
    let errno = errno();
    // SAFETY: errno is this thread's; the system gave a valid `info`.
    let (saved, code, address) = unsafe { (*errno, (*info).si_code, (*info).si_addr() as usize) };
    let handled = if is_page_failure(number, code) {
        let replace = |slot: &Slot, range: &Range| {
            if slot.is_canary(address) {
                lose_canary(slot, range)
            } else {
                // SAFETY: the system gave it to this handler.
                let refused = unsafe { is_refused(context, range.protection) };
                !refused && replace(slot, range, address, code)
            }
        };
        REGISTRY.with_slot(address, replace) == Some(true)
    } else {
        // SAFETY: as above; a signal that was sent has a sender.
        code == SI_TKILL && unsafe { raised_by_faulthandler(info) }
    };
    if !handled {
        // SAFETY: called with what the system gave this handler.
        unsafe { chain::hand_on::<NTH>(number, info, context) };
    }
    // SAFETY: as above.
    unsafe { *errno = saved };
}

/// A signal from `raise` in this very process. Python's faulthandler, when it
/// stands before us, prints its report of our fault, puts us back and raises
/// the signal anew, without the address. Returning is enough: the instruction
/// fails again and comes with its address. Once: whoever raises twice means it.
///
/// # Safety
/// `info` must be of a signal that a process sent.
unsafe fn raised_by_faulthandler(info: *const libc::siginfo_t) -> bool {
    // SAFETY: the caller's promise; getpid always works.
    let own = unsafe { (*info).si_pid() == libc::getpid() };
    // While this thread hands a signal on, it is that one which is raised anew.
    let thread = thread_id();
    own && !chain::is_passing(thread)
        && !REGISTRY.is_empty()
        && !RAISED.swap(true, Ordering::Relaxed)
}

/// Whether the last signal was one that `raised_by_faulthandler` let pass.
static RAISED: AtomicBool = AtomicBool::new(false);

/// Replaces the dead part of a map with zero pages and writes down the fault.
/// `false`: it cannot be done, and the process has to die after all.
fn replace(slot: &Slot, range: &Range, address: usize, code: i32) -> bool {
    RAISED.store(false, Ordering::Relaxed);
    let offset = address - range.start;
    if offset >= range.len {
        // The map has shrunk since, and there are zeros now: the instruction is tried
        // again.
        return code != BUS_MCEERR_AR;
    }
    let unit = range.unit as u64;
    let at = offset as u64 / unit;
    let units = (range.len as u64).div_ceil(unit);
    let end_of_file = if range.fd < 0 {
        // No file to ask: take it for truncated just here.
        Some(offset as u64 / unit * unit)
    } else if range.regular {
        file_len_of(range.fd).map(|len| round_up(len.saturating_sub(range.file_offset), unit))
    } else {
        None
    };
    let (lo, hi, reason) = match end_of_file {
        Some(end) if at >= end / unit && !(range.huge && range.fd < 0) => {
            (end / unit, units, FaultReason::Truncated)
        }
        _ => {
            let Some(reason) = other_reason(slot, range, at * unit, code) else {
                // Gone by itself: the instruction is tried again.
                slot.disturb();
                return true;
            };
            (at, at + slot.widened(range, at), reason)
        }
    };
    // The page failed from its first byte on, wherever it was touched first.
    let offset = (at * unit) as usize;
    let dead = slot.mark(range, lo, hi, offset, reason);
    zero(range, dead.lo, dead.hi) || {
        // No room for another map area: the whole map at once needs none.
        let all = slot.mark(range, 0, units, offset, reason);
        zero(range, all.lo, all.hi)
    }
}

/// Replaces the page of a canary, which says nothing from then on.
fn lose_canary(slot: &Slot, range: &Range) -> bool {
    slot.lose_canary();
    let address = ptr::with_exposed_provenance_mut::<u8>(slot.canary());
    let protection = libc::PROT_READ | libc::PROT_WRITE;
    // SAFETY: the page is the canary's, and pinned.
    unsafe { map_over(address, range.unit, protection, ZERO, None) }.is_ok()
}

/// Flags of a page of zeros.
const ZERO: i32 = libc::MAP_PRIVATE | libc::MAP_ANON | super::NO_RESERVE;

/// Sets the canary of a map whose last page is at `file_offset`.
pub(crate) fn plant_canary(slot: &Slot, range: &Range, file_offset: u64) -> bool {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    // Never twice the same, and not what a file is likely to have there.
    let count = COUNT.fetch_add(1, Ordering::Relaxed) + 1;
    let word = count.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0xFA17_1E55_CA11_AB1E;
    let plant = |old: usize| {
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        let flags = libc::MAP_PRIVATE | super::NO_RESERVE;
        if old != 0 {
            let address = ptr::with_exposed_provenance_mut::<u8>(old);
            let file = Some((range.fd, file_offset));
            // SAFETY: the page is the canary's, and nobody depends on what it has.
            let mapped = unsafe { map_over(address, range.unit, protection, flags, file) };
            return mapped.is_ok().then_some(old);
        }
        // SAFETY: the system chooses an address that nothing else uses.
        let page = unsafe {
            super::mmap(ptr::null_mut(), range.unit, protection, flags, range.fd, file_offset)
        };
        page.ok().map(|page| page.as_ptr().expose_provenance())
    };
    slot.plant_canary(word, plant, |page| {
        let page = ptr::with_exposed_provenance_mut::<u64>(page);
        // Of a file that is not in memory just this page is read, not megabytes
        // around it. A hint: nothing depends on it.
        // SAFETY: the page was just mapped.
        unsafe { libc::madvise(page.cast(), range.unit, libc::MADV_RANDOM) };
        // SAFETY: the page was just mapped, and failing is the handler's business.
        unsafe { page.write_volatile(word) };
        compiler_fence(Ordering::SeqCst);
    })
}

/// Whether the canary says `song`.
#[inline(always)]
pub(crate) fn sings(slot: &Slot, song: u64) -> bool {
    let page = slot.canary();
    if page == 0 {
        return false;
    }
    let page = ptr::with_exposed_provenance::<u64>(page);
    // SAFETY: the page stays mapped while the map is in use, and failing is the
    // handler's business.
    unsafe { page.read_volatile() == song }
}

/// Unmaps the canary of a map that nobody uses any more.
pub(crate) fn remove_canary(slot: &Slot, unit: usize) {
    let page = slot.take_canary();
    if page != 0 {
        // SAFETY: the page was the canary's, and it has none now.
        unsafe { super::unmap(ptr::with_exposed_provenance_mut(page), unit) };
    }
}

/// Why a page failed that the file should have, or `None` if it may not fail
/// again: the file has grown back since, say.
fn other_reason(slot: &Slot, range: &Range, offset: u64, code: i32) -> Option<FaultReason> {
    if code == BUS_MCEERR_AR {
        return Some(FaultReason::Hardware);
    }
    if range.fd < 0 {
        return Some(FaultReason::NoSpace);
    }
    if slot.may_retry(offset / range.unit as u64) {
        let mut byte = 0u8;
        let at = (range.file_offset + offset) as super::FileOffset;
        // SAFETY: reads one byte into a variable; async-signal-safe.
        let read = unsafe { super::pread_call(range.fd, (&raw mut byte).cast(), 1, at) };
        if read != -1 {
            return None;
        }
        // A file opened for writing only cannot tell.
        // SAFETY: errno is this thread's.
        if unsafe { *errno() } != libc::EBADF {
            return Some(FaultReason::Io);
        }
    }
    let short = range.huge || no_space_left(range.fd);
    Some(if short { FaultReason::NoSpace } else { FaultReason::Io })
}

fn zero(range: &Range, lo: u64, hi: u64) -> bool {
    let (from, to) = range.bytes(lo, hi);
    let address = ptr::with_exposed_provenance_mut::<u8>(range.start + from);
    // SAFETY: the range is that of a live map, pinned; only dead pages of it,
    // or pages given up with them, lie in the part.
    unsafe { map_over(address, to - from, range.protection, ZERO, None) }.is_ok()
}

/// Maps the file back over the dead units `lo..hi` of a map, as far as it is
/// long enough and readable again; returns the unit up to which it is whole.
pub(crate) fn restore(_slot: &Slot, range: &Range, lo: u64, hi: u64, reason: FaultReason) -> u64 {
    // What the map no longer has, since it shrank, is as good as whole.
    let (gone, hi) = (hi, hi.min(range.units()));
    if lo >= hi {
        return gone;
    }
    if range.fd < 0 {
        return lo;
    }
    let unit = range.unit as u64;
    let mut up_to = hi;
    if range.regular {
        let Some(len) = file_len_of(range.fd) else {
            return lo;
        };
        let end = round_up(len.saturating_sub(range.file_offset), unit) / unit;
        up_to = hi.min(end);
    }
    if up_to <= lo {
        return lo;
    }
    let offset = range.file_offset + lo * unit;
    if reason != FaultReason::Truncated {
        let mut byte = 0u8;
        // SAFETY: reads one byte into a variable.
        let read = unsafe {
            super::pread_call(range.fd, (&raw mut byte).cast(), 1, offset as super::FileOffset)
        };
        if read == -1 || reason == FaultReason::NoSpace && no_space_left(range.fd) {
            return lo;
        }
    }
    let (from, to) = range.bytes(lo, up_to);
    let flags = if range.shared { libc::MAP_SHARED } else { libc::MAP_PRIVATE };
    let address = ptr::with_exposed_provenance_mut::<u8>(range.start + from);
    // SAFETY: the part lies in a live map, and holds zero pages since a fault.
    let mapped =
        unsafe { map_over(address, to - from, range.protection, flags, Some((range.fd, offset))) };
    match mapped {
        Ok(()) if up_to == hi => gone,
        Ok(()) => up_to,
        Err(_) => lo,
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
mod system {
    pub(super) const SI_TKILL: i32 = libc::SI_TKILL;
    pub(super) const BUS_MCEERR_AR: i32 = libc::BUS_MCEERR_AR;

    /// Whether the signal says that a page could not be had. An access that is
    /// misaligned (`BUS_ADRALN`) or memory that went bad elsewhere
    /// (`BUS_MCEERR_AO`) does not.
    pub(super) fn is_page_failure(_number: i32, code: i32) -> bool {
        matches!(code, libc::BUS_ADRERR | libc::BUS_OBJERR | libc::BUS_MCEERR_AR)
    }

    /// Whether the access is one that pages of this protection refuse: that has
    /// a signal of its own here.
    ///
    /// # Safety
    /// None.
    pub(super) unsafe fn is_refused(_context: *const libc::c_void, _protection: i32) -> bool {
        false
    }

    /// Whether the signal came from an instruction, which will bring it again.
    pub(super) fn repeats(code: i32) -> bool {
        code == libc::BUS_ADRALN || is_page_failure(libc::SIGBUS, code)
    }

    pub(super) fn errno() -> *mut i32 {
        #[cfg(target_os = "linux")]
        // SAFETY: always this thread's.
        return unsafe { libc::__errno_location() };
        #[cfg(target_os = "android")]
        // SAFETY: always this thread's.
        return unsafe { libc::__errno() };
    }

    pub(super) fn thread_id() -> u32 {
        // SAFETY: asks for a number.
        unsafe { libc::syscall(libc::SYS_gettid) as u32 }
    }

    /// Sends the signal again with what came with it.
    ///
    /// # Safety
    /// `info` must be that of the running handler.
    pub(super) unsafe fn resend(number: i32, info: *mut libc::siginfo_t) {
        // SAFETY: the caller's promise. A process may queue any information to
        // itself.
        unsafe {
            let pid = libc::getpid();
            libc::syscall(libc::SYS_rt_tgsigqueueinfo, pid, thread_id(), number, info);
        }
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod system {
    /// Signals that a thread sent have no code of their own here.
    pub(super) const SI_TKILL: i32 = i32::MIN;
    /// No such code here.
    pub(super) const BUS_MCEERR_AR: i32 = i32::MIN;

    #[cfg(target_vendor = "apple")]
    pub(super) use super::super::is_refused;

    /// Whether the access is one that pages of this protection refuse: that has
    /// a code of its own here.
    ///
    /// # Safety
    /// None.
    #[cfg(not(target_vendor = "apple"))]
    pub(super) unsafe fn is_refused(_context: *const libc::c_void, _protection: i32) -> bool {
        false
    }

    /// Whether the signal says that a page could not be had, and not that the
    /// access is misaligned or one that the page's protection refuses.
    pub(super) fn is_page_failure(number: i32, code: i32) -> bool {
        const SEGV_ACCERR: i32 = 2;
        let other = if number == libc::SIGSEGV { SEGV_ACCERR } else { libc::BUS_ADRALN };
        code > 0 && code != other
    }

    /// Whether the signal came from an instruction, which will bring it again.
    pub(super) fn repeats(code: i32) -> bool {
        code > 0
    }

    pub(super) fn errno() -> *mut i32 {
        #[cfg(any(target_os = "netbsd", target_os = "openbsd"))]
        // SAFETY: always this thread's.
        return unsafe { libc::__errno() };
        #[cfg(not(any(target_os = "netbsd", target_os = "openbsd")))]
        // SAFETY: always this thread's.
        return unsafe { libc::__error() };
    }

    pub(super) fn thread_id() -> u32 {
        // SAFETY: the address of a thread's structure, which tells it from others.
        let thread = unsafe { libc::pthread_self() } as usize;
        (thread >> 4) as u32 | 1
    }

    /// Sends the signal again.
    ///
    /// # Safety
    /// None; `_info` cannot be sent along here.
    pub(super) unsafe fn resend(number: i32, _info: *mut libc::siginfo_t) {
        // SAFETY: sends this thread a signal.
        unsafe { libc::raise(number) };
    }
}
