//! Running the command, and a folder to run it in.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// What a run came to.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) status: i32,
    pub(crate) out: Vec<u8>,
    pub(crate) err: String,
}

impl Ran {
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.out).unwrap()
    }

    pub(crate) fn lines(&self) -> Vec<&str> {
        self.text().lines().collect()
    }

    /// The lines as JSON.
    pub(crate) fn json(&self) -> Vec<serde_json::Value> {
        self.lines().iter().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[track_caller]
    pub(crate) fn has(self, status: i32) -> Self {
        assert_eq!(self.status, status, "{self:?}");
        // A status of 2 has a reason, and nothing else has.
        assert_eq!(self.err.is_empty(), status != 2, "{self:?}");
        assert!(!self.err.contains("panicked"), "{self:?}");
        self
    }

    /// Ended with an error that says all this.
    #[track_caller]
    pub(crate) fn fails(self, with: &[&str]) -> Self {
        let ran = self.has(2);
        for part in with {
            assert!(ran.err.contains(part), "no {part:?} in {:?}", ran.err);
        }
        ran
    }
}

/// A folder, with files.
pub(crate) struct Folder(TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn with(name: &str, bytes: impl AsRef<[u8]>) -> Self {
        let folder = Self::new();
        folder.write(name, bytes);
        folder
    }

    pub(crate) fn path(&self, name: impl AsRef<OsStr>) -> PathBuf {
        self.0.path().join(name.as_ref())
    }

    pub(crate) fn write(&self, name: impl AsRef<OsStr>, bytes: impl AsRef<[u8]>) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap()
    }

    /// A file of holes.
    pub(crate) fn sparse(&self, name: &str, len: u64) -> std::fs::File {
        let file = std::fs::File::create_new(self.path(name)).unwrap();
        file.set_len(len).unwrap();
        file
    }

    pub(crate) fn cut(&self, name: &str, len: u64) {
        let file = std::fs::File::options().write(true).open(self.path(name)).unwrap();
        file.set_len(len).unwrap();
    }

    pub(crate) fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.0.path()).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    pub(crate) fn command<S: AsRef<OsStr>>(&self, args: &[S]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_faultless"));
        command.args(args).current_dir(self.0.path());
        for variable in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE"] {
            command.env_remove(variable);
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    pub(crate) fn run<S: AsRef<OsStr>>(&self, args: &[S]) -> Ran {
        ended(self.command(args).spawn().unwrap())
    }

    /// With bytes from a pipe.
    pub(crate) fn pipe<S: AsRef<OsStr>>(&self, args: &[S], bytes: &[u8]) -> Ran {
        let mut child = self.command(args).stdin(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(bytes).unwrap();
        ended(child)
    }

    /// A run that goes on, whose lines are read one by one.
    pub(crate) fn start<S: AsRef<OsStr>>(&self, args: &[S]) -> Running {
        let mut child = self.command(args).stdin(Stdio::piped()).spawn().unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        Running { child, out: Some(out) }
    }
}

fn ended(child: Child) -> Ran {
    let done = child.wait_with_output().unwrap();
    Ran {
        status: done.status.code().unwrap(),
        out: done.stdout,
        err: String::from_utf8(done.stderr).unwrap(),
    }
}

/// A program at work, which ends with this at the latest: a test that fails leaves
/// none behind.
pub(crate) struct Running {
    pub(crate) child: Child,
    out: Option<BufReader<ChildStdout>>,
}

impl Drop for Running {
    fn drop(&mut self) {
        // Neither hurts one that has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Running {
    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        self.out.as_mut().unwrap().read_line(&mut line).unwrap();
        line
    }

    /// Reads all that is left, and waits for the end.
    #[cfg(unix)]
    pub(crate) fn rest(mut self) -> Ran {
        drop(self.child.stdin.take());
        let mut out = Vec::new();
        self.out.take().unwrap().read_to_end(&mut out).unwrap();
        self.ended(out)
    }

    /// Closes the pipe that is read, and waits for the end.
    pub(crate) fn close(mut self) -> Ran {
        self.out = None;
        self.ended(Vec::new())
    }

    fn ended(mut self, out: Vec<u8>) -> Ran {
        let mut err = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
        Ran { status: self.child.wait().unwrap().code().unwrap(), out, err }
    }

    /// Waits until a line of the messages says something, and returns it.
    pub(crate) fn message(&mut self, part: &str) -> String {
        let stderr = self.child.stderr.as_mut().unwrap();
        let (mut line, mut byte) = (Vec::new(), [0]);
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(60) && stderr.read(&mut byte).unwrap() == 1 {
            if byte == *b"\n" {
                let text = String::from_utf8(std::mem::take(&mut line)).unwrap();
                if text.contains(part) {
                    return text;
                }
            } else {
                line.push(byte[0]);
            }
        }
        panic!("the messages end without {part:?}");
    }

    /// Ends it as a terminal does.
    #[cfg(unix)]
    pub(crate) fn interrupt(&mut self) {
        // The shell has it; the program of that name is not everywhere.
        let kill = format!("kill -INT {}", self.child.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    }
}
