//! Recordings of what was typed, clicked and pasted: written by `--record`, played by `--replay`. One JSON object a line;
//! docs/recordings.md describes them.

use std::collections::VecDeque;
use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};

use super::event::Event;
use super::journal;
use super::keymap::names;
use crate::engine::error::{Error, Result};

/// Version of the form.
const FORM: u32 = 1;
/// Longest recording that is read.
const LONGEST: u64 = 64 << 20;

/// The first line.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
struct Head {
    /// Version of the program.
    tritscope: String,
    /// Version of the form.
    form: u32,
    /// Columns and rows of the terminal.
    size: (u16, u16),
}

/// Every other line: when, and one of the others.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Line {
    /// Seconds since the start of the program.
    at: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mouse: Option<Mouse>,
    #[serde(skip_serializing_if = "Option::is_none")]
    paste: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resize: Option<(u16, u16)>,
}

/// What the mouse did, and where.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Mouse {
    kind: String,
    x: u16,
    y: u16,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    with: String,
}

/// Names of what a mouse does.
const KINDS: [(&str, MouseEventKind); 13] = [
    ("down-left", MouseEventKind::Down(MouseButton::Left)),
    ("down-right", MouseEventKind::Down(MouseButton::Right)),
    ("down-middle", MouseEventKind::Down(MouseButton::Middle)),
    ("up-left", MouseEventKind::Up(MouseButton::Left)),
    ("up-right", MouseEventKind::Up(MouseButton::Right)),
    ("up-middle", MouseEventKind::Up(MouseButton::Middle)),
    ("drag-left", MouseEventKind::Drag(MouseButton::Left)),
    ("drag-right", MouseEventKind::Drag(MouseButton::Right)),
    ("drag-middle", MouseEventKind::Drag(MouseButton::Middle)),
    ("wheel-up", MouseEventKind::ScrollUp),
    ("wheel-down", MouseEventKind::ScrollDown),
    ("wheel-left", MouseEventKind::ScrollLeft),
    ("wheel-right", MouseEventKind::ScrollRight),
];

impl Line {
    /// What is written of an event, if it is one that is played again.
    fn of(event: &Event, at: Duration) -> Option<Self> {
        let at = (at.as_secs_f64() * 1000.0).round() / 1000.0;
        let mut line = Self { at, ..Self::default() };
        match event {
            Event::Key(key) if key.is_release() => return None,
            Event::Key(key) => line.key = Some(names::name((plain(key), key.code))),
            Event::Mouse(mouse) => {
                // A mouse that is only moved does nothing.
                let (name, _) = KINDS.iter().find(|(_, kind)| *kind == mouse.kind)?;
                let with = names::name((mouse.modifiers, KeyCode::Char(' '))).replace("space", "");
                line.mouse = Some(Mouse { kind: (*name).to_owned(), x: mouse.column, y: mouse.row, with });
            }
            Event::Paste(text) => line.paste = Some(text.clone()),
            Event::Resize(columns, rows) => line.resize = Some((*columns, *rows)),
            _ => return None,
        }
        Some(line)
    }

    /// The event, or what is wrong with the line.
    fn event(self) -> std::result::Result<Event, String> {
        match (self.key, self.mouse, self.paste, self.resize) {
            (Some(key), None, None, None) => {
                let (modifiers, code) = names::parse(&key)?;
                Ok(Event::Key(KeyEvent::new(code, modifiers)))
            }
            (None, Some(mouse), None, None) => {
                let kind = KINDS.iter().find(|(name, _)| *name == mouse.kind);
                let (_, kind) = kind.ok_or_else(|| format!("'{}' is nothing that a mouse does", mouse.kind))?;
                let (modifiers, _) = names::parse(&format!("{}enter", mouse.with))?;
                Ok(Event::Mouse(MouseEvent { kind: *kind, column: mouse.x, row: mouse.y, modifiers }))
            }
            (None, None, Some(text), None) => Ok(Event::Paste(text)),
            (None, None, None, Some((columns, rows))) => Ok(Event::Resize(columns, rows)),
            _ => Err("one of key, mouse, paste and resize belongs in each line".to_owned()),
        }
    }
}

