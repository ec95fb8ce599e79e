//! From what a user types to the files of one model: a file, any shard of several, a folder, a Hugging Face cache entry,
//! a glob.

use std::path::{Path, PathBuf};

use crate::engine::error::{Error, Result};

/// The index of a sharded safetensors model.
const INDEX: &str = "model.safetensors.index.json";
/// Most files that a folder or a glob may hold before nobody can have meant it.
const MAX_FILES: usize = 10_000;

/// The files of a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Located {
    /// One file of whatever kind.
    File(PathBuf),
    /// The shards of a split GGUF, in order, there or not.
    GgufShards(Vec<PathBuf>),
    /// Safetensors shards that an index names.
    Index(PathBuf),
    /// Safetensors shards without an index, in order.
    SafetensorsShards(Vec<PathBuf>),
}

/// Finds the files that `path` stands for. Errors: nothing there, a folder or glob that holds no model, or several.
pub fn locate(path: &Path) -> Result<Located> {
    match std::fs::metadata(path) {
        Ok(found) if found.is_dir() => in_folder(path),
        Ok(_) => Ok(beside(path)),
        Err(e) => {
            let text = path.to_string_lossy();
            if text.contains(['*', '?', '[']) { in_glob(&text) } else { Err(Error::io(path, "open", e)) }
        }
    }
}

/// A file, or all shards where it is one of several.
fn beside(path: &Path) -> Located {
    let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    if name == INDEX {
        return Located::Index(path.to_owned());
    }
    let Some(shard) = Shard::parse(&name).filter(|s| s.count > 1) else {
        return Located::File(path.to_owned());
    };
    let folder = path.parent().unwrap_or(Path::new(""));
    let all: Vec<PathBuf> = (1..=shard.count).map(|i| folder.join(shard.name(i))).collect();
    if shard.extension == "gguf" {
        return Located::GgufShards(all);
    }
    let index = folder.join(INDEX);
    if index.is_file() { Located::Index(index) } else { Located::SafetensorsShards(all) }
}

/// A name of the form `PREFIX-00001-of-00005.EXT`.
struct Shard {
    prefix: String,
    count: u32,
    digits: usize,
    extension: String,
}

impl Shard {
    fn parse(name: &str) -> Option<Self> {
        let (stem, extension) = name.rsplit_once('.')?;
        let (rest, count) = stem.rsplit_once("-of-")?;
        let (prefix, number) = rest.rsplit_once('-')?;
        let digits = |text: &str| (4..=6).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
        if !digits(count)
            || number.len() != count.len()
            || !digits(number)
            || !matches!(extension, "gguf" | "safetensors")
        {
            return None;
        }
        let (number, count_value) = (number.parse::<u32>().ok()?, count.parse::<u32>().ok()?);
        let plausible = (1..=count_value).contains(&number) && count_value as usize <= MAX_FILES;
        plausible.then(|| Self {
            prefix: prefix.to_owned(),
            count: count_value,
            digits: count.len(),
            extension: extension.to_owned(),
        })
    }

    fn name(&self, i: u32) -> String {
        let Self { prefix, count, digits, extension } = self;
        format!("{prefix}-{i:0digits$}-of-{count:0digits$}.{extension}")
    }
}

/// The name of shard `i` (from 0) of `count` beside `out`, as llama.cpp's loader expects it.
pub fn shard_path(out: &Path, i: usize, count: usize) -> PathBuf {
    let name = out.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    // A name that is a shard's already gives its prefix.
    let prefix = Shard::parse(&name).map(|shard| shard.prefix);
    let stem = prefix.as_deref().unwrap_or_else(|| name.strip_suffix(".gguf").unwrap_or(&name));
    out.with_file_name(format!("{stem}-{:05}-of-{count:05}.gguf", i + 1))
}

fn in_folder(folder: &Path) -> Result<Located> {
    if let Some(snapshot) = snapshot_of(folder) {
        return in_folder(&snapshot);
    }
    let index = folder.join(INDEX);
    if index.is_file() {
        return Ok(Located::Index(index));
    }
    let mut names: Vec<PathBuf> = Vec::new();
    let entries = std::fs::read_dir(folder).map_err(|e| Error::io(folder, "read the folder", e))?;
    for entry in entries.take(MAX_FILES) {
        let path = entry.map_err(|e| Error::io(folder, "read the folder", e))?.path();
        if matches!(path.extension().and_then(|e| e.to_str()), Some("gguf" | "safetensors")) && path.is_file() {
            names.push(path);
        }
    }
    one_of(folder, names)
}

