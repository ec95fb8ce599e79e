//! Configuration: what the user wants of the program on every run, and where each wish comes from.
//!
//! Flags win over the environment (`TRITSCOPE_*`, `NO_COLOR`), that over the file (`config.toml` in the XDG folder), that over the
//! defaults. `main` loads it before either face is run; the faces are told values and know nothing of where they came
//! from. What is wrong is told all at once, each with its place.

mod file;
mod print;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::engine::error::{Error, Result};
use crate::tui::keymap::{Context, Keymap};
use crate::tui::state::appearance::ThemeName;
use crate::tui::state::columns::Shown;

/// Most threads that can be asked for.
const MAX_THREADS: usize = 1024;

/// Where a value comes from; later ones win.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The program.
    Default,
    /// This line of the file.
    File(usize),
    /// This variable.
    Environment(&'static str),
    /// This flag.
    Flag(&'static str),
}

/// A value and where it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting<T> {
    /// The value.
    pub value: T,
    /// Where it comes from.
    pub origin: Origin,
}

/// Which colours: a theme, or the one that suits the terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ThemeChoice {
    /// Dark or light by the terminal's background, none under `NO_COLOR`.
    #[default]
    Auto,
    /// This one.
    Named(ThemeName),
}

impl ThemeChoice {
    /// Its name in flags and files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Named(theme) => theme.name(),
        }
    }
}

impl FromStr for ThemeChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "auto" {
            return Ok(Self::Auto);
        }
        let named = text.parse().map(Self::Named);
        named.map_err(|_| format!("'{text}' is no theme: auto, dark, light, contrast, 16 or none"))
    }
}

/// What flags say.
#[derive(Debug, Clone, Default)]
pub struct Flags {
    /// `--theme`.
    pub theme: Option<String>,
    /// `--mouse`.
    pub mouse: Option<bool>,
    /// `--ascii`.
    pub ascii: Option<bool>,
    /// `--restore`.
    pub restore: Option<bool>,
    /// `--threads`.
    pub threads: Option<usize>,
}

/// Everything that can be configured, as it holds.
#[derive(Debug, Clone)]
pub struct Config {
    /// The colours.
    pub theme: Setting<ThemeChoice>,
    /// Whether the mouse is the program's: by default, but in GNU screen.
    pub mouse: Setting<bool>,
    /// Whether only ASCII is drawn.
    pub ascii: Setting<bool>,
    /// Whether a file is opened as it was left.
    pub restore: Setting<bool>,
    /// Worker threads; none for as many as the system gives.
    pub threads: Setting<Option<usize>>,
    /// Columns of the tree, most important first; none for those that fit.
    pub columns: Setting<Option<Vec<Shown>>>,
    /// What the keys do.
    pub keymap: Keymap,
    /// Actions that the file gives keys, with the line.
    bound: HashMap<(Context, &'static str), usize>,
    /// The file, whether it is there or not.
    path: Option<PathBuf>,
    /// What is odd but not wrong: actions that have lost their keys.
    pub notes: Vec<String>,
}

impl Default for Config {
    fn default() -> Self {
        fn by_default<T>(value: T) -> Setting<T> {
            Setting { value, origin: Origin::Default }
        }
        Self {
            theme: by_default(ThemeChoice::default()),
            mouse: by_default(true),
            ascii: by_default(false),
            restore: by_default(true),
            threads: by_default(None),
            columns: by_default(None),
            keymap: Keymap::default(),
            bound: HashMap::new(),
            path: None,
            notes: Vec::new(),
        }
    }
}

/// Where the file is: in `$XDG_CONFIG_HOME`, or in `~/.config`.
pub fn path(variable: impl Fn(&str) -> Option<String>) -> Option<PathBuf> {
    let folder = |name: &str| variable(name).map(PathBuf::from).filter(|folder| folder.is_absolute());
    let config = folder("XDG_CONFIG_HOME").or_else(|| folder("HOME").map(|home| home.join(".config")))?;
    Some(config.join("tritscope").join("config.toml"))
}

impl Config {
    /// Brings flags, environment and the file at `path` together. Errors: the file cannot be read; anything in file or
    /// environment is wrong: every such place, one a line.
    pub fn load(flags: &Flags, variable: impl Fn(&str) -> Option<String>, path: Option<&Path>) -> Result<Self> {
        let mut config = Self { path: path.map(Path::to_owned), ..Self::default() };
        let mut problems = Vec::new();
        if let Some(path) = path {
            match std::fs::read_to_string(path) {
                Ok(text) => {
                    let told = |(line, column, what)| format!("{}:{line}:{column}: {what}", path.display());
                    problems.extend(file::apply(&mut config, &text).into_iter().map(told));
                }
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
                Err(e) if e.kind() == std::io::ErrorKind::InvalidData => {
                    problems.push(format!("{}: not a text file", path.display()));
                }
                Err(e) => return Err(Error::io(path, "read", e)),
            }
        }
        config.environment(variable, &mut problems);
        config.flags(flags, &mut problems);
        if problems.is_empty() { Ok(config) } else { Err(Error::Usage(problems.join("\n"))) }
    }

