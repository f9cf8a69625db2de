//! Signals that are not ours go where they would have gone without us.
#![allow(clippy::unwrap_used)]
#![cfg(unix)]

mod fault_support;

use std::mem::MaybeUninit;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicUsize, Ordering};

use fault_support::child::{dies_by, in_child};
use fault_support::signals::{
    COUNT, SIGBUS, count_signals, foreign_dead_page, foreign_map, install, install_info,
    install_plain, restore, touch,
};
use fault_support::{
    PatternFile, assert_truncated, assert_truncated_in, fault_of, page, pattern_of, raw_get,
};
use faultless::{Access, Map, ensure_guard};

static CALLS: AtomicUsize = AtomicUsize::new(0);
static OTHER_CALLS: AtomicUsize = AtomicUsize::new(0);
static CODE: AtomicI32 = AtomicI32::new(0);
static ADDRESS: AtomicUsize = AtomicUsize::new(0);
static SENDER: AtomicI32 = AtomicI32::new(0);

fn calls() -> usize {
    CALLS.load(Ordering::Relaxed)
}

fn other_calls() -> usize {
    OTHER_CALLS.load(Ordering::Relaxed)
}

fn own_pid() -> i32 {
    // SAFETY: asks for a number.
    unsafe { libc::getpid() }
}

/// As `kill -BUS` from outside does, to this thread.
fn kill_bus() {
    queue_bus(libc::SI_USER);
}

/// Sends this thread the signal with a code of the caller's choice.
fn queue_bus(code: i32) {
    let mut info = MaybeUninit::<libc::siginfo_t>::zeroed();
    let number = libc::SYS_rt_tgsigqueueinfo;
    // SAFETY: a process may send itself any signal with any information; the
    // sender is where the system puts it.
    unsafe {
        let info = info.as_mut_ptr();
        (*info).si_signo = SIGBUS;
        (*info).si_code = code;
        info.cast::<i32>().byte_add(16).write(own_pid());
        assert_eq!((*info).si_pid(), own_pid());
        libc::syscall(number, own_pid(), libc::gettid(), SIGBUS, info);
    }
}

fn raise_bus() {
    // SAFETY: a signal to this thread.
    assert_eq!(unsafe { libc::raise(SIGBUS) }, 0);
}

/// A map in a process where nobody handles the signal. A program of Rust has a
/// handler to begin with, for overflows of the stack.
fn guarded_map_by_default() -> (PatternFile, Map) {
    install(libc::SIG_DFL, 0, &[]);
    guarded_map()
}

/// A map that is fine, so that our handler is in place.
fn guarded_map() -> (PatternFile, Map) {
    let file = PatternFile::pages(4);
    let map = file.map(Access::Read);
    assert!(map.is_guarded());
    (file, map)
}

/// The map's own fault is still an error.
fn assert_still_guarded((file, map): &(PatternFile, Map)) {
    file.cut(page());
    assert_truncated(map.to_vec(..), page());
    file.regrow();
    assert_eq!(map.to_vec(..).unwrap(), pattern_of(0..file.len));
}

unsafe extern "C" fn plain(signal: i32) {
    assert_eq!(signal, SIGBUS);
    CALLS.fetch_add(1, Ordering::Relaxed);
}

/// Notes what it is told, and mends the page that failed.
unsafe extern "C" fn mending(signal: i32, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    CALLS.fetch_add(1, Ordering::Relaxed);
    assert!(signal == SIGBUS && !context.is_null());
    // SAFETY: the information that came with the signal, and a page that the
    // test mapped.
    unsafe {
        CODE.store((*info).si_code, Ordering::Relaxed);
        if (*info).si_code > 0 {
            let address = (*info).si_addr();
            ADDRESS.store(address.addr(), Ordering::Relaxed);
            let start = address.map_addr(|address| address & !(page() - 1));
            let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED;
            libc::mmap(
                start,
                page(),
                libc::PROT_READ | libc::PROT_WRITE,
                flags,
                -1,
                0,
            );
        } else {
            SENDER.store((*info).si_pid(), Ordering::Relaxed);
        }
    }
}

#[test]
fn by_default_a_signal_sent_kills() {
    dies_by(SIGBUS, || {
        let _map = guarded_map_by_default();
        kill_bus();
    });
}

#[test]
fn by_default_a_signal_sent_kills_after_faults_of_ours() {
    dies_by(SIGBUS, || {
        let map = guarded_map_by_default();
        assert_still_guarded(&map);
        kill_bus();
    });
}

