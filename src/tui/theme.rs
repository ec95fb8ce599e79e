//! Colours and emphasis, by what they mean. Nothing is told by colour alone: every mark has a sign of its own.

mod ramp;

use ratatui::style::{Color, Modifier, Style};

use super::state::appearance::{Appearance, ThemeName};

pub use ramp::Ramp;

/// The styles of the interface.
#[derive(Debug, Clone)]
pub struct Theme {
    /// Plain text.
    pub text: Style,
    /// What matters less.
    pub dim: Style,
    /// Headings and names in focus.
    pub strong: Style,
    /// Borders.
    pub border: Style,
    /// Titles in borders.
    pub title: Style,
    /// The row under the cursor.
    pub cursor: Style,
    /// The row under the cursor while a dialog or the filter has the keys.
    pub cursor_idle: Style,
    /// The program's own colour: gauge, active tab.
    pub accent: Style,
    /// Ternary tensors.
    pub ternary: Style,
    /// Tensors that stay.
    pub kept: Style,
    /// Tensors that stay because they are protected.
    pub protected: Style,
    /// Overridden protections, fallbacks.
    pub warning: Style,
    /// Failures, bad figures.
    pub error: Style,
    /// Good figures, good ends.
    pub good: Style,
    /// Middling figures.
    pub middling: Style,
    /// Bars of histograms.
    pub bar: Style,
    /// Bars of weights that become zero.
    pub bar_zero: Style,
    /// Bars of weights that become −d.
    pub bar_minus: Style,
    /// Bars of weights that become +d.
    pub bar_plus: Style,
    /// Marks on axes.
    pub marker: Style,
    /// What a gauge has left.
    pub track: Style,
    /// Keys in hints and help.
    pub key: Style,
    /// Fields that text is typed into.
    pub input: Style,
    /// The backdrop of a dialog.
    pub overlay: Style,
    /// Colours and signs of heatmaps.
    pub ramp: Ramp,
}

/// What a coloured theme is made of: numbers of the terminal's colours. How well each stands out is held by a test.
struct Colours {
    /// Behind everything; none leaves the terminal's own.
    back: Option<u8>,
    text: u8,
    dim: u8,
    strong: u8,
    border: u8,
    title: u8,
    cursor: u8,
    cursor_idle: u8,
    accent: u8,
    kept: u8,
    protected: u8,
    warning: u8,
    error: u8,
    good: u8,
    middling: u8,
    bar: u8,
    bar_zero: u8,
    bar_minus: u8,
    marker: u8,
    track: u8,
    input: (u8, u8),
}

const DARK: Colours = Colours {
    back: None,
    text: 252,
    dim: 245,
    strong: 255,
    border: 239,
    title: 110,
    cursor: 237,
    cursor_idle: 235,
    accent: 80,
    kept: 245,
    protected: 140,
    warning: 215,
    error: 203,
    good: 114,
    middling: 186,
    bar: 74,
    bar_zero: 242,
    bar_minus: 174,
    marker: 222,
    track: 238,
    input: (255, 236),
};

const LIGHT: Colours = Colours {
    back: None,
    text: 236,
    dim: 242,
    strong: 232,
    border: 249,
    title: 25,
    cursor: 253,
    cursor_idle: 255,
    accent: 23,
    kept: 242,
    protected: 97,
    warning: 130,
    error: 160,
    good: 28,
    middling: 94,
    bar: 31,
    bar_zero: 245,
    bar_minus: 131,
    marker: 130,
    track: 252,
    input: (232, 254),
};

/// Black and white, and colours that are at least 7 : 1 against what is behind them.
const CONTRAST: Colours = Colours {
    back: Some(16),
    text: 231,
    dim: 252,
    strong: 231,
    border: 250,
    title: 123,
    cursor: 19,
    cursor_idle: 236,
    accent: 51,
    kept: 231,
    protected: 219,
    warning: 220,
    error: 217,
    good: 120,
    middling: 228,
    bar: 51,
    bar_zero: 248,
    bar_minus: 217,
    marker: 226,
    track: 247,
    input: (231, 19),
};

impl Theme {
    /// The theme of this name.
    pub fn of(name: ThemeName) -> Self {
        match name {
            ThemeName::Dark => Self::dark(),
            ThemeName::Light => Self::light(),
            ThemeName::Contrast => Self::coloured(&CONTRAST),
            ThemeName::Sixteen => Self::sixteen(),
            ThemeName::None => Self::plain(),
        }
    }

