//! The model's pages: moving and searching in them, what they ask for, what comes back, and the edits of the recipe.

use std::sync::Arc;

use crate::engine::model::Model;
use crate::jobs::CheckEvent;
use crate::jobs::questions::{Answer, Question};
use crate::tui::action::Action;
use crate::tui::effect::Effect;
use crate::tui::state::input::TextInput;
use crate::tui::state::pages::metadata::Shown;
use crate::tui::state::pages::problems::Check;
use crate::tui::state::pages::rules::{Edit, PatternLine};
use crate::tui::state::pages::{Page, Pages, Remote, moved};
use crate::tui::state::{Screen, Session, State, Tone};

use super::browse;
use super::mouse::DOUBLE_CLICK;

/// Opens the pages, or goes back to the tensors.
pub(super) fn toggle(state: &mut State) {
    if let Some(session) = &mut state.session {
        session.screen = if session.screen == Screen::Model { Screen::Tensors } else { Screen::Model };
    }
}

/// Opens a page; whether there is a model to have one.
pub(super) fn show(state: &mut State, page: Page) -> bool {
    let Some(session) = &mut state.session else { return false };
    session.screen = Screen::Model;
    session.pages.page = page;
    true
}

pub(super) fn act(state: &mut State, action: Action) -> Vec<Effect> {
    let rows = usize::from(state.geometry.page.height).max(1);
    let lines = state.geometry.page_lines;
    let Some(session) = &mut state.session else { return Vec::new() };
    match action {
        Action::Pages => toggle(state),
        Action::NextPage => session.pages.page = session.pages.page.step(1),
        Action::PreviousPage => session.pages.page = session.pages.page.step(Page::ALL.len() - 1),
        Action::ShowPage(page) => session.pages.page = page,
        Action::Back => back(session),
        Action::Search => search(&mut session.pages),
        Action::CheckWeights => return check(state),
        Action::ToggleMerges => {
            if !session.pages.tokenizer.toggle_merges() {
                state.notify(Tone::Info, "this tokenizer has no merges");
            }
        }
        Action::NextTemplate | Action::PreviousTemplate if session.pages.template.count() > 1 => {
            session.pages.template.step(action == Action::NextTemplate);
        }
        Action::NextTemplate | Action::PreviousTemplate if session.pages.template.count() == 1 => {
            state.notify(Tone::Info, "this file has one chat template only");
        }
        Action::Accept if session.pages.page == Page::Problems => jump(state),
        Action::Accept => session.pages.metadata.opened = session.pages.metadata.entry().is_some(),
        Action::Fold => session.pages.metadata.opened = false,
        Action::ToggleRule
        | Action::AddRule
        | Action::EditRule
        | Action::DeleteRule
        | Action::RuleUp
        | Action::RuleDown
        | Action::NextMethod
        | Action::PreviousMethod
        | Action::NextFormat
        | Action::PreviousFormat => edit(state, action),
        Action::Up | Action::Down | Action::PageUp | Action::PageDown | Action::Top | Action::Bottom => {
            step(session, action, rows, lines);
        }
        // Quantizing, saving, undoing, help and quitting are what they are in the tree.
        _ => return browse::act(state, action),
    }
    Vec::new()
}

/// One level up: out of a value, out of a search, out of the merges, out of the pages.
fn back(session: &mut Session) {
    let pages = &mut session.pages;
    match pages.page {
        Page::Metadata if pages.metadata.opened => pages.metadata.opened = false,
        Page::Metadata if !pages.metadata.search.text().is_empty() => {
            pages.metadata.search.set("");
            pages.metadata.select(&session.model);
        }
        Page::Tokenizer if pages.tokenizer.merges.is_some() => pages.tokenizer.merges = None,
        Page::Tokenizer if !pages.tokenizer.search.text().is_empty() => clear_tokens(pages),
        _ => session.screen = Screen::Tensors,
    }
}

/// Ends a search of tokens; the cursor stays on the token that it was on.
fn clear_tokens(pages: &mut Pages) {
    let tokens = &mut pages.tokenizer;
    let token = tokens.token(tokens.cursor);
    tokens.search.set("");
    tokens.found = None;
    tokens.cursor = token.unwrap_or(0);
}

fn search(pages: &mut Pages) {
    match pages.page {
        Page::Metadata if pages.metadata.opened => {
            let array = pages.metadata.detail.as_ref().is_some_and(|d| matches!(d.shown, Shown::Array(_)));
            pages.metadata.editing = array;
            pages.metadata.goto.set("");
        }
        Page::Metadata => pages.metadata.editing = true,
        Page::Tokenizer => {
            pages.tokenizer.merges = None;
            pages.tokenizer.editing = true;
        }
        _ => {}
    }
}

