//! The main screen: moving, folding, filtering, the preview's tabs, and the doors to everything else.

use std::time::Duration;

use super::{compare, decide, forms, opening, pages, pane, plan, presets, quantize, quit, reading, selection, types};
use crate::engine::model::tree::Grouping;
use crate::text;
use crate::tui::action::Action;
use crate::tui::effect::Effect;
use crate::tui::state::columns::{Column, Sort};
use crate::tui::state::pages::Page;
use crate::tui::state::summary::{figures, what_if};
use crate::tui::state::tree::Item;
use crate::tui::state::{Session, State, Tone};

pub(super) fn act(state: &mut State, action: Action) -> Vec<Effect> {
    match action {
        Action::Quit => quit(state),
        Action::Open => opening::open_picker(state),
        Action::OpenDemo => opening::open_demo(state),
        Action::Pages => {
            pages::toggle(state);
            Vec::new()
        }
        // Without a model there are messages only.
        Action::Notes if pages::show(state, Page::Problems) => Vec::new(),
        Action::Notes => {
            reading::open_messages(state);
            Vec::new()
        }
        Action::Quantize => quantize::open(state),
        Action::Sensitivity => {
            decide::open_sensitivity(state);
            Vec::new()
        }
        Action::Budget => {
            decide::open_slider(state);
            Vec::new()
        }
        Action::Compare => compare::open(state),
        Action::Presets => {
            presets::open(state);
            Vec::new()
        }
        Action::ChooseType => {
            types::open(state);
            Vec::new()
        }
        Action::SaveRecipe => forms::open_save(state),
        Action::ToggleTernary
        | Action::CycleType
        | Action::NextMethod
        | Action::PreviousMethod
        | Action::NextFormat
        | Action::PreviousFormat
        | Action::CycleMask
        | Action::Undo
        | Action::Redo => {
            plan::act(state, action);
            Vec::new()
        }
        Action::Pane(action) => {
            pane::anywhere(state, action);
            Vec::new()
        }
        Action::ToggleFold if pane::focus(state) => {
            state.wants_changed = true;
            Vec::new()
        }
        _ => {
            let (page, now) = (page(state), state.now);
            let info = |text| (Tone::Info, text);
            let notice = state.session.as_mut().and_then(|session| {
                if let Some(said) = selection::act(session, action) {
                    return Some(said);
                }
                arrange(session, action, now).or_else(|| in_session(session, action, page)).map(info)
            });
            if action == Action::Back && notice.is_none() {
                state.notices.dismiss();
            }
            if let Some((tone, text)) = notice {
                state.notify(tone, text);
            }
            state.wants_changed = true;
            Vec::new()
        }
    }
}

/// Rows of the tree that are in sight, less one to keep the eye on.
pub(super) fn page(state: &State) -> isize {
    isize::try_from(state.geometry.tree.height).unwrap_or(1).saturating_sub(1).max(1)
}

fn in_session(session: &mut Session, action: Action, page: isize) -> Option<String> {
    let tree = &mut session.tree;
    match action {
        Action::Up => tree.move_by(-1),
        Action::Down => tree.move_by(1),
        Action::PageUp => tree.move_by(-page),
        Action::PageDown => tree.move_by(page),
        Action::Top => tree.move_to(0),
        Action::Bottom => tree.move_to(usize::MAX),
        Action::Fold => tree.fold(),
        Action::Unfold => tree.unfold(),
        Action::ToggleFold => drop(tree.toggle_fold()),
        Action::FoldAll => tree.fold_all(),
        Action::UnfoldAll => tree.unfold_all(),
        Action::Filter => {
            let home = home(session);
            session.filter.begin(&session.model, &session.plan, home);
        }
        Action::NextTab => session.tab = session.tab.step(1),
        Action::PreviousTab => session.tab = session.tab.step(crate::tui::state::Tab::ALL.len() - 1),
        Action::ShowTab(tab) => {
            session.tab = tab;
            if session.tree.selected_tensor().is_none() {
                return Some("tabs are of tensors, and this is a folder".to_owned());
            }
        }
        Action::Worst => return Some(to_worst(session, true)),
        Action::ToggleLogAxis => session.log_axis = !session.log_axis,
        Action::MeasureExactly => return Some(measure(session)),
        Action::Back if session.drop_selection() => {}
        Action::Back if session.tree.is_filtered() => clear_filter(session),
        _ => {}
    }
    None
}

