//! The tree: one line a folder or tensor, with as many columns as the width allows.

use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};

use super::draw::Canvas;
use super::filter;
use crate::engine::model::tree::NodeKind;
use crate::engine::preview::sqnr_db;
use crate::engine::stats::Estimate;
use crate::text;
use crate::tui::state::columns::{Column, Shown};
use crate::tui::state::fate::{Fate, why};
use crate::tui::state::geometry::scrolled;
use crate::tui::state::selection::Selected;
use crate::tui::state::slider::Lot;
use crate::tui::state::summary::{Mix, Summary, figures};
use crate::tui::state::tree::Item;
use crate::tui::state::{Area, Geometry, Session, State};
use crate::tui::theme::Theme;
use crate::tui::widgets::{gauge, stack};

/// The signs of a mix: ternary, other blocks, halves, the rest.
pub(super) const MIX_SIGNS: [char; 4] = ['━', '╌', '─', '┈'];

/// Before the mark of a row that is selected.
pub(super) const SELECTED: &str = "▌";
/// Before that of a folder of which some is selected.
pub(super) const PARTLY: &str = "▖";

/// Columns of the types.
const TYPES: usize = 10;

/// dB at which the little bar is full.
const FULL_BAR: f64 = 10.0;

/// Widths of the columns behind the name; 0 for one that is not shown.
#[derive(Debug, Clone, Copy)]
struct Columns {
    types: usize,
    shape: usize,
    size: usize,
    new_size: usize,
    sqnr: usize,
    bar: usize,
    why: usize,
}

impl Columns {
    /// Columns of the name that no chosen column takes away.
    const NAME: usize = 24;

    fn new(width: u16, chosen: Option<&[Shown]>) -> Self {
        match chosen {
            Some(chosen) => Self::of(usize::from(width), chosen),
            None => Self::fitting(width),
        }
    }

    /// Of those that were chosen as many as there is room for; the first is the last to go.
    fn of(width: usize, chosen: &[Shown]) -> Self {
        let mut columns = Self { types: 0, shape: 0, size: 0, new_size: 0, sqnr: 0, bar: 0, why: 0 };
        for column in chosen {
            let left = width.saturating_sub(columns.total() + Self::NAME);
            let (place, wide) = match column {
                Shown::Type => (&mut columns.types, 10),
                Shown::Shape => (&mut columns.shape, 12),
                Shown::Size => (&mut columns.size, 9),
                Shown::NewSize => (&mut columns.new_size, 9),
                Shown::Sqnr => (&mut columns.sqnr, 7),
                Shown::Bar => (&mut columns.bar, 6),
                Shown::Why => (&mut columns.why, 20),
            };
            if wide >= left {
                break;
            }
            *place = wide;
        }
        columns
    }

    fn fitting(width: u16) -> Self {
        let at = |least: u16, columns: usize| if width >= least { columns } else { 0 };
        Self {
            // On the least screens a name is worth more: the mark tells what goes ternary, the preview the types.
            types: at(40, TYPES),
            shape: at(76, 12),
            size: at(90, 9),
            new_size: at(60, 9),
            sqnr: 7,
            bar: at(68, 6),
            why: at(112, 20),
        }
    }

    /// The columns with their headings, from left to right.
    fn headed(self) -> [(Option<Column>, usize); 7] {
        [
            (Some(Column::Type), self.types),
            (Some(Column::Shape), self.shape),
            (Some(Column::Size), self.size),
            (Some(Column::NewSize), self.new_size),
            (Some(Column::Sqnr), self.sqnr),
            (None, self.bar),
            (Some(Column::Why), self.why),
        ]
    }

    /// Whether a column is on the screen.
    fn shows(self, column: Column) -> bool {
        column == Column::Name || self.headed().iter().any(|(c, width)| *c == Some(column) && *width > 0)
    }

    fn total(self) -> usize {
        self.headed().iter().filter(|(_, w)| *w > 0).map(|(_, w)| w + 1).sum()
    }
}

