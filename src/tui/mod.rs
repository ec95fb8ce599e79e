//! The terminal interface: a loop that takes events in, changes a state, has effects done and draws.
//!
//! [`update`] changes [`state`], [`view`] draws it, [`runtime`] does what has to be done in the world; [`keymap`] is the
//! one table of keys. Only this file and [`terminal`] know that there is a real terminal.

pub mod action;
pub mod background;
mod backlog;
pub mod clipboard;
pub mod crash;
pub mod effect;
pub mod event;
mod files;
mod joined;
pub mod journal;
mod keeping;
pub mod keymap;
mod replay;
mod runtime;
pub mod state;
pub mod tape;
pub mod terminal;
pub mod theme;
pub mod update;
pub mod view;
mod widgets;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use crossterm::event as input;

use crate::engine::error::{Error, Result};
use crate::engine::imatrix::Imatrix;
use crate::engine::model::{Model, OpenOptions};
use crate::engine::plan::Recipe;

use background::Sifted;
use effect::Effect;
use event::{Event, Msg};
use replay::Clock;
use runtime::Runtime;
use state::appearance::ThemeName;
use state::{Appearance, Settings, State};
use tape::{Player, Recorder};
use terminal::Screen;
use theme::Theme;

pub use effect::Exit;
pub use keeping::tour_was_taken;

/// Frames that answer keys and the mouse are at least this far apart; a key that comes alone is answered at once.
const FRAME: Duration = Duration::from_millis(16);
/// Frames that only show what the background has done are at least this far apart.
const BACKGROUND_FRAME: Duration = Duration::from_millis(50);
/// Signals that end the program.
const SIGNALS: [i32; 3] = [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM, signal_hook::consts::SIGHUP];

/// What the interface begins with.
#[derive(Debug, Clone)]
pub enum Start {
    /// This file, opened in the background.
    File(PathBuf),
    /// A model that is open already, such as the demo.
    Model(Arc<Model>),
    /// The question which file.
    Picker,
    /// The question which file of this folder.
    Folder(PathBuf),
}

/// What the interface is told from outside.
#[derive(Debug)]
pub struct Options {
    /// The signal that asked the program to end before the interface listened; 0 if none did.
    pub signalled: Arc<AtomicUsize>,
    /// What it begins with.
    pub start: Start,
    /// The recipe that models start with.
    pub recipe: Recipe,
    /// Threads of each lane.
    pub threads: usize,
    /// How models are opened.
    pub open: OpenOptions,
    /// A GGUF that safetensors take names and metadata from.
    pub base: Option<Arc<Model>>,
    /// How much each input channel counts.
    pub imatrix: Option<Arc<Imatrix>>,
    /// Colours, signs, the mouse.
    pub appearance: Appearance,
    /// Whether the terminal is asked which colours suit it.
    pub auto_theme: bool,
    /// What the keys do.
    pub keymap: Arc<keymap::Keymap>,
    /// The tree's columns, most important first; none for those that fit.
    pub columns: Option<Vec<state::columns::Shown>>,
    /// What is to be told at the start.
    pub notes: Vec<String>,
    /// What the terminal says of its colours in `COLORTERM`.
    pub colorterm: Option<String>,
    /// What the program runs in, if it stands between it and the terminal.
    pub multiplexer: Option<clipboard::Multiplexer>,
    /// Where things are kept between runs, if they are.
    pub state_folder: Option<PathBuf>,
    /// Whether a file is shown as it was left.
    pub restore: bool,
    /// Whether the tour begins.
    pub tour: bool,
    /// What takes down what is typed.
    pub recorder: Option<Recorder>,
    /// What is played instead of being typed.
    pub player: Option<Player>,
}

