//! The command line that does what the screen shows, and the name an output gets unless the user gives another.

use std::path::{Path, PathBuf};

use crate::engine::model::OpenOptions;
use crate::engine::plan::Recipe;

/// A word as a POSIX shell reads it back. Control characters do not survive: they are shown escaped.
pub fn quoted(word: &str) -> String {
    let word = crate::text::escape(word);
    let plain = |c: char| c.is_alphanumeric() || "-_./:=@%+,…".contains(c);
    if !word.is_empty() && word.chars().all(plain) { word } else { format!("'{}'", word.replace('\'', "'\\''")) }
}

/// How the program is called, and what has to be said on every line for models to be read as they are here.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    /// The program.
    pub command: &'a str,
    /// The flags.
    pub reading: &'a [String],
}

impl Call<'_> {
    /// The `quantize` command that is equivalent to the recipe. It says all of it: no file has to be written first.
    pub fn quantize(&self, source: &Path, out: &Path, recipe: &Recipe) -> String {
        self.line(source, out, &recipe.flags())
    }

    /// The same without the flags that say what holds anyway, for where there is little room.
    pub fn brief(&self, source: &Path, out: &Path, recipe: &Recipe) -> String {
        let usual = Recipe::default().flags();
        let flags = recipe.flags();
        let said = flags.chunks(2).filter(|pair| !usual.chunks(2).any(|usual| usual == *pair));
        self.line(source, out, &said.flatten().cloned().collect::<Vec<_>>())
    }

    fn line(&self, source: &Path, out: &Path, flags: &[String]) -> String {
        let paths = [self.command.to_owned(), "quantize".to_owned(), name(source), "-o".to_owned(), name(out)];
        paths.iter().chain(flags).chain(self.reading).map(|word| quoted(word)).collect::<Vec<_>>().join(" ")
    }
}

/// The flags that have models read so.
pub fn reading(open: &OpenOptions, base: Option<&Path>) -> Vec<String> {
    let mut flags = Vec::new();
    if !open.mmap {
        flags.push("--no-mmap".to_owned());
    }
    for dtype in &open.dialects {
        let number = dtype.number().map_or_else(String::new, |number| number.to_string());
        flags.extend(["--dialect".to_owned(), format!("{number}={dtype}")]);
    }
    if let Some(rows_first) = open.rows_first {
        flags.extend(["--dims".to_owned(), if rows_first { "rows-first" } else { "gguf" }.to_owned()]);
    }
    if let Some(base) = base {
        flags.extend(["--base".to_owned(), name(base)]);
    }
    flags
}

/// The file that a recipe for this model is saved to unless the user says otherwise.
pub fn recipe_name(source: &Path) -> String {
    let stem = source.file_stem().map_or_else(|| "model".to_owned(), |s| s.to_string_lossy().into_owned());
    format!("{stem}.recipe.toml")
}

/// The file that the report of a plan for this model is written to unless the user says otherwise.
pub fn report_name(source: &Path) -> String {
    let stem = source.file_stem().map_or_else(|| "model".to_owned(), |s| s.to_string_lossy().into_owned());
    format!("{stem}-plan.txt")
}

fn name(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// `model-f16.gguf` → `model-f16-ternary-tq2_0.gguf`, in `folder`.
pub fn default_out(source: &Path, folder: &Path, recipe: &Recipe) -> PathBuf {
    let stem = source.file_stem().map_or_else(|| "model".to_owned(), |s| s.to_string_lossy().into_owned());
    folder.join(format!("{stem}-ternary-{}.gguf", recipe.format))
}

/// A path as typed, with a leading `~` for the home folder.
pub fn expand(text: &str, home: Option<&Path>) -> PathBuf {
    match (text.strip_prefix('~'), home) {
        (Some(""), Some(home)) => home.to_owned(),
        (Some(rest), Some(home)) if rest.starts_with('/') => home.join(rest.trim_start_matches('/')),
        _ => PathBuf::from(text),
    }
}

/// A path as it is shown: the home folder as `~`, control characters escaped.
pub fn shorten(path: &Path, home: Option<&Path>) -> String {
    let text = match home.filter(|h| h.components().count() > 1).and_then(|home| path.strip_prefix(home).ok()) {
        Some(rest) if rest.as_os_str().is_empty() => "~".to_owned(),
        Some(rest) => format!("~/{}", rest.to_string_lossy()),
        None => path.to_string_lossy().into_owned(),
    };
    crate::text::escape(&text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_for_a_shell() {
        assert_eq!(quoted("a-b_c.gguf"), "a-b_c.gguf");
        assert_eq!(quoted("blk.*"), "'blk.*'");
        assert_eq!(quoted("it's"), "'it'\\''s'");
        assert_eq!(quoted(""), "''");
    }

    #[test]
    fn a_brief_command_leaves_out_what_holds_anyway() {
        use crate::engine::plan::Mask;
        let call = Call { command: "tritscope", reading: &[] };
        let of = |recipe: &Recipe| call.brief(Path::new("a.gguf"), Path::new("b.gguf"), recipe);
        assert_eq!(of(&Recipe::default()), "tritscope quantize a.gguf -o b.gguf");
        let recipe = Recipe { layers: Mask::All, ..Recipe::default() };
        assert_eq!(of(&recipe), "tritscope quantize a.gguf -o b.gguf --layers all");
    }

    #[test]
    fn what_models_are_read_with_is_said_too() {
        use crate::engine::codec::DType;
        assert_eq!(reading(&OpenOptions::default(), None), [""; 0]);
        let open = OpenOptions { mmap: false, dialects: vec![DType::Q2_0_G128], rows_first: Some(true) };
        let flags = reading(&open, Some(Path::new("base model.gguf")));
        let call = Call { command: "tritscope", reading: &flags };
        let line = call.brief(Path::new("a.gguf"), Path::new("b.gguf"), &Recipe::default());
        let said = "--no-mmap --dialect 42=Q2_0_G128 --dims rows-first --base 'base model.gguf'";
        assert_eq!(line, format!("tritscope quantize a.gguf -o b.gguf {said}"));
    }

    #[test]
    fn names_and_homes() {
        let out = default_out(Path::new("/m/a-f16.gguf"), Path::new("/m"), &Recipe::default());
        assert_eq!(out, Path::new("/m/a-f16-ternary-tq2_0.gguf"));
        assert_eq!(expand("~/x", Some(Path::new("/home/u"))), Path::new("/home/u/x"));
        assert_eq!(expand("~x", Some(Path::new("/home/u"))), Path::new("~x"));
        assert_eq!(shorten(Path::new("/home/u/x"), Some(Path::new("/home/u"))), "~/x");
    }
}
