//! `find`.

use crate::run::Folder;

#[test]
fn prints_offset_and_match() {
    let folder = Folder::with("f", "one two one");
    assert_eq!(folder.run(&["find", "one", "f"]).has(0).text(), "0:one\n8:one\n");
    assert_eq!(folder.run(&["find", "three", "f"]).has(1).text(), "");
}

#[test]
fn several_files_have_their_names() {
    let folder = Folder::with("a", "xx-");
    folder.write("b", "--x");
    folder.write("c", "");
    let ran = folder.run(&["find", "x", "b", "a", "c"]).has(0);
    assert_eq!(ran.text(), "b:2:x\na:0:x\na:1:x\n");
}

#[test]
fn a_file_that_is_missing_does_not_hide_the_others() {
    let folder = Folder::with("a", "x");
    let ran = folder.run(&["find", "x", "missing", "a"]).fails(&["missing: "]);
    assert_eq!(ran.text(), "a:0:x\n");
}

#[test]
fn matches_do_not_overlap() {
    let folder = Folder::with("f", "aaaaa");
    assert_eq!(folder.run(&["find", "aa", "f"]).has(0).text(), "0:aa\n2:aa\n");
    assert_eq!(folder.run(&["find", "-x", "?1 ?1", "f"]).has(0).text(), "0:6161\n2:6161\n");
}

#[test]
fn hexadecimal_digits_may_be_any() {
    let folder =
        Folder::with("f", [0xde, 0xad, 0x0a, 0xef, 0xde, 0xad, 0xff, 0xe0, 0xde, 0xbd, 0, 0xef]);
    let found = |pattern| folder.run(&["find", "--hex", pattern, "f"]).text().to_string();
    assert_eq!(found("de ad"), "0:dead\n4:dead\n");
    assert_eq!(found("dead??ef"), "0:dead0aef\n");
    assert_eq!(found("DE ?D ?? E?"), "0:dead0aef\n4:deadffe0\n8:debd00ef\n");
    assert_eq!(found("a? 0a"), "1:ad0a\n");
    assert_eq!(found("0?"), "2:0a\n10:00\n");
}

#[test]
fn patterns_that_are_none_are_errors() {
    let folder = Folder::with("f", "text");
    folder.run(&["find", "", "f"]).fails(&["the pattern", "empty"]);
    folder.run(&["find", "-x", "abc", "f"]).fails(&["odd number of digits"]);
    folder.run(&["find", "-x", "zz", "f"]).fails(&["'z'", "hexadecimal"]);
    folder.run(&["find", "-e", "a(", "f"]).fails(&["the pattern", "unclosed group"]);
    folder.run(&["find", "-x", "-e", "aa", "f"]).fails(&["cannot be used with"]);
}

#[test]
fn expressions_know_lines() {
    let folder = Folder::with("f", "id=1\nno id=22\nid=333");
    assert_eq!(
        folder.run(&["find", "-e", "^id=[0-9]+$", "f"]).has(0).text(),
        "0:id=1\n14:id=333\n"
    );
    assert_eq!(folder.run(&["find", "-e", r"\Aid", "f"]).has(0).text(), "0:id\n");
    assert_eq!(folder.run(&["find", "-e", r"1\nno", "f"]).has(0).text(), "3:1\nno\n");
    assert_eq!(folder.run(&["find", "-e", r"(?-u)[\x00-\x10]n", "f"]).has(0).text(), "4:\nn\n");
}

#[test]
fn case_can_be_ignored() {
    let folder = Folder::with("f", "Word WORD word");
    assert_eq!(
        folder.run(&["find", "-i", "wOrd", "f"]).has(0).lines(),
        ["0:Word", "5:WORD", "10:word"]
    );
    assert_eq!(folder.run(&["find", "-i", "-e", "wo.d", "f"]).has(0).lines().len(), 3);
    assert_eq!(folder.run(&["find", "word", "f"]).has(0).lines(), ["10:word"]);
    // A pattern is no expression.
    folder.run(&["find", "-i", "w.rd", "f"]).has(1);
}