/// Runs the interface until the user or a signal ends it. The terminal is restored and every export has ended when it
/// returns. What it returns is the exit code, 0 or 128 and the number of the signal, and a line for every export that
/// ended. Errors: the terminal cannot be taken
/// over or drawn on, threads cannot be started.
pub fn run(mut options: Options) -> Result<(u8, Vec<String>)> {
    let start = Instant::now();
    let (sender, receiver) = channel();
    let mut runtime = Runtime::start(&options, &sender)?;
    let signals = listen(&sender)?;
    // One that came before is not lost: what it was to end would stay, such as the demo's folder.
    if let signal @ 1.. = options.signalled.load(Ordering::Relaxed) {
        sender.send(Event::Signal(signal as i32)).map_err(|_| closed())?;
    }
    let screen = Screen::enter(options.appearance.mouse).map_err(|e| terminal_error("take over", e));
    let looped = match screen {
        Ok(mut screen) => {
            let (background, typed, filter) =
                if options.auto_theme { background::ask() } else { (None, Vec::new(), background::Filter::default()) };
            if let Some(background) = background {
                options.appearance.theme = ThemeName::suiting(background);
            }
            let looped = read_input(&sender, typed, filter)
                .and_then(|()| event_loop(options, &mut screen, &mut runtime, &receiver, start));
            // Nothing of an export is left by the time the screen is given back.
            runtime.shut_down();
            looped
        }
        Err(e) => {
            runtime.shut_down();
            Err(e)
        }
    };
    signals.close();
    looped.map(|(exit, exports)| (exit.code(), exports))
}

fn event_loop(
    options: Options,
    screen: &mut Screen,
    runtime: &mut Runtime,
    receiver: &Receiver<Event>,
    start: Instant,
) -> Result<(Exit, Vec<String>)> {
    let size = screen.size().map_err(|e| terminal_error("measure", e))?;
    let state = State::new(settings(&options), size);
    let (mut recorder, player) = (options.recorder, options.player);
    if let Some(recorder) = &mut recorder {
        recorder.begin(size);
    }
    let mut driver = Driver { state, clock: Clock::new(start), recorder, player: None };
    driver.state.appearance = options.appearance;
    driver.state.tour = options.tour.then(|| state::tour::Tour::begin(&driver.state));
    for note in &options.notes {
        driver.state.notify(state::Tone::Warning, note);
    }
    let mut theme = (options.appearance, Theme::fitting(options.appearance, options.colorterm.as_deref()));
    let mut frames = Frames::default();
    let mut effects = vec![Effect::ReadRecent];
    match options.start {
        Start::File(path) => effects.extend(update::begin(&mut driver.state, path)),
        Start::Model(model) => update::show_model(&mut driver.state, model),
        Start::Picker => effects.extend(update::open_picker(&mut driver.state)),
        Start::Folder(folder) => effects.extend(update::open_picker_in(&mut driver.state, &folder)),
    }
    driver.run_all(effects, runtime);
    if let Some(player) = player {
        driver.load(player);
    }
    loop {
        driver.handle(Event::Settle, runtime);
        if let Some(exit) = runtime.exit {
            return Ok((exit, driver.state.jobs.outcomes()));
        }
        if std::mem::take(&mut runtime.redraw) {
            screen.forget().map_err(|e| terminal_error("draw on", e))?;
        }
        let mut geometry = None;
        if theme.0 != driver.state.appearance {
            let appearance = driver.state.appearance;
            theme = (appearance, Theme::fitting(appearance, options.colorterm.as_deref()));
        }
        match screen.draw(|frame| geometry = Some(view::draw(&driver.state, &theme.1, frame))) {
            Ok(()) => {}
            // Closed under us: this thread may see it before the signal comes.
            Err(e) if terminal::is_gone(&e) => {
                driver.handle(Event::Signal(signal_hook::consts::SIGHUP), runtime);
                continue;
            }
            Err(e) => return Err(terminal_error("draw on", e)),
        }
        if let Some(geometry) = geometry {
            driver.accept(geometry);
        }
        // What the frame itself tells (rows in sight) may ask for more previews: no frame for that.
        driver.handle(Event::Settle, runtime);
        frames.drawn(Instant::now());
        runtime.go_first(false);
        let mut answers = driver.wait(receiver, runtime)?;
        // Whatever else happens before the next frame is due goes into it.
        while let Some(left) = frames.left(Instant::now(), answers).filter(|_| runtime.exit.is_none()) {
            // Nothing is done while the frame is waited for.
            runtime.go_first(false);
            match receiver.recv_timeout(left) {
                Ok(event) => answers |= driver.live(event, runtime),
                Err(_) => break,
            }
        }
        runtime.go_first(answers);
        let deadline = Instant::now() + FRAME;
        while runtime.exit.is_none() && Instant::now() < deadline {
            match receiver.try_recv() {
                Ok(event) => answers |= driver.live(event, runtime),
                Err(_) => break,
            }
        }
        frames.answers = answers;
    }
}

