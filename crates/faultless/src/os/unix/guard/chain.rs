//! Handing a signal on that no map's page raised: to the handler that was there
//! before, or to the system.

use std::mem::MaybeUninit;
use std::ptr;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

use super::system::{repeats, resend, thread_id};
use super::{Handler, SIGNALS};

/// A call of a predecessor that may be under way. A handler that calls us back
/// with the very same signal makes a ring, and would do so for ever; one that
/// left without returning (`siglongjmp`) leaves its entry behind, which the next
/// signal of its thread takes over.
struct Passing {
    /// Thread and number of our handler; 0: free.
    who: AtomicU32,
    /// Address of what came with the signal.
    info: AtomicUsize,
    /// Where on the stack our handler was.
    frame: AtomicUsize,
}

static PASSING: [Passing; 16] = [const {
    Passing { who: AtomicU32::new(0), info: AtomicUsize::new(0), frame: AtomicUsize::new(0) }
}; 16];

/// Notes that `thread` hands a signal on from our handler `nth`. `None`: it is
/// doing so already for this signal, so the handlers call each other in a ring.
/// A table that is full is as good as a free place: then rings go unnoticed.
fn pass(thread: u32, nth: usize, info: usize) -> Option<Option<&'static Passing>> {
    let here = 0u8;
    let frame = (&raw const here).addr();
    // Thread ids have 22 bits on Linux at most.
    let who = thread << 3 | nth as u32;
    let mine = PASSING.iter().find(|place| place.who.load(Ordering::Relaxed) == who);
    if let Some(place) = mine {
        // A nested call lies deeper in the stack than the one that it is in.
        let nested = place.info.load(Ordering::Relaxed) == info
            && frame < place.frame.load(Ordering::Relaxed);
        if nested {
            return None;
        }
    }
    let place = mine.or_else(|| {
        PASSING.iter().find(|place| {
            place.who.compare_exchange(0, who, Ordering::Relaxed, Ordering::Relaxed).is_ok()
        })
    });
    if let Some(place) = place {
        place.info.store(info, Ordering::Relaxed);
        place.frame.store(frame, Ordering::Relaxed);
    }
    Some(place)
}

/// Whether a thread is handing a signal on.
pub(super) fn is_passing(thread: u32) -> bool {
    PASSING.iter().any(|place| place.who.load(Ordering::Relaxed) >> 3 == thread)
}

/// In a child process: the threads that were are not here.
pub(super) fn forget() {
    PASSING.iter().for_each(|place| place.who.store(0, Ordering::Relaxed));
}

/// Does with a signal that is not ours what would have become of it without us.
///
/// # Safety
/// The arguments must be those of the running handler.
pub(super) unsafe fn hand_on<const NTH: usize>(
    number: i32,
    info: *mut libc::siginfo_t,
    context: *mut libc::c_void,
) {
    let signal = SIGNALS.iter().find(|signal| signal.number.load(Ordering::Relaxed) == number);
    let Some(signal) = signal else { return };
    // SAFETY: the system gave a valid `info`.
    let repeats = unsafe { repeats((*info).si_code) };
    // Where handlers call each other in a ring, the next older of ours knows who
    // was there before it began.
    for nth in (0..=NTH).rev() {
        // SAFETY: the cell was written before the handler of its number, or a
        // later one, was installed.
        let before = unsafe { (*signal.before.0[nth].get()).assume_init_ref() };
        let bit = 1 << nth;
        match before.sa_sigaction {
            libc::SIG_IGN if !repeats => return,
            // The system does not let a failing instruction be ignored either.
            libc::SIG_DFL | libc::SIG_IGN => break,
            _ if signal.spent.load(Ordering::Relaxed) & bit != 0 => break,
            _ => {}
        }
        let Some(place) = pass(thread_id(), nth, info.addr()) else {
            continue;
        };
        if before.sa_flags & libc::SA_RESETHAND != 0 {
            signal.spent.fetch_or(bit, Ordering::Relaxed);
        }
        // SAFETY: it is a handler, and the arguments are those it would have had.
        unsafe { call(before, number, info, context) };
        if let Some(place) = place {
            place.who.store(0, Ordering::Relaxed);
        }
        return;
    }
    // SAFETY: as the caller's.
    unsafe { die(number, info, repeats) };
}

/// Calls a handler as the system would have: with its arguments, and the signals
/// blocked that it asked for.
///
/// # Safety
/// `action` must be a handler's, and the rest what the system gave ours.
unsafe fn call(
    action: &libc::sigaction,
    number: i32,
    info: *mut libc::siginfo_t,
    context: *mut libc::c_void,
) {
    let handler = action.sa_sigaction;
    // SAFETY: the caller's promise.
    unsafe {
        let mut blocked = action.sa_mask;
        if action.sa_flags & libc::SA_NODEFER == 0 {
            libc::sigaddset(&raw mut blocked, number);
        }
        let mut old = MaybeUninit::<libc::sigset_t>::uninit();
        libc::pthread_sigmask(libc::SIG_BLOCK, &raw const blocked, old.as_mut_ptr());
        if action.sa_flags & libc::SA_SIGINFO != 0 {
            let handler = std::mem::transmute::<usize, Handler>(handler);
            handler(number, info, context);
        } else {
            let handler = std::mem::transmute::<usize, unsafe extern "C" fn(i32)>(handler);
            handler(number);
        }
        libc::pthread_sigmask(libc::SIG_SETMASK, old.as_ptr(), ptr::null_mut());
    }
}

/// The default action: the process ends, with the signal and the address that
/// it would have had.
///
/// # Safety
/// `info` must be that of the running handler.
unsafe fn die(number: i32, info: *mut libc::siginfo_t, repeats: bool) {
    // SAFETY: an action of zero bytes is the default one. The handler returns,
    // and a failing instruction fails again; any other signal has to be sent
    // once more.
    unsafe {
        let action = MaybeUninit::<libc::sigaction>::zeroed();
        libc::sigaction(number, action.as_ptr(), ptr::null_mut());
        if !repeats {
            resend(number, info);
        }
    }
}
