//! A file system with one file whose pages can be made to fail: a FUSE server
//! of just the requests that mapping and reading it take.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use super::pattern_of;

const ROOT: u64 = 1;
const FILE: u64 = 2;
const HEADER: usize = 40;

const LOOKUP: u32 = 1;
const FORGET: u32 = 2;
const GETATTR: u32 = 3;
const OPEN: u32 = 14;
const READ: u32 = 15;
const STATFS: u32 = 17;
const RELEASE: u32 = 18;
const FLUSH: u32 = 25;
const INIT: u32 = 26;
const INTERRUPT: u32 = 36;
const BATCH_FORGET: u32 = 42;

type IsBad = Box<dyn Fn(usize) -> bool + Send>;

/// The file system, mounted; it goes away with the process that mounted it in a
/// namespace of its own.
pub(crate) struct FailingFile {
    pub(crate) path: PathBuf,
    is_bad: Arc<Mutex<IsBad>>,
}

impl FailingFile {
    /// Mounts it at `folder`, with a file of `len` bytes of the pattern.
    pub(crate) fn mount(folder: &Path, len: usize) -> std::io::Result<Self> {
        Self::mount_with(folder, len, 0)
    }

    /// The same, and the system keeps no pages of the file: it refuses to share
    /// them.
    pub(crate) fn mount_unshared(folder: &Path, len: usize) -> std::io::Result<Self> {
        const FOPEN_DIRECT_IO: u32 = 1;
        Self::mount_with(folder, len, FOPEN_DIRECT_IO)
    }

    fn mount_with(folder: &Path, len: usize, open_flags: u32) -> std::io::Result<Self> {
        let device = OpenOptions::new().read(true).write(true).open("/dev/fuse")?;
        let options = format!("fd={},rootmode=40000,user_id=0,group_id=0", device.as_raw_fd());
        super::disks::mount("faultless-test", folder, c"fuse", &options)?;
        let is_bad: Arc<Mutex<IsBad>> = Arc::new(Mutex::new(Box::new(|_| false)));
        let bytes = pattern_of(0..len);
        let server = Server { device, bytes, open_flags, is_bad: Arc::clone(&is_bad) };
        std::thread::spawn(move || server.serve());
        Ok(Self { path: folder.join("file"), is_bad })
    }

    /// Reading a page with a number that `is_bad` is an input/output error from
    /// now on, unless the system has it in memory.
    pub(crate) fn make_bad(&self, is_bad: impl Fn(usize) -> bool + Send + 'static) {
        *self.is_bad.lock().unwrap() = Box::new(is_bad);
    }
}

struct Server {
    device: File,
    bytes: Vec<u8>,
    open_flags: u32,
    is_bad: Arc<Mutex<IsBad>>,
}

/// Numbers one after the other, as the structures of the protocol have them.
#[derive(Default)]
struct Reply(Vec<u8>);

impl Reply {
    fn u16(mut self, number: u16) -> Self {
        self.0.extend(number.to_ne_bytes());
        self
    }

    fn u32(mut self, number: u32) -> Self {
        self.0.extend(number.to_ne_bytes());
        self
    }

    fn u64(mut self, number: u64) -> Self {
        self.0.extend(number.to_ne_bytes());
        self
    }

    fn zeros(mut self, count: usize) -> Self {
        self.0.resize(self.0.len() + count, 0);
        self
    }
}

fn number(request: &[u8], at: usize) -> u64 {
    u64::from_ne_bytes(request[at..at + 8].try_into().unwrap())
}

fn short(request: &[u8], at: usize) -> u32 {
    u32::from_ne_bytes(request[at..at + 4].try_into().unwrap())
}

impl Server {
    fn serve(mut self) {
        let mut buffer = vec![0; 1 << 20];
        while let Ok(len) = self.device.read(&mut buffer) {
            let request = &buffer[..len];
            let (operation, unique) = (short(request, 4), number(request, 8));
            if matches!(operation, FORGET | BATCH_FORGET | INTERRUPT) {
                continue;
            }
            let (error, body) =
                match self.answer(operation, number(request, 16), &request[HEADER..]) {
                    Ok(reply) => (0, reply.0),
                    Err(error) => (-error, Vec::new()),
                };
            let mut reply = Vec::with_capacity(16 + body.len());
            reply.extend((16 + body.len() as u32).to_ne_bytes());
            reply.extend(error.to_ne_bytes());
            reply.extend(unique.to_ne_bytes());
            reply.extend(body);
            // An answer that nobody waits for any more is refused.
            let _ = self.device.write(&reply);
        }
    }

    fn answer(&self, operation: u32, node: u64, body: &[u8]) -> Result<Reply, i32> {
        let reply = Reply::default();
        match operation {
            INIT => {
                // Version 7.31, nothing read ahead, no extras.
                let reply = reply.u32(7).u32(31).u32(4096).u32(0);
                Ok(reply.u16(16).u16(12).u32(1 << 17).u32(1).u16(32).zeros(64 - 30))
            }
            LOOKUP if node == ROOT && body == b"file\0" => {
                let reply = reply.u64(FILE).u64(0).u64(3600).u64(3600).u32(0).u32(0);
                Ok(self.attributes(reply, FILE))
            }
            LOOKUP => Err(libc::ENOENT),
            GETATTR => Ok(self.attributes(reply.u64(3600).u64(0), node)),
            OPEN => Ok(reply.u64(0).u32(self.open_flags).u32(0)),
            READ => self.read(number(body, 8) as usize, short(body, 16) as usize),
            STATFS => {
                let reply = reply.u64(100).u64(50).u64(50).u64(10).u64(5);
                Ok(reply.u32(4096).u32(255).u32(4096).zeros(28))
            }
            FLUSH | RELEASE => Ok(reply),
            _ => Err(libc::ENOSYS),
        }
    }

    fn attributes(&self, reply: Reply, node: u64) -> Reply {
        let (mode, len) = match node {
            ROOT => (libc::S_IFDIR | 0o755, 0),
            _ => (libc::S_IFREG | 0o444, self.bytes.len() as u64),
        };
        let reply = reply.u64(node).u64(len).u64(len.div_ceil(512)).zeros(24 + 12);
        reply.u32(mode).u32(1).zeros(12).u32(4096).u32(0)
    }

    fn read(&self, offset: usize, len: usize) -> Result<Reply, i32> {
        let end = (offset + len).min(self.bytes.len());
        let page = faultless::page_size();
        let is_bad = self.is_bad.lock().unwrap();
        if (offset / page..end.div_ceil(page)).any(&*is_bad) {
            return Err(libc::EIO);
        }
        Ok(Reply(self.bytes[offset.min(end)..end].to_vec()))
    }
}