#[test]
fn counts() {
    let folder = Folder::with("a", "xxx");
    folder.write("b", "-");
    assert_eq!(folder.run(&["find", "--count", "x", "a"]).has(0).text(), "3\n");
    assert_eq!(folder.run(&["find", "--count", "x", "b"]).has(1).text(), "0\n");
    assert_eq!(folder.run(&["find", "-c", "x", "a", "b"]).has(0).text(), "a:3\nb:0\n");
    let json = folder.run(&["find", "-c", "--json", "x", "a"]).has(0).json();
    assert_eq!(json, [serde_json::json!({"file": "a", "count": 3})]);
}

#[test]
fn the_last_is_searched_from_the_end() {
    let folder = Folder::with("a", "one two one!");
    folder.write("b", "none");
    assert_eq!(folder.run(&["find", "--last", "one", "a"]).has(0).text(), "8:one\n");
    assert_eq!(
        folder.run(&["find", "--last", "one", "a", "b"]).has(0).text(),
        "a:8:one\nb:1:one\n"
    );
    assert_eq!(folder.run(&["find", "--last", "-e", "[a-z]+", "a"]).has(0).text(), "8:one\n");
    folder.run(&["find", "--last", "three", "a"]).has(1);
}

#[test]
fn context_is_rows_of_bytes() {
    let folder = Folder::with("f", [&[0; 40][..], b"needle", &[0xff; 40]].concat());
    let ran = folder.run(&["find", "--context", "1", "needle", "f"]).has(0);
    assert_eq!(
        ran.lines(),
        [
            "40: 6 bytes",
            "00000020  00 00 00 00 00 00 00 00  6e 65 65 64 6c 65 ff ff  |........needle..|",
            "",
        ]
    );
    let ran = folder.run(&["find", "-C", "16", "needle", "f"]).has(0);
    assert_eq!(ran.lines().len(), 5);
    // More than there is, and more than there can be.
    for all in ["1k", "0x7fffffffffffffff"] {
        assert_eq!(folder.run(&["find", "-C", all, "needle", "f"]).has(0).lines().len(), 8);
    }
}

#[test]
fn json_has_bytes_and_text() {
    let folder = Folder::with("f", b"a\xff\xfe");
    let ran = folder.run(&["find", "--json", "a", "f"]).has(0);
    let line = serde_json::json!({"file": "f", "offset": 0, "length": 1, "hex": "61", "text": "a"});
    assert_eq!(ran.json(), [line]);
    let ran = folder.run(&["find", "--json", "-x", "ff ??", "f"]).has(0);
    let line = serde_json::json!({"file": "f", "offset": 1, "length": 2, "hex": "fffe"});
    assert_eq!(ran.json(), [line]);
}

#[test]
fn directories_are_searched_if_wanted() {
    let folder = Folder::with("d/one", "x");
    folder.write("d/e/two", "-x");
    folder.write("d/f", "");
    folder.run(&["find", "x", "d"]).fails(&["d: is a directory", "--recursive"]);
    let ran = folder.run(&["find", "-r", "x", "d"]).has(0);
    let expected =
        ["d/e/two:1:x", "d/one:0:x"].map(|line| line.replace('/', std::path::MAIN_SEPARATOR_STR));
    assert_eq!(ran.lines(), expected);
    // One file that was searched for has its name, too.
    assert_eq!(folder.run(&["find", "-r", "-", "d"]).has(0).lines().len(), 1);
}

