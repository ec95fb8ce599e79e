//! The `tritscope` binary: arguments, environment, signals, exit codes. Everything else is in the library.

use std::fs::File;
use std::io::{IsTerminal, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use color_eyre::eyre::{Context as _, Result};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGXFSZ};
use tritscope::cli::args::Command;
use tritscope::cli::{self, Context, Outcome, args};
use tritscope::config::{self, Config, Flags, ThemeChoice};
use tritscope::engine::error::Error;
use tritscope::engine::format::locate::locate;
use tritscope::engine::imatrix::Imatrix;
use tritscope::engine::model::{Model, OpenOptions};
use tritscope::engine::plan::Recipe;
use tritscope::engine::progress::Cancel;
use tritscope::engine::ternary::kernels::Kernel;
use tritscope::tui;
use tritscope::tui::state::appearance::ThemeName;
use tritscope::tui::tape::{Pace, Player, Recorder};

fn main() -> ExitCode {
    match run() {
        Ok(code) => ExitCode::from(code),
        Err(report) => {
            // What the engine refuses is the user's to mend: one line. Anything else is ours: the whole report.
            if let Some(error) = report.downcast_ref::<Error>() {
                if !matches!(error, Error::Cancelled) {
                    complain(&error.to_string());
                }
                ExitCode::from(error.exit_code())
            } else {
                complain(&format!("{report:?}"));
                ExitCode::from(4)
            }
        }
    }
}

/// Says on stderr what went wrong. If stderr is closed, the exit code has to do.
fn complain(text: &str) {
    let _ = writeln!(std::io::stderr(), "tritscope: {text}");
}

fn run() -> Result<u8> {
    color_eyre::config::HookBuilder::default().into_hooks().1.install()?;
    tui::crash::install(state_folder());
    // Before arguments are read: `--version` names the kernel. What is wrong with it is said after them.
    let kernel =
        variable("TRITSCOPE_KERNEL").filter(|name| !name.is_empty()).map_or(Ok(()), |name| Kernel::force(&name));
    let cli = args::parse();
    if let Some(Command::Config(args)) = &cli.command
        && args.path
    {
        show_path()?;
        return Ok(0);
    }
    kernel.map_err(Error::from)?;
    let config = configuration(&cli)?;
    let available = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = config.threads.value.unwrap_or(available);
    if let Some(Command::Config(_)) = cli.command {
        cli::print(&config.print(threads))?;
        return Ok(0);
    }
    let interactive = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
    let Some(command) = cli.command else {
        let recipe = cli.recipe.as_deref().map_or_else(|| Ok(Recipe::default()), Recipe::read)?;
        let start = cli.file.map_or(tui::Start::Picker, start_with);
        let reading = Reading { open: cli.open.options(), imatrix: cli.imatrix, base: cli.base };
        let face = Face {
            config,
            files: Files::of(&cli.interface),
            tour: false,
            threads,
            interactive,
            signals: Signals::none(),
        };
        return interface(start, recipe, reading, face);
    };
    // What does not stop by itself is left to the system's way of stopping it.
    let stops = matches!(
        command,
        Command::Plan(_)
            | Command::Quantize(_)
            | Command::Repack(_)
            | Command::Compare(_)
            | Command::Moments(_)
            | Command::Demo(_)
    );
    let signals = if stops { Signals::listen()? } else { Signals::none() };
    let context = Context {
        threads,
        cancel: signals.cancel.clone(),
        progress: std::io::stderr().is_terminal(),
        home: home(),
        interactive,
    };
    let files = if let Command::Demo(args) = &command { Files::of(&args.interface) } else { Files::default() };
    match cli::run(command, &context) {
        Ok(Outcome::Done) => Ok(0),
        Ok(Outcome::OpenDemo(_folder, file)) => {
            let face = Face { config, files, tour: true, threads, interactive, signals };
            interface(tui::Start::File(file), Recipe::default(), Reading::default(), face)
        }
        Err(Error::Cancelled) => Ok(signals.exit_code()),
        Err(e) => Err(e.into()),
    }
}

/// What the interface begins with where a path was given: a folder that is not one model asks which.
fn start_with(path: PathBuf) -> tui::Start {
    let is_one = !path.is_dir() || !matches!(locate(&path), Err(Error::Usage(_)));
    if is_one { tui::Start::File(path) } else { tui::Start::Folder(path) }
}

/// How models are read: options, and the files of an importance matrix and of a base.
#[derive(Default)]
struct Reading {
    open: OpenOptions,
    imatrix: Option<PathBuf>,
    base: Option<PathBuf>,
}

/// Flags over environment over file over defaults.
fn configuration(cli: &args::Cli) -> Result<Config, Error> {
    let interface = match &cli.command {
        Some(Command::Config(args)) => &args.interface,
        Some(Command::Demo(args)) => &args.interface,
        _ => &cli.interface,
    };
    let flags = Flags {
        theme: interface.theme.clone(),
        mouse: interface.mouse(),
        ascii: interface.ascii(),
        restore: interface.restore(),
        threads: cli.threads.map(usize::from),
    };
    Config::load(&flags, variable, config::path(variable).as_deref())
}

