//! Looking for a byte that is not there, in a file of which no page is in the
//! system's cache. The answer is 0: not found.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::os::fd::AsRawFd;
use std::path::Path;

use faultless::{Advice, Map};
use memchr::memchr;

use super::no_such_engine;
use crate::Request;
use crate::case::{Case, Failure, Outcome, single};

const PAGE: usize = 4096;
const BUFFER: usize = 1 << 20;

pub fn scan(request: &Request) -> Outcome<Box<dyn Case>> {
    let [byte] = request.needle[..] else {
        return Err(Failure::Error("a needle of one byte".to_owned()));
    };
    let path = request.path.clone();
    let prefetch = match request.engine.as_str() {
        "faultless" | "memmap2" => false,
        "faultless-prefetch" | "memmap2-prefetch" => true,
        "read" => {
            let prepare = move || {
                evict(&path)?;
                Ok((File::open(&path)?, vec![0; BUFFER]))
            };
            return single(prepare, move |(file, buffer)| {
                loop {
                    match file.read(buffer) {
                        Ok(0) => return Ok(0),
                        Ok(count) if memchr(byte, &buffer[..count]).is_some() => return Ok(1),
                        Ok(_) => {}
                        Err(error) if error.kind() == ErrorKind::Interrupted => {}
                        Err(error) => return Err(error.into()),
                    }
                }
            });
        }
        _ => return no_such_engine(request),
    };
    if request.engine.starts_with("memmap2") {
        let prepare = move || {
            evict(&path)?;
            super::memmap2(&path)
        };
        return single(prepare, move |map| {
            if prefetch {
                map.advise(memmap2::Advice::WillNeed)?;
            }
            Ok(u64::from(memchr(byte, map).is_some()))
        });
    }
    let prepare = move || {
        evict(&path)?;
        Ok(Map::open(&path)?)
    };
    single(prepare, move |map| {
        if prefetch {
            map.advise(.., Advice::WillNeed)?;
        }
        Ok(u64::from(map.find(&[byte], ..)?.is_some()))
    })
}

/// Takes every page of the file out of the system's cache, and makes sure.
fn evict(path: &Path) -> Outcome<()> {
    let file = File::open(path)?;
    // SAFETY: the call takes numbers only.
    let failed = unsafe { libc::posix_fadvise(file.as_raw_fd(), 0, 0, libc::POSIX_FADV_DONTNEED) };
    if failed != 0 {
        return Err(std::io::Error::from_raw_os_error(failed).into());
    }
    let map = super::memmap2(path)?;
    let mut pages = vec![0_u8; map.len().div_ceil(PAGE)];
    // SAFETY: `pages` has a byte for every page of the map, which is alive.
    let failed =
        unsafe { libc::mincore(map.as_ptr().cast_mut().cast(), map.len(), pages.as_mut_ptr()) };
    if failed != 0 {
        return Err(std::io::Error::last_os_error().into());
    }
    let resident = pages.iter().filter(|&&page| page & 1 != 0).count();
    if resident * 100 > pages.len() {
        return Err(Failure::Absent(format!(
            "{resident} of {} pages stay in the cache of this file system",
            pages.len()
        )));
    }
    Ok(())
}
