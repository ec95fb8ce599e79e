//! What is kept between runs, in the state folder: how files were left, the newest few hundred of them.
//!
//! A convenience: whatever goes wrong here is noted in the journal and changes nothing else.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::event::Event;
use super::files::save_text;
use super::journal;
use super::state::memory::Memory;
use crate::engine::model::Model;

/// Files whose state is kept.
const KEPT: usize = 200;
/// Longest state that is read.
const LONGEST: u64 = 4 << 20;

/// The name that a model's state is kept under: of where its files are, how long they are, and when they were last written.
fn identity(model: &Model) -> std::io::Result<String> {
    let mut hash = xxhash_rust::xxh3::Xxh3::new();
    for file in &model.files {
        let path = std::fs::canonicalize(file.path())?;
        let metadata = std::fs::metadata(&path)?;
        hash.update(path.as_os_str().as_encoded_bytes());
        // A path has no zero byte, so that no two lists of files look the same.
        hash.update(&[0]);
        hash.update(&metadata.len().to_le_bytes());
        hash.update(&metadata.mtime().to_le_bytes());
        hash.update(&metadata.mtime_nsec().to_le_bytes());
    }
    Ok(format!("{:032x}.json", hash.digest128()))
}

fn folder(state: &Path) -> PathBuf {
    state.join("files")
}

/// How a model was left, if that is known.
pub(super) fn recall(state: &Path, model: &std::sync::Arc<Model>) -> Option<Event> {
    let path = folder(state).join(identity(model).ok()?);
    let length = std::fs::metadata(&path).ok()?.len();
    if length > LONGEST {
        journal::note("state", &format!("{} is too long, and ignored", path.display()));
        return None;
    }
    let read = std::fs::read_to_string(&path).map_err(|e| e.to_string());
    match read.and_then(|text| serde_json::from_str::<Memory>(&text).map_err(|e| e.to_string())) {
        Ok(memory) if memory.is_readable() => Some(Event::Recalled(std::sync::Arc::clone(model), Box::new(memory))),
        Ok(memory) => {
            journal::note("state", &format!("{}: form {}, ignored", path.display(), memory.version));
            None
        }
        Err(why) => {
            journal::note("state", &format!("{} cannot be read, and is ignored: {why}", path.display()));
            None
        }
    }
}

/// Keeps how a model was left; of too many, those kept longest ago go.
pub(super) fn remember(state: &Path, model: &Model, memory: &Memory) {
    let folder = folder(state);
    let keep = || -> Result<(), String> {
        let name = identity(model).map_err(|e| e.to_string())?;
        std::fs::create_dir_all(&folder).map_err(|e| e.to_string())?;
        let text = serde_json::to_string(memory).map_err(|e| e.to_string())?;
        save_text(&folder.join(name), &text, true).map_err(|e| e.to_string())?;
        Ok(())
    };
    match keep() {
        Ok(()) => prune(&folder, KEPT),
        Err(why) => journal::note("state", &format!("{}: not kept: {why}", folder.display())),
    }
}

/// Whether the tour has been taken, or skipped.
pub fn tour_was_taken(state: &Path) -> bool {
    state.join("tour").exists()
}

/// Remembers that it was.
pub(super) fn end_tour(state: &Path) {
    let kept = std::fs::create_dir_all(state).and_then(|()| std::fs::write(state.join("tour"), "over\n"));
    if let Err(why) = kept {
        journal::note("state", &format!("{}: not kept: {why}", state.display()));
    }
}

/// Leaves the newest files of a folder.
pub(super) fn prune(folder: &Path, most: usize) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    let dated = |entry: std::fs::DirEntry| Some((entry.metadata().ok()?.modified().ok()?, entry.path()));
    let mut files: Vec<_> = entries.filter_map(Result::ok).filter_map(dated).collect();
    if files.len() <= most {
        return;
    }
    files.sort();
    for (_, path) in files.iter().take(files.len() - most) {
        let _ = std::fs::remove_file(path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_files_stay() {
        let folder = tempfile::tempdir().unwrap();
        for i in 0..6u64 {
            let file = std::fs::File::create(folder.path().join(format!("{i}"))).unwrap();
            file.set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_secs(1000 - i)).unwrap();
        }
        prune(folder.path(), 2);
        let mut left: Vec<_> =
            std::fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        left.sort();
        assert_eq!(left, ["0", "1"]);
    }
}
