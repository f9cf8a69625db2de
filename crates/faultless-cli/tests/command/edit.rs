//! `patch`, `replace`, `move`, `fill`, `undo` and `resize`.

use crate::run::Folder;

#[test]
fn patch_writes_bytes_and_undo_restores_them() {
    let folder = Folder::with("f", "0123456789");
    let ran = folder.run(&["patch", "f", "--at", "3", "--text", "abc"]).has(0);
    assert_eq!(ran.text(), "f: wrote 3 bytes at offset 3; `faultless undo f.undo` undoes it\n");
    assert_eq!(folder.read("f"), b"012abc6789");
    folder.run(&["undo", "f.undo"]).has(0);
    assert_eq!(folder.read("f"), b"0123456789");
    assert_eq!(folder.names(), ["f"]);
}

#[test]
fn patch_takes_bytes_from_anywhere() {
    let folder = Folder::with("f", "0123456789");
    folder.write("other", "XY");
    folder.run(&["patch", "f", "--at", "-2", "--hex", "ff 00", "--no-log"]).has(0);
    folder.run(&["patch", "f", "--at=0x1", "--from", "other", "--no-log", "--no-sync"]).has(0);
    folder.pipe(&["patch", "f", "--at", "4", "--from", "-", "--no-log"], b"piped").has(0);
    // The last two bytes that `piped` did not reach.
    assert_eq!(folder.read("f"), b"0XY3piped\0");
    assert_eq!(folder.names(), ["f", "other"]);
}

#[test]
fn patch_refuses_what_does_not_fit() {
    let folder = Folder::with("f", "0123456789");
    let at = |at| folder.run(&["patch", "f", "--at", at, "--text", "abc"]);
    at("8").fails(&["f: 3 bytes at offset 8 do not fit the file of 10 bytes", "resize"]);
    at("-11").fails(&["offset -11 is before the beginning"]);
    at("0x7fffffffffffffff").fails(&["do not fit"]);
    folder.run(&["patch", "f", "--at", "0"]).fails(&["--hex"]);
    folder.run(&["patch", "f", "--at", "0", "-x", "00", "-t", "x"]).fails(&["cannot be used with"]);
    folder.run(&["patch", "f", "--at", "0", "-x", "0?"]).fails(&["has a ?"]);
    folder.run(&["patch", "missing", "--at", "0", "-t", "x"]).fails(&["missing: "]);
    folder
        .run(&["patch", ".", "--at", "0", "-t", "x"])
        .fails(&["is a directory, where a file is needed"]);
    folder.write("empty", "");
    folder.run(&["patch", "empty", "--at", "0", "-t", "x"]).fails(&["the file of 0 bytes"]);
    assert_eq!(folder.read("f"), b"0123456789");
    assert_eq!(folder.names(), ["empty", "f"]);
}

#[test]
fn nothing_changes_in_a_dry_run() {
    let folder = Folder::with("f", "0123456789");
    let ran = folder.run(&["patch", "f", "--at", "3", "--text", "abc", "--dry-run"]).has(0);
    assert_eq!(ran.text(), "f: would write 3 bytes at offset 3\n");
    let ran = folder.run(&["replace", "1", "x", "f", "-n"]).has(0);
    assert_eq!(ran.text(), "f: would replace 1 bytes at 1 places\n");
    let ran = folder.run(&["fill", "f", "..", "-n"]).has(0);
    assert_eq!(ran.text(), "f: would fill 10 bytes from offset 0 on with 00\n");
    let ran = folder.run(&["move", "f", "0+2", "--to", "4", "-n"]).has(0);
    assert_eq!(ran.text(), "f: would copy 2 bytes from offset 0 to offset 4\n");
    folder.run(&["resize", "f", "3", "-n"]).has(0);
    folder.run(&["patch", "f", "--at", "10", "-t", "x", "-n"]).fails(&["do not fit"]);
    assert_eq!(folder.read("f"), b"0123456789");
    assert_eq!(folder.names(), ["f"]);
}

#[test]
fn replaces_everywhere() {
    let folder = Folder::with("f", "one two one aaa");
    folder.write("g", "one");
    folder.write("h", "none of it");
    let ran = folder.run(&["replace", "one", "ONE", "f", "g", "--json"]).has(0);
    assert_eq!(folder.read("f"), b"ONE two ONE aaa");
    assert_eq!(folder.read("g"), b"ONE");
    assert_eq!(ran.json()[0]["places"], 2);
    assert_eq!(ran.json()[0]["log"], "f.undo");
    folder.run(&["replace", "two", "TWO", "h"]).has(1);
    folder.run(&["replace", "--hex", "61 61", "00 ff", "f", "--no-log"]).has(0);
    assert_eq!(folder.read("f"), b"ONE two ONE \0\xffa");
    for log in ["f.undo", "g.undo"] {
        folder.run(&["undo", log]).has(0);
    }
    assert_eq!(
        (folder.read("f"), folder.read("g")),
        (b"one two one \0\xffa".to_vec(), b"one".to_vec())
    );
    folder.run(&["replace", "one", "three", "f"]).fails(&["OLD has 3 bytes and NEW has 5"]);
    folder.run(&["replace", "", "", "f"]).fails(&["OLD is empty"]);
    folder.run(&["replace", "a", "b", "f", "g", "--log", "l"]).fails(&["--log is for one file"]);
    folder.run(&["replace", "a", "b", "missing", "f"]).fails(&["missing: "]);
    assert_eq!(folder.read("f"), b"one two one \0\xffb");
}

