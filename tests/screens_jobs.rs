//! The exports as pictures, in every state that they have.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod support;
mod support_tui;

use support_tui::exports::{job, queue, run, summary};
use support_tui::shoot::{measured, shoot_both};
use tritscope::engine::progress::{Delta, Stage};
use tritscope::jobs::JobEvent;

#[test]
fn an_export_from_queue_to_end() {
    let mut app = measured();
    app.press("J");
    shoot_both(&mut app, "jobs_none");
    queue(&mut app, 1, "out.gguf");
    shoot_both(&mut app, "jobs_queued");
    run(&mut app, 1);
    shoot_both(&mut app, "jobs_running");
    app.press("esc");
    shoot_both(&mut app, "jobs_bar_running");
    app.press("J p");
    shoot_both(&mut app, "jobs_paused");
    app.press("esc");
    shoot_both(&mut app, "jobs_bar_paused");
    app.press("q");
    shoot_both(&mut app, "jobs_quit_paused");
    app.press("w J c");
    shoot_both(&mut app, "jobs_cancelling");
    app.press("n l");
    shoot_both(&mut app, "jobs_log");
    app.press("esc");
    let finished = summary(&app, "out.gguf");
    app.state.quit_when_done = false;
    job(&mut app, JobEvent::ExportFinished(1, finished));
    shoot_both(&mut app, "jobs_finished");
}

#[test]
fn exports_that_end_badly_and_a_log_that_is_longer_than_the_screen() {
    let mut app = measured();
    queue(&mut app, 1, "full.gguf");
    queue(&mut app, 2, "second.gguf");
    run(&mut app, 1);
    let message = "full.gguf: cannot write 65536 bytes at offset 131072: no space left on device".to_owned();
    job(&mut app, JobEvent::ExportFailed(1, message));
    run(&mut app, 2);
    for _ in 0..80 {
        job(&mut app, JobEvent::ExportDelta(2, Delta::TensorDone { index: 1 }));
    }
    app.press("J l k");
    shoot_both(&mut app, "jobs_long_log");
    app.press("l");
    job(&mut app, JobEvent::ExportCancelled(2));
    shoot_both(&mut app, "jobs_failed_and_cancelled");
}

#[test]
fn a_queue_its_questions_and_the_bar_on_other_screens() {
    let mut app = measured();
    for (id, name) in [(1, "first.gguf"), (2, "second.gguf"), (3, "third.gguf")] {
        queue(&mut app, id, name);
    }
    run(&mut app, 1);
    app.press("i");
    shoot_both(&mut app, "jobs_bar_on_pages");
    app.press("esc B");
    shoot_both(&mut app, "jobs_bar_under_the_slider");
    app.press("esc J");
    shoot_both(&mut app, "jobs_queue");
    app.press("f c");
    shoot_both(&mut app, "jobs_take_off");
    job(&mut app, JobEvent::ExportDelta(1, Delta::Stage(Stage::Sync)));
    app.press("n");
    shoot_both(&mut app, "jobs_syncing");
    app.press("esc n c J");
    shoot_both(&mut app, "jobs_beside_a_check");
}
