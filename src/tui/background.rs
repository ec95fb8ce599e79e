//! Whether the terminal is light or dark: asked of it by OSC 11, which many answer and tmux passes on or answers itself.
//!
//! The answer comes in among the keys: ESC and `]` are read as alt and `]`, and so on. A [`Filter`] picks it out, also when
//! it comes late, so that it never does what its letters do.

use std::time::{Duration, Instant};

use crossterm::event::{self as input, KeyCode, KeyEvent, KeyModifiers};

use super::terminal;

/// How long an answer is waited for before the first frame; one that comes later changes the colours then.
const PATIENCE: Duration = Duration::from_millis(80);
/// The question.
const QUESTION: &str = "\x1b]11;?\x1b\\";
/// How an answer begins behind `ESC ]`.
const BEGINNING: &str = "11;rgb";
/// Longest answer: `11;rgba:` and four times four digits with what is between them.
const LONGEST: usize = 32;

/// What a terminal's background is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Background {
    /// Light text is read on it.
    Dark,
    /// Dark text is read on it.
    Light,
}

/// What becomes of an event.
#[derive(Debug, PartialEq)]
pub enum Sifted {
    /// It is none of the answer.
    Pass(input::Event),
    /// It is a part of it.
    Part,
    /// The answer is complete; unless it makes no sense, this is what it says.
    Answer(Option<Background>),
}

/// Picks the answer out of what is typed.
#[derive(Debug, Default)]
pub struct Filter {
    /// Whether an answer may come.
    expecting: bool,
    /// What has come of it.
    answer: Option<String>,
}

impl Filter {
    /// One that expects an answer.
    pub fn expecting() -> Self {
        Self { expecting: true, answer: None }
    }

    /// Looks at an event.
    pub fn sift(&mut self, event: input::Event) -> Sifted {
        let input::Event::Key(KeyEvent { code, modifiers, .. }) = &event else { return Sifted::Pass(event) };
        let Some(answer) = &mut self.answer else {
            if self.expecting && (*modifiers, *code) == (KeyModifiers::ALT, KeyCode::Char(']')) {
                self.answer = Some(String::new());
                return Sifted::Part;
            }
            return Sifted::Pass(event);
        };
        match (*modifiers, *code) {
            // It ends with ESC and a backslash, or with BEL.
            (KeyModifiers::ALT, KeyCode::Char('\\')) | (KeyModifiers::CONTROL, KeyCode::Char('g')) => {
                let background = background(answer);
                *self = Self::default();
                Sifted::Answer(background)
            }
            (KeyModifiers::NONE | KeyModifiers::SHIFT, KeyCode::Char(c)) if is_part(answer, c) => {
                answer.push(c);
                Sifted::Part
            }
            // Somebody has typed alt and ].
            _ => {
                self.answer = None;
                Sifted::Pass(event)
            }
        }
    }
}

/// Whether a character may come next.
fn is_part(answer: &str, c: char) -> bool {
    match BEGINNING.chars().nth(answer.len()) {
        Some(wanted) => c == wanted,
        None => answer.len() < LONGEST && (c.is_ascii_hexdigit() || matches!(c, ':' | '/' | 'a')),
    }
}

/// What `11;rgb:ffff/ffff/ffff` says.
fn background(answer: &str) -> Option<Background> {
    let (_, colour) = answer.split_once(':')?;
    let mut parts = colour.split('/').map(|part| {
        let most = 16f64.powi(i32::try_from(part.len()).ok()?) - 1.0;
        Some(f64::from(u32::from_str_radix(part, 16).ok()?) / most)
    });
    let mut next = || parts.next().flatten();
    let (red, green, blue) = (next()?, next()?, next()?);
    let luma = 0.299 * red + 0.587 * green + 0.114 * blue;
    Some(if luma > 0.5 { Background::Light } else { Background::Dark })
}

/// Asks the terminal, which is in raw mode already, and waits a little: the answer if it has come, what else was typed
/// meanwhile, and the filter for what is typed from then on.
pub(super) fn ask() -> (Option<Background>, Vec<input::Event>, Filter) {
    let (mut filter, mut typed) = (Filter::expecting(), Vec::new());
    terminal::send(QUESTION);
    let end = Instant::now() + PATIENCE;
    // A terminal that cannot be read is the input thread's to tell.
    while input::poll(end.saturating_duration_since(Instant::now())).unwrap_or(false) {
        let Ok(event) = input::read() else { break };
        match filter.sift(event) {
            Sifted::Pass(event) => typed.push(event),
            Sifted::Part => {}
            Sifted::Answer(background) => return (background, typed, filter),
        }
    }
    (None, typed, filter)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(modifiers: KeyModifiers, c: char) -> input::Event {
        input::Event::Key(KeyEvent::new(KeyCode::Char(c), modifiers))
    }

    /// As crossterm reads these bytes.
    fn answer(text: &str, bell: bool) -> Vec<input::Event> {
        let mut keys = vec![key(KeyModifiers::ALT, ']')];
        keys.extend(text.chars().map(|c| key(KeyModifiers::NONE, c)));
        keys.push(if bell { key(KeyModifiers::CONTROL, 'g') } else { key(KeyModifiers::ALT, '\\') });
        keys
    }

    fn told(text: &str, bell: bool) -> Option<Background> {
        let mut filter = Filter::expecting();
        let mut last = Sifted::Part;
        for event in answer(text, bell) {
            assert_eq!(last, Sifted::Part, "no key of the answer gets through");
            last = filter.sift(event);
        }
        let Sifted::Answer(background) = last else { panic!("{last:?}") };
        background
    }

    #[test]
    fn answers_are_read_in_every_form_that_terminals_give_them() {
        assert_eq!(told("11;rgb:ffff/ffff/ffff", false), Some(Background::Light));
        assert_eq!(told("11;rgb:0000/0000/0000", true), Some(Background::Dark));
        assert_eq!(told("11;rgb:1e1e/1e1e/2e2e", false), Some(Background::Dark));
        assert_eq!(told("11;rgb:fd/f6/e3", true), Some(Background::Light));
        assert_eq!(told("11;rgba:ffff/ffff/ffff/ffff", false), Some(Background::Light));
        assert_eq!(told("11;rgb:", false), None);
        assert_eq!(told("11;rgb:ffff//", false), None);
    }

    #[test]
    fn what_is_typed_gets_through() {
        let mut filter = Filter::expecting();
        let typed = key(KeyModifiers::NONE, 'q');
        assert_eq!(filter.sift(typed.clone()), Sifted::Pass(typed.clone()));
        assert_eq!(filter.sift(key(KeyModifiers::ALT, ']')), Sifted::Part);
        assert_eq!(filter.sift(typed.clone()), Sifted::Pass(typed.clone()));
        // After an answer, and where none is expected, alt and ] is a key like any other.
        for event in answer("11;rgb:ffff/ffff/ffff", false) {
            filter.sift(event);
        }
        let bracket = key(KeyModifiers::ALT, ']');
        assert_eq!(filter.sift(bracket.clone()), Sifted::Pass(bracket.clone()));
        assert_eq!(Filter::default().sift(bracket.clone()), Sifted::Pass(bracket));
    }
}
