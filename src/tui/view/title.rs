//! The title line: which file, what kind of model, how large, of what types.

use ratatui::layout::Rect;

use super::draw::{Canvas, spinner};
use crate::engine::codec::DType;
use crate::text;
use crate::tui::action::Action;
use crate::tui::keymap::Context;
use crate::tui::state::command::shorten;
use crate::tui::state::kinds::Kinds;
use crate::tui::state::{Screen, Session, State};

/// What the program is for, at three lengths: shown while no model is.
const ABOUT: [&str; 3] = [
    "see the tensors of a model, choose which go ternary, watch error and size, write the GGUF",
    "choose which tensors go ternary, watch the error, write the GGUF",
    "ternary quantization",
];

pub(super) fn draw(state: &State, canvas: &mut Canvas<'_>, area: Rect) {
    let theme = canvas.theme;
    let mut right = area.right();
    if let (Some(opening), Some(_)) = (&state.opening, &state.session) {
        let path = shorten(&opening.path, state.settings.home.as_deref());
        let words = format!("{} opening {} ", spinner(state.phase()), text::elide(&path, 30));
        right = canvas.right(area, area.y, &words, theme.accent);
    }
    if state.jobs.unseen > 0 {
        let way = state.settings.keymap.way_to(Context::of(state), Action::Jobs);
        let words = format!("✓ {} done · {way} ", text::counted(state.jobs.unseen, "export"));
        let left = Rect { width: right - area.x, ..area };
        right = canvas.right(left, area.y, &words, theme.good);
    }
    let area = Rect { width: right - area.x, ..area };
    let mut x = canvas.text(area, area.x + 1, area.y, "tritscope", theme.title);
    let Some(session) = &state.session else {
        // The longest that fits.
        let words =
            ABOUT.into_iter().find(|words| text::width(words) + 3 <= usize::from(area.right().saturating_sub(x)));
        canvas.text(area, x + 2, area.y, words.unwrap_or_default(), theme.dim);
        return;
    };
    let model = &session.model;
    let area = match model.cut_off() {
        Some(_) => Rect { width: canvas.right(area, area.y, "✗ cut off ", theme.error) - area.x, ..area },
        None => area,
    };
    let file = model.path.file_name().unwrap_or(model.path.as_os_str()).to_string_lossy();
    let file = text::elide(&text::escape(&file), usize::from(area.width / 3).max(16));
    x = canvas.text(area, x + 2, area.y, &file, theme.strong);
    x = crumbs(session, canvas, area, x);
    let facts = [
        model
            .architecture
            .as_deref()
            .map_or_else(|| "no architecture".to_owned(), |a| text::clip(&text::escape(a), 20)),
        format!("{} params", text::count(session.kinds.elements())),
        text::bytes(model.file_bytes()),
        "ro".to_owned(),
        types(&session.kinds),
    ];
    x += 1;
    for (i, fact) in facts.iter().enumerate() {
        let sign = if i == 0 { " " } else { " · " };
        // A fact that does not fit is left out whole.
        if usize::from(x) + text::width(sign) + text::width(fact) > usize::from(area.right()) {
            break;
        }
        x = canvas.text(area, x, area.y, sign, theme.dim);
        x = canvas.text(area, x, area.y, fact, theme.dim);
    }
}

/// Where one is: the screen, and the row under the tree's cursor.
fn crumbs(session: &Session, canvas: &mut Canvas<'_>, area: Rect, mut x: u16) -> u16 {
    let theme = canvas.theme;
    let (mut row, mut part) = (String::new(), "");
    if session.screen == Screen::Tensors {
        row = text::escape(session.tree.path(session.tree.selected()));
        part = if session.pane.focused { session.tab.title() } else { "" };
    }
    if session.screen == Screen::Model {
        part = session.pages.page.title();
    }
    for crumb in [session.screen.title(), row.trim_end_matches('.'), part] {
        let room = usize::from(area.right().saturating_sub(x + 3));
        if !crumb.is_empty() && room > 8 {
            x = canvas.text(area, x, area.y, " › ", theme.dim);
            x = canvas.text(area, x, area.y, &text::elide(crumb, room), theme.text);
        }
    }
    x
}

/// The types by their share of the elements, largest first: `F16 99 % F32 1 %`.
fn types(kinds: &Kinds) -> String {
    let mut shares: Vec<(DType, u64)> = kinds.types.iter().map(|(dtype, _, elements)| (*dtype, *elements)).collect();
    let total = shares.iter().fold(0, |sum: u64, (_, n)| sum.saturating_add(*n)).max(1) as f64;
    shares.sort_unstable();
    shares.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
    let more = shares.len().saturating_sub(3);
    let words = shares.iter().take(3).map(|(dtype, n)| match *n as f64 / total * 100.0 {
        share if share >= 0.995 => format!("{dtype} {share:.0} %"),
        _ => dtype.to_string(),
    });
    let mut words = words.collect::<Vec<_>>().join(", ");
    if more > 0 {
        words += &format!(", {more} more");
    }
    words
}
