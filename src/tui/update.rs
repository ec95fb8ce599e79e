//! Changes of the state: a message in, effects out. No file, no thread, no clock: time comes with the message.

mod browse;
mod compare;
mod decide;
mod exports;
mod forms;
mod habits;
mod looks;
mod memory;
mod mouse;
mod opening;
mod pages;
mod palette;
mod pane;
mod plan;
mod plot;
mod presets;
mod quantize;
mod reading;
mod report;
mod selection;
mod tour;
mod types;
mod wants;

use std::sync::Arc;

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::action::Action;
use super::effect::{Effect, Exit};
use super::event::{Event, Msg};
use super::keymap::Context;
use super::state::{Dialog, State};
use crate::jobs::JobEvent;
use crate::jobs::questions::Question;

pub use opening::{begin, open_picker, open_picker_in, show_model};

/// Takes one message in.
pub fn update(state: &mut State, msg: Msg) -> Vec<Effect> {
    state.now = state.now.max(msg.at);
    let mut effects = take_in(state, msg.event);
    // Whatever the way out, what was edited is kept.
    if let Some(at) = effects.iter().position(|effect| matches!(effect, Effect::Quit(_))) {
        effects.splice(at..at, memory::remember(state));
    }
    effects
}

fn take_in(state: &mut State, event: Event) -> Vec<Effect> {
    match event {
        // What is done unseen is not what was meant.
        Event::Key(key) if state.is_blind() => press_blind(state, &key),
        Event::Mouse(_) | Event::Paste(_) if state.is_blind() => Vec::new(),
        Event::Key(key) => press(state, &key),
        Event::Mouse(mouse) => mouse::update(state, mouse),
        Event::Paste(text) => forms::paste(state, &text),
        Event::Resize(columns, rows) => {
            state.size = (columns, rows);
            state.wants_changed = true;
            Vec::new()
        }
        Event::Background(background) => {
            habits::background(state, background);
            Vec::new()
        }
        Event::Signal(number) => vec![Effect::Quit(Exit::Signal(number))],
        Event::Job(event) => job(state, event),
        Event::ExportQueued { id, request, what } => exports::queued(state, id, request, what),
        Event::DemoWritten(result) => opening::demo_written(state, result),
        Event::Folder { path, entries } => opening::folder(state, &path, entries),
        Event::Recent(paths) => opening::recent(state, paths),
        Event::Probed(target) => quantize::probed(state, target),
        Event::RecipeWritten { path, result } => forms::recipe_written(state, path, result),
        Event::ReportWritten { path, result } => report::written(state, path, result),
        Event::ChartWritten { path, files, result } => decide::chart_written(state, &path, files, result),
        Event::RecipeRead { path, result } => presets::read(state, &path, result),
        Event::Recalled(model, memory) => memory::recalled(state, &model, &memory),
        Event::Wake => Vec::new(),
        Event::Settle => settle(state),
    }
}

fn press(state: &mut State, key: &KeyEvent) -> Vec<Effect> {
    if key.kind == KeyEventKind::Release {
        return Vec::new();
    }
    if let Some(action) = state.settings.keymap.resolve(Context::of(state), key) {
        return act(state, action);
    }
    // Esc with a key soon after it: what holds an ESC back for a while, as tmux and screen do, makes it alt and that key.
    if !key.modifiers.contains(KeyModifiers::ALT) {
        return Vec::new();
    }
    let mut effects = press(state, &KeyEvent::new(KeyCode::Esc, KeyModifiers::NONE));
    effects.extend(press(state, &KeyEvent { modifiers: key.modifiers - KeyModifiers::ALT, ..*key }));
    effects
}

/// A key while nothing can be shown: it quits, and answers the question which that may ask.
fn press_blind(state: &mut State, key: &KeyEvent) -> Vec<Effect> {
    if key.kind == KeyEventKind::Release {
        return Vec::new();
    }
    let asked = matches!(state.dialog, Some(Dialog::Quit));
    let context = if asked { Context::Quit } else { Context::Browse };
    match state.settings.keymap.resolve(context, key) {
        Some(action) if asked => exports::act_quit(state, action),
        Some(Action::Quit) => quit(state),
        _ => Vec::new(),
    }
}

/// Does what an action means in the present context.
pub fn act(state: &mut State, action: Action) -> Vec<Effect> {
    let (context, messages) = (Context::of(state), state.notices.log().len());
    let effects = act_in(state, context, action);
    // The hints of what has just opened are worth more than an old message.
    if Context::of(state) != context && state.notices.log().len() == messages {
        state.notices.dismiss();
    }
    effects
}