/// Moves the page's cursor, or its text.
fn step(session: &mut Session, action: Action, rows: usize, lines: usize) {
    let pages = &mut session.pages;
    let last = lines.saturating_sub(rows) + 1;
    let to = |cursor: usize, len: usize| moved(cursor, action, len, rows).unwrap_or(cursor);
    match pages.page {
        Page::Overview => pages.overview = to(pages.overview.min(last), last),
        Page::Template => pages.template.top = to(pages.template.top.min(last), last),
        Page::Metadata if pages.metadata.opened => match pages.metadata.detail.as_mut().map(|d| &mut d.shown) {
            Some(Shown::Text { top, .. }) => *top = to((*top).min(last), last),
            Some(Shown::Array(array)) => array.cursor = to(array.cursor, array.lines()),
            None => {}
        },
        Page::Metadata => pages.metadata.cursor = to(pages.metadata.cursor, pages.metadata.rows.len()),
        Page::Tokenizer => drop(pages.tokenizer.act(action, rows)),
        Page::Problems => pages.problems.cursor = to(pages.problems.cursor, pages.problems.list.len()),
        Page::Recipe => pages.recipe.cursor = to(pages.recipe.cursor, session.plan.recipe().rules.len() + 1),
        Page::Runtimes => pages.runtime = to(pages.runtime, pages.derived.verdicts.len()),
    }
}

/// Goes to the tensor of the problem under the cursor.
fn jump(state: &mut State) {
    let Some(session) = &mut state.session else { return };
    let problem = session.pages.problems.selected();
    let filter = problem.and_then(|p| p.filter(&session.model));
    let Some(tensor) = problem.and_then(|p| p.tensor) else {
        state.notify(Tone::Info, "this is about no one tensor");
        return;
    };
    if let Some(node) = session.node_of(tensor) {
        session.show_node(node);
        session.screen = Screen::Tensors;
        state.wants_changed = true;
    }
    if let Some(filter) = filter {
        super::browse::set_filter(state, &filter);
        state.notify(Tone::Info, "only the tensors that the finding names; esc shows all again");
    }
}

/// Begins to check every weight, or stops that.
fn check(state: &mut State) -> Vec<Effect> {
    let Some(session) = &mut state.session else { return Vec::new() };
    let problems = &mut session.pages.problems;
    if matches!(problems.check, Check::Running(_)) {
        return vec![Effect::StopCheck];
    }
    problems.check = Check::Running(0.0);
    vec![Effect::Check(Arc::clone(&session.model))]
}

/// Edits of the recipe. Each is a step of the plan with its name.
fn edit(state: &mut State, action: Action) {
    let Some(session) = &mut state.session else { return };
    let (page, recipe) = (&mut session.pages.recipe, session.plan.recipe());
    let made = match action {
        Action::ToggleRule => page.toggle(recipe),
        Action::DeleteRule => page.delete(recipe),
        Action::RuleUp | Action::RuleDown => page.shift(recipe, action == Action::RuleDown),
        Action::NextMethod | Action::PreviousMethod => page.step_method(recipe, action == Action::NextMethod),
        Action::NextFormat | Action::PreviousFormat => page.step_format(recipe, action == Action::NextFormat),
        Action::EditRule => match page.rule().and_then(|i| Some((i, recipe.rules.get(i)?))) {
            Some((index, rule)) => {
                let input = TextInput::new(rule.pattern.to_string());
                page.line = Some(PatternLine { input, of: Some(index), keep: false });
                return;
            }
            None => None,
        },
        _ => {
            page.line = Some(PatternLine { input: TextInput::default(), of: None, keep: false });
            return;
        }
    };
    if let Some(edit) = made {
        apply(state, edit);
        return;
    }
    let why = match action {
        Action::RuleUp | Action::RuleDown => "there is no place further",
        Action::DeleteRule | Action::EditRule => "the mask cannot be deleted or renamed: space changes it",
        _ => "a rule that keeps has no method: f gives it a precision",
    };
    state.notify(Tone::Info, why);
}