    /// What variables say.
    fn environment(&mut self, variable: impl Fn(&str) -> Option<String>, problems: &mut Vec<String>) {
        // GNU screen holds a lone ESC back until the next key while a program has the mouse.
        let is_set = |name| variable(name).is_some_and(|value| !value.is_empty());
        if self.mouse.origin == Origin::Default && is_set("STY") && !is_set("TMUX") {
            self.mouse.value = false;
        }
        let mut env = Environment { variable: &|name| variable(name), problems };
        // What is said of colours in general gives way to what is said to this program.
        env.take("NO_COLOR", &mut self.theme, |_| Ok(ThemeChoice::Named(ThemeName::None)));
        env.take("TRITSCOPE_THEME", &mut self.theme, str::parse);
        env.take("TRITSCOPE_MOUSE", &mut self.mouse, switch);
        env.take("TRITSCOPE_ASCII", &mut self.ascii, switch);
        env.take("TRITSCOPE_RESTORE", &mut self.restore, switch);
        env.take("TRITSCOPE_THREADS", &mut self.threads, |text| threads(text).map(Some));
        env.take("TRITSCOPE_COLUMNS", &mut self.columns, |text| columns(text.split(',').map(str::trim)).map(Some));
    }

    fn flags(&mut self, flags: &Flags, problems: &mut Vec<String>) {
        fn take<T>(setting: &mut Setting<T>, flag: &'static str, value: Option<T>) {
            if let Some(value) = value {
                *setting = Setting { value, origin: Origin::Flag(flag) };
            }
        }
        match flags.theme.as_deref().map(str::parse).transpose() {
            Ok(theme) => take(&mut self.theme, "--theme", theme),
            Err(why) => problems.push(format!("--theme: {why}")),
        }
        take(&mut self.mouse, "--mouse", flags.mouse);
        take(&mut self.ascii, "--ascii", flags.ascii);
        take(&mut self.restore, "--restore", flags.restore);
        take(&mut self.threads, "--threads", flags.threads.map(Some));
    }
}

/// The variables, and what is wrong with them.
struct Environment<'a> {
    variable: &'a dyn Fn(&str) -> Option<String>,
    problems: &'a mut Vec<String>,
}

impl Environment<'_> {
    /// Takes a variable over; one that is set to nothing is as good as not set.
    fn take<T>(&mut self, name: &'static str, setting: &mut Setting<T>, read: impl Fn(&str) -> Result<T, String>) {
        match (self.variable)(name).filter(|text| !text.is_empty()).as_deref().map(read) {
            Some(Ok(value)) => *setting = Setting { value, origin: Origin::Environment(name) },
            Some(Err(why)) => self.problems.push(format!("{name}: {why}")),
            None => {}
        }
    }
}

fn switch(text: &str) -> Result<bool, String> {
    match text {
        "on" | "true" | "1" | "yes" => Ok(true),
        "off" | "false" | "0" | "no" => Ok(false),
        _ => Err(format!("'{text}' is neither on nor off")),
    }
}

fn threads(text: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|n| (1..=MAX_THREADS).contains(n));
    number.ok_or_else(|| format!("'{text}' is no number of threads: 1 to {MAX_THREADS}"))
}

fn columns<'a>(names: impl Iterator<Item = &'a str>) -> Result<Vec<Shown>, String> {
    let mut chosen = Vec::new();
    for name in names {
        let column = Shown::ALL.into_iter().find(|column| column.name() == name);
        let all = Shown::ALL.map(Shown::name).join(", ");
        let column = column.ok_or_else(|| format!("'{name}' is no column: {all}"))?;
        if chosen.contains(&column) {
            return Err(format!("'{name}' stands there twice"));
        }
        chosen.push(column);
    }
    Ok(chosen)
}