pub(super) fn draw(state: &State, session: &Session, canvas: &mut Canvas<'_>, area: Rect, geometry: &mut Geometry) {
    let inner = canvas.boxed(area, "");
    let columns = Columns::new(inner.width, state.settings.columns.as_deref());
    let name_width = usize::from(inner.width).saturating_sub(columns.total() + 3);
    headings(session, canvas, area, inner, columns, name_width, geometry);
    geometry.tree_names = name_width;
    footer(session, canvas, area);
    let inner = if session.filter.editing { filter::line(&session.filter, canvas, inner) } else { inner };
    let rows = session.tree.rows();
    let height = usize::from(inner.height);
    let (offset, sticky) = place(session, height);
    for line in 0..height.min(rows.len() - offset) {
        let i = sticky.get(line).copied().unwrap_or(offset + line);
        let y = inner.y + line as u16;
        let row = Row::new(session, rows[i], canvas.theme);
        let near = || labels_near(session, i);
        canvas.line(inner, y, &row.line(columns, name_width, canvas.theme, near));
        if let Some(sign) = selection_sign(session, i, rows[i]) {
            canvas.text(inner, inner.x, y, sign, canvas.theme.marker);
        }
        if line + 1 == sticky.len() {
            canvas.buf.set_style(Rect { y, height: 1, ..inner }, Modifier::UNDERLINED);
        }
        if i == session.tree.cursor() {
            let active = super::tree_is_active(state) && !super::is_covered(state);
            let style = if active { canvas.theme.cursor } else { canvas.theme.cursor_idle };
            canvas.buf.set_style(Rect { y, height: 1, ..inner }, style);
        }
    }
    geometry.tree = Area { x: inner.x, y: inner.y, width: inner.width, height: inner.height };
    geometry.tree_offset = offset;
    geometry.sticky = sticky;
}

/// The sign of a row that is selected, or in part.
fn selection_sign(session: &Session, row: usize, item: Item) -> Option<&'static str> {
    match session.row_selected(row, item) {
        Selected::Whole => Some(SELECTED),
        Selected::Part => Some(PARTLY),
        Selected::No => None,
    }
}

/// Most folders that stay at the top.
const STICKY: usize = 4;

/// The first row, and the rows that stand at the top instead of those that scrolled there: the folders above the first
/// row below them. The row under the cursor is never covered.
fn place(session: &Session, height: usize) -> (usize, Vec<usize>) {
    let (rows, cursor) = (session.tree.rows(), session.tree.cursor());
    let mut offset = scrolled(session.tree.offset, cursor, rows.len(), height);
    let most = if height < 10 { 0 } else { (height / 4).min(STICKY) };
    loop {
        let sticky = sticky(session, offset, most);
        if cursor >= offset + sticky.len() || offset == 0 {
            return (offset, sticky);
        }
        offset -= 1;
    }
}

/// As many folders as the row behind as many lines lies in; where that row begins another folder, those of the row
/// before, so that no row stands below a folder that is not its own.
fn sticky(session: &Session, offset: usize, most: usize) -> Vec<usize> {
    let rows = session.tree.rows();
    for lines in 0..=most {
        let Some(row) = rows.get(offset + lines) else { break };
        let mut above = session.tree.ancestors(*row);
        above.truncate(most);
        if above.len() <= lines {
            if above.len() < lines {
                above = session.tree.ancestors(rows[offset + lines - 1]);
                above.truncate(lines);
            }
            let place = |node: &usize| rows[..offset + lines].iter().rposition(|row| *row == Item::Node(*node));
            return above.iter().filter_map(place).collect();
        }
    }
    Vec::new()
}

/// Column headings stand in the upper border: they cost no row. The one that rows are sorted by has a sign.
fn headings(
    session: &Session,
    canvas: &mut Canvas<'_>,
    area: Rect,
    inner: Rect,
    columns: Columns,
    name_width: usize,
    geometry: &mut Geometry,
) {
    let theme = canvas.theme;
    let sort = session.sort;
    // The corners of the box stay.
    let inside = Rect { width: area.width.saturating_sub(1), ..area };
    let mut put = |x: usize, column: Column| {
        let sorted = sort.column == column && !sort.is_natural();
        let sign = if sorted { sort.sign().to_string() } else { String::new() };
        let words = format!(" {}{sign} ", column.title());
        let style = if sorted { theme.strong } else { theme.dim };
        let at = inner.x + x as u16;
        // Air behind it, where there is room for it.
        let fits = at + text::width(&words) as u16 <= inside.right();
        let end = canvas.text(inside, at, area.y, if fits { &words } else { words.trim_end() }, style);
        geometry.headings.push((Area { x: at, y: area.y, width: end.saturating_sub(at), height: 1 }, column));
    };
    put(1, Column::Name);
    let mut x = 3 + name_width;
    for (column, width) in columns.headed().into_iter().filter(|(_, width)| *width > 0) {
        if let Some(column) = column {
            let sign = usize::from(sort.column == column && !sort.is_natural());
            let len = column.title().len() + sign + 1;
            put(
                if matches!(column, Column::Type | Column::Why) { x } else { (x + 1 + width).saturating_sub(len) },
                column,
            );
        }
        x += width + 1;
    }
    if !columns.shows(sort.column) {
        // A column that there is no room for has no heading: what rows are sorted by stands behind that of the names.
        let column = format!("{}{} ", sort.column.title(), sort.sign());
        let at = 2 + text::width(Column::Name.title()) + 1;
        let room = (name_width + 3).saturating_sub(at);
        let words = [format!("sort {column}"), format!("by {column}"), column];
        if let Some(words) = words.iter().find(|words| text::width(words) <= room) {
            canvas.text(inside, inner.x + at as u16, area.y, words, theme.strong);
        }
    }
}