fn apply(state: &mut State, edit: Edit) {
    let Some(session) = &mut state.session else { return };
    let model = Arc::clone(&session.model);
    let before = session.plan.plan().totals.ternary_tensors;
    session.plan.apply(&model, edit.name.clone(), edit.recipe);
    session.pages.recipe.cursor = edit.cursor;
    let change = i128::from(session.plan.plan().totals.ternary_tensors) - i128::from(before);
    let text = match change {
        0 => format!("{}: no tensor changes sides", edit.name),
        n => format!("{}: {n:+} tensor{} ternary", edit.name, if n.abs() == 1 { "" } else { "s" }),
    };
    state.notify(Tone::Info, text);
    state.sums_changed = true;
    state.wants_changed = true;
}

/// Keys while something is typed.
pub(super) fn act_line(state: &mut State, action: Action) -> Vec<Effect> {
    let rows = usize::from(state.geometry.page.height).max(1);
    let lines = state.geometry.page_lines;
    let Some(session) = &mut state.session else { return Vec::new() };
    match action {
        Action::Accept | Action::Back => return close_line(state, action == Action::Accept),
        Action::ToggleRule => {
            if let Some(line) = session.pages.recipe.line.as_mut().filter(|line| line.of.is_none()) {
                line.keep = !line.keep;
            }
        }
        Action::Edit(edit) if session.pages.line().is_some_and(|line| line.apply(edit)) => typed(session),
        _ if session.pages.page != Page::Recipe => step(session, action, rows, lines),
        _ => {}
    }
    Vec::new()
}

/// Text that was pasted goes where typed text would.
pub(super) fn paste(session: &mut Session, text: &str) {
    if let Some(line) = session.pages.line() {
        line.insert(text);
        typed(session);
    }
}

/// The typed line has changed.
fn typed(session: &mut Session) {
    let pages = &mut session.pages;
    match pages.page {
        Page::Metadata if pages.metadata.opened => {
            let to = pages.metadata.goto.text().trim().parse::<usize>().ok();
            if let (Some(to), Some(detail)) = (to, &mut pages.metadata.detail)
                && let Shown::Array(array) = &mut detail.shown
            {
                array.cursor = to.min(array.lines().saturating_sub(1));
            }
        }
        Page::Metadata => pages.metadata.select(&session.model),
        Page::Tokenizer if pages.tokenizer.search.text().is_empty() => pages.tokenizer.cursor = 0,
        _ => {}
    }
}

fn close_line(state: &mut State, accept: bool) -> Vec<Effect> {
    let Some(session) = &mut state.session else { return Vec::new() };
    let pages = &mut session.pages;
    match pages.page {
        Page::Metadata => {
            pages.metadata.editing = false;
            if !accept && !pages.metadata.opened {
                pages.metadata.search.set("");
                pages.metadata.select(&session.model);
            }
        }
        Page::Tokenizer => {
            pages.tokenizer.editing = false;
            if !accept {
                clear_tokens(pages);
            }
        }
        _ => {
            if !accept {
                pages.recipe.line = None;
                return Vec::new();
            }
            match pages.recipe.accept(session.plan.recipe()) {
                Ok(edit) => {
                    pages.recipe.line = None;
                    if let Some(edit) = edit {
                        apply(state, edit);
                    }
                }
                Err(why) => state.notify(Tone::Warning, why),
            }
        }
    }
    Vec::new()
}

/// Brings the open page up to date, and asks for what it lacks.
pub(super) fn settle(state: &mut State) -> Vec<Effect> {
    let size = state.size;
    let imatrix = state.settings.imatrix.clone();
    let Some(session) = &mut state.session else { return Vec::new() };
    if session.screen != Screen::Model {
        return Vec::new();
    }
    session.derive_pages(imatrix.as_deref());
    let pages = &mut session.pages;
    let questions = match pages.page {
        Page::Metadata => pages.metadata.wants(size),
        Page::Tokenizer => pages.tokenizer.wants(),
        Page::Template => pages.template.wants(size),
        // The hyperparameters are metadata.
        Page::Overview if pages.metadata.listing.ask() => vec![Question::Listing],
        Page::Overview | Page::Problems | Page::Recipe | Page::Runtimes => Vec::new(),
    };
    let ask = |question: Question| Effect::Ask(Arc::clone(&session.model), question);
    questions.into_iter().map(ask).collect()
}

