//! `show`, `info`, `diff`, the generated pages, and what all commands have in common.

use crate::run::Folder;

const HELP: &[&str] = &[
    "find",
    "show",
    "patch",
    "replace",
    "move",
    "fill",
    "undo",
    "pages",
    "warm",
    "evict",
    "lock",
    "watch",
    "resize",
    "info",
    "diff",
    "tail",
    "completions",
    "man",
];

#[test]
fn every_command_has_help() {
    let folder = Folder::new();
    let all = folder.run(&["--help"]).has(0);
    for command in HELP {
        assert!(all.text().contains(&format!("\n  {command} ")), "{command}");
        let one = folder.run(&[command, "--help"]).has(0);
        assert!(one.text().contains(&format!("Usage: faultless {command}")), "{command}");
        assert!(one.text().lines().next().is_some_and(|line| !line.is_empty()), "{command}");
    }
    assert_eq!(folder.run(&["--version"]).has(0).text(), "faultless 0.1.0\n");
}

#[test]
fn every_command_has_its_section() {
    let page = include_str!("../../../../docs/command.md");
    let folder = Folder::new();
    let help = folder.run(&["--help"]).has(0);
    let names = help.lines().into_iter().skip_while(|line| *line != "Commands:").skip(1);
    let names = names.take_while(|line| !line.is_empty()).filter_map(|line| {
        // What goes on from the line before is indented more.
        line.strip_prefix("  ").filter(|line| !line.starts_with(' '))?.split(' ').next()
    });
    for name in names.filter(|name| *name != "help") {
        let in_heading = page
            .lines()
            .any(|line| line.starts_with("## ") && line[3..].split(", ").any(|part| part == name));
        let mentioned = page.contains(&format!("\nfaultless {name} "));
        assert!(in_heading || mentioned, "{name}");
    }
}

#[test]
fn wrong_arguments_are_errors() {
    let folder = Folder::with("f", "text");
    let none: [&str; 0] = [];
    folder.run(&none).fails(&["Usage"]);
    folder.run(&["frobnicate"]).fails(&["unrecognized subcommand"]);
    folder.run(&["show", "f", "1x"]).fails(&["'1x' is no number of bytes"]);
    folder.run(&["show", "f", "0..99999999999999999999"]).fails(&["more bytes than any file has"]);
    folder.run(&["show", "f", "5.."]).fails(&["f: ", "offset 5 is behind the end", "4 bytes"]);
    folder.run(&["show", "f", "--as", "u24le"]).fails(&["'u24le' is no type of numbers"]);
    folder.run(&["watch", "f", "--interval=-1"]).fails(&["is no number of seconds"]);
    folder.run(&["watch", "f", "--interval", "1e300"]).fails(&["is no number of seconds"]);
}

#[test]
fn completions_and_manual_pages_are_made() {
    let folder = Folder::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let ran = folder.run(&["completions", shell]).has(0);
        assert!(ran.text().contains("faultless") && ran.text().contains("evict"), "{shell}");
    }
    folder.run(&["man", "deep/pages"]).has(0);
    let page =
        |name: &str| String::from_utf8(folder.read(&format!("deep/pages/{name}.1"))).unwrap();
    assert!(page("faultless").contains(".SH DESCRIPTION"));
    for command in HELP {
        assert!(page(&format!("faultless-{command}")).contains(".SH SYNOPSIS"), "{command}");
    }
    folder.write("file", "");
    folder.run(&["man", "file/pages"]).fails(&["file"]);
}

#[test]
fn shows_rows() {
    let folder = Folder::with("f", "0123456789abcdefXYZ\0\u{1}\u{7f}");
    assert_eq!(
        folder.run(&["show", "f"]).has(0).lines(),
        [
            "00000000  30 31 32 33 34 35 36 37  38 39 61 62 63 64 65 66  |0123456789abcdef|",
            "00000010  58 59 5a 00 01 7f                                 |XYZ...|",
            "00000016",
        ]
    );
    assert_eq!(folder.pipe(&["show", "-"], b"hi").has(0).lines().len(), 2);
    folder.write("empty", "");
    assert_eq!(folder.run(&["show", "empty"]).has(0).text(), "00000000\n");
}

