//! Files that shrink under a command: cut while it waits for whoever reads its
//! output, so that it has mapped all of them and looked at a part.
//!
//! On other systems than Unix a file that is mapped cannot be cut.
#![cfg(unix)]

use std::io::Write;
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use crate::run::Folder;

/// Longer than all that is read before the output is full.
const LEN: u64 = 1 << 30;

/// What the pipe holds, and the buffers before it, many times over.
const LINES: usize = 1 << 20;

/// So many bytes of that are cut off, too: the end is inside a page, and inside whatever
/// is looked at in one go.
const CUT: usize = 160;

/// A file whose first part gives more output than anybody reads, and which then is
/// cut.
fn cut_while_running(args: &[&str], first: &[u8]) -> crate::run::Ran {
    let folder = Folder::new();
    for name in ["f", "g"] {
        folder.sparse(name, LEN).write_all(first).unwrap();
    }
    if args[0] == "diff" {
        folder.sparse("h", LEN);
    }
    let mut running = folder.start(args);
    assert_ne!(running.line(), "");
    folder.cut("f", (first.len() - CUT) as u64);
    running.rest().fails(&["f: the file was truncated: it has no bytes from offset "])
}

#[test]
fn find_says_so() {
    let first = b"x\n".repeat(LINES);
    let ran = cut_while_running(&["find", "x", "f"], &first);
    // All that was left is found, and what was looked at before.
    assert!(ran.lines().len() >= LINES - CUT / 2 - 1);
    cut_while_running(&["find", "-x", "78 ?a", "f"], &first);
    cut_while_running(&["find", "-e", "[xy]", "f"], &first);
    let ran = cut_while_running(&["find", "x", "f", "g"], &first);
    assert!(ran.lines().len() >= 2 * LINES - CUT / 2 - 1);
}

#[test]
fn show_says_so() {
    let first: Vec<u8> = (0..LINES).map(|nth| ((nth * 7919) >> 6) as u8).collect();
    let ran = cut_while_running(&["show", "f"], &first);
    assert_eq!(ran.lines().len(), (LINES - CUT) / 16 - 1);
    let ran = cut_while_running(&["show", "--as", "u16le", "f"], &first);
    assert_eq!(ran.lines().len(), (LINES - CUT) / 16 - 1);
    let first = b"text\0".repeat(LINES);
    let ran = cut_while_running(&["show", "--strings", "f"], &first);
    assert_eq!(ran.lines().len(), LINES - CUT / 5 - 1);
}

#[test]
fn diff_says_so() {
    let first = b"x\0".repeat(LINES);
    let ran = cut_while_running(&["diff", "--max=0", "f", "h"], &first);
    assert!(ran.lines().len() > 1);
    cut_while_running(&["diff", "--max=0", "h", "f"], &first);
}

#[test]
fn tail_says_so() {
    let first = b"x\n".repeat(LINES);
    cut_while_running(&["tail", "-n", "99999999", "f"], &first);
}

/// The file is open when the bytes are asked for.
#[test]
fn patch_says_so() {
    let folder = Folder::new();
    folder.sparse("f", 1 << 20);
    let log = ["--no-log", "--log=kept"];
    for how in log {
        folder.cut("f", 1 << 20);
        let mut running = folder.start(&["patch", "f", "--at", "1000000", "--from", "-", how]);
        // Read, so that the file has been opened.
        let mut stdin = running.child.stdin.take().unwrap();
        stdin.write_all(&[1; 1 << 17][..40_000]).unwrap();
        wait_for_map(running.child.id(), &folder.path("f"));
        folder.cut("f", 5000);
        drop(stdin);
        running.rest().fails(&["f: the file was truncated: it has no bytes from offset 5000 on"]);
        assert_eq!(folder.read("f"), [0; 5000]);
    }
    // Nothing was changed, and so there is nothing to undo.
    assert_eq!(folder.names(), ["f"]);
}

/// Waits until a process has a file open.
fn wait_for_map(id: u32, path: &std::path::Path) {
    let path = path.canonicalize().unwrap();
    for _ in 0..6000 {
        let maps = std::fs::read_to_string(format!("/proc/{id}/maps"));
        match maps {
            Ok(maps) if maps.contains(path.to_str().unwrap()) => return,
            Ok(_) => std::thread::sleep(std::time::Duration::from_millis(10)),
            // Where nothing tells, long enough.
            Err(_) => return std::thread::sleep(std::time::Duration::from_secs(1)),
        }
    }
    panic!("the file was not mapped");
}

/// Cut and made longer again all the time, at any moment of any command: which then
/// comes to an end of its own, and to an error only with words.
#[test]
fn no_command_is_ended_by_it() {
    const COMMANDS: &[&[&str]] = &[
        &["find", "x", "f"],
        &["find", "-l", "x", "f"],
        &["find", "-e", "x+$", "f"],
        &["find", "-C", "20", "x", "f"],
        &["show", "f"],
        &["show", "f", "--as", "f64le"],
        &["show", "f", "--strings"],
        &["diff", "f", "g"],
        &["pages", "f", "--svg", "out.svg"],
        &["warm", "f"],
        &["evict", "f"],
        &["watch", "f", "--count", "3", "--interval", "0"],
        &["info", "f"],
        &["tail", "f"],
        &["replace", "x", "y", "f", "--no-sync"],
        &["fill", "f", "..", "--no-sync"],
        &["move", "f", "1000+5000", "--to", "100000", "--no-sync"],
        &["patch", "f", "--at", "500000", "--text", "patched", "--no-log"],
    ];
    let folder = Folder::with("g", vec![b'x'; 1 << 20]);
    let file = folder.sparse("f", 1 << 20);
    let stop = AtomicBool::new(false);
    let runs: Vec<_> = std::thread::scope(|scope| {
        scope.spawn(|| {
            for turn in 0.. {
                file.set_len(turn * 7919 % (1 << 20)).unwrap();
                file.set_len(1 << 20).unwrap();
                file.write_all_at(b"xxx\n", 600_000).unwrap();
                if stop.load(Relaxed) {
                    break;
                }
            }
        });
        let all = COMMANDS.iter().cycle().take(4 * COMMANDS.len());
        // What is looked at later, so that the thread ends whatever is found.
        let runs = all.map(|args| (args, folder.command(args).output())).collect();
        stop.store(true, Relaxed);
        runs
    });
    for (args, ran) in runs {
        let ran = ran.unwrap();
        let said = String::from_utf8(ran.stderr).unwrap();
        // There is a status: no signal ended it.
        let status = ran.status.code().unwrap_or_else(|| panic!("{args:?}: {}", ran.status));
        assert!(status <= 2 && !said.contains("panicked"), "{args:?}: {status}, {said}");
        // `watch` goes on, and says what it saw.
        let fine = if args[0] == "watch" { status != 1 } else { (status == 2) != said.is_empty() };
        assert!(fine, "{args:?}: {status}, {said}");
    }
}

/// A file that was cut before is as long as it is.
#[test]
fn what_was_cut_before_is_not_missed() {
    let folder = Folder::with("f", b"x\n".repeat(100_000));
    folder.cut("f", 4097);
    let ran = folder.run(&["find", "-c", "x", "f"]).has(0);
    assert_eq!(ran.text(), "2049\n");
    folder.run(&["show", "f", "4097.."]).has(0);
    folder.run(&["show", "f", "4098.."]).fails(&["f: offset 4098 is behind the end"]);
    folder
        .run(&["patch", "f", "--at", "4096", "-t", "xx"])
        .fails(&["do not fit the file of 4097 bytes"]);
    folder.run(&["pages", "f"]).has(0);
}
