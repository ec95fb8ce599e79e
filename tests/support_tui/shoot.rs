//! Screens as pictures: the cells' text, and below it how many cells have which style.

use std::collections::BTreeMap;

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

/// The cells' text, then the styles by frequency.
pub fn picture(buffer: &Buffer) -> String {
    text(buffer) + "styles: " + &styles(buffer)
}

fn styles(buffer: &Buffer) -> String {
    let mut styles: BTreeMap<String, usize> = BTreeMap::new();
    for cell in buffer.content() {
        let name = format!("{:?}/{:?} {:?}", cell.fg, cell.bg, cell.modifier);
        let name = name.replace("Indexed", "").replace("Reset", "-").replace(" NONE", "").replace("BOLD", "b");
        *styles.entry(name).or_default() += 1;
    }
    let mut styles: Vec<_> = styles.into_iter().collect();
    styles.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    styles.into_iter().map(|(name, n)| format!("{name}×{n}")).collect::<Vec<_>>().join("  ")
}

/// Snapshots at these sizes, named after them. Dark and light differ in styles alone, so the light ones stand in the same
/// snapshot, and that the text is the same is asserted.
pub fn shoot_at(app: &mut App, name: &str, sizes: &[(u16, u16)]) {
    for size in sizes {
        let dark = render(app, *size, &Theme::dark());
        let light = render(app, *size, &Theme::light());
        assert_eq!(text(&dark), text(&light), "{name}: a theme changes no text");
        let text = picture(&dark) + "\nlight: " + &styles(&light);
        compare_text(&format!("{name}_{}x{}", size.0, size.1), &text);
    }
}

/// Holds a picture against the one that is kept under this name.
pub fn compare(name: &str, buffer: &Buffer) {
    compare_text(name, &picture(buffer));
}

fn compare_text(name: &str, picture: &str) {
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

/// A model of which everything that is wanted has been measured.
pub fn measured() -> App {
    let mut app = App::on(&layered());
    app.press("L");
    render(&mut app, MEDIUM, &Theme::dark());
    app.serve();
    app
}