/// The lower border holds the filter and the place in the list.
fn footer(session: &Session, canvas: &mut Canvas<'_>, area: Rect) {
    let theme = canvas.theme;
    let y = area.bottom() - 1;
    let inside = Rect { x: area.x + 2, width: area.width.saturating_sub(4), y, height: 1 };
    let rows = session.tree.rows().len();
    let place = format!(" {}/{rows} ", session.tree.cursor() + 1);
    // What is wrong with a filter takes the whole line.
    let wrong = session.filter.editing && session.filter.problem().is_some();
    let right = if wrong { inside.right() } else { canvas.right(inside, y, &place, theme.dim) };
    let room = Rect { width: right.saturating_sub(inside.x), ..inside };
    let tensors = session.model.tensors.len();
    if session.filter.editing {
        filter::below(&session.filter, tensors, canvas, room, area.width.saturating_sub(2));
        return;
    }
    let mut x = room.x;
    let selected = session.selected_count();
    if selected > 0 || session.tree.range().is_some() {
        let words = format!("{SELECTED}{selected} selected ");
        x = canvas.text(room, room.x, y, &words, theme.marker);
    }
    if session.filter.expr().is_some() {
        let room = Rect { x, width: room.right().saturating_sub(x), ..room };
        filter::chip(&session.filter, tensors, canvas, room);
    }
}

/// One line's contents.
struct Row {
    mark: (char, Style),
    indent: usize,
    fold: &'static str,
    name: (String, Style),
    types: (String, Style),
    shape: String,
    size: String,
    new_size: (String, Style),
    sqnr: Option<Figure>,
    /// Why it ends so.
    why: String,
    /// What a folder's tensors are made of in the output, and whether all goes ternary that may.
    mix: Option<(Mix, bool)>,
}

/// An SQNR to show.
struct Figure {
    db: f64,
    exact: bool,
    /// Of something that does not go ternary: what it would be.
    hypothetical: bool,
    /// Of several tensors, not all of which are measured.
    partial: bool,
}

impl Figure {
    /// In a column. What has hardly begun to be measured has none; what would be stands in parentheses.
    fn text(&self) -> String {
        let db = text::decibels(self.db);
        let known = match (self.partial, self.db.is_finite()) {
            (true, false) => "…".to_owned(),
            (true, true) => format!("{db}…"),
            (false, _) if self.exact => db,
            (false, _) => format!("~{db}"),
        };
        if self.hypothetical { format!("({known})") } else { known }
    }
}

/// The error of what goes ternary in a folder; where nothing does, what it would be of all that may.
fn folder_figure(sum: &Summary) -> Option<Figure> {
    let of = |error: Estimate, exact, hypothetical, partial| {
        Some(Figure { db: sqnr_db(error.value), exact, hypothetical, partial })
    };
    match (sum.ternary, sum.error, sum.what_if) {
        (0, _, Some(e)) => of(e, sum.tried_exact == sum.eligible, true, sum.tried < sum.eligible),
        (_, Some(e), _) => of(e, sum.is_exact(), false, sum.is_partial()),
        _ => None,
    }
}

impl Row {
    fn new(session: &Session, item: Item, theme: &Theme) -> Self {
        match item {
            Item::Model => {
                let mut row = Self::folder(session, item, theme);
                row.name = ("all tensors".to_owned(), theme.strong);
                row
            }
            Item::Node(node) => {
                let tree = session.tree.tree();
                let label = text::escape(tree.nodes[node].label());
                let mut row = match tree.nodes[node].kind {
                    NodeKind::Tensor(index) => Self::tensor(session, item, index, theme),
                    NodeKind::Folder(_) => Self::folder(session, item, theme),
                };
                row.indent = tree.nodes[node].depth as usize * 2;
                row.name.0 = match tree.nodes[node].kind {
                    NodeKind::Folder(_) => {
                        row.fold = if session.tree.is_open(node) { "▾ " } else { "▸ " };
                        label.trim_end_matches('.').to_owned()
                    }
                    NodeKind::Tensor(_) => label,
                };
                row
            }
        }
    }