#[test]
fn replaces_over_pieces() {
    let folder = Folder::new();
    let len: usize = 5 << 20;
    folder.write("f", vec![b'a'; len]);
    folder.run(&["replace", "aaa", "xyz", "f"]).has(0);
    let mut expected = b"xyz".repeat(len / 3);
    expected.resize(len, b'a');
    assert!(folder.read("f") == expected);
    folder.run(&["undo", "f.undo"]).has(0);
    assert!(folder.read("f") == vec![b'a'; len]);
}

#[test]
fn moves_also_over_itself() {
    let folder = Folder::with("f", "0123456789");
    folder.run(&["move", "f", "0..4", "--to", "2"]).has(0);
    assert_eq!(folder.read("f"), b"0101236789");
    folder.run(&["move", "f", "-3..", "--to", "6", "--no-log"]).has(0);
    assert_eq!(folder.read("f"), b"0101237899");
    folder.run(&["move", "f", "0..4", "--to", "7"]).fails(&["4 bytes at offset 7 do not fit"]);
    folder.run(&["move", "f", "0..40", "--to", "7"]).fails(&["offset 40 is behind the end"]);
    let large: Vec<u8> = (0..5_000_000u32).map(|nth| (nth.wrapping_mul(7919) >> 8) as u8).collect();
    folder.write("large", &large);
    folder.run(&["move", "large", "0+4000000", "--to", "999999"]).has(0);
    let mut expected = large.clone();
    expected.copy_within(..4_000_000, 999_999);
    assert!(folder.read("large") == expected);
    folder.run(&["undo", "large.undo"]).has(0);
    assert!(folder.read("large") == large);
}

#[test]
fn fills() {
    let folder = Folder::with("f", "0123456789");
    folder.run(&["fill", "f", "2+3", "--hex", "78"]).has(0);
    assert_eq!(folder.read("f"), b"01xxx56789");
    folder.run(&["fill", "f", "-1.."]).has(0);
    assert_eq!(folder.read("f"), b"01xxx5678\0");
    for log in ["f.undo-2", "f.undo"] {
        folder.run(&["undo", log]).has(0);
    }
    assert_eq!(folder.read("f"), b"0123456789");
    folder.run(&["fill", "f", "..", "--hex", "7878"]).fails(&["more than one byte"]);
    folder.run(&["fill", "f", "8+3"]).fails(&["offset 11 is behind the end"]);
    let large = vec![b'-'; 3_000_000];
    folder.write("large", &large);
    folder.run(&["fill", "large", "5..-5", "-x", "2b"]).has(0);
    assert!(folder.read("large")[5..2_999_995].iter().all(|&byte| byte == b'+'));
    folder.run(&["undo", "large.undo"]).has(0);
    assert!(folder.read("large") == large);
}

#[test]
fn logs_have_the_names_that_are_wanted() {
    let folder = Folder::with("f", "0123456789");
    let patch =
        |more: &[&str]| folder.run(&[&["patch", "f", "--at", "0", "-t", "x"], more].concat());
    patch(&["--log", "kept"]).has(0);
    patch(&["--log", "kept"]).fails(&["kept: cannot make the undo log", "--no-log"]);
    patch(&["--log", "no/such/folder"]).fails(&["cannot make the undo log"]);
    patch(&["--log", "kept", "--no-log"]).fails(&["cannot be used with"]);
    patch(&[]).has(0);
    patch(&[]).has(0);
    assert_eq!(folder.names(), ["f", "f.undo", "f.undo-2", "kept"]);
}

#[test]
fn undo_checks_what_is_there() {
    let folder = Folder::with("f", "0123456789");
    folder.run(&["patch", "f", "--at", "2", "--text", "abcd"]).has(0);
    folder.write("f", "01abXd6789");
    folder
        .run(&["undo", "f.undo"])
        .fails(&["f: offset 4 has 58, where the change wrote 63", "nothing was restored"]);
    assert_eq!(folder.read("f"), b"01abXd6789");
    // Some bytes may be as before: a change that was not finished, or undone in part.
    folder.write("f", "01ab456789");
    let ran = folder.run(&["undo", "f.undo", "--dry-run"]).has(0);
    assert!(ran.text().ends_with("would restore 2 bytes\n"), "{ran:?}");
    folder.cut("f", 5);
    folder.run(&["undo", "f.undo"]).fails(&["has 5 bytes, and had 10"]);
    folder.write("f", "01ab456789");
    folder.run(&["undo", "f.undo", "--keep"]).has(0);
    assert_eq!(folder.read("f"), b"0123456789");
    // What is undone stays so.
    let ran = folder.run(&["undo", "f.undo", "--json"]).has(0);
    assert_eq!(ran.json()[0]["bytes"], 0);
    assert_eq!(folder.names(), ["f"]);
}

