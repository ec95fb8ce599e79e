//! Colours and emphasis, by what they mean. Nothing is told by colour alone: every mark has a sign of its own.

mod ramp;

use ratatui::style::{Color, Modifier, Style};

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

impl Theme {
    /// Dark, from the terminal's 256 colours.
    pub fn dark() -> Self {
        let fg = |n: u8| Style::new().fg(Color::Indexed(n));
        Self {
            text: fg(252),
            dim: fg(244),
            strong: fg(255).add_modifier(Modifier::BOLD),
            border: fg(239),
            title: fg(110).add_modifier(Modifier::BOLD),
            cursor: Style::new().bg(Color::Indexed(237)).add_modifier(Modifier::BOLD),
            cursor_idle: Style::new().bg(Color::Indexed(235)),
            accent: fg(80),
            ternary: fg(80),
            kept: fg(245),
            protected: fg(140),
            warning: fg(215),
            error: fg(203),
            good: fg(114),
            middling: fg(186),
            bar: fg(74),
            bar_zero: fg(242),
            bar_minus: fg(174),
            bar_plus: fg(74),
            marker: fg(222),
            track: fg(238),
            key: fg(110).add_modifier(Modifier::BOLD),
            input: Style::new().fg(Color::Indexed(255)).bg(Color::Indexed(236)),
            overlay: fg(252),
            ramp: Ramp::INDEXED,
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