    fn folder(session: &Session, item: Item, theme: &Theme) -> Self {
        let sum = &session.sums(item);
        let mark = match (sum.ternary, sum.eligible) {
            (0, 0) if sum.already > 0 && sum.already == sum.tensors => ('=', theme.kept),
            (0, _) => ('○', theme.kept),
            (ternary, eligible) if ternary >= eligible => ('●', theme.ternary),
            _ => ('◐', theme.ternary),
        };
        let types = match (sum.ternary, sum.eligible) {
            (0, 0) => String::new(),
            (ternary, eligible) => {
                let words = format!("{ternary} of {}", eligible.max(ternary));
                // In a model of very many tensors the share says it in less room.
                let share = ternary as f64 / eligible.max(ternary) as f64;
                if words.len() > TYPES { text::percent(share) } else { words }
            }
        };
        let style = if sum.ternary > 0 { theme.ternary } else { theme.dim };
        Self {
            mark,
            indent: 0,
            fold: "",
            name: (String::new(), theme.text),
            types: (types, style),
            shape: format!("{} params", text::count(sum.params)),
            size: text::bytes(sum.bytes),
            new_size: new_size(sum, theme),
            sqnr: folder_figure(sum),
            why: String::new(),
            mix: Some((sum.mix, sum.ternary >= sum.eligible)),
        }
    }

    fn tensor(session: &Session, item: Item, index: usize, theme: &Theme) -> Self {
        let tensor = &session.model.tensors[index];
        let decision = session.plan.decision(index);
        let outlook = session.plan.outlook(index);
        let sum = &session.sums(item);
        let lot = session.lot(index);
        let becomes = lot.and_then(|(slider, lot)| Some(slider.becomes(index, lot)?.0)).unwrap_or(decision.new_type);
        let ternary = lot.map_or(decision.is_ternary(), |_| sum.ternary > 0);
        let types = if becomes == tensor.dtype {
            (tensor.dtype.to_string(), theme.dim)
        } else {
            (format!("{}→{becomes}", tensor.dtype), if ternary { theme.ternary } else { theme.text })
        };
        let measured = outlook.eligible.then(|| figures(&session.plan, &session.previews, index)).flatten();
        let sqnr = measured.and_then(|(figures, method)| {
            let db = figures.method(method)?.sqnr_db();
            Some(Figure { db, exact: figures.exact, hypothetical: !ternary, partial: false })
        });
        let name = if ternary { theme.text } else { theme.kept };
        let why = lot.map_or_else(|| why(session, index), |(slider, lot)| slider.why(index, lot));
        Self {
            mark: lot.map_or_else(|| mark(session, index, theme), |(_, lot)| lot_mark(lot, theme)),
            indent: 0,
            fold: "  ",
            name: (String::new(), name),
            types,
            shape: text::shape(&tensor.dims),
            size: text::bytes(tensor.bytes),
            new_size: new_size(sum, theme),
            sqnr,
            why: text::escape(&why),
            mix: None,
        }
    }

