//! Keys by their names: as a configuration writes them, and as screens show them.

use crossterm::event::{KeyCode, KeyModifiers};

use super::Key;

/// Keys that have no character, by their name in a configuration and their sign on screens.
const NAMED: [(&str, &str, KeyCode); 16] = [
    ("space", "space", KeyCode::Char(' ')),
    ("enter", "enter", KeyCode::Enter),
    ("esc", "esc", KeyCode::Esc),
    ("tab", "tab", KeyCode::Tab),
    ("shift-tab", "shift-tab", KeyCode::BackTab),
    ("backspace", "backspace", KeyCode::Backspace),
    ("delete", "delete", KeyCode::Delete),
    ("insert", "insert", KeyCode::Insert),
    ("up", "↑", KeyCode::Up),
    ("down", "↓", KeyCode::Down),
    ("left", "←", KeyCode::Left),
    ("right", "→", KeyCode::Right),
    ("home", "home", KeyCode::Home),
    ("end", "end", KeyCode::End),
    ("pgup", "pgup", KeyCode::PageUp),
    ("pgdn", "pgdn", KeyCode::PageDown),
];
/// Modifiers in the order in which they are written.
const MODIFIERS: [(&str, KeyModifiers); 3] =
    [("ctrl-", KeyModifiers::CONTROL), ("alt-", KeyModifiers::ALT), ("shift-", KeyModifiers::SHIFT)];

/// The key that leaves whatever is open; it cannot be given another meaning.
pub(super) const INTERRUPT: Key = (KeyModifiers::CONTROL, KeyCode::Char('c'));

/// The key of a name, such as `q`, `Q`, `ctrl-r`, `space`, `f5`, `alt-left`. Errors: no key is called so.
pub fn parse(text: &str) -> Result<Key, String> {
    let unknown = || {
        format!("'{text}' is no key: a character, space, enter, esc, tab, up, pgdn, f5, …, with ctrl-, alt- or shift-")
    };
    if let Some(code) = code_of(text) {
        return Ok((KeyModifiers::NONE, code));
    }
    let (mut modifiers, mut rest) = (KeyModifiers::NONE, text);
    while let Some((modifier, left)) = MODIFIERS.iter().find_map(|(name, m)| Some((*m, rest.strip_prefix(name)?))) {
        modifiers |= modifier;
        rest = left;
    }
    let code = code_of(rest).ok_or_else(unknown)?;
    match code {
        // A terminal sends the other character, not the one key with shift.
        KeyCode::Char(c) if modifiers.contains(KeyModifiers::SHIFT) => {
            let upper: Vec<char> = c.to_uppercase().collect();
            match upper.as_slice() {
                [upper] if *upper != c => Ok((modifiers - KeyModifiers::SHIFT, KeyCode::Char(*upper))),
                _ => Err(format!("'{text}': write the character that shift makes of it")),
            }
        }
        // Terminals do not tell the case of a letter that is pressed with control.
        KeyCode::Char(c) if modifiers.contains(KeyModifiers::CONTROL) => {
            Ok((modifiers, KeyCode::Char(c.to_ascii_lowercase())))
        }
        KeyCode::Tab if modifiers.contains(KeyModifiers::SHIFT) => {
            Ok((modifiers - KeyModifiers::SHIFT, KeyCode::BackTab))
        }
        code => Ok((modifiers, code)),
    }
}

fn code_of(name: &str) -> Option<KeyCode> {
    if let Some((_, _, code)) = NAMED.into_iter().find(|(known, _, _)| *known == name) {
        return Some(code);
    }
    if let Some(number) = name.strip_prefix('f').and_then(|n| n.parse::<u8>().ok()) {
        return (1..=12).contains(&number).then_some(KeyCode::F(number));
    }
    let mut chars = name.chars();
    let only = chars.next().filter(|c| !c.is_control() && !c.is_whitespace());
    only.filter(|_| chars.next().is_none()).map(KeyCode::Char)
}

/// Its name in a configuration, which [`parse`] reads.
pub fn name(key: Key) -> String {
    spelled(key, |(name, _)| name)
}

/// How it is shown.
pub(super) fn shown(key: Key) -> String {
    spelled(key, |(_, sign)| sign)
}

fn spelled((modifiers, code): Key, which: impl Fn((&'static str, &'static str)) -> &'static str) -> String {
    let mut out: String = MODIFIERS.iter().filter(|(_, m)| modifiers.contains(*m)).map(|(name, _)| *name).collect();
    match (NAMED.into_iter().find(|(_, _, known)| *known == code), code) {
        (Some((name, sign, _)), _) => out += which((name, sign)),
        (None, KeyCode::Char(c)) => out.push(c),
        (None, KeyCode::F(n)) => out += &format!("f{n}"),
        (None, other) => out += &other.to_string(),
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::keymap::Keymap;

    #[test]
    fn every_key_of_the_tables_has_a_name_that_is_read_back() {
        for bound in Keymap::default().bindings() {
            for key in &bound.keys {
                assert_eq!(parse(&name(*key)), Ok(*key), "{}", name(*key));
            }
        }
    }

    #[test]
    fn names_are_read_as_terminals_send_keys() {
        assert_eq!(parse("Q"), Ok((KeyModifiers::NONE, KeyCode::Char('Q'))));
        assert_eq!(parse("shift-q"), parse("Q"));
        assert_eq!(parse("shift-tab"), Ok((KeyModifiers::NONE, KeyCode::BackTab)));
        assert_eq!(parse("ctrl-R"), parse("ctrl-r"));
        assert_eq!(parse("ctrl--"), Ok((KeyModifiers::CONTROL, KeyCode::Char('-'))));
        assert_eq!(parse("-"), Ok((KeyModifiers::NONE, KeyCode::Char('-'))));
        assert_eq!(parse("ctrl-alt-left"), Ok((KeyModifiers::CONTROL | KeyModifiers::ALT, KeyCode::Left)));
        assert_eq!(parse("f12"), Ok((KeyModifiers::NONE, KeyCode::F(12))));
        for wrong in ["", "f13", "qq", "ctrl-", "hyper-x", "shift-1", "Enter"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