#[test]
fn standard_input_is_a_file() {
    let folder = Folder::with("f", "a needle");
    assert_eq!(folder.pipe(&["find", "needle", "-"], b"in a needle").has(0).text(), "5:needle\n");
    assert_eq!(folder.pipe(&["find", "needle", "-"], b"").has(1).text(), "");
    let ran = folder.pipe(&["find", "needle", "f", "-"], b"needle").has(0);
    assert_eq!(ran.lines(), ["f:2:needle", "(standard input):0:needle"]);
    // A file is mapped, not read.
    let file = std::fs::File::open(folder.path("f")).unwrap();
    let done = folder.command(&["find", "needle", "-"]).stdin(file).output().unwrap();
    assert_eq!(done.stdout, b"2:needle\n");
    let large = vec![b'x'; 5_000_000];
    assert_eq!(folder.pipe(&["find", "-c", "xxxxx", "-"], &large).has(0).text(), "1000000\n");
}

/// A file of many pieces: what is found must not depend on where they end.
#[test]
fn large_files_are_searched_in_pieces() {
    let folder = Folder::new();
    let len: usize = 9 << 20;
    let mut bytes = vec![b'.'; len];
    let piece = 2 << 20;
    let mut expected = Vec::new();
    for at in [0, piece - 2, 2 * piece, 2 * piece + 3, 3 * piece - 1, len - 3] {
        bytes[at..at + 3].copy_from_slice(b"abc");
        expected.push(format!("{at}:abc"));
    }
    folder.write("f", &bytes);
    for args in
        [["find", "abc", "f"], ["find", "--regex=abc", "f"], ["find", "--regex=a(?s:.)c", "f"]]
    {
        let args =
            if args[1] == "abc" { args.to_vec() } else { vec!["find", "-e", &args[1][8..], "f"] };
        assert_eq!(folder.run(&args).has(0).lines(), expected, "{args:?}");
    }
    let digits = folder.run(&["find", "-x", "61 ?2 63", "f"]).has(0);
    assert_eq!(digits.lines().len(), expected.len());
    assert_eq!(folder.run(&["find", "-c", "abc", "f"]).has(0).text(), "6\n");
    assert_eq!(folder.run(&["find", "-l", "abc", "f"]).has(0).lines(), &expected[5..]);
    assert_eq!(folder.run(&["find", "-l", "-x", "61 62 ??", "f"]).has(0).lines().len(), 1);
}

/// Which matches there are depends on every one before, over all pieces.
#[test]
fn overlaps_are_left_out_over_pieces() {
    let folder = Folder::new();
    let len: usize = 5 << 20;
    folder.write("f", vec![b'a'; len]);
    for (args, step) in [
        (vec!["find", "aaa", "f"], 3),
        (vec!["find", "-i", "AAAAA", "f"], 5),
        (vec!["find", "-x", "61 6? ?? 61 61 61 61", "f"], 7),
    ] {
        let ran = folder.run(&args).has(0);
        let offsets = ran
            .lines()
            .into_iter()
            .map(|line| line.split(':').next().unwrap().parse::<usize>().unwrap());
        let expected = (0..).step_by(step).take_while(|at| at + step <= len);
        assert!(offsets.eq(expected), "{args:?}");
    }
}

#[test]
fn lines_longer_than_pieces_stay_whole() {
    let folder = Folder::new();
    let long = "x".repeat(3 << 20);
    folder.write("f", format!("{long}\n{long}end\nend"));
    let ran = folder.run(&["find", "-e", "x*end$", "f"]).has(0);
    let lengths: Vec<usize> = ran.lines().iter().map(|line| line.len()).collect();
    assert_eq!(lengths, ["3145729:".len() + (3 << 20) + 3, "6291461:end".len()]);
}

#[test]
fn empty_matches_are_not_found_twice() {
    let folder = Folder::new();
    let text = "ab\n".repeat(1 << 20);
    folder.write("f", &text);
    assert_eq!(folder.run(&["find", "-c", "-e", "^", "f"]).has(0).text(), "1048577\n");
    assert_eq!(
        folder.run(&["find", "-c", "-e", "x*", "f"]).has(0).text(),
        format!("{}\n", text.len() + 1)
    );
}