fn settings(options: &Options) -> Settings {
    Settings {
        command: "tritscope".to_owned(),
        reading: state::command::reading(&options.open, options.base.as_deref().map(|base| base.path.as_path())),
        home: std::env::var_os("HOME").map(PathBuf::from).filter(|home| home.is_absolute()),
        folder: std::env::current_dir().unwrap_or_else(|_| PathBuf::from(".")),
        passing: std::env::temp_dir().join("tritscope-demo-").to_str().map(str::to_owned),
        recipe: options.recipe.clone(),
        imatrix: options.imatrix.clone(),
        threads: options.threads.max(1),
        keymap: Arc::clone(&options.keymap),
        columns: options.columns.clone(),
        restore: options.restore,
        multiplexer: options.multiplexer,
        auto_theme: options.auto_theme,
    }
}

/// When frames were drawn, and when the next one is due.
#[derive(Default)]
struct Frames {
    /// The last frame.
    last: Option<Instant>,
    /// The last one that answered the user.
    last_answer: Option<Instant>,
    /// Whether the frame that comes answers the user.
    answers: bool,
}

impl Frames {
    fn drawn(&mut self, now: Instant) {
        self.last = Some(now);
        if self.answers {
            self.last_answer = Some(now);
        }
    }

    /// Time until a frame is due; `None` where it is. A key does not wait for frames that nobody asked for.
    fn left(&self, now: Instant, answers: bool) -> Option<Duration> {
        let (before, apart) = if answers { (self.last_answer, FRAME) } else { (self.last, BACKGROUND_FRAME) };
        apart.checked_sub(now.saturating_duration_since(before?)).filter(|left| !left.is_zero())
    }
}

/// The state and the clock that its messages are stamped with.
struct Driver {
    state: State,
    clock: Clock,
    /// What is recorded.
    recorder: Option<Recorder>,
    /// What is played.
    player: Option<Player>,
}

impl Driver {
    /// Takes an event in and has its effects done, and theirs.
    fn handle(&mut self, event: Event, runtime: &mut Runtime) {
        journal::event(&event);
        runtime.backlog.event(&event);
        let at = self.clock.now();
        if let Some(recorder) = &mut self.recorder {
            recorder.event(&event, at);
        }
        let effects = update::update(&mut self.state, Msg { at, event });
        self.run_all(effects, runtime);
    }

    fn run_all(&mut self, effects: Vec<Effect>, runtime: &mut Runtime) {
        let mut queue = std::collections::VecDeque::from(effects);
        while let Some(effect) = queue.pop_front() {
            if let Some(event) = runtime.run(effect) {
                journal::event(&event);
                runtime.backlog.event(&event);
                queue.extend(update::update(&mut self.state, Msg { at: self.clock.now(), event }));
            }
        }
    }

    /// Remembers where things were drawn; another part of the tree in sight asks for other previews.
    fn accept(&mut self, geometry: state::Geometry) {
        let old = &self.state.geometry;
        let sight = |g: &state::Geometry| (g.tree_offset, g.tree, g.map_first, g.map);
        if sight(old) != sight(&geometry) {
            self.state.wants_changed = true;
        }
        if let Some(session) = &mut self.state.session {
            // Another screen leaves the list that it covers where it was.
            if geometry.tree.height > 0 {
                session.tree.offset = geometry.tree_offset;
            }
            if let Some(compare) = session.compare.as_mut().filter(|_| geometry.pairs.height > 0) {
                compare.offset = geometry.pairs_offset;
            }
        }
        self.state.geometry = geometry;
    }

