//! A log's file of any bytes: reading ends, gives only whole records, and what is
//! appended afterwards is found, or the file is refused and not changed.
#![no_main]

use std::fs;
use std::sync::OnceLock;

use faultless::{AppendLog, ErrorKind, LogReader};
use libfuzzer_sys::fuzz_target;

/// A log of some records.
fn whole() -> &'static [u8] {
    static WHOLE: OnceLock<Vec<u8>> = OnceLock::new();
    WHOLE.get_or_init(|| {
        let path = path("whole");
        let log = AppendLog::open(&path).expect("a new log");
        for len in [0, 1, 40, 7, 8, 100] {
            log.append(&vec![len as u8; len]).expect("room");
        }
        drop(log);
        let file = fs::read(&path).expect("the log");
        fs::remove_file(&path).expect("the log");
        file
    })
}

/// It with damage: each pair of bytes changes one byte of the file.
fn damaged(data: &[u8]) -> Vec<u8> {
    let mut file = whole().to_vec();
    for change in data.chunks_exact(2) {
        let at = usize::from(change[0]) * 2 % file.len();
        file[at] ^= change[1];
    }
    file
}

fn path(name: &str) -> std::path::PathBuf {
    std::env::temp_dir().join(format!("fuzz-log-{}-{name}", std::process::id()))
}

fuzz_target!(|data: &[u8]| {
    let Some((kind, data)) = data.split_first() else {
        return;
    };
    let mut file = whole().to_vec();
    match kind % 4 {
        0 => file = data.to_vec(),
        1 => {
            file.truncate(128);
            file.extend(data);
        }
        2 => file.truncate(data.len() % file.len()),
        _ => file = damaged(data),
    }
    let path = path("log");
    fs::write(&path, &file).expect("a file");

    // Every frame has a word, so there are no more items than words.
    let most = file.len() / 8 + 2;
    let before: Option<Vec<_>> = LogReader::open(&path).ok().map(|reader| {
        let items: Vec<_> = reader.take(most + 1).collect();
        assert!(items.len() <= most, "it ends");
        items.into_iter().filter_map(Result::ok).collect()
    });
    match AppendLog::open(&path) {
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Corrupt);
            assert_eq!(fs::read(&path).expect("the file"), file);
        }
        Ok(log) => {
            let Ok(offset) = log.append(b"appended") else {
                return;
            };
            assert_eq!(log.read(offset).expect("the record"), b"appended");
            drop(log);
            let after: Vec<_> =
                LogReader::open(&path).expect("a log").filter_map(Result::ok).collect();
            let before = before.expect("what can be appended to can be read");
            assert!(after.starts_with(&before) || file.is_empty());
        }
    }
});
