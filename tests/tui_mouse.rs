//! The mouse: what a click and a notch of the wheel do at each place that a frame has drawn. Messages in, state and effects out.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot set itself up should stop")]

mod support;
mod support_tui;

use crossterm::event::{KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use support_tui::beside::{Upto, beside};
use support_tui::exports::{queue, run};
use support_tui::shoot::{LARGE, SMALL, render};
use support_tui::{App, layered};
use tritscope::engine::export::Verify;
use tritscope::jobs::JobEvent;
use tritscope::tui::action::Action;
use tritscope::tui::effect::{Effect, Exit};
use tritscope::tui::event::Event;
use tritscope::tui::keymap::Context;
use tritscope::tui::state::compare::Show;
use tritscope::tui::state::dialog::{Found, QuantizeField, Target};
use tritscope::tui::state::geometry::Spot;
use tritscope::tui::state::{Area, Dialog, Tab};
use tritscope::tui::theme::Theme;
use tritscope::tui::update;

const QUERY: &str = "blk.0.attn_q.weight";
const DOWN: MouseEventKind = MouseEventKind::Down(MouseButton::Left);

fn mouse(app: &mut App, kind: MouseEventKind, column: u16, row: u16) -> Vec<Effect> {
    let effects = app.send(Event::Mouse(MouseEvent { kind, column, row, modifiers: KeyModifiers::NONE }));
    app.settle();
    render(app, LARGE, &Theme::dark());
    effects
}

fn context(app: &App) -> Context {
    Context::of(&app.state)
}

/// A model on a large screen, with the cursor on a tensor.
fn on_tensor() -> App {
    let mut app = App::on(&layered());
    app.go(QUERY);
    app.serve();
    render(&mut app, LARGE, &Theme::dark());
    app
}

/// Clicks what means this.
fn click(app: &mut App, wanted: Spot) -> Vec<Effect> {
    let spots = &app.state.geometry.spots;
    let (area, _) =
        *spots.iter().find(|(_, spot)| *spot == wanted).unwrap_or_else(|| panic!("no {wanted:?}: {spots:?}"));
    mouse(app, DOWN, area.x + area.width / 2, area.y)
}

/// Line of the screen on which a row of the tree stands.
fn line_of(app: &App, path: &str) -> u16 {
    let session = app.session();
    let at = session.tree.rows().iter().position(|row| session.tree.path(*row) == path).unwrap();
    app.state.geometry.tree.y + (at - app.state.geometry.tree_offset) as u16
}

#[test]
fn a_click_gives_the_keys_to_what_it_hits() {
    let mut app = on_tensor();
    let Area { x, y, height, .. } = app.state.geometry.preview;
    mouse(&mut app, DOWN, x + 4, y + height - 2);
    assert_eq!(context(&app), Context::Pane);
    let (tree, line) = (app.state.geometry.tree, line_of(&app, "blk.0.attn_v.weight"));
    mouse(&mut app, DOWN, tree.x + 20, line);
    assert_eq!((context(&app), app.selected()), (Context::Browse, "blk.0.attn_v.weight"));
    // A folder has nothing to give them to.
    app.go("blk.0.");
    render(&mut app, LARGE, &Theme::dark());
    mouse(&mut app, DOWN, x + 4, y + height - 2);
    assert_eq!(context(&app), Context::Browse);
}

#[test]
fn the_sign_of_a_folder_and_what_is_before_it_folds() {
    let mut app = on_tensor();
    let rows = app.rows().len();
    let (tree, line) = (app.state.geometry.tree, line_of(&app, "blk.0."));
    // Three columns of signs, two of indentation, the sign.
    mouse(&mut app, DOWN, tree.x + 5, line);
    assert_eq!(app.rows().len(), rows - 5, "{:?}", app.rows());
    assert_eq!(app.selected(), "blk.0.");
    let ternary = app.all_ternary().len();
    mouse(&mut app, DOWN, tree.x + 3, line);
    assert_eq!((app.rows().len(), app.all_ternary().len()), (rows, ternary), "two clicks on it are no double click");
    mouse(&mut app, DOWN, tree.x + 9, line);
    assert_eq!(app.rows().len(), rows, "its name selects");
    mouse(&mut app, DOWN, tree.x + 9, line);
    assert_ne!(app.all_ternary().len(), ternary, "a double click toggles");
    let line = line_of(&app, QUERY);
    mouse(&mut app, DOWN, tree.x + 5, line);
    assert_eq!((app.selected(), app.rows().len()), (QUERY, rows), "a tensor has no sign");
}

#[test]
fn a_click_on_a_mark_toggles_and_one_on_a_hint_does_what_its_key_does() {
    let mut app = on_tensor();
    let (tree, line) = (app.state.geometry.tree, line_of(&app, QUERY));
    let tensor = app.tensor(QUERY);
    let ternary = |app: &App| app.session().plan.decision(tensor).is_ternary();
    let before = ternary(&app);
    mouse(&mut app, DOWN, tree.x + 1, line);
    assert_ne!(ternary(&app), before);
    mouse(&mut app, DOWN, tree.x + 1, line);
    assert_ne!(ternary(&app), before, "the second click of two is one too many");
    // A message stands where the hints are.
    app.state.notices.dismiss();
    render(&mut app, LARGE, &Theme::dark());
    click(&mut app, Spot::Act(Action::Undo));
    assert_eq!(ternary(&app), before);
    app.state.notices.dismiss();
    render(&mut app, LARGE, &Theme::dark());
    click(&mut app, Spot::Act(Action::Help));
    assert_eq!(context(&app), Context::Help);
}

#[test]
fn the_wheel_moves_what_lies_under_it() {
    let mut app = on_tensor();
    app.press("enter");
    render(&mut app, LARGE, &Theme::dark());
    let cursor = app.session().tree.cursor();
    let tree = app.state.geometry.tree;
    mouse(&mut app, MouseEventKind::ScrollUp, tree.x + 5, tree.y + 1);
    assert_eq!(app.session().tree.cursor(), cursor - 3, "the tree, though the preview has the keys");
    app.go(QUERY);
    app.press("esc 8");
    render(&mut app, SMALL, &Theme::dark());
    assert_eq!(context(&app), Context::Browse);
    let preview = app.state.geometry.preview;
    let more = app.state.geometry.pane_lines - usize::from(app.state.geometry.pane.height);
    assert!(more > 0, "there is something to scroll");
    let wheel = |app: &mut App, kind| {
        app.send(Event::Mouse(MouseEvent {
            kind,
            column: preview.x + 3,
            row: preview.y + 5,
            modifiers: KeyModifiers::NONE,
        }));
        app.session().pane.scroll
    };
    assert_eq!(wheel(&mut app, MouseEventKind::ScrollDown), more.min(3));
    assert_eq!(app.selected(), QUERY, "what it shows stays");
    assert_eq!(wheel(&mut app, MouseEventKind::ScrollUp), 0);
}

#[test]
fn fields_of_the_quantize_dialog_are_clicked() {
    let mut app = on_tensor();
    app.press("Q");
    let Some(Dialog::Quantize(form)) = &app.state.dialog else { panic!("no form") };
    let path = app.path(form.path.text().trim_start_matches("~/"));
    let target = Target { path, found: Found::File, folder_exists: true, ..Target::default() };
    app.send(Event::Probed(target));
    render(&mut app, LARGE, &Theme::dark());
    let form = |app: &App| match &app.state.dialog {
        Some(Dialog::Quantize(form)) => Some((form.field, form.verify, form.overwrite)),
        _ => None,
    };
    click(&mut app, Spot::Field(QuantizeField::Verify));
    assert_eq!(form(&app), Some((QuantizeField::Verify, Verify::Full, false)));
    assert!(click(&mut app, Spot::Field(QuantizeField::Start)).is_empty(), "the file is there");
    click(&mut app, Spot::Field(QuantizeField::Overwrite));
    assert_eq!(form(&app), Some((QuantizeField::Overwrite, Verify::Full, true)));
    click(&mut app, Spot::Field(QuantizeField::Path));
    assert_eq!(form(&app), Some((QuantizeField::Path, Verify::Full, true)));
    let effects = click(&mut app, Spot::Field(QuantizeField::Start));
    assert!(matches!(&effects[..], [Effect::Export { options, .. }] if options.force), "{effects:?}");
    assert_eq!(form(&app), None);
}

#[test]
fn exports_are_chosen_opened_and_cancelled() {
    let mut app = on_tensor();
    queue(&mut app, 1, "first.gguf");
    queue(&mut app, 2, "second.gguf");
    run(&mut app, 1);
    app.press("J");
    render(&mut app, LARGE, &Theme::dark());
    let dialog = |app: &App| match app.state.dialog {
        Some(Dialog::Jobs(dialog)) => dialog,
        _ => panic!("closed"),
    };
    click(&mut app, Spot::Export(1));
    assert_eq!((dialog(&app).cursor, dialog(&app).log), (1, None));
    app.press("c");
    render(&mut app, LARGE, &Theme::dark());
    assert!(click(&mut app, Spot::Act(Action::Back)).is_empty());
    assert_eq!((dialog(&app).cancelling, dialog(&app).cursor), (None, 1), "no");
    app.press("c");
    render(&mut app, LARGE, &Theme::dark());
    assert!(matches!(click(&mut app, Spot::Act(Action::Accept))[..], [Effect::CancelExport(1)]), "yes");
    click(&mut app, Spot::Export(1));
    assert_eq!(dialog(&app).log.map(|log| log.job), Some(1));
    app.press("esc esc q");
    render(&mut app, LARGE, &Theme::dark());
    click(&mut app, Spot::Act(Action::Back));
    assert!(app.state.dialog.is_none(), "stay");
    app.press("q");
    render(&mut app, LARGE, &Theme::dark());
    click(&mut app, Spot::Act(Action::QuitWhenDone));
    assert!(app.state.quit_when_done);
    app.press("q");
    render(&mut app, LARGE, &Theme::dark());
    let effects = click(&mut app, Spot::Act(Action::CancelAndQuit));
    assert!(effects.iter().any(|effect| matches!(effect, Effect::Quit(Exit::Done))), "{effects:?}");
}

#[test]
fn cells_of_the_methods_are_chosen_and_applied() {
    let mut app = on_tensor();
    app.press("4");
    app.serve();
    render(&mut app, LARGE, &Theme::dark());
    click(&mut app, Spot::Cell(1, 0));
    assert_eq!((context(&app), app.session().tab), (Context::Methods, Tab::Methods));
    assert_eq!((app.session().pane.matrix.row, app.session().pane.matrix.column), (1, 0));
    click(&mut app, Spot::Cell(1, 0));
    assert_eq!(context(&app), Context::Apply);
    let spots = &app.state.geometry.spots;
    assert!(!spots.iter().any(|(_, spot)| matches!(spot, Spot::Cell(..))), "what lies beneath is not clicked");
    click(&mut app, Spot::Act(Action::Back));
    assert_eq!(context(&app), Context::Methods);
    assert!(app.rules().is_empty());
    click(&mut app, Spot::Cell(1, 0));
    let apply = app.state.geometry.spots[0].1;
    click(&mut app, apply);
    assert_eq!(app.rules().len(), 1, "{:?}", app.rules());
}

#[test]
fn chips_of_a_comparison_list_what_they_say() {
    let mut app = on_tensor();
    beside(&mut app, &layered().normal("blk.1.more.weight", &[256, 4], 9), Upto::Done);
    render(&mut app, LARGE, &Theme::dark());
    let compare = |app: &App| app.session().compare.as_ref().map(|c| (c.show, c.by_error)).unwrap();
    let before = compare(&app);
    click(&mut app, Spot::Act(Action::ShowPairs(Show::Missing)));
    assert_eq!(compare(&app), (Show::Missing, before.1));
    click(&mut app, Spot::Act(Action::SortPairs));
    assert_eq!(compare(&app), (Show::Missing, !before.1));
}

#[test]
fn a_line_of_help_goes_to_the_top_and_a_report_is_answered() {
    let mut app = on_tensor();
    app.press("?");
    render(&mut app, LARGE, &Theme::dark());
    let area = app.state.geometry.dialog;
    mouse(&mut app, DOWN, area.x + 3, area.y + 7);
    let Some(Dialog::Help(help)) = &app.state.dialog else { panic!("closed") };
    assert_eq!(help.scroll.top, 7);

    let mut app = App::empty();
    let path = app.path("model.gguf");
    update::begin(&mut app.state, path.clone());
    app.send(Event::Job(JobEvent::Opened { path, model: Err("bad magic".to_owned()) }));
    render(&mut app, LARGE, &Theme::dark());
    let effects = click(&mut app, Spot::Act(Action::Open));
    assert!(matches!(effects[..], [Effect::ReadFolder(_)]), "{effects:?}");
    assert!(matches!(app.state.dialog, Some(Dialog::Picker(_))));
}
