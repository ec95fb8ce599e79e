//! The configuration: which source wins, what is told of wrong entries, and that what is printed can be read back.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot set itself up should stop")]

use std::path::Path;

use tempfile::TempDir;
use tritscope::config::{Config, Flags, Origin, ThemeChoice, path};
use tritscope::engine::error::Error;
use tritscope::tui::keymap::Context;
use tritscope::tui::state::appearance::ThemeName;
use tritscope::tui::state::columns::Shown;

fn with(text: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(folder.path().join("tritscope")).unwrap();
    std::fs::write(folder.path().join("tritscope/config.toml"), text).unwrap();
    folder
}

fn load(text: &str, flags: &Flags, variables: &[(&str, &str)]) -> Result<Config, Error> {
    let folder = with(text);
    let variable = |name: &str| variables.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned());
    Config::load(flags, variable, Some(&folder.path().join("tritscope/config.toml")))
}

/// What is told of a file, without its path.
fn problems(text: &str) -> Vec<String> {
    match load(text, &Flags::default(), &[]) {
        Err(Error::Usage(told)) => {
            told.lines().map(|line| line.split_once("config.toml:").unwrap().1.to_owned()).collect()
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn flags_win_over_the_environment_over_the_file_over_defaults() {
    let file = "theme = \"light\"\nmouse = false\nascii = true\nthreads = 3\n";
    let flags = Flags { theme: Some("contrast".into()), ..Flags::default() };
    let config = load(file, &flags, &[("TRITSCOPE_THEME", "16"), ("TRITSCOPE_MOUSE", "on"), ("TRITSCOPE_ASCII", "")]);
    let config = config.unwrap();
    assert_eq!(config.theme.value, ThemeChoice::Named(ThemeName::Contrast));
    assert_eq!(config.theme.origin, Origin::Flag("--theme"));
    assert_eq!((config.mouse.value, config.mouse.origin), (true, Origin::Environment("TRITSCOPE_MOUSE")));
    assert_eq!((config.ascii.value, config.ascii.origin), (true, Origin::File(3)));
    assert_eq!((config.threads.value, config.threads.origin), (Some(3), Origin::File(4)));
    assert_eq!((config.restore.value, config.restore.origin), (true, Origin::Default));
    let bare = load(file, &Flags::default(), &[("TRITSCOPE_THEME", "16")]).unwrap();
    assert_eq!(bare.theme.value, ThemeChoice::Named(ThemeName::Sixteen));
}

#[test]
fn no_color_wins_over_the_file_and_gives_way_to_what_is_said_to_this_program() {
    let theme = |flag: Option<&str>, env: &[(&str, &str)]| {
        let flags = Flags { theme: flag.map(str::to_owned), ..Flags::default() };
        let config = load("theme = \"dark\"\n", &flags, env).unwrap();
        let printed = config.print(2).lines().find(|line| line.starts_with("theme")).unwrap().to_owned();
        (config.theme.value.name(), printed)
    };
    let (value, printed) = theme(None, &[("NO_COLOR", "1")]);
    assert_eq!((value, printed.as_str()), ("none", "theme = \"none\" # NO_COLOR"));
    assert_eq!(theme(None, &[("NO_COLOR", "")]).0, "dark", "set to nothing is not set");
    assert_eq!(theme(None, &[("NO_COLOR", "1"), ("TRITSCOPE_THEME", "light")]).0, "light");
    let (value, printed) = theme(Some("dark"), &[("NO_COLOR", "1")]);
    assert_eq!((value, printed.as_str()), ("dark", "theme = \"dark\" # --theme"));
}

#[test]
fn gnu_screen_has_the_mouse_unless_somebody_wants_it() {
    let mouse = |file: &str, env: &[(&str, &str)]| load(file, &Flags::default(), env).unwrap().mouse.value;
    assert!(mouse("", &[]));
    assert!(!mouse("", &[("STY", "123.pts-0.host")]));
    assert!(mouse("", &[("STY", "123.pts-0.host"), ("TMUX", "/tmp/tmux-0/default,1,0")]), "tmux is nearer");
    assert!(mouse("mouse = true\n", &[("STY", "123.pts-0.host")]));
    assert!(mouse("", &[("STY", "123.pts-0.host"), ("TRITSCOPE_MOUSE", "on")]));
}

#[test]
fn a_file_that_is_not_there_says_nothing() {
    let config = Config::load(&Flags::default(), |_| None, Some(Path::new("/nowhere/config.toml"))).unwrap();
    assert_eq!(config.theme.value, ThemeChoice::Auto);
    assert!(config.notes.is_empty());
}

#[test]
fn every_wrong_entry_is_told_with_its_line_and_column() {
    let told = problems(concat!(
        "theme = \"drak\"\n",
        "mouse = 1\n",
        "thread = 2\n",
        "threads = 0\n",
        "columns = [\"size\", \"sise\"]\n",
        "[keys.brwose]\n",
        "[keys.browse]\n",
        "undo = \"ctrl-ü-x\"\n",
        "quantise = [\"z\"]\n",
        "filter = [\"f\", 3]\n",
        "  redo = \"z\"\n",
        "  jobs = \"z\"\n",
    ));
    let wanted = [
        "1:9: 'drak' is no theme: auto, dark, light, contrast, 16 or none",
        "2:9: true or false belongs here, not an integer",
        "3:1: there is no entry 'thread' (did you mean 'threads'?)",
        "4:11: '0' is no number of threads: 1 to 1024",
        "5:11: 'sise' is no column: type, shape, size, new-size, sqnr, bar, why",
        "6:7: no part of the program is called 'brwose' (did you mean 'browse'?)",
        "8:8: 'ctrl-ü-x' is no key",
        "9:1: no action is called 'quantise' in browse (did you mean 'quantize'?)",
        "10:16: a text belongs here, not an integer",
        "12:3: 'z' would mean redo and jobs in browse",
    ];
    assert_eq!(told.len(), wanted.len(), "{told:#?}");
    for (told, wanted) in told.iter().zip(wanted) {
        assert!(told.starts_with(wanted), "{told}\nshould begin with\n{wanted}");
    }
}

#[test]
fn what_is_no_toml_is_told_with_its_place_too() {
    let told = problems("theme = \"dark\"\nmouse = = true\n");
    assert_eq!(told.len(), 1);
    assert!(told[0].starts_with("2:"), "{told:?}");
}

#[test]
fn wrong_variables_are_named() {
    let variables = [("TRITSCOPE_THREADS", "many"), ("TRITSCOPE_COLUMNS", "size,size")];
    let Err(Error::Usage(told)) = load("", &Flags::default(), &variables) else { panic!() };
    assert!(told.contains("TRITSCOPE_THREADS: 'many' is no number of threads"), "{told}");
    assert!(told.contains("TRITSCOPE_COLUMNS: 'size' stands there twice"), "{told}");
}

#[test]
fn keys_are_rebound_and_the_losers_are_told() {
    let file = "[keys.everywhere]\ndown = \"s\"\n[keys.browse]\nsave-recipe = \"W\"\ntoggle-ascii = \"A\"\nundo = []\n";
    let config = load(file, &Flags::default(), &[]).unwrap();
    let keys = |context: Context, action: &str| {
        config.keymap.named(context).find(|(name, _)| *name == action).map(|(_, keys)| keys.join(" "))
    };
    assert_eq!(keys(Context::Browse, "down").as_deref(), Some("s"));
    assert_eq!(keys(Context::Filter, "down").as_deref(), Some("down"));
    assert_eq!(keys(Context::Browse, "save-recipe").as_deref(), Some("W"));
    assert_eq!(keys(Context::Browse, "toggle-ascii").as_deref(), Some("A"));
    assert_eq!(keys(Context::Browse, "undo").as_deref(), Some(""));
    let rows: Vec<String> =
        config.keymap.rows().filter(|r| r.context == Context::Browse).map(|r| r.keys.to_owned()).collect();
    assert!(rows.contains(&"A".to_owned()) && !rows.contains(&"u".to_owned()), "help is that of the keymap");
}

#[test]
fn what_is_printed_is_read_back_and_says_where_it_comes_from() {
    let file = "restore = false\ncolumns = [\"size\", \"why\"]\n\n[keys.browse]\nquit = [\"Z\", \"ctrl-q\"]\n";
    let flags = Flags { theme: Some("light".into()), ..Flags::default() };
    let config = load(file, &flags, &[("TRITSCOPE_THREADS", "2")]).unwrap();
    let printed = config.print(8);
    for line in [
        "theme = \"light\" # --theme",
        "restore = false # file, line 1",
        "threads = 2 # TRITSCOPE_THREADS",
        "columns = [\"size\", \"why\"] # file, line 2",
        "quit = [\"Z\", \"ctrl-q\", \"ctrl-c\"] # file, line 5",
        "undo = [\"u\"] # default",
    ] {
        assert!(printed.lines().any(|l| l == line), "{line} is not in\n{printed}");
    }
    let again = load(&printed, &Flags::default(), &[]).unwrap();
    assert_eq!(again.columns.value, Some(vec![Shown::Size, Shown::Why]));
    assert_eq!((again.theme.value, again.threads.value), (config.theme.value, config.threads.value));
    assert!(again.notes.is_empty(), "{:?}", again.notes);
    for context in Context::ALL {
        let (old, new): (Vec<_>, Vec<_>) =
            (config.keymap.named(context).collect(), again.keymap.named(context).collect());
        assert_eq!(old, new, "{context:?}");
    }
}

#[test]
fn the_file_is_in_the_xdg_folder_and_relative_ones_do_not_count() {
    let at = |config: Option<&str>| {
        let variable = |name: &str| match name {
            "XDG_CONFIG_HOME" => config.map(str::to_owned),
            "HOME" => Some("/home/u".to_owned()),
            _ => None,
        };
        path(variable).unwrap()
    };
    assert_eq!(at(Some("/c")), Path::new("/c/tritscope/config.toml"));
    assert_eq!(at(Some("c")), Path::new("/home/u/.config/tritscope/config.toml"));
    assert_eq!(at(None), Path::new("/home/u/.config/tritscope/config.toml"));
}

#[test]
fn the_program_prints_it_and_refuses_a_wrong_one_as_wrong_usage() {
    let folder = with("theme = \"16\"\n");
    let program = |arguments: &[&str], folder: &Path| {
        let mut command = assert_cmd::Command::cargo_bin("tritscope").unwrap();
        command.args(arguments).env("XDG_CONFIG_HOME", folder).env_remove("TRITSCOPE_THEME");
        command.output().unwrap()
    };
    let out = program(&["config", "--print"], folder.path());
    assert!(out.status.success());
    let text = String::from_utf8(out.stdout).unwrap();
    assert!(text.contains("theme = \"16\" # file, line 1"), "{text}");
    assert!(text.parse::<toml::Table>().is_ok(), "it is TOML");
    let out = program(&["config", "--path"], folder.path());
    assert_eq!(
        String::from_utf8(out.stdout).unwrap().trim(),
        folder.path().join("tritscope/config.toml").to_str().unwrap()
    );

    let wrong = with("theme = 16\n");
    let out = program(&["config"], wrong.path());
    assert_eq!(out.status.code(), Some(2));
    let told = String::from_utf8(out.stderr).unwrap();
    assert!(told.contains("config.toml:1:9: a text belongs here, not an integer"), "{told}");
    assert!(program(&["config", "--path"], wrong.path()).status.success(), "where it is can be asked even then");
}
