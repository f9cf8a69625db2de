//! Growing and shrinking a mapping on systems that have no call for it: in its
//! place, where there is room.

use std::io;
use std::os::fd::AsRawFd;

use super::{BorrowedFile, Mapping, Request, mmap, shrink, unmap};

/// Gives the mapping, of at least a byte, the length that `request` asks for,
/// without moving it, or gives it back: it has to be made anew then. Pages have
/// `page` bytes.
pub(crate) fn resize(
    mapping: Mapping,
    request: &Request<'_>,
    page: usize,
    file: Option<BorrowedFile<'_>>,
) -> Result<Mapping, (Mapping, io::Error)> {
    let (old, new) = (mapping.len().next_multiple_of(page), request.map_len.next_multiple_of(page));
    if new <= old {
        return Ok(shrink(mapping, request.map_len, page));
    }
    let end = mapping.base().wrapping_add(old);
    let fd = file.map_or(-1, |file| file.as_raw_fd());
    let offset = request.file_offset + old as u64;
    // A wish, not an order: what somebody else has mapped there stays.
    // SAFETY: without `MAP_FIXED`, which `MapOptions` refuses, no mapping is
    // replaced.
    let added = unsafe { mmap(end, new - old, request.protection, request.flags, fd, offset) };
    match added {
        Ok(added) if added.as_ptr() == end => {
            let (base, _) = mapping.into_raw();
            // SAFETY: the two mappings lie side by side, and have one owner now.
            Ok(unsafe { Mapping::new(base, request.map_len) })
        }
        Ok(elsewhere) => {
            // SAFETY: just made, and nobody knows of it.
            unsafe { unmap(elsewhere.as_ptr(), new - old) };
            Err((mapping, io::ErrorKind::Unsupported.into()))
        }
        Err(error) => Err((mapping, error)),
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::os::fd::AsFd;

    use super::*;
    use crate::os::{
        ANONYMOUS, NO_RESERVE, PRIVATE, PROT_READ, PROT_WRITE, SHARED, map, page_size,
    };

    fn request(pages: usize, flags: i32) -> Request<'static> {
        let protection = PROT_READ | PROT_WRITE;
        let map_len = pages * page_size();
        Request { file_offset: 0, map_len, protection, flags, present: None, name: None }
    }

    /// A mapping that has free addresses behind it: room for so many pages in all.
    fn mapping_with_room(pages: usize, room: usize, flags: i32, file: Option<&File>) -> Mapping {
        // Several threads map and unmap here; sooner or later the room stays free.
        for _ in 0..100 {
            let wide = map(&request(room, PRIVATE | ANONYMOUS | NO_RESERVE), None).unwrap();
            let base = wide.base();
            drop(wide);
            let request = request(pages, flags);
            let fd = file.map_or(-1, |file| file.as_raw_fd());
            // SAFETY: no mapping is replaced.
            let made =
                unsafe { mmap(base, request.map_len, request.protection, flags, fd, 0) }.unwrap();
            // SAFETY: just made.
            let made = unsafe { Mapping::new(made, request.map_len) };
            if made.base() == base {
                return made;
            }
        }
        panic!("the system never takes the address it is asked for");
    }

    fn set(mapping: &Mapping, at: usize, byte: u8) {
        assert!(at < mapping.len());
        // SAFETY: inside the mapping, which can be written.
        unsafe { mapping.base().add(at).write_volatile(byte) };
    }

    fn get(mapping: &Mapping, at: usize) -> u8 {
        assert!(at < mapping.len());
        // SAFETY: inside the mapping, which can be read.
        unsafe { mapping.base().add(at).read_volatile() }
    }

    /// Tried until no other thread has taken the room meanwhile.
    fn grown_in_place(flags: i32, file: Option<&File>) -> Mapping {
        for _ in 0..100 {
            let old = mapping_with_room(2, 5, flags, file);
            let (base, last) = (old.base(), 2 * page_size() - 1);
            set(&old, last, 7);
            match resize(old, &request(5, flags), page_size(), file.map(File::as_fd)) {
                Ok(grown) => {
                    assert_eq!(grown.base(), base);
                    assert_eq!(grown.len(), 5 * page_size());
                    assert_eq!(get(&grown, last), 7);
                    return grown;
                }
                Err((old, _)) => assert_eq!(get(&old, last), 7),
            }
        }
        panic!("there was never room");
    }

    #[test]
    fn memory_grows_where_it_is() {
        let page = page_size();
        let grown = grown_in_place(PRIVATE | ANONYMOUS, None);
        assert_eq!((get(&grown, 2 * page), get(&grown, 5 * page - 1)), (0, 0));
        set(&grown, 5 * page - 1, 1);
        let shrunk = resize(grown, &request(1, PRIVATE | ANONYMOUS), page, None).unwrap();
        assert_eq!(shrunk.len(), page);
    }

    #[test]
    fn file_goes_on_behind_the_old_end() {
        let page = page_size();
        let file = tempfile::tempfile().unwrap();
        file.set_len(5 * page as u64).unwrap();
        let grown = grown_in_place(SHARED, Some(&file));
        set(&grown, 5 * page - 1, 9);
        let whole = map(&request(5, SHARED), Some(file.as_fd())).unwrap();
        assert_eq!(get(&whole, 5 * page - 1), 9);
        assert_eq!(get(&whole, 2 * page - 1), 7);
        let shrunk = resize(grown, &request(1, SHARED), page, Some(file.as_fd())).unwrap();
        assert_eq!(get(&shrunk, 0), 0);
    }

    #[test]
    fn what_lies_behind_stays() {
        let page = page_size();
        let both = map(&request(2, PRIVATE | ANONYMOUS), None).unwrap();
        let (base, _) = both.into_raw();
        // SAFETY: the two halves of a mapping that was given away.
        let (first, second) =
            unsafe { (Mapping::new(base, page), Mapping::new(base.add(page), page)) };
        set(&first, 0, 1);
        set(&second, 0, 2);
        let (first, _) = resize(first, &request(3, PRIVATE | ANONYMOUS), page, None)
            .expect_err("another mapping is in the way");
        assert_eq!((get(&first, 0), get(&second, 0)), (1, 2));
        assert_eq!(first.len(), page);
    }
}
