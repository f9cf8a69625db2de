//! Memory across `fork`, which Windows has not.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

mod common;

use common::{anonymous, pattern};
use faultless::{MapOptions, page_size};

/// Runs `work` in a child process, which may do nothing that needs a lock or
/// allocates, and waits until it has ended. Its result is the exit status.
fn in_child(work: impl FnOnce() -> bool) {
    // SAFETY: the child only copies memory, and ends without cleaning up.
    let status = unsafe {
        let child = libc::fork();
        if child == 0 {
            libc::_exit(if work() { 0 } else { 1 });
        }
        assert_ne!(child, -1);
        let mut status = 0;
        assert_eq!(libc::waitpid(child, &raw mut status, 0), child);
        status
    };
    assert_eq!(status, 0, "the child's status");
}

#[test]
fn shared_memory_is_shared_with_a_child() {
    let map = MapOptions::new().len(2 * page_size()).shared(true).map_anonymous().unwrap();
    map.write_at(0, b"from the parent").unwrap();
    in_child(|| {
        let mut seen = [0; 15];
        let read = map.read_exact_at(0, &mut seen).is_ok() && &seen == b"from the parent";
        read && map.write_at(page_size() - 3, b"from the child").is_ok()
    });
    assert_eq!(map.to_vec(page_size() - 3..page_size() + 11).unwrap(), b"from the child");
}

#[test]
fn private_memory_is_copied_for_a_child() {
    let map = anonymous(b"0123456789");
    in_child(|| map.get(3).is_ok_and(|byte| byte == b'3') && map.set(3, b'x').is_ok());
    assert_eq!(map.to_vec(..).unwrap(), b"0123456789");
}

#[test]
fn memory_to_be_wiped_is_zeros_in_a_child() {
    let map = anonymous(&pattern(page_size()));
    if !faultless::Advice::WipeOnFork.is_supported() {
        return common::skip("only Linux wipes memory in a child");
    }
    map.advise(.., faultless::Advice::WipeOnFork).unwrap();
    in_child(|| map.get(5).is_ok_and(|byte| byte == 0));
    assert_eq!(map.to_vec(..).unwrap(), pattern(page_size()));
}
