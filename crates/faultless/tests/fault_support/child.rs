//! A test's body in a process of its own, which may die.

use std::io::Read;
use std::process::Stdio;
use std::time::{Duration, Instant};

use super::program::this_program;

const CASE: &str = "FAULTLESS_TEST_CASE";
const FINISHED: i32 = 42;
const SKIPPED: i32 = 43;
/// No case takes a tenth of it; a child that does not end is a failure.
const LIMIT: Duration = Duration::from_secs(100);

#[derive(Debug, PartialEq, Eq)]
enum End {
    Finished,
    Skipped,
    Signal(i32),
    Code(i32),
}

/// Runs the calling test in a process of its own, up to its end. The test has
/// to consist of this call.
#[track_caller]
pub(crate) fn in_child(body: impl Fn()) {
    expect(&End::Finished, &[], body);
}

#[track_caller]
pub(crate) fn in_child_with(variables: &[(&str, &str)], body: impl Fn()) {
    expect(&End::Finished, variables, body);
}

/// Runs the calling test in a process of its own, which the signal ends.
#[cfg(unix)]
#[track_caller]
pub(crate) fn dies_by(signal: i32, body: impl Fn()) {
    expect(&End::Signal(signal), &[], body);
}

/// Runs the calling test in a process of its own, which a failing page ends.
#[track_caller]
pub(crate) fn dies_of_its_fault(variables: &[(&str, &str)], body: impl Fn()) {
    #[cfg(unix)]
    let end = End::Signal(libc::SIGBUS);
    // What an access violation leaves as the code; it is what Wine makes of it.
    #[cfg(windows)]
    let end = End::Code(0xC000_0005_u32 as i32);
    expect(&end, variables, body);
}

/// Runs the calling test in a process of its own, which ends with a code.
#[cfg(windows)]
#[track_caller]
pub(crate) fn expect_code(code: i32, body: impl Fn()) {
    expect(&End::Code(code), &[], body);
}

/// Ends a child whose case this machine cannot show.
#[allow(clippy::print_stderr, reason = "the parent shows it")]
pub(crate) fn skip(reason: &str) -> ! {
    eprintln!("skipped: {reason}");
    std::process::exit(SKIPPED);
}

#[track_caller]
fn expect<F: Fn()>(expected: &End, variables: &[(&str, &str)], body: F) {
    // The path of the calling test's closure: `crate::test::{{closure}}`.
    let name = std::any::type_name::<F>();
    let name = name.split_once("::").map_or(name, |(_, path)| path);
    let name = name.strip_suffix("::{{closure}}").unwrap_or(name);
    if std::env::var(CASE).as_deref() == Ok(name) {
        no_core_file();
        body();
        std::process::exit(FINISHED);
    }
    let (end, said) = run(name, variables);
    if end == End::Skipped {
        show(name, &said);
        return;
    }
    assert_eq!(&end, expected, "{name} said:\n{said}");
}

#[allow(clippy::print_stderr, reason = "a skip has to be seen")]
fn show(name: &str, said: &str) {
    for line in said.lines().filter(|line| line.starts_with("skipped: ")) {
        eprintln!("{name} {line}");
    }
}

fn run(name: &str, variables: &[(&str, &str)]) -> (End, String) {
    let mut child = this_program()
        .args([name, "--exact", "--nocapture", "--include-ignored", "--test-threads=1"])
        .env(CASE, name)
        .env("RUST_BACKTRACE", "0")
        .envs(variables.iter().copied())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stderr = child.stderr.take().unwrap();
    let said = std::thread::spawn(move || {
        let mut said = Vec::new();
        let _ = stderr.read_to_end(&mut said);
        String::from_utf8_lossy(&said).into_owned()
    });
    let started = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if started.elapsed() > LIMIT {
            child.kill().unwrap();
            child.wait().unwrap();
            panic!("{name} did not end; it said:\n{}", said.join().unwrap());
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    let end = match (status.code(), signal_of(status)) {
        (Some(FINISHED), _) => End::Finished,
        (Some(SKIPPED), _) => End::Skipped,
        (_, Some(signal)) => End::Signal(signal),
        (code, None) => End::Code(code.unwrap_or(-1)),
    };
    (end, said.join().unwrap())
}

#[cfg(unix)]
fn signal_of(status: std::process::ExitStatus) -> Option<i32> {
    std::os::unix::process::ExitStatusExt::signal(&status)
}

#[cfg(windows)]
fn signal_of(_status: std::process::ExitStatus) -> Option<i32> {
    None
}

/// Ends the process with the code of a failure that nobody handles, without
/// asking anybody about it.
#[cfg(windows)]
fn no_core_file() {
    use windows_sys::Win32::Foundation::{EXCEPTION_ACCESS_VIOLATION, EXCEPTION_IN_PAGE_ERROR};
    use windows_sys::Win32::System::Diagnostics::Debug::{
        AddVectoredExceptionHandler, EXCEPTION_CONTINUE_SEARCH, EXCEPTION_POINTERS,
    };

    unsafe extern "system" fn end(pointers: *mut EXCEPTION_POINTERS) -> i32 {
        // SAFETY: the system gives valid pointers.
        match unsafe { (*(*pointers).ExceptionRecord).ExceptionCode } {
            code @ (EXCEPTION_ACCESS_VIOLATION | EXCEPTION_IN_PAGE_ERROR) => {
                std::process::exit(code)
            }
            _ => EXCEPTION_CONTINUE_SEARCH,
        }
    }
    // SAFETY: the handler ends the process. It comes after all others.
    unsafe { AddVectoredExceptionHandler(0, Some(end)) };
}

#[cfg(unix)]
fn no_core_file() {
    let none = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: sets a limit of this process.
    unsafe { libc::setrlimit(libc::RLIMIT_CORE, &raw const none) };
}

/// Forks, runs `body` in the child, and returns the status that it ended with.
/// `body` may do only what is allowed after `fork` in a process with threads.
#[cfg(unix)]
pub(crate) fn fork(body: impl FnOnce() -> i32) -> i32 {
    wait(fork_running(body))
}

/// As [`fork`], without waiting: returns the child's number, for [`wait`]. The
/// child does not outlive this thread.
#[cfg(unix)]
pub(crate) fn fork_running(body: impl FnOnce() -> i32) -> i32 {
    // SAFETY: the child runs `body` only, and ends.
    match unsafe { libc::fork() } {
        0 => {
            // SAFETY: asks for a signal at the parent's end.
            unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
            let code = body();
            // SAFETY: ends the process at once, without its atexit functions.
            unsafe { libc::_exit(code) }
        }
        -1 => panic!("fork failed"),
        pid => pid,
    }
}

#[cfg(unix)]
pub(crate) fn wait(pid: i32) -> i32 {
    let mut status = 0;
    // SAFETY: waits for this process's own child.
    assert_eq!(unsafe { libc::waitpid(pid, &raw mut status, 0) }, pid);
    status
}
