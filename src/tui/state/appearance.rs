//! How things look and what the mouse does: choices of the user that hold for the whole run and can change in it.

use std::str::FromStr;

use crate::tui::background::Background;

/// A set of colours, by name. What they are is the business of [`crate::tui::theme`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub enum ThemeName {
    /// Light on dark, 256 colours.
    #[default]
    Dark,
    /// Dark on light, 256 colours.
    Light,
    /// Black, white and few strong colours.
    Contrast,
    /// The terminal's own 16 colours, on whatever background it has.
    Sixteen,
    /// No colour: emphasis only.
    None,
}

impl ThemeName {
    /// Every theme, in the order in which a key goes through them.
    pub const ALL: [Self; 5] = [Self::Dark, Self::Light, Self::Contrast, Self::Sixteen, Self::None];

    /// Its name in flags, configuration and commands.
    pub fn name(self) -> &'static str {
        match self {
            Self::Dark => "dark",
            Self::Light => "light",
            Self::Contrast => "contrast",
            Self::Sixteen => "16",
            Self::None => "none",
        }
    }

    /// The one for a terminal of this `TERM`, as long as its background is not known: 16 colours where it has no more.
    pub fn for_terminal(term: Option<&str>, colorterm: Option<&str>) -> Self {
        let term = term.unwrap_or_default();
        let few = matches!(term, "linux" | "ansi" | "xterm-color" | "cons25" | "dumb")
            || term.ends_with("-16color")
            || term.starts_with("vt1")
            || term.starts_with("vt2");
        if few && colorterm.is_none_or(str::is_empty) { Self::Sixteen } else { Self::Dark }
    }

    /// The one for a background.
    pub fn suiting(background: Background) -> Self {
        match background {
            Background::Dark => Self::Dark,
            Background::Light => Self::Light,
        }
    }

    /// The next one, around the end.
    #[must_use]
    pub fn next(self) -> Self {
        let at = Self::ALL.iter().position(|t| *t == self).unwrap_or(0);
        Self::ALL[(at + 1) % Self::ALL.len()]
    }
}

impl FromStr for ThemeName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let named = Self::ALL.into_iter().find(|t| t.name() == text);
        named.ok_or_else(|| format!("'{text}' is no theme: dark, light, contrast, 16 or none"))
    }
}

/// The choices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Appearance {
    /// The colours.
    pub theme: ThemeName,
    /// Whether only ASCII is drawn.
    pub ascii: bool,
    /// Whether the mouse is ours; else the terminal selects text with it.
    pub mouse: bool,
}

impl Default for Appearance {
    fn default() -> Self {
        Self { theme: ThemeName::default(), ascii: false, mouse: true }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terminals_of_few_colours_get_few() {
        let of = |term, colorterm| ThemeName::for_terminal(Some(term), colorterm);
        for term in ["xterm-16color", "linux", "vt220", "xterm-color"] {
            assert_eq!(of(term, None), ThemeName::Sixteen, "{term}");
            assert_eq!(of(term, Some("truecolor")), ThemeName::Dark, "{term}");
        }
        for term in ["xterm", "xterm-256color", "screen", "screen-256color", "tmux-256color", "alacritty"] {
            assert_eq!(of(term, None), ThemeName::Dark, "{term}");
        }
    }
}