    /// Sleeps until something happens, or until what is on the screen has to change by itself; whether it was the user.
    fn wait(&mut self, receiver: &Receiver<Event>, runtime: &mut Runtime) -> Result<bool> {
        if self.player.is_some() {
            return self.play(receiver, runtime).map(|()| true);
        }
        let event = match self.state.next_wake() {
            None => receiver.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(at) => receiver.recv_timeout(at.saturating_sub(self.clock.now())),
        };
        match event {
            Ok(event) => Ok(self.live(event, runtime)),
            Err(RecvTimeoutError::Timeout) => {
                self.handle(Event::Wake, runtime);
                Ok(false)
            }
            Err(RecvTimeoutError::Disconnected) => Err(closed()),
        }
    }
}

/// Reads keys, mouse and resizes on a thread of their own, which ends with the program.
/// `typed` has been read already; `filter` picks a late answer about the background out.
fn read_input(sender: &Sender<Event>, typed: Vec<input::Event>, mut filter: background::Filter) -> Result<()> {
    let sender = sender.clone();
    let mut waiting = std::collections::VecDeque::from(typed);
    let run = move || {
        loop {
            let read = waiting.pop_front().map_or_else(input::read, Ok);
            if let Ok(event) = &read
                && waiting.is_empty()
            {
                waiting.extend(joined::behind(event));
            }
            let event = match read.map(|event| filter.sift(event)) {
                Ok(Sifted::Pass(input::Event::Key(key))) => Event::Key(key),
                Ok(Sifted::Pass(input::Event::Mouse(mouse))) => Event::Mouse(mouse),
                Ok(Sifted::Pass(input::Event::Paste(text))) => Event::Paste(text),
                Ok(Sifted::Pass(input::Event::Resize(columns, rows))) => Event::Resize(columns, rows),
                Ok(Sifted::Answer(Some(background))) => Event::Background(background),
                Ok(Sifted::Pass(_) | Sifted::Part | Sifted::Answer(None)) => continue,
                // The terminal is gone.
                Err(_) => Event::Signal(signal_hook::consts::SIGHUP),
            };
            let lost = matches!(event, Event::Signal(_));
            if sender.send(event).is_err() || lost {
                return;
            }
        }
    };
    spawn("input", run)
}

/// Turns signals into events.
fn listen(sender: &Sender<Event>) -> Result<signal_hook::iterator::Handle> {
    let failed = |e| Error::Usage(format!("cannot handle signals: {e}"));
    let mut signals = signal_hook::iterator::Signals::new(SIGNALS).map_err(failed)?;
    let handle = signals.handle();
    let sender = sender.clone();
    spawn("signals", move || {
        for signal in &mut signals {
            if sender.send(Event::Signal(signal)).is_err() {
                return;
            }
        }
    })?;
    Ok(handle)
}

fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> Result<()> {
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(run)
        .map(drop)
        .map_err(|e| Error::Usage(format!("cannot start a thread: {e}")))
}

fn closed() -> Error {
    Error::Usage("the event channel closed".to_owned())
}

fn terminal_error(action: &str, error: std::io::Error) -> Error {
    Error::io(Path::new("the terminal"), action, error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_waits_for_frames_that_answer_keys_only() {
        let start = Instant::now();
        let at = |ms: u64| start + Duration::from_millis(ms);
        let mut frames = Frames::default();
        assert_eq!((frames.left(at(0), true), frames.left(at(0), false)), (None, None), "nothing is drawn yet");
        frames.drawn(at(100));
        assert_eq!(frames.left(at(101), true), None, "a frame of the background holds up no key");
        assert_eq!(frames.left(at(101), false), Some(Duration::from_millis(49)));
        assert_eq!(frames.left(at(150), false), None);
        frames.answers = true;
        frames.drawn(at(102));
        assert_eq!(frames.left(at(103), true), Some(Duration::from_millis(15)), "a key that is held down has a rate");
        assert_eq!(frames.left(at(118), true), None);
    }
}