/// Puts the cursor on the tensor with the greatest error among those in the tree: of those that go ternary; of all that
/// may where fewer than two do, and, if `beyond`, where the cursor is on the worst of them already. What is not measured yet
/// is asked for.
fn to_worst(session: &mut Session, beyond: bool) -> String {
    let sqnr = |tensor: &usize| {
        let node = session.node_of(*tensor)?;
        let key = Column::Sqnr.key(&session.summaries.of(Item::Node(node)));
        key.is_finite().then_some((*tensor, node, key))
    };
    let seen = session.tree.visible_below(Item::Model);
    let all: Vec<usize> = seen.iter().copied().filter(|t| session.plan.outlook(*t).eligible).collect();
    let tried = |t: &usize| {
        let how = what_if(&session.plan, *t);
        how.is_none_or(|(format, method)| session.previews.is_tried((*t, format), method))
    };
    let missing = all.iter().filter(|t| !tried(t)).count();
    let measured = |of: &[usize]| of.iter().filter_map(sqnr).collect::<Vec<_>>();
    let worst = |of: &[(usize, usize, f64)]| of.iter().min_by(|a, b| a.2.total_cmp(&b.2)).copied();
    let ternary: Vec<usize> = all.iter().copied().filter(|t| session.plan.decision(*t).is_ternary()).collect();
    let known = measured(&ternary);
    let been = beyond && worst(&known).is_some_and(|(tensor, ..)| session.tree.selected_tensor() == Some(tensor));
    let wider = ternary.len() < all.len() && (ternary.len() < 2 || been);
    let known = if wider { measured(&all) } else { known };
    let found = worst(&known);
    session.scan |= missing > 0;
    session.worst_of_part = missing > 0;
    let Some((tensor, node, db)) = found else {
        return match missing {
            0 => "nothing here can be measured".to_owned(),
            n => format!("nothing is measured yet: measuring {n}, then it is told"),
        };
    };
    let name = text::escape(&session.model.tensors[tensor].name);
    let exact = figures(&session.plan, &session.previews, tensor).is_some_and(|(figures, _)| figures.exact);
    let sign = if exact { "" } else { "~" };
    let of = if wider && !ternary.is_empty() { " of all that may go ternary" } else { "" };
    let mut words = format!("{name}: SQNR {sign}{} dB, the worst of {} measured{of}", text::decibels(db), known.len());
    if missing > 0 {
        words += &format!("; measuring {missing} more, then it is told again");
    }
    session.worst = Some(tensor);
    session.show_node(node);
    words
}

/// Tells again which tensor is the worst when all is measured of which only a part was, and goes there if the cursor has
/// stayed where that led.
pub(super) fn follow_worst(state: &mut State) {
    let Some(session) = state.session.as_mut().filter(|s| s.worst_of_part && !s.sweeps.is_measuring()) else { return };
    if session.worst != session.tree.selected_tensor() && session.worst.is_some() {
        session.worst_of_part = false;
        state.notify(Tone::Info, "all is measured now: w goes to the worst");
        return;
    }
    let before = session.worst;
    let words = to_worst(session, false);
    let stays = if before.is_some() && session.worst == before { "it stays: " } else { "" };
    // What could not be measured is not waited for.
    session.worst_of_part = false;
    state.notify(Tone::Info, format!("all is measured now: {stays}{words}"));
    state.wants_changed = true;
}

/// The keys that put the rows in another order; what they say.
fn arrange(session: &mut Session, action: Action, now: Duration) -> Option<String> {
    let sort = session.sort;
    let sort = match action {
        Action::NextSort => Sort::by(sort.column.step(1)),
        Action::PreviousSort => Sort::by(sort.column.step(-1)),
        Action::ReverseSort => sort.reversed(),
        Action::Regroup => {
            session.regroup(now);
            return Some(match session.tree.grouping() {
                Grouping::Names => "folded by name".to_owned(),
                Grouping::Roles => "folded by role".to_owned(),
            });
        }
        _ => return None,
    };
    Some(sort_by(session, sort, now))
}

/// Puts the rows in this order; what it says.
pub(super) fn sort_by(session: &mut Session, sort: Sort, now: Duration) -> String {
    session.sort_by(sort, now);
    if !sort.is_natural() {
        // Who sorts wants to see the first ones.
        session.tree.to_first_sibling();
    }
    let way = if sort.descending { "greatest first" } else { "least first" };
    match sort.column {
        Column::Name if sort.descending => "sorted by name, backwards".to_owned(),
        Column::Name => "sorted by name".to_owned(),
        column => format!("sorted by {}, {way}", column.title()),
    }
}