/// A Hugging Face cache entry (`models--ORG--NAME`) holds snapshots; `refs/main` names the current one.
fn snapshot_of(folder: &Path) -> Option<PathBuf> {
    let snapshots = folder.join("snapshots");
    if !snapshots.is_dir() {
        return None;
    }
    if let Ok(reference) = std::fs::read_to_string(folder.join("refs/main")) {
        let name = reference.trim();
        let named = snapshots.join(name);
        if Path::new(name).file_name() == Some(name.as_ref()) && named.is_dir() {
            return Some(named);
        }
    }
    let mut all: Vec<PathBuf> = std::fs::read_dir(&snapshots).ok()?.filter_map(|e| Some(e.ok()?.path())).collect();
    all.retain(|p| p.is_dir());
    if all.len() == 1 { all.pop() } else { None }
}

fn in_glob(pattern: &str) -> Result<Located> {
    let paths = glob::glob(pattern).map_err(|e| Error::Usage(format!("bad glob '{pattern}': {e}")))?;
    let mut names: Vec<PathBuf> = paths.filter_map(std::result::Result::ok).take(MAX_FILES).collect();
    if names.len() == 1 && names[0].is_dir() {
        return in_folder(&names.remove(0));
    }
    names.retain(|p| p.is_file());
    if names.len() == 1 {
        return Ok(beside(&names[0]));
    }
    one_of(Path::new(pattern), names)
}

/// The one model that these files are.
fn one_of(place: &Path, mut names: Vec<PathBuf>) -> Result<Located> {
    names.sort();
    let shown = place.display();
    let mut models: Vec<Located> = Vec::new();
    for name in &names {
        let located = beside(name);
        if !models.contains(&located) {
            models.push(located);
        }
    }
    match models.len() {
        0 => Err(Error::Usage(format!("{shown} holds no model: no *.gguf, no *.safetensors"))),
        1 => Ok(models.remove(0)),
        n => {
            let named: Vec<String> =
                names.iter().take(5).filter_map(|p| Some(p.file_name()?.to_string_lossy().into_owned())).collect();
            let more = if names.len() > named.len() { ", …" } else { "" };
            Err(Error::Usage(format!("{shown} holds {n} models; name one of them: {}{more}", named.join(", "))))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_are_told_by_their_names() {
        let all = beside(Path::new("/m/a-00002-of-00003.gguf"));
        let names = ["/m/a-00001-of-00003.gguf", "/m/a-00002-of-00003.gguf", "/m/a-00003-of-00003.gguf"];
        assert_eq!(all, Located::GgufShards(names.map(PathBuf::from).to_vec()));
        for single in [
            "a.gguf",
            "a-0002-of-00003.gguf",
            "a-00001-of-00001.gguf",
            "a-00009-of-00003.gguf",
            "a-1-of-3.gguf",
            "a-00001-of-00002.bin",
        ] {
            assert_eq!(beside(Path::new(single)), Located::File(single.into()), "{single}");
        }
        assert_eq!(shard_path(Path::new("/x/out.gguf"), 1, 12), Path::new("/x/out-00002-of-00012.gguf"));
        assert_eq!(shard_path(Path::new("o-00001-of-00003.gguf"), 2, 3), Path::new("o-00003-of-00003.gguf"));
    }

    #[test]
    fn folders_hold_one_model_or_none() {
        let folder = tempfile::tempdir().unwrap();
        let touch = |name: &str| {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, b"x").unwrap();
        };
        assert!(locate(folder.path()).unwrap_err().to_string().contains("no model"));
        touch("models--a--b/snapshots/123/model.safetensors");
        let cache = folder.path().join("models--a--b");
        assert_eq!(locate(&cache).unwrap(), Located::File(cache.join("snapshots/123/model.safetensors")));
        touch("models--a--b/snapshots/456/other.gguf");
        touch("models--a--b/refs/main");
        std::fs::write(cache.join("refs/main"), "456").unwrap();
        assert_eq!(locate(&cache).unwrap(), Located::File(cache.join("snapshots/456/other.gguf")));
        touch("x-00001-of-00002.gguf");
        touch("x-00002-of-00002.gguf");
        assert!(matches!(locate(folder.path()).unwrap(), Located::GgufShards(all) if all.len() == 2));
        touch("y.gguf");
        assert!(locate(folder.path()).unwrap_err().to_string().contains("2 models"));
        let glob = folder.path().join("y*.gguf");
        assert_eq!(locate(&glob).unwrap(), Located::File(folder.path().join("y.gguf")));
    }
}
