//! The filter of the tree as it is used: typed letter by letter, wrong for a while, followed by figures.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot set itself up should stop")]

mod support;
mod support_tui;

use std::time::Duration;

use support_tui::{App, dense, layered};
use tritscope::engine::ternary::Format;
use tritscope::tui::state::fate::Fate;

/// Names of the tensors that are listed, as the filter lets them through.
fn listed(app: &App) -> Vec<&str> {
    app.rows().into_iter().filter(|path| !path.ends_with('.')).collect()
}

fn filtered(app: &mut App, text: &str) -> Vec<String> {
    app.press("/ ctrl-u");
    app.type_text(text);
    assert_eq!(app.session().filter.problem(), None, "{text}");
    let names = listed(app).into_iter().map(str::to_owned).collect();
    app.press("enter");
    names
}

#[test]
fn terms_pick_tensors_by_what_is_known_of_them() {
    let mut app = App::on(&layered());
    for (text, names) in [
        ("layer:1 attn", &["blk.1.attn_norm.weight", "blk.1.attn_q.weight", "blk.1.attn_v.weight"][..]),
        ("role:attn -layer:1", &["blk.0.attn_q.weight", "blk.0.attn_v.weight"]),
        ("cols%256!=0", &["blk.0.attn_v.weight", "blk.1.attn_v.weight"]),
        ("experts>=4", &["blk.0.ffn_up_exps.weight", "blk.1.ffn_up_exps.weight"]),
        ("size>20K dims:3", &["blk.0.ffn_up_exps.weight", "blk.1.ffn_up_exps.weight"]),
        ("name:re:^blk\\.0\\.(attn_q|ffn_gate)", &["blk.0.attn_q.weight", "blk.0.ffn_gate_inp.weight"]),
        (
            "blk.*.attn_q or output",
            &["blk.0.attn_q.weight", "blk.1.attn_q.weight", "output.weight", "output_norm.weight"],
        ),
        ("to:tq2_0 layer:0", &["blk.0.ffn_up_exps.weight"]),
        ("is:protected role:router layer:0", &["blk.0.ffn_gate_inp.weight"]),
        ("not layer:0 not layer:1", &["output.weight", "output_norm.weight", "token_embd.weight"]),
        ("tokembd", &["token_embd.weight"]),
        ("layer>7", &[]),
    ] {
        assert_eq!(filtered(&mut app, text), names, "{text}");
        assert_eq!(app.session().filter.matches(), names.len(), "{text}");
    }
}

#[test]
fn while_the_text_is_wrong_the_last_filter_stays() {
    let mut app = App::on(&layered());
    app.press("/");
    app.type_text("attn_q");
    let before: Vec<String> = listed(&app).into_iter().map(str::to_owned).collect();
    assert_eq!(before.len(), 2);
    for more in [" type", ":", "zz"] {
        app.type_text(more);
        if more != " type" {
            assert!(app.session().filter.problem().is_some(), "{more}");
            assert_eq!(app.session().filter.in_force(), "attn_q type", "{more}");
        }
    }
    app.press("esc /");
    assert_eq!((app.session().filter.in_force(), app.session().filter.input.text()), ("", ""), "there was none before");
    app.type_text("attn");
    app.press("enter / esc");
    assert!(app.session().filter.expr().is_none(), "a filter is cleared");
    assert_eq!(app.session().filter.input.text(), "");
}

#[test]
fn what_is_no_filter_is_not_kept_and_nothing_else_in_its_place() {
    for wrong in ["layer:x", "role:foo", "not", "typ:f16", "layer<7 and"] {
        let mut app = App::on(&layered());
        assert_eq!(filtered(&mut app, "layer:1").len(), 5);
        app.press("/ ctrl-u");
        app.type_text(wrong);
        let message = app.session().filter.complaint().unwrap();
        app.press("enter");
        let filter = &app.session().filter;
        assert!(filter.editing && filter.input.text() == wrong, "{wrong}: the line stays open");
        let refused = filter.complaint().unwrap();
        assert!(refused.starts_with("no filter yet: ") && refused.contains(&message), "{refused}");
        app.press("backspace");
        app.type_text(&wrong[wrong.len() - 1..]);
        assert_eq!(app.session().filter.complaint(), Some(message), "typing goes on");
        app.press("enter esc");
        let filter = &app.session().filter;
        assert!(!filter.editing && filter.problem().is_none(), "{wrong}");
        assert_eq!((filter.in_force(), filter.input.text(), listed(&app).len()), ("layer:1", "layer:1", 5), "{wrong}");
    }
}

#[test]
fn a_filter_that_passes_through_nothing_gives_the_row_back() {
    let mut app = App::on(&layered());
    app.go("blk.1.attn_v.weight");
    app.press("/");
    app.type_text("zzz");
    assert_eq!(listed(&app), [""; 0]);
    app.press("ctrl-u");
    assert_eq!(app.selected(), "blk.1.attn_v.weight");
    app.type_text("attn");
    assert_eq!(app.selected(), "blk.1.attn_v.weight");
}