/// Asks for exact figures of the selection: of its ternary tensors, or of those that could be where it has none.
fn measure(session: &mut Session) -> String {
    let target = session.target();
    let ternary = |t: &&usize| session.plan.decision(**t).is_ternary();
    let eligible = |t: &&usize| session.plan.outlook(**t).eligible;
    let mut tensors: Vec<usize> = target.tensors().iter().filter(ternary).copied().collect();
    if tensors.is_empty() {
        tensors = target.tensors().iter().filter(eligible).copied().collect();
    }
    match tensors.len() {
        0 => "nothing here is to be measured: no tensor goes ternary, or could".to_owned(),
        n => {
            session.exact.extend(tensors);
            format!("measuring every weight of {n} tensor{} in the background", if n == 1 { "" } else { "s" })
        }
    }
}

pub(super) fn act_filter(state: &mut State, action: Action) -> Vec<Effect> {
    let (page, now) = (page(state), state.now);
    state.wants_changed = true;
    let Some(session) = &mut state.session else { return Vec::new() };
    match action {
        Action::Accept => drop(session.filter.keep()),
        // A filter is cleared; of what is no filter there is nothing to clear, and the one before comes back.
        Action::Back if leave_filter(session, now).is_some() => {}
        Action::Back => clear_filter(session),
        Action::Up | Action::Down | Action::PageUp | Action::PageDown => {
            in_session(session, action, page);
            session.filter.home = Some(home(session));
        }
        Action::Complete if session.filter.complete() => filter_typed(session, now),
        Action::Edit(edit) if session.filter.input.apply(edit) => filter_typed(session, now),
        _ => {}
    }
    Vec::new()
}

/// Shows what the filter's text lets through, once it is a filter.
pub(super) fn filter_typed(session: &mut Session, now: Duration) {
    if !session.filter.read() {
        return;
    }
    let home = session.filter.home.unwrap_or_else(|| session.tree.selected());
    let passing = session.filter.ask(&session.model, &session.plan, &session.previews, now);
    session.tree.set_filter(passing.as_deref(), home);
}

/// Filters by this text, as if it had been typed and kept; what is no filter changes nothing and is told.
pub(super) fn set_filter(state: &mut State, text: &str) {
    let now = state.now;
    let Some(session) = &mut state.session else { return };
    if text.is_empty() {
        clear_filter(session);
    } else {
        let home = home(session);
        session.filter.begin(&session.model, &session.plan, home);
        session.filter.input.set(text);
        filter_typed(session, now);
        let problem = leave_filter(session, now);
        session.filter.keep();
        if let Some(what) = problem {
            state.notify(Tone::Warning, what);
        }
    }
    state.wants_changed = true;
}

/// A filter on figures or on the plan follows them. Whether other rows are shown.
pub(super) fn follow_filter(session: &mut Session, now: Duration) -> bool {
    if session.filter.due(&session.plan, &session.previews).is_none_or(|due| due > now) {
        return false;
    }
    let before = session.tree.rows().len();
    let selected = session.tree.selected();
    let (nothing, home) = (session.filter.matches() == 0, home(session));
    if let Some(passing) = session.filter.ask(&session.model, &session.plan, &session.previews, now) {
        // Where nothing was let through the cursor had no place of its own.
        if nothing && session.filter.matches() > 0 {
            session.tree.set_filter(Some(&passing), home);
        } else {
            session.tree.refilter(&passing);
        }
    }
    (before, selected) != (session.tree.rows().len(), session.tree.selected())
}

/// Leaves a line that is no filter: the filter from before it was opened is in force again. What was wrong.
pub(super) fn leave_filter(session: &mut Session, now: Duration) -> Option<String> {
    let problem = session.filter.leave()?;
    filter_typed(session, now);
    Some(problem.message)
}

pub(super) fn clear_filter(session: &mut Session) {
    let home = home(session);
    session.filter.clear();
    session.tree.set_filter(None, home);
}

/// The row that the cursor belongs to: of a filter that lets nothing through, the one it was on before.
fn home(session: &Session) -> Item {
    let nothing = session.tree.is_filtered() && session.filter.matches() == 0;
    session.filter.home.filter(|_| nothing).unwrap_or_else(|| session.tree.selected())
}
