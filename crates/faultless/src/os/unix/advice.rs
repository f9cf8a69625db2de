//! The numbers of every advice on this system; `None` where it has it not.

macro_rules! on {
    ($($name:ident: $number:ident on $($system:literal)*;)*) => {$(
        #[cfg(any($(target_os = $system),*))]
        pub(crate) const $name: Option<i32> = Some(libc::$number);
        #[cfg(not(any($(target_os = $system),*)))]
        pub(crate) const $name: Option<i32> = None;
    )*};
}

pub(crate) const NORMAL: Option<i32> = Some(libc::MADV_NORMAL);
pub(crate) const RANDOM: Option<i32> = Some(libc::MADV_RANDOM);
pub(crate) const SEQUENTIAL: Option<i32> = Some(libc::MADV_SEQUENTIAL);
pub(crate) const WILLNEED: Option<i32> = Some(libc::MADV_WILLNEED);
pub(crate) const DONTNEED: Option<i32> = Some(libc::MADV_DONTNEED);

on! {
    FREE: MADV_FREE on "linux" "android" "macos" "ios" "freebsd" "netbsd" "openbsd" "dragonfly";
    REMOVE: MADV_REMOVE on "linux" "android";
    DONTFORK: MADV_DONTFORK on "linux" "android";
    DOFORK: MADV_DOFORK on "linux" "android";
    MERGEABLE: MADV_MERGEABLE on "linux" "android";
    UNMERGEABLE: MADV_UNMERGEABLE on "linux" "android";
    HUGEPAGE: MADV_HUGEPAGE on "linux" "android";
    NOHUGEPAGE: MADV_NOHUGEPAGE on "linux" "android";
    DONTDUMP: MADV_DONTDUMP on "linux" "android";
    DODUMP: MADV_DODUMP on "linux" "android";
    COLD: MADV_COLD on "linux" "android";
    PAGEOUT: MADV_PAGEOUT on "linux" "android";
    POPULATE_READ: MADV_POPULATE_READ on "linux" "android";
    POPULATE_WRITE: MADV_POPULATE_WRITE on "linux" "android";
    COLLAPSE: MADV_COLLAPSE on "linux";
    WIPEONFORK: MADV_WIPEONFORK on "linux" "android";
    KEEPONFORK: MADV_KEEPONFORK on "linux" "android";
    NOSYNC: MADV_NOSYNC on "freebsd" "dragonfly";
    AUTOSYNC: MADV_AUTOSYNC on "freebsd" "dragonfly";
    NOCORE: MADV_NOCORE on "freebsd" "dragonfly";
    CORE: MADV_CORE on "freebsd" "dragonfly";
    FREE_REUSABLE: MADV_FREE_REUSABLE on "macos" "ios";
    FREE_REUSE: MADV_FREE_REUSE on "macos" "ios";
}