#[test]
fn undo_finds_a_file_that_was_moved() {
    let folder = Folder::with("f", "0123456789");
    folder.run(&["patch", "f", "--at", "2", "--text", "abcd"]).has(0);
    std::fs::rename(folder.path("f"), folder.path("g")).unwrap();
    folder.run(&["undo", "f.undo"]).fails(&["No such file"]);
    folder.run(&["undo", "f.undo", "--file", "g"]).has(0);
    assert_eq!(folder.read("g"), b"0123456789");
}

#[test]
fn undo_takes_no_other_files() {
    let folder = Folder::with("f", "0123456789");
    folder.run(&["undo", "f"]).fails(&["f"]);
    folder.run(&["undo", "missing"]).fails(&["missing"]);
    folder.write("empty", "");
    folder.run(&["undo", "empty"]).fails(&["empty"]);
    let log = faultless::AppendLog::open(folder.path("log")).unwrap();
    log.append(b"something else").unwrap();
    folder.run(&["undo", "log"]).fails(&["log: is no undo log"]);
    assert_eq!(folder.names(), ["empty", "f", "log"]);
}

/// A log that has no end is one whose change was not begun.
#[test]
fn undo_of_a_log_without_an_end_does_nothing() {
    let folder = Folder::with("f", "0123456789");
    folder.run(&["patch", "f", "--at", "2", "--text", "abcd"]).has(0);
    let records: Vec<_> = faultless::LogReader::open(folder.path("f.undo"))
        .unwrap()
        .map(|record| record.unwrap().bytes)
        .collect();
    let log = faultless::AppendLog::open(folder.path("cut")).unwrap();
    for record in &records[..records.len() - 1] {
        log.append(record).unwrap();
    }
    log.close().unwrap();
    let ran = folder.run(&["undo", "cut"]).has(0);
    assert!(ran.text().ends_with("restored 0 bytes\n"), "{ran:?}");
    assert_eq!(folder.read("f"), b"01abcd6789");
}

#[test]
fn resizes() {
    let folder = Folder::with("f", "0123456789");
    let resize = |size| folder.run(&["resize", "f", size]);
    assert_eq!(resize("12").has(0).text(), "f: resized from 10 to 12 bytes\n");
    assert_eq!(folder.read("f"), b"0123456789\0\0");
    resize("-4").has(0);
    assert_eq!(folder.read("f"), b"01234567");
    resize("+1k").has(0);
    assert_eq!(folder.read("f").len(), 1032);
    resize("0").has(0);
    resize("+3").has(0);
    assert_eq!(folder.read("f"), b"\0\0\0");
    resize("-4").fails(&["f: a file of 3 bytes cannot be resized so"]);
    resize("x").fails(&["no number of bytes"]);
    let json = &folder.run(&["resize", "f", "1GiB", "--sparse", "--json"]).has(0).json()[0];
    assert_eq!((&json["before"], &json["after"]), (&3.into(), &(1u64 << 30).into()));
    folder.run(&["resize", ".", "3"]).fails(&["is a directory"]);
    folder.run(&["resize", "missing", "3"]).fails(&["missing: "]);
}

#[cfg(unix)]
mod unix {
    use std::os::unix::fs::PermissionsExt;

    use crate::run::Folder;

    #[test]
    fn a_pipe_cannot_be_changed() {
        let folder = Folder::new();
        assert!(
            std::process::Command::new("mkfifo").arg(folder.path("p")).status().unwrap().success()
        );
        folder.run(&["patch", "p", "--at", "0", "-t", "x"]).fails(&["p: is a pipe"]);
        folder.run(&["resize", "p", "3"]).fails(&["p: is a pipe"]);
    }

    /// Who may do everything, as root, is refused nothing.
    #[test]
    fn a_file_that_may_not_be_written_is_an_error() {
        let folder = Folder::with("f", "0123");
        let permissions = std::fs::Permissions::from_mode(0o444);
        std::fs::set_permissions(folder.path("f"), permissions).unwrap();
        let refused = std::fs::File::options().write(true).open(folder.path("f")).is_err();
        let ran = folder.run(&["patch", "f", "--at", "0", "-t", "x"]);
        if refused {
            ran.fails(&["f: Permission denied"]);
            assert_eq!(folder.names(), ["f"]);
        } else {
            ran.has(0);
        }
        // What is only looked at needs no permission to write.
        folder.run(&["fill", "f", "..", "-n"]).has(0);
    }
}
