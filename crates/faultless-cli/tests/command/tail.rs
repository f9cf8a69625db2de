//! `tail`.

use std::fs::File;
use std::io::Write;

use crate::run::Folder;

#[test]
fn prints_the_last_lines() {
    let text: String = (1..=20).map(|nth| format!("line {nth}\n")).collect();
    let folder = Folder::with("f", &text);
    let tail =
        |args: &[&str]| folder.run(&[&["tail", "f"], args].concat()).has(0).text().to_string();
    let last = |count: usize| {
        text.lines().skip(20 - count).map(|line| format!("{line}\n")).collect::<String>()
    };
    assert_eq!(tail(&[]), last(10));
    assert_eq!(tail(&["-n", "1"]), last(1));
    assert_eq!(tail(&["-n", "20"]), text);
    assert_eq!(tail(&["-n", "1000"]), text);
    assert_eq!(tail(&["-n", "0"]), "");
    assert_eq!(tail(&["--bytes", "5"]), "e 20\n");
    assert_eq!(tail(&["--bytes", "1MiB"]), text);
    folder.write("open", "one\ntwo\nthree");
    assert_eq!(folder.run(&["tail", "open", "-n", "2"]).has(0).text(), "two\nthree");
    folder.write("empty", "");
    assert_eq!(folder.run(&["tail", "empty"]).has(0).text(), "");
    assert_eq!(folder.pipe(&["tail", "-", "-n1"], text.as_bytes()).has(0).text(), "line 20\n");
    assert_eq!(
        folder.pipe(&["tail", "-f", "-", "-n1"], text.as_bytes()).has(0).text(),
        "line 20\n"
    );
    folder.run(&["tail", "missing"]).fails(&["missing: "]);
    folder.run(&["tail", "."]).fails(&["is a directory"]);
    folder.run(&["tail", "f", "-n", "1", "--bytes", "1"]).fails(&["cannot be used with"]);
}

#[test]
fn follows_what_is_added() {
    let folder = Folder::with("f", "one\ntwo\n");
    let mut tail = folder.start(&["tail", "-f", "-n", "1", "--interval", "0.01", "f"]);
    assert_eq!(tail.line(), "two\n");
    let mut file = File::options().append(true).open(folder.path("f")).unwrap();
    for nth in 0..5 {
        writeln!(file, "more {nth}").unwrap();
        assert_eq!(tail.line(), format!("more {nth}\n"));
    }
}

#[test]
fn follows_a_file_that_is_empty_first() {
    let folder = Folder::with("f", "");
    let mut tail = folder.start(&["tail", "-f", "--interval", "0.01", "f"]);
    folder.write("f", "first\n");
    assert_eq!(tail.line(), "first\n");
}

#[test]
#[cfg(unix)]
fn survives_truncation() {
    let folder = Folder::with("f", "a long line before\n");
    let mut tail = folder.start(&["tail", "-f", "--interval", "0.01", "f"]);
    assert_eq!(tail.line(), "a long line before\n");
    folder.cut("f", 0);
    assert!(tail.message("truncated").contains("f: the file was truncated to 0 bytes"));
    folder.write("f", "new line\n");
    assert_eq!(tail.line(), "new line\n");
    // What is left is printed again: it may be new.
    folder.cut("f", 3);
    assert!(tail.message("truncated").contains("f: the file was truncated to 3 bytes"));
    writeln!(File::options().append(true).open(folder.path("f")).unwrap(), "er").unwrap();
    assert_eq!(tail.line(), "newer\n");
}

#[test]
#[cfg(unix)]
fn survives_rotation() {
    let folder = Folder::with("f", "old\n");
    let mut tail = folder.start(&["tail", "-f", "--interval", "0.01", "f"]);
    assert_eq!(tail.line(), "old\n");
    let mut old = File::options().append(true).open(folder.path("f")).unwrap();
    std::fs::rename(folder.path("f"), folder.path("f.1")).unwrap();
    assert!(tail.message("no file").contains("f: has no file any more"));
    // What comes to the old one until there is another is not lost.
    writeln!(old, "last of the old").unwrap();
    assert_eq!(tail.line(), "last of the old\n");
    folder.write("new", "first of the new\n");
    std::fs::rename(folder.path("new"), folder.path("f")).unwrap();
    assert_eq!(tail.line(), "first of the new\n");
    assert!(tail.message("another").contains("f: is another file now"));
}
