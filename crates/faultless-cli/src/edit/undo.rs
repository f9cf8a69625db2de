//! `undo`: what a change wrote becomes what was there before.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use faultless::{Access, Flush};
use serde_json::Value;

use super::log::Logged;
use crate::error::{Failure, Outcome};
use crate::hex;
use crate::input::Input;
use crate::output::{Output, field, json_file};

/// Undo a change, by the log that was written before it.
///
/// Every byte has to be what the change wrote, or what it was before; else nothing is
/// restored. Then the log is removed.
#[derive(Args, Debug)]
pub(crate) struct UndoArgs {
    /// The log that the change named.
    log: PathBuf,
    /// The file, if it is not where it was when it was changed.
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Change nothing; only say what would be done.
    #[arg(short = 'n', long)]
    dry_run: bool,
    /// Do not remove the log.
    #[arg(short, long)]
    keep: bool,
    /// Do not wait until what was restored is on the disk.
    #[arg(long)]
    no_sync: bool,
    /// Say what was done in a line of JSON.
    #[arg(long)]
    json: bool,
}

pub(crate) fn undo(args: &UndoArgs, out: &mut Output) -> Result<Outcome, Failure> {
    let log = Logged::open(&args.log)?;
    let access = if args.dry_run { Access::Read } else { Access::Write };
    let file = Input::open_file(args.file.as_deref().unwrap_or(&log.file), access)?;
    let mut bytes = 0;
    if log.is_complete()? {
        bytes = changed(&log, &file)?;
        if !args.dry_run && bytes > 0 {
            log.each(|entry| {
                entry.each(|offset, old, _| {
                    file.map.write_at(offset, old).map_err(|error| file.failure(&error))
                })
            })?;
            let flush = if args.no_sync { Flush::ASYNC } else { Flush::SYNC.durable() };
            file.map.flush_range(.., flush).map_err(|error| file.failure(&error))?;
        }
    }
    if !args.dry_run && !args.keep {
        std::fs::remove_file(&args.log).map_err(|error| Failure::path(&args.log, error))?;
    }
    if args.json {
        let mut line = json_file(&file.path);
        field(&mut line, "bytes", bytes);
        field(&mut line, "done", !args.dry_run);
        out.json(&Value::Object(line))?;
    } else {
        let name = file.path.display();
        let done = if args.dry_run { "would restore" } else { "restored" };
        writeln!(out, "{name}: {done} {bytes} bytes")?;
    }
    Ok(Outcome::Done)
}

/// How many bytes are as the change left them; an error if any is neither that nor
/// what it was before.
fn changed(log: &Logged, file: &Input) -> Result<usize, Failure> {
    if (file.map.len() as u64) < log.len {
        let (len, before) = (file.map.len(), log.len);
        return Err(file.wrong(format!(
            "has {len} bytes, and had {before} when it was changed; nothing was restored"
        )));
    }
    let (mut count, mut now) = (0, Vec::new());
    log.each(|entry| {
        entry.each(|offset, old, new| {
            now.resize(old.len(), 0);
            file.map.read_exact_at(offset, &mut now).map_err(|error| file.failure(&error))?;
            if now == new {
                count += new.iter().zip(old).filter(|(new, old)| new != old).count();
                return Ok(());
            }
            for (nth, &byte) in now.iter().enumerate() {
                if byte == new[nth] {
                    count += usize::from(new[nth] != old[nth]);
                } else if byte != old[nth] {
                    return Err(file.wrong(format!(
                        "offset {} has {}, where the change wrote {}; nothing was restored",
                        offset + nth,
                        hex::digits(&[byte]),
                        hex::digits(&new[nth..=nth]),
                    )));
                }
            }
            Ok(())
        })
    })?;
    Ok(count)
}
