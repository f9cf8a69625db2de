//! Which file a map is of: what another process needs to map the same one by its
//! path, and to notice that it is another by now.

use std::fmt;
use std::fs::File;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::error::{Error, ErrorKind, Result};
use crate::map::Map;
use crate::options::MapOptions;
use crate::os;

/// Which file of its file system a file is: its number, and the time it was made
/// where the system tells. The number alone would not do, because the next new
/// file may get that of a removed one.
///
/// It has no number of the device, so that it is the same on all machines that
/// share a file system. Nor does it change with the file's name, length or bytes.
///
/// ```
/// use faultless::{Map, MapOptions};
/// # let dir = tempfile::tempdir()?;
/// # let path = dir.path().join("data");
/// std::fs::write(&path, "some bytes")?;
/// let file = Map::open(&path)?.file_identity()?;
/// // Perhaps in another process:
/// let map = MapOptions::new().expect_file(file).open(&path)?;
/// assert_eq!(map.len(), 10);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FileIdentity {
    number: u64,
    born: Option<u64>,
}

impl FileIdentity {
    /// An identity from its parts.
    ///
    /// ```
    /// use faultless::{FileIdentity, Map};
    /// let file = Map::open(std::env::current_exe()?)?.file_identity()?;
    /// assert_eq!(FileIdentity::new(file.number(), file.born()), file);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn new(number: u64, born: Option<u64>) -> Self {
        Self { number, born }
    }

    /// That of an open file.
    pub(crate) fn of(operation: &'static str, file: &File) -> Result<Self> {
        let failed = |error| Error::os(operation, "cannot ask the file which one it is", error);
        let (_, number) = os::file_id(file).map_err(failed)?;
        let born = file.metadata().and_then(|metadata| metadata.created()).ok();
        Ok(Self { number, born: born.and_then(nanoseconds) })
    }

    /// The file's number in its file system: the inode, on Windows the index.
    ///
    /// ```
    /// let map = faultless::Map::open(std::env::current_exe()?)?;
    /// assert_eq!(map.file_identity()?.number(), map.file_identity()?.number());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn number(self) -> u64 {
        self.number
    }

    /// When the file was made, in nanoseconds since 1970, in whole hundreds of
    /// them; `None` where the file system does not tell.
    ///
    /// ```
    /// let map = faultless::Map::open(std::env::current_exe()?)?;
    /// assert!(map.file_identity()?.born().is_none_or(|born| born % 100 == 0));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn born(self) -> Option<u64> {
        self.born
    }

    /// Whether both may be of one file: their numbers are the same, and the times
    /// unless one of them is not known.
    ///
    /// ```
    /// use faultless::FileIdentity;
    /// let file = FileIdentity::new(7, Some(1_000_000));
    /// assert!(file.may_be(FileIdentity::new(7, None)));
    /// assert!(!file.may_be(FileIdentity::new(7, Some(2_000_000))));
    /// ```
    #[must_use]
    pub fn may_be(self, other: Self) -> bool {
        let differ = self.born.zip(other.born).is_some_and(|(one, two)| one != two);
        self.number == other.number && !differ
    }

    /// Refuses a file that is another one.
    pub(crate) fn check(self, file: &File) -> Result<()> {
        let found = Self::of("open", file)?;
        if self.may_be(found) {
            return Ok(());
        }
        let message = format!("the file was replaced: it is {found}, not {self}");
        Err(Error::new(ErrorKind::Replaced, "open", message))
    }
}

impl fmt::Display for FileIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "number {}", self.number)?;
        match self.born.map(Duration::from_nanos) {
            Some(born) => {
                let (seconds, parts) = (born.as_secs(), born.subsec_nanos() / 100);
                write!(f, ", made {seconds}.{parts:07} s after 1970")
            }
            None => Ok(()),
        }
    }
}

/// What every system keeps of a time.
fn nanoseconds(time: SystemTime) -> Option<u64> {
    let since = time.duration_since(UNIX_EPOCH).ok()?;
    u64::try_from(since.as_nanos() / 100 * 100).ok()
}

impl Map {
    /// Which file the map is of, for a map of the same one that another process
    /// [opens](MapOptions::expect_file) by its path.
    ///
    /// # Errors
    /// * [`NoFile`](ErrorKind::NoFile): anonymous memory, or the file was not
    ///   [kept](MapOptions::keep_file).
    /// * [`Os`](ErrorKind::Os): `fstat` failed.
    ///
    /// ```
    /// let map = faultless::Map::open(std::env::current_exe()?)?;
    /// println!("{}", map.file_identity()?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn file_identity(&self) -> Result<FileIdentity> {
        FileIdentity::of("file_identity", self.kept_file("file_identity")?)
    }
}

impl MapOptions {
    /// The one file that [`open`](Self::open) takes; another one under that path
    /// is an error ([`Replaced`](ErrorKind::Replaced)). By default it takes any.
    ///
    /// A file that was replaced within the same tick of the system's clock (some
    /// milliseconds) by one that got its number is not noticed.
    ///
    /// ```
    /// use faultless::{ErrorKind, Map, MapOptions};
    /// # let dir = tempfile::tempdir()?;
    /// let (old, new) = (dir.path().join("old"), dir.path().join("new"));
    /// std::fs::write(&old, "some bytes")?;
    /// std::fs::write(&new, "other bytes")?;
    /// let map = Map::open(&old)?;
    /// std::fs::rename(&new, &old)?;
    /// let error = MapOptions::new().expect_file(map.file_identity()?).open(&old).unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::Replaced);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn expect_file(&mut self, file: FileIdentity) -> &mut Self {
        self.expected = Some(file);
        self
    }
}