    /// The theme of a choice, as fine as a terminal of this `COLORTERM` has it.
    pub fn fitting(appearance: Appearance, colorterm: Option<&str>) -> Self {
        let theme = Self::of(appearance.theme);
        let ramp = theme.ramp.refined(colorterm);
        Self { ramp: if appearance.ascii { ramp.in_signs() } else { ramp }, ..theme }
    }

    /// Dark, from the terminal's 256 colours.
    pub fn dark() -> Self {
        Self::coloured(&DARK)
    }

    /// Light, from the terminal's 256 colours.
    pub fn light() -> Self {
        Self::coloured(&LIGHT)
    }

    fn coloured(c: &Colours) -> Self {
        let base = c.back.map_or_else(Style::new, |back| Style::new().bg(Color::Indexed(back)));
        let fg = |n: u8| Style::new().fg(Color::Indexed(n));
        let bg = |n: u8| Style::new().bg(Color::Indexed(n));
        Self {
            text: base.patch(fg(c.text)),
            dim: fg(c.dim),
            strong: fg(c.strong).add_modifier(Modifier::BOLD),
            border: fg(c.border),
            title: fg(c.title).add_modifier(Modifier::BOLD),
            cursor: bg(c.cursor).add_modifier(Modifier::BOLD),
            cursor_idle: bg(c.cursor_idle),
            accent: fg(c.accent),
            ternary: fg(c.accent),
            kept: fg(c.kept),
            protected: fg(c.protected),
            warning: fg(c.warning),
            error: fg(c.error),
            good: fg(c.good),
            middling: fg(c.middling),
            bar: fg(c.bar),
            bar_zero: fg(c.bar_zero),
            bar_minus: fg(c.bar_minus),
            bar_plus: fg(c.bar),
            marker: fg(c.marker),
            track: fg(c.track),
            key: fg(c.title).add_modifier(Modifier::BOLD),
            input: fg(c.input.0).bg(Color::Indexed(c.input.1)),
            overlay: base.patch(fg(c.text)),
            ramp: Ramp::INDEXED,
        }
    }

    /// The terminal's own 16 colours on its own background, light or dark: text is the terminal's, and no meaning rests
    /// on one of the shades that are hard to read on either.
    pub fn sixteen() -> Self {
        let fg = |colour: Color| Style::new().fg(colour);
        let bold = Modifier::BOLD;
        // Said, not left out: what is written over a border is not to keep its colour.
        let own = fg(Color::Reset);
        Self {
            text: own,
            dim: own.add_modifier(Modifier::DIM),
            strong: own.add_modifier(bold),
            border: fg(Color::DarkGray),
            title: fg(Color::Blue).add_modifier(bold),
            cursor: Style::new().add_modifier(Modifier::REVERSED),
            cursor_idle: Style::new().add_modifier(Modifier::UNDERLINED),
            accent: fg(Color::Cyan),
            ternary: fg(Color::Cyan),
            kept: own,
            protected: fg(Color::Magenta),
            warning: fg(Color::Yellow).add_modifier(bold),
            error: fg(Color::Red).add_modifier(bold),
            good: fg(Color::Green),
            middling: fg(Color::Yellow),
            bar: fg(Color::Blue),
            bar_zero: fg(Color::DarkGray),
            bar_minus: fg(Color::Red),
            bar_plus: fg(Color::Blue),
            marker: fg(Color::Yellow),
            track: fg(Color::DarkGray),
            key: fg(Color::Blue).add_modifier(bold),
            input: Style::new().add_modifier(Modifier::UNDERLINED),
            overlay: Style::new(),
            ramp: Ramp::SIXTEEN,
        }
    }

    /// No colour at all: emphasis only.
    pub fn plain() -> Self {
        let plain = Style::new();
        let bold = plain.add_modifier(Modifier::BOLD);
        let dim = plain.add_modifier(Modifier::DIM);
        Self {
            text: plain,
            dim,
            strong: bold,
            border: dim,
            title: bold,
            cursor: plain.add_modifier(Modifier::REVERSED),
            cursor_idle: plain.add_modifier(Modifier::UNDERLINED),
            accent: bold,
            ternary: bold,
            kept: plain,
            protected: plain,
            warning: bold,
            error: bold,
            good: plain,
            middling: plain,
            bar: plain,
            bar_zero: dim,
            bar_minus: plain,
            bar_plus: plain,
            marker: bold,
            track: dim,
            key: bold,
            input: plain.add_modifier(Modifier::UNDERLINED),
            overlay: plain,
            ramp: Ramp::SIGNS,
        }
    }

