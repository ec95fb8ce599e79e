//! Escape sequences that are read apart. A multiplexer that holds an ESC back sends it together with the key after it: the
//! first two bytes of `ESC ESC [ A` are read as the key Esc, and what is left as `[` and `A`. Nobody types so fast: what
//! comes in one burst behind an Esc and spells a key or the mouse is taken for that.

use std::time::Duration;

use crossterm::event::{
    self as input, Event, KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind,
};

/// How long is waited for the rest of a burst, which has been read already.
const SOON: Duration = Duration::from_millis(1);
/// Events that are looked at in a burst.
const BURST: usize = 64;
/// Longest sequence behind an Esc: `[<`, three numbers and what is between them.
const LONGEST: usize = 16;

/// What has come together with an event behind it, put together; after anything but an Esc that is nothing.
pub(super) fn behind(event: &Event) -> Vec<Event> {
    let mut burst = Vec::new();
    if !is_escape(event) {
        return burst;
    }
    // What cannot be read is told by the next reading.
    while burst.len() < BURST && input::poll(SOON).unwrap_or(false) {
        let Ok(next) = input::read() else { break };
        burst.push(next);
    }
    join(&burst)
}

/// Puts sequences together that stand at the beginning or behind an Esc.
fn join(burst: &[Event]) -> Vec<Event> {
    let mut joined = Vec::with_capacity(burst.len());
    let mut rest = burst;
    let mut escaped = true;
    while let Some((event, others)) = rest.split_first() {
        if let Some((whole, used)) = sequence(rest).filter(|_| escaped) {
            joined.push(whole);
            rest = &rest[used..];
            escaped = false;
            continue;
        }
        escaped = is_escape(event);
        joined.push(event.clone());
        rest = others;
    }
    joined
}

fn is_escape(event: &Event) -> bool {
    matches!(event, Event::Key(KeyEvent { code: KeyCode::Esc, .. }))
}

/// The event that characters spell, and how many of them.
fn sequence(events: &[Event]) -> Option<(Event, usize)> {
    let mut text = String::new();
    for event in events.iter().take(LONGEST) {
        let Event::Key(KeyEvent { code: KeyCode::Char(c), modifiers, .. }) = event else { return None };
        if modifiers.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT) {
            return None;
        }
        text.push(*c);
        let inside = matches!(text.len(), 1) || matches!(c, '0'..='9' | ';' | '<');
        if !inside {
            return Some((spelt(&text)?, text.len()));
        }
    }
    None
}

fn spelt(text: &str) -> Option<Event> {
    let key = |code| Some(Event::Key(KeyEvent::new(code, KeyModifiers::NONE)));
    match text {
        "[A" | "OA" => key(KeyCode::Up),
        "[B" | "OB" => key(KeyCode::Down),
        "[C" | "OC" => key(KeyCode::Right),
        "[D" | "OD" => key(KeyCode::Left),
        "[H" | "OH" | "[1~" | "[7~" => key(KeyCode::Home),
        "[F" | "OF" | "[4~" | "[8~" => key(KeyCode::End),
        "[2~" => key(KeyCode::Insert),
        "[3~" => key(KeyCode::Delete),
        "[5~" => key(KeyCode::PageUp),
        "[6~" => key(KeyCode::PageDown),
        "[Z" => Some(Event::Key(KeyEvent::new(KeyCode::BackTab, KeyModifiers::SHIFT))),
        "OP" => key(KeyCode::F(1)),
        _ => text.strip_prefix("[<").and_then(mouse).map(Event::Mouse),
    }
}

/// `button;column;row` and whether it is pressed (`M`) or let go (`m`).
fn mouse(text: &str) -> Option<MouseEvent> {
    let (numbers, pressed) =
        text.strip_suffix('M').map(|n| (n, true)).or(text.strip_suffix('m').map(|n| (n, false)))?;
    let mut numbers = numbers.split(';').map(|n| n.parse::<u16>().ok());
    let (code, column, row) = (numbers.next()??, numbers.next()??, numbers.next()??);
    let button = match code & 3 {
        0 => MouseButton::Left,
        1 => MouseButton::Middle,
        _ => MouseButton::Right,
    };
    let kind = match (code & 0xc3, code & 0x20 != 0) {
        (0..=2, false) if pressed => MouseEventKind::Down(button),
        (0..=2, false) => MouseEventKind::Up(button),
        (0..=2, true) => MouseEventKind::Drag(button),
        (3, _) => MouseEventKind::Moved,
        (0x40, _) => MouseEventKind::ScrollUp,
        (0x41, _) => MouseEventKind::ScrollDown,
        _ => return None,
    };
    let (column, row) = (column.checked_sub(1)?, row.checked_sub(1)?);
    Some(MouseEvent { kind, column, row, modifiers: KeyModifiers::NONE })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(code: KeyCode) -> Event {
        Event::Key(KeyEvent::new(code, KeyModifiers::NONE))
    }

    /// As crossterm reads what is left of a sequence.
    fn typed(text: &str) -> Vec<Event> {
        text.chars().map(|c| if c == '\x1b' { key(KeyCode::Esc) } else { key(KeyCode::Char(c)) }).collect()
    }

    #[test]
    fn what_comes_behind_an_esc_is_put_together() {
        assert_eq!(join(&typed("[A")), [key(KeyCode::Up)]);
        assert_eq!(join(&typed("[6~j")), [key(KeyCode::PageDown), key(KeyCode::Char('j'))]);
        assert_eq!(join(&typed("OB\x1b[5~")), [key(KeyCode::Down), key(KeyCode::Esc), key(KeyCode::PageUp)]);
        let event = |kind| Event::Mouse(MouseEvent { kind, column: 11, row: 5, modifiers: KeyModifiers::NONE });
        let left = MouseButton::Left;
        assert_eq!(join(&typed("[<0;12;6M")), [event(MouseEventKind::Down(left))]);
        assert_eq!(join(&typed("[<0;12;6m")), [event(MouseEventKind::Up(left))]);
        assert_eq!(join(&typed("[<32;12;6M")), [event(MouseEventKind::Drag(left))]);
        assert_eq!(join(&typed("[<65;12;6M")), [event(MouseEventKind::ScrollDown)]);
    }

    #[test]
    fn what_spells_nothing_stays_what_it_is() {
        for text in ["", "j", "[", "[[", "]", "[x", "[<0;12M", "[<0;0;6M", "O", "j[A", "[12345678901234567890"] {
            assert_eq!(join(&typed(text)), typed(text), "{text}");
        }
        let alt = Event::Key(KeyEvent::new(KeyCode::Char('['), KeyModifiers::ALT));
        assert_eq!(join(&[alt.clone(), key(KeyCode::Char('A'))]), [alt, key(KeyCode::Char('A'))]);
    }
}
