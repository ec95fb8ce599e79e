//! The file that is written: `OUT.partial` until everything about it is checked, then `OUT`.
//!
//! A [`Target`] that is dropped before [`Target::publish`] removes its partial file, so errors, cancellation and panics
//! leave nothing behind. A lock on the partial file tells a run that is under way from one that was killed.

use std::fs::{File, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use rustix::fs::FlockOperation;

use crate::engine::error::{Error, Result};
use crate::engine::format::source::FileId;
use crate::engine::progress::Cancel;

/// How often a wait for the disk looks whether it was cancelled.
const POLL: Duration = Duration::from_millis(50);
/// How long what is written may wait before the disk is to take it.
const FLUSH: Duration = Duration::from_millis(50);

/// The output while it is being made.
pub(in crate::engine) struct Target {
    out: PathBuf,
    partial: PathBuf,
    file: File,
    /// The folder, opened before the work; `None` where it may be written but not read.
    folder: Option<File>,
    force: bool,
    published: bool,
}

impl Target {
    /// Creates `OUT.partial` with room for `len` bytes. Refuses to write onto a source, over a file without `force`, over
    /// anything that is no regular file, and into a folder without room.
    pub(in crate::engine) fn create(out: &Path, sources: &[FileId], force: bool, len: u64) -> Result<Self> {
        refuse_out(out, sources, force)?;
        let mut name = out.file_name().unwrap_or_default().to_owned();
        name.push(".partial");
        let partial = out.with_file_name(name);
        require_space(out, len)?;
        let file = create_partial(&partial, sources, force)?;
        let folder = File::open(folder_of(out)).ok();
        let target = Self { out: out.to_owned(), partial, file, folder, force, published: false };
        target.reserve(len)?;
        Ok(target)
    }

    /// The name that it gets.
    pub(in crate::engine) fn out(&self) -> &Path {
        &self.out
    }

    /// The partial file, for reading back.
    pub(in crate::engine) fn partial(&self) -> &Path {
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
    pub(in crate::engine) fn write_at(&self, bytes: &[u8], offset: u64) -> Result<()> {
        self.file
            .write_all_at(bytes, offset)
            .map_err(|e| Error::io(&self.out, format!("write {} bytes at offset {offset}", bytes.len()), e))
    }

    /// Has the disk take what is written while more is being written.
    pub(in crate::engine) fn begin_sync(&self) -> Result<Syncing> {
        let file = self.file.try_clone().map_err(|e| Error::io(&self.partial, "sync", e))?;
        let (writing, ends) = channel::<()>();
        let (sender, done) = channel();
        std::thread::spawn(move || {
            let result = loop {
                match ends.recv_timeout(FLUSH) {
                    Err(RecvTimeoutError::Timeout) => match file.sync_data() {
                        Ok(()) => {}
                        error => break error,
                    },
                    Ok(()) => break file.sync_all(),
                    // The export came to nothing.
                    Err(RecvTimeoutError::Disconnected) => return,
                }
            };
            // Whoever does not wait any more does not want to know.
            let _ = sender.send(result);
        });
        Ok(Syncing { out: self.out.clone(), writing, done })
    }

    /// Gives the file its name, replacing another only under `force`, and makes the folder remember it. `Ok(Some(why))`:
    /// the file is there and whole, but the folder could not be synced.
    pub(in crate::engine) fn publish(mut self, sync: bool) -> Result<Option<String>> {
        if self.force {
            std::fs::rename(&self.partial, &self.out)
                .map_err(|e| Error::io(&self.out, "rename the partial file", e))?;
        } else {
            rename_new(&self.partial, &self.out)?;
        }
        self.published = true;
        if !sync {
            return Ok(None);
        }
        let synced = self.folder.as_ref().map_or_else(|| Err(ErrorKind::PermissionDenied.into()), File::sync_all);
        Ok(synced.err().map(|e| format!("the folder could not be synced: {e}")))
    }
}

/// A file that is on its way to the disk.
pub(in crate::engine) struct Syncing {
    out: PathBuf,
    /// Told when nothing more is written.
    writing: Sender<()>,
    done: Receiver<std::io::Result<()>>,
}

/// A file that is written and on its way to the disk.
pub(in crate::engine) struct Written {
    out: PathBuf,
    done: Receiver<std::io::Result<()>>,
}

impl Syncing {
    /// Nothing more is written.
    pub(in crate::engine) fn written(self) -> Written {
        // Where nobody listens the disk has failed, which is told to who waits.
        let _ = self.writing.send(());
        Written { out: self.out, done: self.done }
    }
}

impl Written {
    /// Waits until the disk has the data. Cancelling does not wait for the disk.
    pub(in crate::engine) fn wait(&self, cancel: &Cancel) -> Result<()> {
        loop {
            match self.done.recv_timeout(POLL) {
                Ok(result) => return result.map_err(|e| Error::io(&self.out, "sync", e)),
                Err(RecvTimeoutError::Timeout) => cancel.check()?,
                Err(RecvTimeoutError::Disconnected) => {
                    let ended = std::io::Error::other("the syncing thread ended early");
                    return Err(Error::io(&self.out, "sync", ended));
                }
            }
        }
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

/// Gives all files of an output their names, or none: where one fails, those that got theirs before are removed again
/// (unless they replaced another file, which cannot be brought back).
pub(super) fn publish_all(targets: Vec<Target>, sync: bool) -> Result<Option<String>> {
    let mut named: Vec<PathBuf> = Vec::new();
    let mut unsynced = None;
    for target in targets {
        let (out, replaced) = (target.out.clone(), target.force && target.out.exists());
        match target.publish(sync) {
            Ok(why) => unsynced = unsynced.or(why),
            Err(e) => {
                for path in &named {
                    let _ = std::fs::remove_file(path);
                }
                return Err(e);
            }
        }
        if !replaced {
            named.push(out);
        }
    }
    Ok(unsynced)
}

/// The folder that holds `path`.
fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Refuses outputs that must not be written, before anything is created.
pub(super) fn refuse_out(out: &Path, sources: &[FileId], force: bool) -> Result<()> {
    let refuse = |what: &str| Err(Error::Usage(format!("{} {what}", out.display())));
    if out.file_name().is_none() || out.as_os_str().as_encoded_bytes().ends_with(b"/") {
        return refuse("names no file");
    }
    match std::fs::metadata(out) {
        Ok(found) if sources.contains(&FileId::of(&found)) => refuse("is the source itself; choose another output"),
        Ok(found) if !found.is_file() => refuse("exists and is no regular file; choose another output"),
        Ok(_) if !force => refuse("exists; --force replaces it"),
        Ok(_) => Ok(()),
        Err(e) if e.kind() == ErrorKind::NotFound => {
            // A link that leads nowhere is a name that is taken all the same.
            if !force && std::fs::symlink_metadata(out).is_ok() {
                return refuse("exists, a link that leads nowhere; --force replaces it");
            }
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

fn create_partial(partial: &Path, sources: &[FileId], force: bool) -> Result<File> {
    let create = || OpenOptions::new().read(true).write(true).create_new(true).open(partial);
    let file = match create() {
        Err(e) if e.kind() == ErrorKind::AlreadyExists => {
            refuse_leftover(partial, sources, force)?;
            std::fs::remove_file(partial).map_err(|e| Error::io(partial, "remove", e))?;
            create()
        }
        other => other,
    };
    let file = file.map_err(|e| Error::io(partial, "create", e))?;
    // Where there are no locks, a leftover is only told by its name. Where there are, another run may have taken this
    // file for a leftover in the moment before it was locked: then the name is another file's, or nobody's.
    let _ = rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive);
    let mine = file.metadata().map_err(|e| Error::io(partial, "look at it", e))?;
    match std::fs::symlink_metadata(partial) {
        Ok(named) if FileId::of(&named) == FileId::of(&mine) => Ok(file),
        _ => Err(Error::Usage(format!("{} is being written by another run", partial.display()))),
    }
}

/// Refuses to remove what stands under the partial name, unless it is a regular file that nobody writes, that is not the
/// source, and the user said so.
fn refuse_leftover(partial: &Path, sources: &[FileId], force: bool) -> Result<()> {
    let refuse = |what: &str| Err(Error::Usage(format!("{} {what}", partial.display())));
    let found = std::fs::symlink_metadata(partial).map_err(|e| Error::io(partial, "look at it", e))?;
    let leads_to = std::fs::metadata(partial).map_or(FileId::of(&found), |m| FileId::of(&m));
    if sources.contains(&FileId::of(&found)) || sources.contains(&leads_to) {
        return refuse("is the source itself, and the output's name while it is written; choose another output");
    }
    if !found.is_file() {
        return refuse("exists and is no regular file; choose another output");
    }
    let old = File::open(partial).map_err(|e| Error::io(partial, "open", e))?;
    if rustix::fs::flock(&old, FlockOperation::NonBlockingLockExclusive).is_err() {
        return refuse("is being written by another run");
    }
    if force { Ok(()) } else { refuse("exists, as a run that was killed leaves it; --force replaces it") }
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
