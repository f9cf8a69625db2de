//! Small files are read, since mapping one takes longer than searching it.

use std::cell::RefCell;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use faultless::{Map, MapOptions};

use super::{Found, Pattern, search_whole};
use crate::error::Failure;
use crate::input::Input;

/// Up to this length, in bytes, it is faster.
const SMALL: usize = 128 << 10;

thread_local! {
    /// Where each thread reads them to.
    static MEMORY: RefCell<Option<Map>> = const { RefCell::new(None) };
}

pub(super) fn is_small(path: &Path) -> bool {
    let is_small = |about: std::fs::Metadata| about.is_file() && about.len() < SMALL as u64;
    path != Path::new("-") && std::fs::metadata(path).is_ok_and(is_small)
}

/// Searches all of a file.
pub(super) fn search(path: PathBuf, pattern: &Pattern) -> Result<Found, Failure> {
    let failed = |error: &faultless::Error| Failure::map(path.display(), error);
    let found = MEMORY.with_borrow_mut(|memory| {
        let mut map = match memory.take() {
            Some(map) => map,
            None => MapOptions::new().len(SMALL).map_anonymous().map_err(|error| failed(&error))?,
        };
        let len = read(&path, &mut map)?;
        let found = len.map(|len| (pattern.search(&map, len, 0..len), len));
        *memory = Some(map);
        Ok::<_, Failure>(found)
    })?;
    let Some(((places, done), len)) = found else {
        // It has grown meanwhile.
        return Ok(search_whole(Input::open(&path)?, pattern));
    };
    let map = MapOptions::new().len(0).map_anonymous().map_err(|error| failed(&error))?;
    Ok(Found { file: Arc::new(Input { path, map }), piece: 0..len, places, done })
}

/// How many bytes the file has; `None` if they are too many.
fn read(path: &Path, map: &mut Map) -> Result<Option<usize>, Failure> {
    let failed = |error| Failure::path(path, error);
    let mut file = File::open(path).map_err(failed)?;
    // Memory of its own always has one.
    let bytes = map.private_slice_mut().unwrap_or_default();
    let mut len = 0;
    while len < bytes.len() {
        match file.read(&mut bytes[len..]) {
            Ok(0) => return Ok(Some(len)),
            Ok(read) => len += read,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(failed(error)),
        }
    }
    Ok(None)
}