/// A click on a tab opens its page, one on a row selects it; a double click accepts.
pub(super) fn click(state: &mut State, column: u16, row: u16) -> Vec<Effect> {
    let now = state.now;
    let Some(session) = &mut state.session else { return Vec::new() };
    if let Some((_, page)) = state.geometry.page_tabs.iter().find(|(area, _)| area.contains(column, row)) {
        session.pages.page = *page;
        return Vec::new();
    }
    let area = state.geometry.page;
    let line = state.geometry.page_offset + usize::from(row.saturating_sub(area.y));
    if !area.contains(column, row) || line >= state.geometry.page_lines {
        return Vec::new();
    }
    let pages = &mut session.pages;
    match pages.page {
        Page::Metadata if pages.metadata.opened => match pages.metadata.detail.as_mut().map(|d| &mut d.shown) {
            Some(Shown::Array(array)) => array.cursor = line,
            _ => return Vec::new(),
        },
        Page::Metadata => pages.metadata.cursor = line.min(pages.metadata.rows.len().saturating_sub(1)),
        Page::Tokenizer => {
            let last = pages.tokenizer.len().saturating_sub(1);
            let cursor = pages.tokenizer.merges.as_mut().map_or(&mut pages.tokenizer.cursor, |m| &mut m.cursor);
            *cursor = line.min(last);
        }
        Page::Problems => {
            pages.problems.cursor = line.min(pages.problems.list.len().saturating_sub(1));
        }
        Page::Recipe => pages.recipe.cursor = line.min(session.plan.recipe().rules.len()),
        Page::Runtimes => pages.runtime = line.min(pages.derived.verdicts.len().saturating_sub(1)),
        Page::Overview | Page::Template => return Vec::new(),
    }
    let double = state.last_click.is_some_and(|(at, on)| on == line && now.saturating_sub(at) < DOUBLE_CLICK);
    state.last_click = if double { None } else { Some((now, line)) };
    match (double, state.session.as_ref().map(|s| s.pages.page)) {
        (true, Some(Page::Metadata | Page::Problems)) => act(state, Action::Accept),
        (true, Some(Page::Recipe)) => act(state, Action::ToggleRule),
        _ => Vec::new(),
    }
}

/// Something that was asked for is here. What is about another model is dropped.
pub(super) fn answered(state: &mut State, model: &Arc<Model>, answer: Answer) -> Vec<Effect> {
    let size = state.size;
    let Some(session) = state.session.as_mut().filter(|s| Arc::ptr_eq(&s.model, model)) else {
        return Vec::new();
    };
    let pages = &mut session.pages;
    match answer {
        Answer::Listing(listing) => pages.metadata.take_listing(model, listing),
        Answer::Value(entry, value) => pages.metadata.take_value(entry, value, size),
        Answer::Page(entry, range, page) => {
            let open = pages.metadata.detail.as_mut().filter(|d| d.entry == entry);
            let merges = pages.tokenizer.merges.as_mut().filter(|m| m.entry == entry);
            if let Some(merges) = merges {
                merges.take(&range, page.clone());
            }
            if let Some(Shown::Array(array)) = open.map(|d| &mut d.shown) {
                array.take(&range, page);
            }
        }
        Answer::Vocabulary(vocabulary) => pages.tokenizer.vocabulary = Remote::Here(vocabulary),
        Answer::Found(words, ids) => pages.tokenizer.take_found(words, ids),
        Answer::Templates(templates) => pages.template.take(templates, size),
        Answer::ByRole(tree) => session.tree.take_roles(tree),
    }
    Vec::new()
}

/// A check of the weights moves on, or has ended.
pub(super) fn checked(state: &mut State, model: &Arc<Model>, event: CheckEvent) -> Vec<Effect> {
    let Some(session) = state.session.as_mut().filter(|s| Arc::ptr_eq(&s.model, model)) else {
        return Vec::new();
    };
    let problems = &mut session.pages.problems;
    let notice = match event {
        CheckEvent::Moved(share) => {
            problems.check = Check::Running(share);
            return Vec::new();
        }
        CheckEvent::Stopped => {
            problems.check = Check::Stopped;
            (Tone::Info, "the check of the weights was stopped".to_owned())
        }
        CheckEvent::Failed(why) => {
            problems.check = Check::Failed(why.clone());
            (Tone::Error, format!("the weights could not be checked: {why}"))
        }
        CheckEvent::Done(found) => {
            problems.check = Check::Done(found.len());
            problems.weights = found;
            let counts = crate::engine::lint::Counts::of(&problems.weights);
            let tone = if counts.errors + counts.warnings > 0 { Tone::Warning } else { Tone::Good };
            session.learn_from_check();
            session.collect_problems();
            (tone, format!("every weight checked: {counts}"))
        }
    };
    state.notify(notice.0, notice.1);
    state.sums_changed = true;
    Vec::new()
}
