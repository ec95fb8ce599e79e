//! Screens as pictures: the cells' text, and below it which style each cell has.
//!
//! Styles have letters. A line for each row of the screen tells its runs of cells of one style (`3b12a`: three of `b`, twelve of
//! `a`), one for all rows that follow each other and are alike; the table behind it tells what the letters are, in each
//! theme. A highlight that moves changes the runs, colours that are swapped change the table.

use insta::{Settings, assert_snapshot};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use tritscope::tui::event::Event;
use tritscope::tui::theme::Theme;
use tritscope::tui::view;

use super::{App, layered};

/// The least screen that many have.
pub const SMALL: (u16, u16) = (80, 24);
/// A usual window.
pub const MEDIUM: (u16, u16) = (120, 40);
/// A wide one.
pub const LARGE: (u16, u16) = (160, 50);

/// Draws the state at a size, as the run loop would.
pub fn render(app: &mut App, size: (u16, u16), theme: &Theme) -> Buffer {
    app.send(Event::Resize(size.0, size.1));
    app.settle();
    let mut terminal = Terminal::new(TestBackend::new(size.0, size.1)).unwrap();
    let mut geometry = None;
    terminal.draw(|frame| geometry = Some(view::draw(&app.state, theme, frame))).unwrap();
    let geometry = geometry.unwrap();
    if let Some(session) = &mut app.state.session {
        session.tree.offset = geometry.tree_offset;
    }
    app.state.geometry = geometry;
    app.settle();
    terminal.backend().buffer().clone()
}

/// The cells' text, line by line.
pub fn text(buffer: &Buffer) -> String {
    let mut out = String::new();
    for y in 0..buffer.area.height {
        let row: String = (0..buffer.area.width).map(|x| buffer[(x, y)].symbol()).collect();
        out += row.trim_end();
        out.push('\n');
    }
    out
}

/// The cells' text, then the styles.
pub fn picture(buffer: &Buffer) -> String {
    text(buffer) + &styles(&[buffer])
}

/// The style of a cell in few signs.
fn style(buffer: &Buffer, x: u16, y: u16) -> String {
    let cell = &buffer[(x, y)];
    let name = format!("{:?}/{:?} {:?}", cell.fg, cell.bg, cell.modifier);
    name.replace("Indexed", "").replace("Reset", "-").replace(" NONE", "").replace("BOLD", "b")
}

/// Letters for styles, in the order in which they are met.
fn letter(n: usize) -> char {
    let simple = ('a'..='z').chain('A'..='Z').chain('α'..='ω');
    simple.chain('\u{100}'..='\u{17f}').nth(n).unwrap()
}

/// Runs of styles row by row, and what the styles are in each of these themes.
fn styles(themes: &[&Buffer]) -> String {
    let area = themes[0].area;
    let mut known: Vec<String> = Vec::new();
    let mut rows: Vec<(u16, u16, String)> = Vec::new();
    for y in 0..area.height {
        let mut runs: Vec<(usize, usize)> = Vec::new();
        for x in 0..area.width {
            let style = themes.iter().map(|buffer| style(buffer, x, y)).collect::<Vec<_>>().join(" | ");
            let at = known.iter().position(|other| *other == style).unwrap_or_else(|| {
                known.push(style);
                known.len() - 1
            });
            match runs.last_mut() {
                Some((style, length)) if *style == at => *length += 1,
                _ => runs.push((at, 1)),
            }
        }
        let told: String = runs
            .into_iter()
            .map(
                |(style, length)| {
                    if length == 1 { letter(style).to_string() } else { format!("{length}{}", letter(style)) }
                },
            )
            .collect();
        match rows.last_mut() {
            Some((_, last, same)) if *same == told => *last = y,
            _ => rows.push((y, y, told)),
        }
    }
    let mut out = String::new();
    for (first, last, runs) in rows {
        let which = if first == last { first.to_string() } else { format!("{first}-{last}") };
        out += &format!("{which}: {runs}\n");
    }
    for (n, style) in known.iter().enumerate() {
        out += &format!("{} = {style}\n", letter(n));
    }
    out
}

/// Snapshots at these sizes, named after them. Dark and light differ in styles alone, so the light ones stand in the same
/// snapshot, and that the text is the same is asserted.
pub fn shoot_at(app: &mut App, name: &str, sizes: &[(u16, u16)]) {
    for size in sizes {
        let dark = render(app, *size, &Theme::dark());
        let light = render(app, *size, &Theme::light());
        assert_eq!(text(&dark), text(&light), "{name}: a theme changes no text");
        let picture = text(&dark) + &styles(&[&dark, &light]);
        compare_text(&format!("{name}_{}x{}", size.0, size.1), &picture);
    }
}

/// Holds a picture against the one that is kept under this name.
pub fn compare(name: &str, buffer: &Buffer) {
    compare_text(name, &picture(buffer));
}

/// Holds a text against the one that is kept under this name.
pub fn compare_text(name: &str, picture: &str) {
    let mut settings = Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    // Beside the tests, not beside this file.
    settings.set_snapshot_path(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/snapshots"));
    settings.bind(|| assert_snapshot!(name, picture));
}

/// Snapshots at 80×24 and 160×50.
pub fn shoot_both(app: &mut App, name: &str) {
    shoot_at(app, name, &[SMALL, LARGE]);
}

#[test]
fn a_moved_highlight_and_swapped_colours_are_told() {
    use ratatui::layout::Rect;
    use ratatui::style::{Color, Style};
    let drawn = |at: u16, [first, second]: [Color; 2]| {
        let mut buffer = Buffer::empty(Rect::new(0, 0, 8, 3));
        buffer.set_style(Rect::new(at, 0, 2, 1), Style::new().bg(first));
        buffer.set_style(Rect::new(0, 1, 2, 1), Style::new().bg(second));
        styles(&[&buffer])
    };
    let [red, blue] = [Color::Indexed(1), Color::Indexed(4)];
    assert_eq!(drawn(3, [red, blue]), "0: 3a2b3a\n1: 2c6a\n2: 8a\na = -/-\nb = -/(1)\nc = -/(4)\n");
    assert_ne!(drawn(3, [red, blue]), drawn(4, [red, blue]), "as many cells elsewhere");
    assert_ne!(drawn(3, [red, blue]), drawn(3, [blue, red]));
}

/// A model of which everything that is wanted has been measured.
pub fn measured() -> App {
    let mut app = App::on(&layered());
    app.press("L");
    render(&mut app, MEDIUM, &Theme::dark());
    app.serve();
    app
}