#[test]
fn by_default_a_signal_raised_kills_when_no_map_is_left() {
    dies_by(SIGBUS, || {
        drop(guarded_map_by_default());
        raise_bus();
    });
}

/// One is taken for a handler's that reports our fault and passes it on.
#[test]
fn by_default_raising_twice_kills() {
    dies_by(SIGBUS, || {
        let _map = guarded_map_by_default();
        raise_bus();
        raise_bus();
    });
}

#[test]
fn by_default_a_fault_in_memory_of_others_kills() {
    dies_by(SIGBUS, || {
        let map = guarded_map_by_default();
        assert_still_guarded(&map);
        touch(foreign_dead_page());
    });
}

#[test]
fn by_default_a_fault_where_a_map_was_kills() {
    dies_by(SIGBUS, || {
        let (file, map) = guarded_map_by_default();
        let place = map.as_ptr();
        drop(map);
        file.cut(0);
        let flags = libc::MAP_SHARED | libc::MAP_FIXED_NOREPLACE;
        // SAFETY: nothing is mapped at the place, or the call fails.
        let page = unsafe {
            use std::os::fd::AsRawFd;
            let place = place.cast_mut().cast();
            libc::mmap(
                place,
                page(),
                libc::PROT_READ,
                flags,
                file.file.as_raw_fd(),
                0,
            )
        };
        assert_eq!(page.cast_const().cast(), place);
        touch(place);
    });
}

/// Memory that went bad somewhere, which no instruction waits for.
#[test]
fn by_default_news_of_bad_memory_kills() {
    dies_by(SIGBUS, || {
        let _map = guarded_map_by_default();
        queue_bus(libc::BUS_MCEERR_AO);
    });
}

#[test]
fn by_default_the_process_says_which_signal_and_nothing_is_caught_after_it() {
    dies_by(SIGBUS, || {
        let _map = guarded_map_by_default();
        std::thread::spawn(|| touch(foreign_dead_page()))
            .join()
            .unwrap();
    });
}

/// Rust's handler for overflows of the stack lets the instruction fail again.
#[test]
fn with_rusts_own_handler_a_fault_in_memory_of_others_kills() {
    dies_by(SIGBUS, || {
        let map = guarded_map();
        assert_still_guarded(&map);
        touch(foreign_dead_page());
    });
}

#[test]
fn a_thread_that_blocks_the_signal_dies() {
    dies_by(SIGBUS, || {
        let (file, map) = guarded_map();
        file.cut(0);
        let mut set = MaybeUninit::<libc::sigset_t>::uninit();
        // SAFETY: blocks a signal of this thread.
        unsafe {
            libc::sigemptyset(set.as_mut_ptr());
            libc::sigaddset(set.as_mut_ptr(), SIGBUS);
            libc::pthread_sigmask(libc::SIG_BLOCK, set.as_ptr(), ptr::null_mut());
        }
        let _ = map.get(0);
    });
}

#[test]
fn ignored_stays_ignored() {
    in_child(|| {
        install(libc::SIG_IGN, 0, &[]);
        let map = guarded_map();
        for _ in 0..3 {
            kill_bus();
            raise_bus();
        }
        assert_still_guarded(&map);
    });
}

#[test]
fn ignoring_does_not_save_a_failing_instruction() {
    dies_by(SIGBUS, || {
        install(libc::SIG_IGN, 0, &[]);
        let _map = guarded_map();
        touch(foreign_dead_page());
    });
}

#[test]
fn a_plain_handler_is_called() {
    in_child(|| {
        install_plain(plain, 0, &[]);
        let map = guarded_map();
        for sent in 1..40 {
            kill_bus();
            assert_eq!(calls(), sent);
        }
        assert_still_guarded(&map);
        assert_eq!(calls(), 39, "our own faults are not the handler's");
    });
}

#[test]
fn a_handler_with_information_gets_all_of_it() {
    in_child(|| {
        install_info(mending, 0, &[]);
        let map = guarded_map();
        let place = foreign_dead_page();
        touch(place.wrapping_add(123));
        assert_eq!(
            (calls(), CODE.load(Ordering::Relaxed)),
            (1, libc::BUS_ADRERR)
        );
        assert_eq!(ADDRESS.load(Ordering::Relaxed), place.addr() + 123);
        kill_bus();
        assert_eq!((calls(), CODE.load(Ordering::Relaxed)), (2, libc::SI_USER));
        assert_eq!(SENDER.load(Ordering::Relaxed), own_pid());
        assert_still_guarded(&map);
        assert_eq!(calls(), 2);
    });
}