    /// The style of an SQNR: what ternary weights reach is between 2 and 8 dB on trained models.
    pub fn sqnr(&self, db: f64) -> Style {
        if db >= 7.0 {
            self.good
        } else if db >= 5.0 {
            self.middling
        } else {
            self.error
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Red, green and blue of one of the terminal's colours from 16 on, which all terminals agree on.
    fn rgb(n: u8) -> [u8; 3] {
        const LEVELS: [u8; 6] = [0, 95, 135, 175, 215, 255];
        if n >= 232 {
            return [8 + 10 * (n - 232); 3];
        }
        let n = usize::from(n - 16);
        [LEVELS[n / 36], LEVELS[n / 6 % 6], LEVELS[n % 6]]
    }

    fn luminance(colour: [u8; 3]) -> f64 {
        let linear = |v: u8| match f64::from(v) / 255.0 {
            v if v <= 0.04045 => v / 12.92,
            v => ((v + 0.055) / 1.055).powf(2.4),
        };
        let [r, g, b] = colour.map(linear);
        0.2126 * r + 0.7152 * g + 0.0722 * b
    }

    /// The contrast ratio of WCAG 2.
    fn contrast(a: [u8; 3], b: [u8; 3]) -> f64 {
        let (a, b) = (luminance(a), luminance(b));
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    /// What is read, what is seen as a mark or matters less, and what is drawn alone (borders and the rest of gauges only
    /// decorate, and are in no list).
    fn lists(c: &Colours) -> [Vec<(&'static str, u8)>; 3] {
        let text = vec![("text", c.text), ("strong", c.strong), ("title", c.title)];
        let marks = vec![
            ("accent", c.accent),
            ("kept", c.kept),
            ("protected", c.protected),
            ("warning", c.warning),
            ("error", c.error),
            ("good", c.good),
            ("middling", c.middling),
        ];
        let dim = vec![
            ("dim", c.dim),
            ("bar", c.bar),
            ("bar of zeros", c.bar_zero),
            ("bar of minus", c.bar_minus),
            ("marker", c.marker),
        ];
        [text, marks, dim]
    }

    #[test]
    fn everything_stands_out_from_what_is_behind_it() {
        assert!((contrast([0; 3], [255; 3]) - 21.0).abs() < 1e-9);
        // The terminal's own background is not known: the darkest and lightest, and what is usual beside them.
        let themes = [
            ("dark", DARK, vec![[0; 3], [30; 3]], 4.5, 3.0),
            ("light", LIGHT, vec![[255; 3], [250; 3]], 4.5, 3.0),
            ("contrast", CONTRAST, vec![rgb(CONTRAST.back.unwrap())], 7.0, 7.0),
        ];
        let mut low = Vec::new();
        for (theme, colours, grounds, text, dim) in themes {
            let rows = [rgb(colours.cursor), rgb(colours.cursor_idle)];
            let [read, marks, drawn] = lists(&colours);
            let mut hold = |list: &[(&str, u8)], grounds: &[[u8; 3]], least: f64| {
                for ((name, colour), ground) in list.iter().flat_map(|c| grounds.iter().map(move |g| (c, g))) {
                    let has = contrast(rgb(*colour), *ground);
                    if has < least {
                        low.push(format!("{theme}: {name} {colour} on {ground:?} has {has:.2}, not {least}"));
                    }
                }
            };
            hold(&read, &grounds, text);
            hold(&marks, &grounds, text);
            hold(&drawn, &grounds, dim);
            // Under the cursor words stay words; what else has a colour has a sign of its own.
            hold(&read, &rows, text);
            hold(&marks, &rows, dim);
            hold(&drawn[..1], &rows, dim);
            hold(&[("input", colours.input.0)], &[rgb(colours.input.1)], text);
        }
        assert!(low.is_empty(), "{}", low.join("\n"));
    }
}
