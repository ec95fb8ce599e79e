//! How the interface looks and behaves, and `config`.

use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use clap::{Args, ValueEnum};

/// How the interface looks and behaves, for this run; the configuration file says it for every run.
#[derive(Debug, Clone, Default, Args)]
pub struct InterfaceArgs {
    /// Colours: auto, dark, light, contrast, 16 or none [default: auto, by the terminal's background]
    #[arg(long, value_name = "NAME", hide_possible_values = true, value_parser = PossibleValuesParser::new(["auto", "dark", "light", "contrast", "16", "none"]))]
    pub theme: Option<String>,
    /// Draw with ASCII only
    #[arg(long, value_name = "on|off", num_args = 0..=1, require_equals = true, default_missing_value = "on", hide_possible_values = true)]
    ascii: Option<Switch>,
    /// Take the mouse, or leave it to the terminal [default: on, but in GNU screen]
    #[arg(long, value_name = "on|off", num_args = 0..=1, require_equals = true, default_missing_value = "on", hide_possible_values = true)]
    mouse: Option<Switch>,
    /// Open a file as it was left: cursor, folds, filter, rules [default: on]
    #[arg(long, value_name = "on|off", num_args = 0..=1, require_equals = true, default_missing_value = "on", hide_possible_values = true)]
    restore: Option<Switch>,
    /// The same as --restore=off
    #[arg(long, conflicts_with = "restore")]
    no_restore: bool,
    /// Write what happens to this file: opening, jobs, effects, errors, each with its time
    #[arg(long, value_name = "FILE")]
    pub log: Option<PathBuf>,
    /// Record keys, mouse and pasted text to this new file, for bug reports; nothing is restored
    #[arg(long, value_name = "FILE")]
    pub record: Option<PathBuf>,
    /// Play such a recording, then hand over to the keyboard; a key ends it early
    #[arg(long, value_name = "FILE")]
    pub replay: Option<PathBuf>,
    /// Let the recording quit, where it did; else its last screen stays
    #[arg(long, requires = "replay")]
    pub replay_quits: bool,
    /// Play at the recorded times, so many times as fast [default: each event when all before it is done]
    #[arg(long, value_name = "N", requires = "replay", value_parser = speed)]
    pub replay_speed: Option<f64>,
}

fn speed(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|n: &f64| (0.01..=1000.0).contains(n));
    number.ok_or_else(|| format!("'{text}' is no speed: 0.01 to 1000"))
}

/// A flag that can be turned off again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Switch {
    /// On
    On,
    /// Off
    Off,
}

impl InterfaceArgs {
    /// `--ascii`.
    pub fn ascii(&self) -> Option<bool> {
        self.ascii.map(|switch| switch == Switch::On)
    }

    /// `--mouse`.
    pub fn mouse(&self) -> Option<bool> {
        self.mouse.map(|switch| switch == Switch::On)
    }

    /// `--restore` and `--no-restore`.
    pub fn restore(&self) -> Option<bool> {
        if self.no_restore { Some(false) } else { self.restore.map(|switch| switch == Switch::On) }
    }
}

/// Arguments of `config`.
#[derive(Debug, Clone, Args)]
pub struct ConfigArgs {
    /// Print every value that holds and where it comes from, as TOML; so does `config` alone
    #[arg(long)]
    pub print: bool,
    /// Print where the configuration file is, or would be
    #[arg(long, conflicts_with = "print")]
    pub path: bool,
    /// How the interface looks and behaves
    #[command(flatten)]
    pub interface: InterfaceArgs,
}