#[test]
fn shows_ranges() {
    let folder = Folder::with("f", (0..=255).collect::<Vec<u8>>());
    let bytes = |range: &str| -> Vec<u8> {
        let ran = folder.run(&["show", "f", range, "--json"]).has(0);
        let digits = ran
            .json()
            .iter()
            .map(|line| line["hex"].as_str().unwrap().to_string())
            .collect::<String>();
        let pairs = digits.as_bytes().chunks(2);
        pairs
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
            .collect()
    };
    let all: Vec<u8> = (0..=255).collect();
    assert_eq!(bytes("16..20"), all[16..20]);
    assert_eq!(bytes("0x10+4"), all[16..20]);
    assert_eq!(bytes("..7"), all[..7]);
    assert_eq!(bytes("-3.."), all[253..]);
    assert_eq!(bytes("-1k..-250"), all[..6]);
    assert_eq!(bytes("250..1MiB"), all[250..]);
    assert_eq!(bytes("200"), all[200..]);
    assert!(bytes("256..").is_empty());
    // A row begins at a multiple of 16, whatever the range.
    let ran = folder.run(&["show", "f", "14+3"]).has(0);
    assert_eq!(ran.lines().len(), 3);
    assert!(ran.lines()[0].ends_with("0e 0f  |              ..|"), "{ran:?}");
}

#[test]
fn shows_repetitions_once() {
    let folder = Folder::new();
    folder.sparse("f", 1 << 20);
    let ran = folder.run(&["show", "f"]).has(0);
    assert_eq!(ran.lines()[1], "*");
    assert_eq!(ran.lines()[3], "00100000");
    assert_eq!(ran.lines().len(), 4);
    assert_eq!(folder.run(&["show", "--all", "f"]).has(0).lines().len(), (1 << 16) + 1);
}

#[test]
fn shows_numbers() {
    let mut bytes = Vec::new();
    bytes.extend(1u32.to_le_bytes());
    bytes.extend((-2i32).to_be_bytes());
    bytes.extend(1.5f64.to_le_bytes());
    bytes.push(7);
    let folder = Folder::with("f", &bytes);
    let values = |kind: &str, range: &str| {
        let ran = folder.run(&["show", "f", range, "--as", kind, "--json"]).has(0);
        ran.json().iter().map(|line| line["value"].to_string()).collect::<Vec<_>>()
    };
    assert_eq!(values("u32le", "..4"), ["1"]);
    assert_eq!(values("u32be", "..4"), ["16777216"]);
    assert_eq!(values("i32be", "4..8"), ["-2"]);
    assert_eq!(values("u8", "..5"), ["1", "0", "0", "0", "255"]);
    assert_eq!(values("i8", "4+1"), ["-1"]);
    assert_eq!(values("u16le", "6..8"), ["65279"]);
    assert_eq!(values("f64le", "8.."), ["1.5"]);
    assert_eq!(values("i64le", "-9+8"), [1.5f64.to_bits().to_string()]);
    let shown = folder.run(&["show", "f", "--as", "i32be"]).has(0);
    let words: Vec<Vec<&str>> =
        shown.lines().iter().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(words[0][..3], ["00000000", "16777216", "-2"]);
    assert_eq!(words[1], ["00000010", "07", "(no", "whole", "number)"]);
    folder.write("nan", f32::NAN.to_le_bytes());
    let ran = folder.run(&["show", "nan", "--as", "f32le", "--json"]).has(0);
    assert_eq!(ran.json()[0]["value"], "NaN");
}

#[test]
fn shows_numbers_over_pieces() {
    let folder = Folder::new();
    let numbers: Vec<u8> = (0..50_000u32).flat_map(u32::to_le_bytes).collect();
    folder.write("f", [b"abc", &numbers[..]].concat());
    let ran = folder.run(&["show", "f", "3..", "--as", "u32le", "--json"]).has(0);
    let lines = ran.json();
    assert!(lines.iter().map(|line| line["value"].as_u64().unwrap()).eq(0..50_000));
    assert!(
        lines.iter().map(|line| line["offset"].as_u64().unwrap()).eq((3..).step_by(4).take(50_000))
    );
}

#[test]
fn shows_text() {
    let folder = Folder::with("f", b"\0\x01abc\0word\twith tab\xff1234\n123\n");
    assert_eq!(
        folder.run(&["show", "f", "--strings"]).has(0).text(),
        "6:word\twith tab\n20:1234\n"
    );
    assert_eq!(folder.run(&["show", "f", "--strings=3"]).has(0).lines().len(), 4);
    assert_eq!(folder.run(&["show", "--strings=4", "f", "21.."]).has(0).text(), "");
    let ran = folder.run(&["show", "f", "--strings", "--json"]).has(0);
    assert_eq!(ran.json()[1], serde_json::json!({"offset": 20, "text": "1234"}));
    // A run over the pieces that are looked at.
    let long = "x".repeat(200_000);
    folder.write("long", format!("\0\0{long}\0"));
    assert_eq!(folder.run(&["show", "long", "--strings"]).has(0).text(), format!("2:{long}\n"));
}

