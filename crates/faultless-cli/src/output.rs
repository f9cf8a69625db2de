//! The standard output and the messages beside it.

use std::fmt::Display;
use std::io::{self, BufWriter, IsTerminal, Stdout, Write};
use std::path::Path;

use anstyle::{AnsiColor, Style};
use clap::ValueEnum;
use serde_json::{Map, Value};

use crate::error::Failure;

/// When to use colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Colour {
    /// On a terminal, unless NO_COLOR is set.
    Auto,
    Always,
    Never,
}

pub(crate) const OFFSET: Style = AnsiColor::Green.on_default();
pub(crate) const NAME: Style = AnsiColor::Magenta.on_default();
pub(crate) const MATCH: Style = AnsiColor::Red.on_default().bold();
pub(crate) const FAINT: Style = AnsiColor::BrightBlack.on_default();
pub(crate) const TEXT: Style = AnsiColor::Cyan.on_default();
pub(crate) const HIGH: Style = AnsiColor::Yellow.on_default();
const ERROR: Style = AnsiColor::Red.on_default().bold();

/// What is written, buffered. Bytes go through it as they are: a style is written
/// only where there are colours.
pub(crate) struct Output {
    stream: BufWriter<Stdout>,
    choice: anstream::ColorChoice,
    colour: bool,
    terminal: bool,
    failed: bool,
}

impl Output {
    pub(crate) fn new(colour: Colour) -> Self {
        let stdout = io::stdout();
        let choice = match colour {
            Colour::Auto => anstream::ColorChoice::Auto,
            Colour::Always => anstream::ColorChoice::Always,
            Colour::Never => anstream::ColorChoice::Never,
        };
        Self {
            terminal: stdout.is_terminal(),
            colour: is_coloured(choice, &stdout),
            stream: BufWriter::with_capacity(64 << 10, stdout),
            choice,
            failed: false,
        }
    }

    pub(crate) fn is_terminal(&self) -> bool {
        self.terminal
    }

    /// Whether to write styles.
    pub(crate) fn is_coloured(&self) -> bool {
        self.colour
    }

    /// Something in a style, where there are colours.
    pub(crate) fn styled(&mut self, style: Style, what: impl Display) -> io::Result<()> {
        if self.colour {
            write!(self.stream, "{style}{what}{style:#}")
        } else {
            write!(self.stream, "{what}")
        }
    }

    /// A line of JSON.
    pub(crate) fn json(&mut self, value: &Value) -> io::Result<()> {
        serde_json::to_writer(&mut self.stream, value)?;
        self.stream.write_all(b"\n")
    }

    /// Says what went wrong, after everything that was written before; the exit
    /// status will be 2.
    pub(crate) fn report(&mut self, failure: &Failure) {
        self.failed = true;
        let style = if is_coloured(self.choice, &io::stderr()) { ERROR } else { Style::new() };
        self.message(format_args!("{style}faultless:{style:#} {failure}"));
    }

    /// Says something that is no result.
    pub(crate) fn note(&mut self, message: impl Display) {
        self.message(format_args!("faultless: {message}"));
    }

    fn message(&mut self, message: impl Display) {
        // Nobody is left to be told that it did not work.
        let _ = self.stream.flush();
        let _ = writeln!(io::stderr().lock(), "{message}");
    }

    pub(crate) fn has_failed(&self) -> bool {
        self.failed
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.write(bytes)
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

fn is_coloured(choice: anstream::ColorChoice, stream: &impl anstream::stream::RawStream) -> bool {
    match choice {
        anstream::ColorChoice::Auto => {
            anstream::AutoStream::choice(stream) != anstream::ColorChoice::Never
        }
        choice => choice != anstream::ColorChoice::Never,
    }
}

/// The file of a line of JSON; one whose name is no text has its bytes, too.
pub(crate) fn json_file(path: &Path) -> Map<String, Value> {
    let mut object = Map::new();
    object.insert("file".into(), path.to_string_lossy().into());
    if path.to_str().is_none() {
        let bytes = path.as_os_str().as_encoded_bytes();
        object.insert("file_hex".into(), crate::hex::digits(bytes).into());
    }
    object
}

/// Adds a field to a line of JSON.
pub(crate) fn field(object: &mut Map<String, Value>, name: &str, value: impl Into<Value>) {
    object.insert(name.into(), value.into());
}

/// Adds a decimal number to bytes: what most of a long list consists of.
pub(crate) fn push_number(bytes: &mut Vec<u8>, mut number: usize) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    bytes.extend_from_slice(&digits[at..]);
}