/// Says where the configuration file is.
fn show_path() -> Result<(), Error> {
    let nowhere = || Error::Usage("neither XDG_CONFIG_HOME nor HOME is set".to_owned());
    let path = config::path(variable).ok_or_else(nowhere)?;
    cli::print(&format!("{}\n", path.display()))
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// The colours: those that were asked for; else none where nobody wants any, else those that suit the terminal.
fn theme(choice: ThemeChoice) -> ThemeName {
    match choice {
        ThemeChoice::Named(theme) => theme,
        ThemeChoice::Auto if std::env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty()) => ThemeName::None,
        ThemeChoice::Auto => ThemeName::for_terminal(variable("TERM").as_deref(), variable("COLORTERM").as_deref()),
    }
}

/// Whether the terminal can be asked something: these two would show the question.
fn answers() -> bool {
    !matches!(variable("TERM").as_deref(), None | Some("dumb" | "linux"))
}

/// Files that the interface writes and reads for those who look into it.
#[derive(Default)]
struct Files {
    log: Option<PathBuf>,
    record: Option<PathBuf>,
    replay: Option<PathBuf>,
    replay_speed: Option<f64>,
    replay_quits: bool,
}

impl Files {
    fn of(args: &args::InterfaceArgs) -> Self {
        let args::InterfaceArgs { log, record, replay, replay_speed, replay_quits, .. } = args.clone();
        Self { log, record, replay, replay_speed, replay_quits }
    }
}

/// How the interface is to be.
struct Face {
    config: Config,
    files: Files,
    /// Whether it is a place for the tour.
    tour: bool,
    threads: usize,
    interactive: bool,
    /// What was listened to before.
    signals: Signals,
}

fn interface(start: tui::Start, mut recipe: Recipe, reading: Reading, face: Face) -> Result<u8> {
    let Face { config, files, tour, threads, interactive, signals } = face;
    if !interactive {
        let what = "the interface needs a terminal; see `tritscope --help` for what works without one";
        return Err(Error::Usage(what.to_owned()).into());
    }
    let appearance = tui::state::Appearance {
        theme: theme(config.theme.value),
        ascii: config.ascii.value,
        mouse: config.mouse.value,
    };
    let multiplexer = tui::clipboard::Multiplexer::here(|name| std::env::var_os(name).is_some());
    let colorterm = std::env::var("COLORTERM").ok();
    recipe.imatrix = reading.imatrix.or(recipe.imatrix);
    let imatrix = recipe.imatrix.as_deref().map(Imatrix::read).transpose()?.map(Arc::new);
    let base =
        reading.base.as_deref().map(|path| Model::open(path, &OpenOptions::default())).transpose()?.map(Arc::new);
    let open = reading.open;
    let log = files.log.as_deref().map(|path| File::create(path).map_err(|e| Error::io(path, "create", e)));
    let log = log.transpose()?;
    let pace = files.replay_speed.map_or(Pace::Settled, Pace::Times);
    let mut player = files.replay.as_deref().map(|path| Player::read(path, pace)).transpose()?;
    if let Some(player) = &mut player {
        player.quits = files.replay_quits;
    }
    let recorder = files.record.as_deref().map(Recorder::create).transpose()?;
    let taken = state_folder().is_some_and(|folder| tui::tour_was_taken(&folder));
    let options = tui::Options {
        signalled: signals.number,
        start,
        recipe,
        threads,
        open,
        base,
        imatrix,
        appearance,
        // The other themes are for dark and for light.
        auto_theme: config.theme.value == ThemeChoice::Auto && appearance.theme == ThemeName::Dark && answers(),
        keymap: Arc::new(config.keymap),
        columns: config.columns.value,
        notes: config.notes,
        colorterm,
        multiplexer,
        state_folder: state_folder(),
        // A recording begins with what everybody has.
        restore: config.restore.value && recorder.is_none() && player.is_none(),
        tour: tour && recorder.is_none() && player.is_none() && !taken,
        recorder,
        player,
    };
    tui::journal::start(log);
    let (code, exports) = tui::run(options).wrap_err("the interface failed")?;
    // Where the terminal is gone, nobody reads it.
    for line in exports {
        let _ = writeln!(std::io::stderr(), "{line}");
    }
    Ok(code)
}

/// Where things are kept between runs: `$XDG_STATE_HOME/tritscope`, or the same under `~/.local/state`.
fn state_folder() -> Option<PathBuf> {
    let state = folder("XDG_STATE_HOME").or_else(|| home().map(|home| home.join(".local/state")))?;
    Some(state.join("tritscope"))
}

fn home() -> Option<PathBuf> {
    folder("HOME")
}

/// An absolute path from the environment.
fn folder(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).map(PathBuf::from).filter(|p| p.is_absolute())
}

/// SIGINT, SIGTERM and SIGHUP raise the cancel flag; which one it was gives the exit code.
struct Signals {
    cancel: Cancel,
    number: Arc<AtomicUsize>,
}

impl Signals {
    fn listen() -> Result<Self> {
        let flag = Arc::new(AtomicBool::new(false));
        let number = Arc::new(AtomicUsize::new(0));
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            signal_hook::flag::register_usize(signal, Arc::clone(&number), signal as usize)?;
            signal_hook::flag::register(signal, Arc::clone(&flag))?;
        }
        // Caught, so that a limit on file sizes is an error of the write and not the end of the process.
        signal_hook::flag::register(SIGXFSZ, Arc::default())?;
        Ok(Self { cancel: Cancel::from_flag(flag), number })
    }

    fn none() -> Self {
        Self { cancel: Cancel::new(), number: Arc::default() }
    }

    fn exit_code(&self) -> u8 {
        match self.number.load(Ordering::Relaxed) {
            0 => 130,
            signal => 128 + signal as u8,
        }
    }
}