#[test]
fn a_handler_for_one_time_is_called_once() {
    dies_by(SIGBUS, || {
        install_plain(plain, libc::SA_RESETHAND, &[]);
        let map = guarded_map();
        assert_still_guarded(&map);
        kill_bus();
        assert_eq!(calls(), 1);
        assert_still_guarded(&map);
        kill_bus();
    });
}

#[test]
fn a_handler_for_one_time_can_be_installed_again() {
    in_child(|| {
        install_plain(plain, libc::SA_RESETHAND, &[]);
        let map = guarded_map();
        for turn in 1..4 {
            kill_bus();
            assert_eq!(calls(), turn);
            install_plain(plain, libc::SA_RESETHAND, &[]);
            assert!(ensure_guard());
        }
        assert_still_guarded(&map);
    });
}

unsafe extern "C" fn noting_its_mask(_: i32) {
    let mut set = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: asks for this thread's mask.
    unsafe {
        libc::pthread_sigmask(libc::SIG_BLOCK, ptr::null(), set.as_mut_ptr());
        let blocked = |signal| libc::sigismember(set.as_ptr(), signal) == 1;
        let bits = [SIGBUS, libc::SIGUSR1, libc::SIGUSR2].map(blocked);
        CODE.store(
            bits.iter().fold(0, |all, &bit| all << 1 | i32::from(bit)),
            Ordering::Relaxed,
        );
    }
}

/// The mask of a handler as without us, and the thread's own afterwards.
#[test]
fn a_handler_runs_with_the_signals_blocked_that_it_asked_for() {
    in_child(|| {
        for (flags, expected) in [(0, 0b110), (libc::SA_NODEFER, 0b010)] {
            install_plain(noting_its_mask, flags, &[libc::SIGUSR1]);
            kill_bus();
            assert_eq!(CODE.swap(0, Ordering::Relaxed), expected, "without us");
            let _map = guarded_map();
            kill_bus();
            assert_eq!(
                CODE.swap(0, Ordering::Relaxed),
                expected,
                "flags {flags:#x}"
            );
            // SAFETY: only looks at the mask.
            unsafe { noting_its_mask(0) };
            assert_eq!(CODE.load(Ordering::Relaxed), 0);
        }
    });
}

struct Contexts([std::cell::UnsafeCell<MaybeUninit<libc::ucontext_t>>; 2]);

// SAFETY: one thread uses them.
unsafe impl Sync for Contexts {}

static CONTEXTS: Contexts =
    Contexts([const { std::cell::UnsafeCell::new(MaybeUninit::uninit()) }; 2]);

/// Leaves by going on elsewhere, as those handlers do that end in `siglongjmp`.
unsafe extern "C" fn leaving(_: i32) {
    CALLS.fetch_add(1, Ordering::Relaxed);
    // SAFETY: saved by the `swapcontext` that is under way.
    unsafe { libc::setcontext((*CONTEXTS.0[0].get()).as_ptr()) };
}

extern "C" fn fail_elsewhere() {
    kill_bus();
    std::process::abort();
}

#[test]
fn a_handler_may_leave_without_returning() {
    in_child(|| {
        install_plain(leaving, 0, &[]);
        let map = guarded_map();
        let mut stack = vec![0u8; 256 << 10];
        for turn in 1..40 {
            // SAFETY: the context has a stack and a function; where it was left
            // from is gone on from once.
            unsafe {
                let [back, there] = &CONTEXTS.0;
                let (back, there) = (back.get().cast(), there.get().cast::<libc::ucontext_t>());
                assert_eq!(libc::getcontext(there), 0);
                (*there).uc_stack.ss_sp = stack.as_mut_ptr().cast();
                (*there).uc_stack.ss_size = stack.len();
                (*there).uc_link = ptr::null_mut();
                libc::makecontext(there, fail_elsewhere, 0);
                libc::swapcontext(back, there);
            }
            assert_eq!(calls(), turn);
        }
        assert_still_guarded(&map);
    });
}

struct Chain(std::cell::UnsafeCell<MaybeUninit<libc::sigaction>>);

// SAFETY: written while the handler that reads it is not installed.
unsafe impl Sync for Chain {}