    /// `near`: the names in the rows around it, which one that is cut must not look like.
    fn line(
        &self,
        columns: Columns,
        name_width: usize,
        theme: &Theme,
        near: impl Fn() -> Vec<String>,
    ) -> Line<'static> {
        let indent = self.indent.min(name_width / 3);
        let room = name_width.saturating_sub(indent + text::width(self.fold));
        // Nearly every name ends so: it is the first to go.
        let short = |name: &'_ str| -> usize {
            name.strip_suffix(".weight").filter(|_| name_width < 32).map_or(name.len(), str::len)
        };
        let name = &self.name.0[..short(&self.name.0)];
        let name = if text::width(name) > room {
            let near = near();
            let others: Vec<&str> = near.iter().map(|other| &other[..short(other)]).collect();
            text::elide_apart(name, &others, room)
        } else {
            name.to_owned()
        };
        let name = format!("{}{}{name}", " ".repeat(indent), self.fold);
        let mut spans = vec![Span::styled(format!(" {} ", self.mark.0), self.mark.1)];
        // Names of folders are short: what they are made of stands behind them.
        let mix = self.mix.map(|(mix, whole)| mix_bar(mix, whole, theme)).unwrap_or_default();
        let mix_width = if mix.is_empty() { 0 } else { MIX };
        if mix_width > 0 && text::width(&name) + 1 + mix_width <= name_width {
            spans.push(Span::styled(left(&name, name_width - mix_width), self.name.1));
            spans.extend(mix);
        } else {
            spans.push(Span::styled(left(&name, name_width), self.name.1));
        }
        let mut cell = |width: usize, text: String, style: Style| {
            if width > 0 {
                spans.push(Span::styled(format!(" {text}"), style));
            }
        };
        cell(columns.types, left(&self.types.0, columns.types), self.types.1);
        cell(columns.shape, right(&self.shape, columns.shape), theme.dim);
        cell(columns.size, right(&self.size, columns.size), theme.dim);
        cell(columns.new_size, right(&self.new_size.0, columns.new_size), self.new_size.1);
        if let Some(figure) = &self.sqnr {
            let style = if figure.hypothetical || figure.partial { theme.dim } else { theme.sqnr(figure.db) };
            cell(columns.sqnr, right(&figure.text(), columns.sqnr), style);
            if columns.bar > 0 {
                let share = if figure.partial && !figure.db.is_finite() { 0.0 } else { figure.db / FULL_BAR };
                spans.push(Span::raw(" "));
                spans.extend(gauge::bar(columns.bar, share, style, theme.track));
            }
        } else {
            let empty = [columns.sqnr, columns.bar].into_iter().filter(|width| *width > 0).map(|width| width + 1);
            spans.push(Span::styled(" ".repeat(empty.sum()), theme.dim));
        }
        if columns.why > 0 {
            spans.push(Span::styled(format!(" {}", text::elide(&self.why, columns.why - 1)), theme.dim));
        }
        Line::from(spans)
    }
}

/// Rows above and below that a name is told apart from.
const NEAR: usize = 32;

/// The names in the rows around one.
fn labels_near(session: &Session, row: usize) -> Vec<String> {
    let rows = session.tree.rows();
    let near = rows.get(row.saturating_sub(NEAR)..rows.len().min(row + NEAR)).unwrap_or_default();
    let label = |item: &Item| match item {
        Item::Node(node) => Some(text::escape(session.tree.tree().nodes[*node].label())),
        Item::Model => None,
    };
    near.iter().filter_map(label).collect()
}

/// Cells of a folder's mix.
const MIX: usize = 8;

/// The mix as a bar: ternary, other blocks, halves, the rest. It is not full while something does not go ternary that may.
fn mix_bar(mix: Mix, whole: bool, theme: &Theme) -> Vec<Span<'static>> {
    let mut parts = mix.0;
    if !whole {
        let rest = parts[1..].iter().fold(0u64, |sum, part| sum.saturating_add(*part));
        parts[0] = parts[0].min(rest.saturating_mul(MIX as u64 - 1));
    }
    stack::bar(MIX, parts, MIX_SIGNS, [theme.ternary, theme.dim, theme.dim, theme.track])
}

/// The sign of what becomes of a tensor.
pub(super) fn mark(session: &Session, index: usize, theme: &Theme) -> (char, Style) {
    let fate = session.fate_of(index);
    (fate.sign(), fate_style(fate, theme))
}

/// The sign of what the budget slider would make of a tensor.
pub(super) fn lot_mark(lot: Lot, theme: &Theme) -> (char, Style) {
    let style = match lot {
        Lot::Taken => theme.ternary,
        Lot::PinnedTernary | Lot::PinnedKept => theme.warning,
        Lot::Left | Lot::Other => theme.kept,
    };
    (lot.sign().unwrap_or(' '), style)
}

/// Its style.
pub(super) fn fate_style(fate: Fate, theme: &Theme) -> Style {
    match fate {
        Fate::Ternary | Fate::FellBack => theme.ternary,
        Fate::Overridden | Fate::Missed | Fate::Undone => theme.warning,
        Fate::Already | Fate::Kept => theme.kept,
        Fate::Protected => theme.protected,
        Fate::Failed => theme.error,
    }
}

/// The size in the output, where it is another one.
fn new_size(sum: &Summary, theme: &Theme) -> (String, Style) {
    let style = if sum.new_bytes == sum.bytes { theme.dim } else { theme.text };
    (text::bytes(sum.new_bytes), style)
}

/// Text at the left of a column.
pub(super) fn left(content: &str, width: usize) -> String {
    let content = text::clip(content, width);
    let pad = width.saturating_sub(text::width(&content));
    content + &" ".repeat(pad)
}

/// Text at the right of a column.
pub(super) fn right(content: &str, width: usize) -> String {
    let content = text::clip(content, width);
    " ".repeat(width.saturating_sub(text::width(&content))) + &content
}
