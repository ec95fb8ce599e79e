//! Where a model's bytes come from: a memory map, or positioned reads into page-aligned buffers.
//!
//! Both give the same bytes; [`Source::slice`] hides which one it is. This is one of the two rooms where `unsafe` may
//! live: mapping a file is unsafe because another process may truncate it.

use std::fs::File;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use crate::engine::error::{Error, Result};

/// Page size that buffers are aligned to; reads into unaligned buffers run at a third of the speed.
const PAGE: usize = 4096;

/// Identity of a file on this machine: device and inode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FileId {
    device: u64,
    inode: u64,
}

impl FileId {
    /// Identity of the file that `metadata` describes.
    pub fn of(metadata: &std::fs::Metadata) -> Self {
        Self { device: metadata.dev(), inode: metadata.ino() }
    }
}

/// What tells whether a file is the one that it was: which it is, how long, and when it was last written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Stamp {
    id: FileId,
    len: u64,
    written: (i64, i64),
}

/// A read-only file.
#[derive(Debug)]
pub struct Source {
    path: PathBuf,
    file: File,
    map: Option<memmap2::Mmap>,
    len: u64,
    id: FileId,
    written: (i64, i64),
}

impl Source {
    /// Opens `path` for reading, through a map if `mmap` and the system allows it.
    pub fn open(path: &Path, mmap: bool) -> Result<Self> {
        // Asked before opening: to open a pipe is to wait for somebody who writes.
        let metadata = std::fs::metadata(path).map_err(|e| Error::io(path, "open", e))?;
        if !metadata.is_file() {
            let kind = if metadata.is_dir() { "a folder" } else { "no regular file" };
            return Err(Error::Usage(format!("{} is {kind}, not a model file", path.display())));
        }
        let file = File::open(path).map_err(|e| Error::io(path, "open", e))?;
        let metadata = file.metadata().map_err(|e| Error::io(path, "read the metadata", e))?;
        let len = metadata.len();
        let map = if mmap && len > 0 && metadata.is_file() { Some(map_file(path, &file)?) } else { None };
        let written = (metadata.mtime(), metadata.mtime_nsec());
        Ok(Self { path: path.to_owned(), file, map, len, id: FileId::of(&metadata), written })
    }

    /// The path it was opened by.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Length in bytes when it was opened.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether the file is empty.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Device and inode, to recognise the same file under another name.
    pub fn id(&self) -> FileId {
        self.id
    }

    /// What the file was when it was opened.
    pub fn stamp(&self) -> Stamp {
        Stamp { id: self.id, len: self.len, written: self.written }
    }

    /// `len` bytes at `offset`: a part of the map, or read into `buffer`.
    pub fn slice<'a>(&'a self, offset: u64, len: usize, buffer: &'a mut AlignedBuf) -> Result<&'a [u8]> {
        let end = offset.checked_add(len as u64).filter(|end| *end <= self.len).ok_or_else(|| {
            Error::format(&self.path, offset, format!("{len} bytes wanted, the file has {} bytes", self.len))
        })?;
        if let Some(map) = self.mapped() {
            return map
                .get(offset as usize..end as usize)
                .ok_or_else(|| Error::format(&self.path, offset, "the map is shorter than the file"));
        }
        let bytes = buffer.sized(len);
        self.read_at(offset, bytes)?;
        Ok(bytes)
    }

    /// The whole file, if it is mapped.
    pub fn mapped(&self) -> Option<&[u8]> {
        self.map.as_deref()
    }

    /// Tells the system that these bytes are read soon, unless it has them in memory. Only speed depends on it.
    pub fn will_need(&self, offset: u64, len: u64) {
        let len = len.min(self.len.saturating_sub(offset));
        #[cfg(target_os = "linux")]
        if let Some(last) = len.checked_sub(1) {
            // To be told of what is there already, it looks at each page.
            if ![0, last / 2, last].iter().all(|at| self.is_cached(offset + at)) {
                let len = std::num::NonZeroU64::new(len);
                let _ = rustix::fs::fadvise(&self.file, offset, len, rustix::fs::Advice::WillNeed);
            }
        }
    }

    /// Whether the byte at `offset` is in memory, as far as the system tells.
    #[cfg(target_os = "linux")]
    fn is_cached(&self, offset: u64) -> bool {
        let mut byte = [0];
        let mut into = [std::io::IoSliceMut::new(&mut byte)];
        rustix::io::preadv2(&self.file, &mut into, offset, rustix::io::ReadWriteFlags::NOWAIT).is_ok()
    }

    /// Tells the system that the whole pages among these bytes are not read again soon: others may have their memory. They
    /// can still be read.
    pub fn forget(&self, offset: u64, len: u64) {
        let page = PAGE as u64;
        let (from, to) = (offset.next_multiple_of(page), (offset + len).min(self.len) / page * page);
        if from >= to {
            return;
        }
        #[cfg(target_os = "linux")]
        {
            let len = std::num::NonZeroU64::new(to - from);
            let _ = rustix::fs::fadvise(&self.file, from, len, rustix::fs::Advice::DontNeed);
        }
    }

    /// Fills `bytes` from `offset` by a positioned read, mapped or not.
    pub fn read_at(&self, offset: u64, bytes: &mut [u8]) -> Result<()> {
        self.file
            .read_exact_at(bytes, offset)
            .map_err(|e| Error::io(&self.path, format!("read {} bytes at offset {offset}", bytes.len()), e))
    }
}

#[expect(unsafe_code, reason = "mapping is the point of this file")]
fn map_file(path: &Path, file: &File) -> Result<memmap2::Mmap> {
    // SAFETY: the map is read-only and private to this struct, and nobody is handed a `&mut` into it. The one
    // hazard left is another process truncating the file while it is open, which ends in SIGBUS, not in wrong
    // memory; `--no-mmap` is the way out for files that others write to.
    unsafe { memmap2::Mmap::map(file) }.map_err(|e| Error::io(path, "map", e))
}

/// A growable buffer whose first byte lies on a page boundary.
#[derive(Debug, Default)]
pub struct AlignedBuf {
    storage: Vec<u8>,
}

impl AlignedBuf {
    /// An empty buffer.
    pub fn new() -> Self {
        Self::default()
    }

    /// The first `len` bytes, grown if need be. What they hold is unspecified.
    pub fn sized(&mut self, len: usize) -> &mut [u8] {
        if self.storage.len() < len + PAGE {
            // Not `resize`: it would copy what nobody wants to keep.
            self.storage = vec![0; len + PAGE];
        }
        let start = self.storage.as_ptr().align_offset(PAGE).min(PAGE);
        &mut self.storage[start..start + len]
    }
}