#[test]
fn tells_about_files() {
    let folder = Folder::with("f", "0123456789");
    let ran = folder.run(&["info", "f"]).has(0);
    assert_eq!(ran.lines()[0], "f: a file");
    assert!(ran.text().contains("length   10 bytes"), "{ran:?}");
    let json = &folder.run(&["info", "--json", "f"]).has(0).json()[0];
    assert_eq!(json["length"], 10);
    assert_eq!(json["pages"], 1);
    assert_eq!(json["mapped"], "shared");
    let json = &folder.pipe(&["info", "--json", "-"], b"abc").has(0).json()[0];
    assert_eq!((&json["length"], &json["mapped"]), (&3.into(), &"memory".into()));
    folder.run(&["info", "f", "missing"]).fails(&["missing: "]);
    folder.run(&["info", "."]).fails(&["is a directory"]);
    assert_eq!(
        folder.run(&["info", "-r", "."]).has(0).lines()[0].split(':').nth(1),
        Some(" a file")
    );
}

#[test]
#[cfg(unix)]
fn tells_of_holes() {
    let folder = Folder::new();
    folder.sparse("f", 1 << 30);
    let ran = folder.run(&["info", "f"]).has(0);
    assert!(ran.text().contains("sparse"), "{ran:?}");
    assert!(
        folder.run(&["info", "--json", "f"]).has(0).json()[0]["on_disk"].as_u64().unwrap()
            < 1 << 30
    );
}

#[test]
fn diff_shows_ranges() {
    let folder = Folder::with("a", "0123456789");
    folder.write("b", "01xx45678y");
    folder.write("c", "0123456789abc");
    assert_eq!(folder.run(&["diff", "a", "a"]).has(0).text(), "");
    let ran = folder.run(&["diff", "a", "b"]).has(1);
    assert_eq!(ran.lines(), ["2..4: 32 33 -> 78 78", "9..10: 39 -> 79"]);
    let ran = folder.run(&["diff", "--max", "1", "a", "b"]).has(1);
    assert_eq!(ran.lines(), ["2..4: 32 33 -> 78 78", "more may differ: --max 1 was reached"]);
    assert_eq!(
        folder.run(&["diff", "a", "c"]).has(1).text(),
        "a ends at offset 10; c has 3 bytes more\n"
    );
    assert_eq!(folder.run(&["diff", "c", "b"]).has(1).lines().len(), 3);
    assert_eq!(folder.run(&["diff", "-q", "a", "b"]).has(1).text(), "");
    assert_eq!(folder.run(&["diff", "-q", "a", "c"]).has(1).text(), "");
    let ran = folder.run(&["diff", "--json", "a", "b"]).has(1);
    assert_eq!(
        ran.json()[0],
        serde_json::json!({"offset": 2, "length": 2, "a": "3233", "b": "7878"})
    );
    assert_eq!(folder.pipe(&["diff", "a", "-"], b"0123456789").has(0).text(), "");
    folder.run(&["diff", "a", "missing"]).fails(&["missing: "]);
    folder.run(&["diff", "a", "."]).fails(&["is a directory"]);
}

#[test]
fn diff_joins_ranges_over_pieces() {
    let folder = Folder::new();
    let len: usize = 10 << 20;
    let mut bytes = vec![0u8; len];
    folder.write("a", &bytes);
    // Over the ends of what is copied and of what a thread has, and at the very end.
    let edits = [(128 << 10) - 3..(128 << 10) + 3, (4 << 20) - 1..(8 << 20) + 1, len - 1..len];
    for edit in edits.clone() {
        bytes[edit].fill(1);
    }
    folder.write("b", &bytes);
    let ran = folder.run(&["diff", "--json", "a", "b"]).has(1);
    let found: Vec<_> = ran
        .json()
        .iter()
        .map(|line| {
            let offset = line["offset"].as_u64().unwrap() as usize;
            offset..offset + line["length"].as_u64().unwrap() as usize
        })
        .collect();
    assert_eq!(found, edits);
    assert_eq!(folder.run(&["diff", "--max=2", "a", "b"]).has(1).lines().len(), 3);
    assert_eq!(folder.run(&["diff", "--max=3", "a", "b"]).has(1).lines().len(), 3);
}

#[test]
fn diff_shows_at_most_so_many() {
    let folder = Folder::new();
    folder.write("a", vec![0; 3000]);
    folder.write("b", [0, 1].repeat(1500));
    assert_eq!(folder.run(&["diff", "a", "b"]).has(1).lines().len(), 101);
    assert_eq!(folder.run(&["diff", "--max=0", "a", "b"]).has(1).lines().len(), 1500);
    assert_eq!(folder.run(&["diff", "--max=1500", "a", "b"]).has(1).lines().len(), 1500);
}