static CHAIN: Chain = Chain(std::cell::UnsafeCell::new(MaybeUninit::uninit()));

/// Another library's handler, which calls the one before it.
unsafe extern "C" fn chaining(signal: i32, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    OTHER_CALLS.fetch_add(1, Ordering::Relaxed);
    // SAFETY: as the system would call the handler before.
    unsafe {
        let before = (*CHAIN.0.get()).assume_init_ref();
        match before.sa_sigaction {
            libc::SIG_IGN => {}
            libc::SIG_DFL => {
                libc::sigaction(SIGBUS, before, ptr::null_mut());
                if (*info).si_code <= 0 {
                    libc::raise(SIGBUS);
                }
            }
            handler if before.sa_flags & libc::SA_SIGINFO != 0 => {
                let handler = std::mem::transmute::<usize, fault_support::signals::Action>(handler);
                handler(signal, info, context);
            }
            handler => std::mem::transmute::<usize, unsafe extern "C" fn(i32)>(handler)(signal),
        }
    }
}

fn install_chaining() {
    let before = install_info(chaining, libc::SA_NODEFER | libc::SA_ONSTACK, &[]);
    // SAFETY: no signal comes in between.
    unsafe { (*CHAIN.0.get()).write(before) };
}

unsafe extern "C" fn swallowing(_: i32, _: *mut libc::siginfo_t, _: *mut libc::c_void) {
    OTHER_CALLS.fetch_add(1, Ordering::Relaxed);
}

#[test]
fn a_later_handler_that_chains_passes_ours_on() {
    in_child(|| {
        let map = guarded_map();
        install_chaining();
        assert!(!map.1.is_guarded(), "somebody stands before us");
        assert_still_guarded(&map);
        assert_eq!(other_calls(), 1);
    });
}

#[test]
fn the_signal_is_taken_back_from_a_later_handler() {
    in_child(|| {
        install_plain(plain, 0, &[]);
        let map = guarded_map();
        install_chaining();
        assert!(ensure_guard() && map.1.is_guarded());
        assert_still_guarded(&map);
        assert_eq!(other_calls(), 0, "ours comes first");
        kill_bus();
        assert_eq!(
            (other_calls(), calls()),
            (1, 1),
            "theirs, and then who was before us"
        );
        touch_is_fatal_to_nobody_else(&map);
    });
}

/// The next map takes the signal back as well.
fn touch_is_fatal_to_nobody_else(map: &(PatternFile, Map)) {
    let second = guarded_map();
    assert_still_guarded(&second);
    assert_still_guarded(map);
}

#[test]
fn the_signal_is_taken_back_from_a_handler_that_swallows() {
    in_child(|| {
        let map = guarded_map();
        install_info(swallowing, 0, &[]);
        let second = guarded_map();
        assert_still_guarded(&map);
        assert_still_guarded(&second);
        assert_eq!(other_calls(), 0);
        kill_bus();
        assert_eq!(other_calls(), 1);
    });
}

#[test]
fn with_the_default_underneath_two_that_chain_do_not_run_for_ever() {
    dies_by(SIGBUS, || {
        let _map = guarded_map_by_default();
        install_chaining();
        assert!(ensure_guard());
        touch(foreign_dead_page());
    });
}

/// The other library installs its handler again and again, each time with ours
/// as the one before; at the bottom is a handler that must be called still.
#[test]
fn taken_back_again_and_again() {
    in_child(|| {
        install_plain(plain, 0, &[]);
        let map = guarded_map();
        for turn in 1..=20 {
            install_chaining();
            assert!(ensure_guard(), "turn {turn}");
            assert_still_guarded(&map);
            kill_bus();
            assert_eq!(
                calls(),
                turn,
                "who was there first is called, once a signal"
            );
        }
    });
}

#[test]
fn a_handler_taken_away_again_leaves_ours() {
    in_child(|| {
        let map = guarded_map();
        for _ in 0..20 {
            let before = install_info(swallowing, 0, &[]);
            assert!(ensure_guard());
            assert_still_guarded(&map);
            restore(&before);
            assert!(map.1.is_guarded());
            assert_still_guarded(&map);
        }
        assert_eq!(other_calls(), 0);
    });
}

#[test]
fn a_default_restored_by_others_is_taken_back() {
    in_child(|| {
        let map = guarded_map();
        install(libc::SIG_DFL, 0, &[]);
        assert!(!map.1.is_guarded());
        assert!(ensure_guard() && map.1.is_guarded());
        assert_still_guarded(&map);
    });
}

