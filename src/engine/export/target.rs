//! The file that is written: `OUT.partial` until everything about it is checked, then `OUT`.
//!
//! A [`Target`] that is dropped before [`Target::publish`] removes its partial file, so errors, cancellation and panics
//! leave nothing behind. A lock on the partial file tells a run that is under way from one that was killed.

use std::fs::{File, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use rustix::fs::FlockOperation;

use crate::engine::error::{Error, Result};
use crate::engine::format::source::FileId;
use crate::engine::progress::Cancel;

/// How often a wait for the disk looks whether it was cancelled.
const POLL: Duration = Duration::from_millis(50);

/// The output while it is being made.
pub(super) struct Target {
    out: PathBuf,
    partial: PathBuf,
    file: File,
    force: bool,
    published: bool,
}

impl Target {
    /// Creates `OUT.partial` with room for `len` bytes. Refuses to write onto `source`, over a file without `force`, over
    /// anything that is no regular file, and into a folder without room.
    pub(super) fn create(out: &Path, source: FileId, force: bool, len: u64) -> Result<Self> {
        refuse_out(out, source, force)?;
        let mut name = out.file_name().unwrap_or_default().to_owned();
        name.push(".partial");
        let partial = out.with_file_name(name);
        require_space(out, len)?;
        let file = create_partial(&partial, force)?;
        let target = Self { out: out.to_owned(), partial, file, force, published: false };
        target.reserve(len)?;
        Ok(target)
    }

    /// The partial file, for reading back.
    pub(super) fn partial(&self) -> &Path {
        &self.partial
    }

    /// Takes the file's blocks at once, so that a full disk shows before the work; what is not written reads as zeros.
    fn reserve(&self, len: u64) -> Result<()> {
        #[cfg(target_os = "linux")]
        if len > 0 {
            use rustix::io::Errno;
            match rustix::fs::fallocate(&self.file, rustix::fs::FallocateFlags::empty(), 0, len) {
                // Some file systems cannot; they find out while writing.
                Ok(()) | Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => {}
                Err(e) => return Err(Error::io(&self.out, format!("reserve {len} bytes"), e.into())),
            }
        }
        self.file.set_len(len).map_err(|e| Error::io(&self.out, format!("reserve {len} bytes"), e))
    }

    /// Writes at an offset; callable from any thread, in any order.
    pub(super) fn write_at(&self, bytes: &[u8], offset: u64) -> Result<()> {
        self.file
            .write_all_at(bytes, offset)
            .map_err(|e| Error::io(&self.out, format!("write {} bytes at offset {offset}", bytes.len()), e))
    }

    /// Waits until the disk has the data. Cancelling does not wait for the disk.
    pub(super) fn sync(&self, cancel: &Cancel) -> Result<()> {
        let file = self.file.try_clone().map_err(|e| Error::io(&self.partial, "sync", e))?;
        let (sender, receiver) = channel();
        std::thread::spawn(move || sender.send(file.sync_all()));
        loop {
            match receiver.recv_timeout(POLL) {
                Ok(result) => return result.map_err(|e| Error::io(&self.out, "sync", e)),
                Err(RecvTimeoutError::Timeout) => cancel.check()?,
                Err(RecvTimeoutError::Disconnected) => {
                    let ended = std::io::Error::other("the syncing thread ended early");
                    return Err(Error::io(&self.out, "sync", ended));
                }
            }
        }
    }

    /// Gives the file its name, replacing another only under `force`, and makes the folder remember it.
    pub(super) fn publish(mut self, sync: bool) -> Result<()> {
        if self.force {
            std::fs::rename(&self.partial, &self.out)
                .map_err(|e| Error::io(&self.out, "rename the partial file", e))?;
        } else {
            rename_new(&self.partial, &self.out)?;
        }
        self.published = true;
        if sync {
            let folder = folder_of(&self.out);
            File::open(folder).and_then(|f| f.sync_all()).map_err(|e| Error::io(folder, "sync the folder", e))?;
        }
        Ok(())
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        if !self.published {
            // Nobody is left to hear of a failure; the partial name itself says what the file is.
            let _ = std::fs::remove_file(&self.partial);
        }
    }
}

/// The folder that holds `path`.
fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Refuses outputs that must not be written, before anything is created.
pub(super) fn refuse_out(out: &Path, source: FileId, force: bool) -> Result<()> {
    if out.file_name().is_none() {
        return Err(Error::Usage(format!("{} names no file", out.display())));
    }
    match std::fs::metadata(out) {
        Ok(found) if FileId::of(&found) == source => {
            Err(Error::Usage(format!("{} is the source itself; choose another output", out.display())))
        }
        Ok(found) if !found.is_file() => {
            Err(Error::Usage(format!("{} exists and is no regular file; choose another output", out.display())))
        }
        Ok(_) if !force => Err(Error::Usage(format!("{} exists; --force replaces it", out.display()))),
        Ok(_) => Ok(()),
        Err(e) if e.kind() == ErrorKind::NotFound => {
            let folder = folder_of(out);
            match std::fs::metadata(folder) {
                Ok(found) if found.is_dir() => Ok(()),
                Ok(_) => Err(Error::Usage(format!("{} is no folder", folder.display()))),
                Err(e) => Err(Error::io(folder, "open the output's folder", e)),
            }
        }
        Err(e) => Err(Error::io(out, "look at the output", e)),
    }
}

fn require_space(out: &Path, needed: u64) -> Result<()> {
    let folder = folder_of(out);
    let stat = rustix::fs::statvfs(folder).map_err(|e| Error::io(folder, "ask for free space", e.into()))?;
    let available = stat.f_bavail.saturating_mul(stat.f_frsize);
    if needed > available { Err(Error::NoSpace { path: out.to_owned(), needed, available }) } else { Ok(()) }
}

fn create_partial(partial: &Path, force: bool) -> Result<File> {
    let create = || OpenOptions::new().read(true).write(true).create_new(true).open(partial);
    let file = match create() {
        Err(e) if e.kind() == ErrorKind::AlreadyExists => {
            let old = File::open(partial).map_err(|e| Error::io(partial, "open", e))?;
            let abandoned = rustix::fs::flock(&old, FlockOperation::NonBlockingLockExclusive).is_ok();
            if !abandoned {
                return Err(Error::Usage(format!("{} is being written by another run", partial.display())));
            }
            if !force {
                let what =
                    format!("{} is left over from a run that was killed; --force replaces it", partial.display());
                return Err(Error::Usage(what));
            }
            std::fs::remove_file(partial).map_err(|e| Error::io(partial, "remove", e))?;
            create()
        }
        other => other,
    };
    let file = file.map_err(|e| Error::io(partial, "create", e))?;
    // On file systems without locks a leftover is only told by its name.
    let _ = rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive);
    Ok(file)
}

/// Renames without replacing: a file that appeared meanwhile is never lost.
fn rename_new(from: &Path, to: &Path) -> Result<()> {
    #[cfg(any(target_os = "linux", target_os = "macos"))]
    {
        use rustix::fs::{CWD, RenameFlags, renameat_with};
        use rustix::io::Errno;
        match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
            Ok(()) => return Ok(()),
            Err(Errno::EXIST) => {
                return Err(Error::Usage(format!(
                    "{} appeared while the export ran; nothing was replaced",
                    to.display()
                )));
            }
            Err(Errno::NOSYS | Errno::INVAL | Errno::OPNOTSUPP) => {}
            Err(e) => return Err(Error::io(to, "rename the partial file", e.into())),
        }
    }
    std::fs::hard_link(from, to)
        .and_then(|()| std::fs::remove_file(from))
        .map_err(|e| Error::io(to, "rename the partial file", e))
}