/// Modifiers without the shift that is part of the character.
pub(super) fn plain(key: &KeyEvent) -> KeyModifiers {
    match key.code {
        KeyCode::Char(_) | KeyCode::BackTab => key.modifiers - KeyModifiers::SHIFT,
        _ => key.modifiers,
    }
}

/// A recording that is being made.
#[derive(Debug)]
pub struct Recorder {
    file: Option<File>,
}

impl Recorder {
    /// Begins one in a new file. Errors: the file is there already, or cannot be made.
    pub fn create(path: &Path) -> Result<Self> {
        let file = File::create_new(path).map_err(|e| match e.kind() {
            std::io::ErrorKind::AlreadyExists => {
                Error::Usage(format!("{} exists; choose another file", path.display()))
            }
            _ => Error::io(path, "create", e),
        })?;
        Ok(Self { file: Some(file) })
    }

    /// Writes the first line.
    pub(super) fn begin(&mut self, size: (u16, u16)) {
        let head = Head { tritscope: env!("CARGO_PKG_VERSION").to_owned(), form: FORM, size };
        self.write(serde_json::to_string(&head).ok());
    }

    /// Writes an event down, if it is one that is played again.
    pub(super) fn event(&mut self, event: &Event, at: Duration) {
        if let Some(line) = Line::of(event, at) {
            self.write(serde_json::to_string(&line).ok());
        }
    }

    fn write(&mut self, line: Option<String>) {
        let Some((file, line)) = self.file.as_mut().zip(line) else { return };
        // A disk that is full ends the recording, not the program.
        if let Err(e) = writeln!(file, "{line}") {
            journal::note("record", &format!("the recording ends here: {e}"));
            self.file = None;
        }
    }
}

/// How fast a recording is played.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Pace {
    /// Each event as soon as all that the one before caused is done.
    Settled,
    /// At the recorded times, so many times as fast.
    Times(f64),
}

/// A recording that is being played.
#[derive(Debug)]
pub struct Player {
    events: VecDeque<(Duration, Event)>,
    size: (u16, u16),
    /// How fast.
    pub pace: Pace,
    /// Whether it may quit the program.
    pub quits: bool,
    played: usize,
}

impl Player {
    /// Reads a recording. Errors: it cannot be read, or a line is wrong, which is named.
    pub fn read(path: &Path, pace: Pace) -> Result<Self> {
        let wrong = |line: usize, what: &str| Error::Usage(format!("{}:{line}: {what}", path.display()));
        let length = std::fs::metadata(path).map_err(|e| Error::io(path, "open", e))?.len();
        if length > LONGEST {
            return Err(wrong(1, "too long for a recording"));
        }
        let text = std::fs::read_to_string(path).map_err(|e| match e.kind() {
            std::io::ErrorKind::InvalidData => wrong(1, "not a text file"),
            _ => Error::io(path, "read", e),
        })?;
        let mut lines = text.lines().enumerate().map(|(i, line)| (i + 1, line));
        let head = lines.next().map_or("", |(_, line)| line);
        let head: Head = serde_json::from_str(head).map_err(|_| wrong(1, "this is no recording of tritscope"))?;
        if head.form != FORM {
            return Err(wrong(1, &format!("a recording of form {}; this program reads form {FORM}", head.form)));
        }
        let mut events = VecDeque::new();
        for (number, line) in lines.filter(|(_, line)| !line.trim().is_empty()) {
            let line: Line = serde_json::from_str(line).map_err(|e| wrong(number, &e.to_string()))?;
            let at = Duration::try_from_secs_f64(line.at).map_err(|e| wrong(number, &e.to_string()))?;
            events.push_back((at, line.event().map_err(|what| wrong(number, &what))?));
        }
        Ok(Self { events, size: head.size, pace, quits: false, played: 0 })
    }