fn act_in(state: &mut State, context: Context, action: Action) -> Vec<Effect> {
    if action != Action::ToggleTernary
        && let Some(session) = &mut state.session
    {
        session.armed = None;
    }
    if let Some(effects) = habits::act(state, action) {
        return effects;
    }
    match context {
        Context::Browse => browse::act(state, action),
        Context::Filter => browse::act_filter(state, action),
        Context::Pane | Context::Methods | Context::Map | Context::Experts | Context::Block => {
            pane::act(state, context, action)
        }
        Context::Goto => pane::act_goto(state, action),
        Context::Apply => pane::act_apply(state, action),
        Context::Page | Context::Values | Context::Tokens | Context::Templates | Context::Problems | Context::Rules => {
            pages::act(state, action)
        }
        Context::PageLine | Context::PatternLine => pages::act_line(state, action),
        Context::Reading => reading::act(state, action),
        Context::Jobs => exports::act_jobs(state, action),
        Context::Quantize => quantize::act(state, action),
        Context::Presets => presets::act(state, action),
        Context::Types => types::act(state, action),
        Context::ReadRecipe => presets::act_file(state, action),
        Context::SaveRecipe => forms::act_save(state, action),
        Context::SaveReport => report::act(state, action),
        Context::Budget => decide::act_slider(state, action),
        Context::Sensitivity => decide::act_sensitivity(state, action),
        Context::SaveChart => decide::act_save(state, action),
        Context::Compare => compare::act(state, action),
        Context::Quit => exports::act_quit(state, action),
        Context::Picker => opening::act_picker(state, action),
        Context::Failure => opening::act_failure(state, action),
        Context::Palette => palette::act(state, action),
        Context::Copy => habits::act_copy(state, action),
        Context::Help | Context::HelpSearch => reading::act_help(state, action),
    }
}

/// Ends the program, or asks first while an export has not ended.
fn quit(state: &mut State) -> Vec<Effect> {
    if state.jobs.active().next().is_none() {
        return vec![Effect::Quit(Exit::Done)];
    }
    state.dialog = Some(Dialog::Quit);
    Vec::new()
}

fn job(state: &mut State, event: JobEvent) -> Vec<Effect> {
    match event {
        JobEvent::Preview { model, key, report } => wants::arrived(state, &model, key, &report),
        JobEvent::PreviewFailed { model, key, message } => wants::failed(state, &model, key, message),
        JobEvent::Look { model, key, seen } => looks::arrived(state, &model, key, seen),
        JobEvent::Opened { path, model } => match compare::opened(state, &path, &model) {
            Some(effects) => effects,
            None => opening::opened(state, &path, model),
        },
        JobEvent::ComparePairs { .. }
        | JobEvent::Compared { .. }
        | JobEvent::CompareEnded { .. }
        | JobEvent::PairSeen { .. } => compare::arrived(state, event),
        JobEvent::Answered { model, answer } => pages::answered(state, &model, answer),
        JobEvent::Check { model, event } => pages::checked(state, &model, event),
        JobEvent::ExportDelta(id, delta) => {
            state.jobs.delta(id, &delta, state.now);
            Vec::new()
        }
        JobEvent::ExportStarted(id) => {
            state.jobs.start(id, state.now);
            Vec::new()
        }
        JobEvent::ExportFinished(id, summary) => exports::finished(state, id, summary),
        JobEvent::ExportMet { model, tensor } => exports::met(state, &model, &tensor),
        JobEvent::ExportFailed(id, message) => exports::failed(state, id, message),
        JobEvent::ExportCancelled(id) => exports::cancelled(state, id),
    }
}

/// Brings what is derived up to date before a frame is drawn: sums, the preview in sight, the list of wants.
fn settle(state: &mut State) -> Vec<Effect> {
    if std::mem::take(&mut state.sums_changed)
        && let Some(session) = &mut state.session
    {
        session.follow_sums();
    }
    if let Some(session) = &mut state.session {
        session.count_below();
    }
    let now = state.now;
    if let Some(session) = &mut state.session
        && browse::follow_filter(session, now)
    {
        state.wants_changed = true;
    }
    if let Some(session) = &mut state.session
        && session.sort_due().is_some_and(|due| due <= now)
    {
        session.arrange(now);
        state.wants_changed = true;
    }
    decide::settle(state);
    quantize::settle(state);
    let mut effects = compare::settle(state);
    effects.extend(pages::settle(state));
    effects.extend(wants::settle(state));
    browse::follow_worst(state);
    effects.extend(memory::settle(state));
    effects.extend(tour::settle(state));
    if let Some(session) = &mut state.session
        && session.tree.wants_roles()
    {
        effects.push(Effect::Ask(Arc::clone(&session.model), Question::ByRole));
    }
    effects
}