#[test]
fn the_cursor_comes_back_from_a_filter_that_let_nothing_through() {
    let name = "blk.1.attn_v.weight";
    for leave in ["esc", "enter esc", "enter / esc", "up down esc", "enter / ctrl-u enter"] {
        let mut app = App::on(&layered());
        app.go(name);
        app.press("/");
        app.type_text("zzz");
        assert_eq!(listed(&app), [""; 0]);
        app.press(leave);
        assert_eq!((app.selected(), app.session().filter.expr()), (name, None), "{leave}");
    }
    let mut app = App::on(&layered());
    app.go(name);
    app.press("/");
    app.type_text("sqnr>0 layer:1 attn");
    assert_eq!(app.session().filter.matches(), 0, "nothing is measured");
    app.press("enter");
    app.serve();
    app.press("S");
    app.serve();
    app.press("esc");
    app.pass(Duration::from_secs(1));
    app.settle();
    assert!(app.session().filter.matches() > 0);
    assert_eq!(app.selected(), name, "figures that come later bring it back too");
}

#[test]
fn what_failed_is_what_has_the_sign_of_it() {
    let mut app = App::on(&layered());
    app.press("L f");
    assert_eq!(app.recipe().format, Format::Tq2_0, "{}", app.notice());
    app.go("");
    app.press("f");
    let by_sign: Vec<&str> = (0..app.model().tensors.len())
        .filter(|i| matches!(app.session().fate_of(*i), Fate::Failed | Fate::Missed))
        .map(|i| app.session().model.tensors[i].name.as_str())
        .collect();
    let by_sign: Vec<String> = by_sign.into_iter().map(str::to_owned).collect();
    assert_eq!(filtered(&mut app, "is:failed"), by_sign);
}

#[test]
fn tab_completes_keys_and_values() {
    let mut app = App::on(&layered());
    app.press("/");
    app.type_text("ro");
    assert_eq!(app.session().filter.offers(), ["role:", "rows"]);
    app.type_text("l");
    app.press("tab");
    assert_eq!(app.session().filter.input.text(), "role:");
    app.type_text("expert_u");
    app.press("tab");
    assert_eq!(app.session().filter.input.text(), "role:expert_up");
    assert_eq!(app.session().filter.matches(), 2);
    app.type_text(" is:f");
    app.press("tab");
    assert_eq!(app.session().filter.input.text(), "role:expert_up is:fa", "as far as there is no choice");
    assert_eq!(app.session().filter.offers(), ["fallback", "failed"]);
    app.type_text("l");
    app.press("tab");
    assert_eq!(app.session().filter.input.text(), "role:expert_up is:fallback");
}

#[test]
fn a_filter_by_error_follows_new_figures_and_not_at_every_frame() {
    let mut app = App::on(&dense());
    app.press("L");
    app.go("");
    app.press("/");
    app.type_text("sqnr>0");
    app.press("enter");
    assert_eq!(app.session().filter.matches(), 0, "nothing is measured yet");
    let wants = app.wants().to_vec();
    app.deliver(&wants[0]);
    app.settle();
    assert_eq!(app.session().filter.matches(), 0, "the filter waits a moment");
    let due = app.state.next_wake().unwrap();
    app.pass(due.saturating_sub(app.state.now) + Duration::from_millis(1));
    app.settle();
    assert_eq!(app.session().filter.matches(), 1);
    assert_eq!(listed(&app), ["blk.0.ffn_up.weight"]);
}

#[test]
fn a_filter_on_the_plan_follows_it_and_the_cursor_takes_the_next_row() {
    let mut app = App::on(&layered());
    app.press("L /");
    app.type_text("is:ternary");
    app.press("enter");
    assert_eq!(app.session().filter.matches(), 6);
    app.go("blk.0.attn_q.weight");
    app.press("space");
    assert_eq!(app.session().filter.matches(), 5);
    assert_eq!(app.selected(), "blk.0.attn_v.weight");
    app.press("u");
    assert_eq!(app.session().filter.matches(), 6);
    app.press("/ ctrl-u");
    app.type_text("edited");
    assert_eq!(app.session().filter.matches(), 4, "by the mask that was changed");
}

#[test]
fn a_filter_by_error_says_of_how_many_it_knows_nothing() {
    let mut app = App::on(&layered());
    filtered(&mut app, "sqnr<70");
    let eligible = (0..app.model().tensors.len()).filter(|i| app.session().plan.outlook(*i).eligible).count();
    let filter = &app.session().filter;
    assert!(eligible > 0 && filter.matches() == 0, "nothing is measured");
    assert_eq!((filter.unmeasured(), filter.counts(99)), (eligible, format!("nothing matches, {eligible} unmeasured")));
    app.press("S");
    app.serve();
    app.press("esc");
    app.pass(Duration::from_secs(1));
    app.settle();
    let filter = &app.session().filter;
    assert_eq!((filter.unmeasured(), filter.counts(99)), (0, format!("{eligible} of 99")));
    filtered(&mut app, "attn");
    assert_eq!(app.session().filter.unmeasured(), 0, "names are known");
}
