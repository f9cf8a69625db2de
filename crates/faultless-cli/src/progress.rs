//! Bars for work that takes long, on a terminal.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::output::Output;

/// A bar of bytes on the standard error, if that is a terminal; work that is done at
/// once never shows one.
pub(crate) struct Progress(ProgressBar);

impl Progress {
    pub(crate) fn new(what: &'static str, bytes: u64) -> Self {
        // Hidden by itself where there is no terminal.
        let bar = ProgressBar::new(bytes).with_message(what);
        if bar.is_hidden() {
            return Self(bar);
        }
        let style = ProgressStyle::with_template(
            "{msg} [{bar:40}] {bytes}/{total_bytes} {bytes_per_sec} {eta}",
        );
        if let Ok(style) = style {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.enable_steady_tick(Duration::from_millis(250));
        Self(bar)
    }

    /// None where results are shown on the terminal, which it would tear.
    pub(crate) fn beside(out: &Output, what: &'static str, bytes: u64) -> Self {
        if out.is_terminal() { Self(ProgressBar::hidden()) } else { Self::new(what, bytes) }
    }

    pub(crate) fn add(&self, bytes: usize) {
        self.0.inc(bytes as u64);
    }

    pub(crate) fn set(&self, bytes: usize) {
        self.0.set_position(bytes as u64);
    }

    pub(crate) fn more(&self, bytes: usize) {
        self.0.inc_length(bytes as u64);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