    /// What is to be told where the terminal is not like the one of the recording.
    pub(super) fn misfit(&self, size: (u16, u16)) -> Option<String> {
        let (columns, rows) = self.size;
        let (here, there) = (format!("{}×{}", size.0, size.1), format!("{columns}×{rows}"));
        (size != self.size).then(|| format!("recorded at {there}, played at {here}: the mouse may miss"))
    }

    /// When the next event is due; now where that does not go by the time.
    pub(super) fn due(&self) -> Option<Duration> {
        let (at, _) = self.events.front()?;
        Some(match self.pace {
            Pace::Settled => Duration::ZERO,
            Pace::Times(speed) => Duration::try_from_secs_f64(at.as_secs_f64() / speed).unwrap_or(*at),
        })
    }

    /// The recorded time of the next event.
    pub(super) fn at(&self) -> Option<Duration> {
        self.events.front().map(|(at, _)| *at)
    }

    /// The next event. A terminal cannot be given another size from inside: such events are noted and passed over.
    pub(super) fn next(&mut self) -> Option<Event> {
        while let Some((_, event)) = self.events.pop_front() {
            self.played += 1;
            match event {
                Event::Resize(columns, rows) => journal::note("replay", &format!("here it became {columns}×{rows}")),
                event => return Some(event),
            }
        }
        None
    }

    /// Events that were played.
    pub(super) fn played(&self) -> usize {
        self.played
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn again(event: &Event) -> Event {
        let line = serde_json::to_string(&Line::of(event, Duration::from_millis(1500)).unwrap()).unwrap();
        serde_json::from_str::<Line>(&line).unwrap().event().unwrap()
    }

    #[test]
    fn events_come_back_as_they_were() {
        let key = |code, modifiers| Event::Key(KeyEvent::new(code, modifiers));
        let mouse = |kind| {
            Event::Mouse(MouseEvent { kind, column: 3, row: 4, modifiers: KeyModifiers::CONTROL | KeyModifiers::ALT })
        };
        let mut events = vec![
            key(KeyCode::Char('j'), KeyModifiers::NONE),
            key(KeyCode::Char(' '), KeyModifiers::NONE),
            key(KeyCode::Char('日'), KeyModifiers::NONE),
            key(KeyCode::Left, KeyModifiers::CONTROL | KeyModifiers::SHIFT),
            key(KeyCode::F(5), KeyModifiers::ALT),
            Event::Paste("a \"b\"\n日".to_owned()),
            Event::Resize(80, 24),
        ];
        events.extend(KINDS.iter().map(|(_, kind)| mouse(*kind)));
        for event in events {
            assert_eq!(format!("{:?}", again(&event)), format!("{event:?}"));
        }
        let shifted = again(&key(KeyCode::Char('Q'), KeyModifiers::SHIFT));
        assert_eq!(format!("{shifted:?}"), format!("{:?}", key(KeyCode::Char('Q'), KeyModifiers::NONE)));
        assert!(Line::of(&Event::Settle, Duration::ZERO).is_none());
    }

    #[test]
    fn wrong_lines_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let told = |text: &str| {
            let path = folder.path().join("tape");
            std::fs::write(&path, text).unwrap();
            Player::read(&path, Pace::Settled).err().map(|e| e.to_string()).unwrap_or_default()
        };
        let head = "{\"tritscope\":\"0.1.0\",\"form\":1,\"size\":[80,24]}\n";
        assert!(told("").contains(":1: this is no recording"));
        assert!(told(&head.replace("\"form\":1", "\"form\":2")).contains("form 2"));
        assert!(told(&format!("{head}{{\"at\":0.1,\"key\":\"hyper-x\"}}")).contains(":2: 'hyper-x' is no key"));
        assert!(told(&format!("{head}\n{{\"at\":0.1,\"keys\":\"x\"}}")).contains(":3: unknown field `keys`"));
        assert!(told(&format!("{head}{{\"at\":0.1}}")).contains(":2: one of key, mouse"));
        assert!(told(&format!("{head}{{\"at\":-1,\"key\":\"x\"}}")).contains(":2: "));
        assert_eq!(told(&format!("{head}{{\"at\":0.1,\"key\":\"x\"}}\n")), "");
    }
}