#[test]
fn many_files_come_in_order() {
    let folder = Folder::new();
    let mut expected = Vec::new();
    for nth in 0..300 {
        let name = format!("d/{nth:03}");
        let len = if nth % 50 == 7 { 3 << 20 } else { nth * 10 };
        folder.write(&name, [&vec![b'-'; len][..], b"x"].concat());
        expected.push(format!("{}:{len}:x", name.replace('/', std::path::MAIN_SEPARATOR_STR)));
    }
    assert_eq!(folder.run(&["find", "-r", "x", "d"]).has(0).lines(), expected);
}

#[test]
fn a_closed_pipe_is_no_error() {
    let folder = Folder::new();
    folder.write("f", vec![b'x'; 3 << 20]);
    let mut running = folder.start(&["find", "x", "f"]);
    assert_eq!(running.line(), "0:x\n");
    running.close().has(0);
}

#[test]
fn colours_are_for_terminals() {
    let folder = Folder::with("f", "a needle");
    let plain = "2:needle\n";
    assert_eq!(folder.run(&["find", "needle", "f"]).has(0).text(), plain);
    let coloured = folder.run(&["find", "--color", "always", "needle", "f"]).has(0);
    assert!(coloured.text().contains("\u{1b}["), "{coloured:?}");
    assert_eq!(folder.run(&["--color=never", "find", "needle", "f"]).has(0).text(), plain);
}

#[cfg(unix)]
mod unix {
    use std::ffi::{OsStr, OsString};
    use std::os::unix::ffi::{OsStrExt, OsStringExt};

    use crate::run::Folder;

    #[test]
    fn names_and_patterns_need_not_be_text() {
        let folder = Folder::new();
        let name = OsString::from_vec(b"n\xff".to_vec());
        folder.write(&name, b"ab\xfe\xfdcd");
        let pattern = OsStr::from_bytes(b"\xfe\xfd");
        let ran = folder.run(&[OsStr::new("find"), pattern, &name]).has(0);
        assert_eq!(ran.out, b"2:\xfe\xfd\n");
        let ran = folder.run(&[OsStr::new("find"), OsStr::new("-r"), pattern, &name]).has(0);
        assert_eq!(ran.out, b"n\xff:2:\xfe\xfd\n");
        let ran = folder.run(&[OsStr::new("find"), OsStr::new("--json"), pattern, &name]).has(0);
        assert_eq!(ran.json()[0]["file_hex"], "6eff");
        folder.run(&[OsStr::new("find"), OsStr::new("-e"), pattern, &name]).fails(&["UTF-8"]);
    }

    #[test]
    fn a_pipe_is_read_to_its_end() {
        let folder = Folder::new();
        let made = std::process::Command::new("mkfifo").arg(folder.path("p")).status().unwrap();
        assert!(made.success());
        let running = folder.start(&["find", "x", "p"]);
        std::fs::write(folder.path("p"), "--x").unwrap();
        assert_eq!(running.rest().has(0).text(), "2:x\n");
    }

    /// Who may do everything, as root, is refused nothing.
    #[test]
    fn a_file_without_permission_is_an_error() {
        use std::os::unix::fs::PermissionsExt;
        let folder = Folder::with("f", "x");
        let none = std::fs::Permissions::from_mode(0o0);
        std::fs::set_permissions(folder.path("f"), none).unwrap();
        let ran = folder.run(&["find", "x", "f"]);
        if std::fs::read(folder.path("f")).is_ok() {
            ran.has(0);
        } else {
            ran.fails(&["f: Permission denied"]);
        }
    }

    /// Files of /proc have no length, and yet content.
    #[test]
    #[cfg(target_os = "linux")]
    fn files_without_length_are_read() {
        let folder = Folder::new();
        let ran = folder.run(&["find", "-c", "Linux", "/proc/version"]).has(0);
        assert_ne!(ran.text(), "0\n");
    }
}