#[test]
fn errno_is_kept() {
    in_child(|| {
        let (file, map) = guarded_map();
        for cut in [page(), 0] {
            file.cut(cut);
            // SAFETY: this thread's errno.
            unsafe { *libc::__errno_location() = 1234 };
            assert_eq!(raw_get(&map, cut), 0);
            // SAFETY: as above.
            assert_eq!(unsafe { *libc::__errno_location() }, 1234);
        }
        fault_of(map.get(0));
    });
}

#[test]
fn the_signal_mask_is_kept() {
    in_child(|| {
        let (file, map) = guarded_map();
        file.cut(0);
        assert_eq!(raw_get(&map, 0), 0);
        // SAFETY: only looks at the mask.
        unsafe { noting_its_mask(0) };
        assert_eq!(CODE.load(Ordering::Relaxed), 0);
    });
}

/// Runs `work` in a thread whose signals are handled on a stack of this size.
fn with_small_stack(size: usize, work: impl FnOnce() + Send) {
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            let mut memory = vec![0xA5u8; size];
            let stack = libc::stack_t {
                ss_sp: memory.as_mut_ptr().cast(),
                ss_flags: 0,
                ss_size: memory.len(),
            };
            let mut before = MaybeUninit::uninit();
            // SAFETY: the memory lives until the stack before is put back.
            unsafe {
                assert_eq!(libc::sigaltstack(&raw const stack, before.as_mut_ptr()), 0);
                work();
                libc::sigaltstack(before.as_ptr(), ptr::null_mut());
            }
            assert!(
                memory[..64].iter().all(|&byte| byte == 0xA5),
                "not used to its end"
            );
            assert!(
                memory.iter().any(|&byte| byte != 0xA5),
                "signals were handled there"
            );
        });
        thread.join().unwrap();
    });
}

/// A common size, and the least that the system takes, with room for a small
/// handler.
#[test]
fn small_stacks_for_signals_are_enough() {
    in_child(|| {
        // SAFETY: asks for a number.
        let frame = unsafe { libc::getauxval(libc::AT_MINSIGSTKSZ) } as usize;
        let map = guarded_map();
        for size in [8 << 10, frame + (2 << 10)] {
            with_small_stack(size.max(frame + (2 << 10)), || assert_still_guarded(&map));
        }
    });
}

#[test]
fn many_threads_fail_at_once() {
    in_child(|| {
        let (file, map) = guarded_map();
        for _ in 0..200 {
            file.cut(page());
            std::thread::scope(|scope| {
                for _ in 0..4 {
                    scope.spawn(|| assert_truncated_in(map.to_vec(..), page(), map.len()));
                }
            });
            file.regrow();
            assert_eq!(map.to_vec(..).unwrap(), pattern_of(0..file.len));
        }
    });
}

/// Signals of others on other threads, while our pages fail.
#[test]
fn ours_and_others_at_the_same_time() {
    in_child(|| {
        install_info(mending, libc::SA_ONSTACK, &[]);
        let map = guarded_map();
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let others = [(); 2].map(|()| {
                scope.spawn(|| {
                    let mut seen = 0;
                    while !done.load(Ordering::Relaxed) {
                        touch(foreign_dead_page());
                        seen += 1;
                    }
                    seen
                })
            });
            for _ in 0..500 {
                assert_still_guarded(&map);
            }
            done.store(true, Ordering::Relaxed);
            let seen: usize = others.into_iter().map(|other| other.join().unwrap()).sum();
            assert_eq!(calls(), seen);
        });
    });
}

/// A counter between the system and us sees one signal for a whole tail.
#[test]
fn a_counter_in_front_sees_the_signals() {
    in_child(|| {
        let map = guarded_map();
        count_signals();
        assert_still_guarded(&map);
        assert_eq!(COUNT.load(Ordering::Relaxed), 1);
    });
}

#[test]
fn memory_of_the_same_file_mapped_by_others_is_not_ours() {
    in_child(|| {
        install_info(mending, 0, &[]);
        let (file, map) = guarded_map();
        let theirs = foreign_map(&file.file, file.len);
        file.cut(0);
        assert_truncated(map.get(0), 0);
        assert_eq!(calls(), 0);
        touch(theirs);
        assert_eq!(calls(), 1);
        assert_eq!(ADDRESS.load(Ordering::Relaxed), theirs.addr());
    });
}
