//! Palette, copy menu, searched help, other themes and ASCII as they look; and that no theme and no name breaks a line.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot set itself up should stop")]

mod support;
mod support_tui;

use ratatui::buffer::Buffer;
use ratatui::style::Color;
use support::Kv;
use support_tui::pages::Reader;
use support_tui::shoot::{LARGE, MEDIUM, SMALL, compare, measured, picture, render, shoot_at, shoot_both};
use support_tui::{App, layered};
use tritscope::tui::state::Tone;
use tritscope::tui::state::appearance::ThemeName;
use tritscope::tui::theme::Theme;

fn shoot(app: &mut App, name: &str, theme: &Theme) {
    for (size, suffix) in [(SMALL, "80x24"), (LARGE, "160x50")] {
        let buffer = render(app, size, theme);
        compare(&format!("{name}_{suffix}"), &buffer);
    }
}

#[test]
fn the_palette() {
    let mut app = measured();
    app.press(":");
    shoot_both(&mut app, "palette");
    app.type_text("copy");
    shoot_both(&mut app, "palette_found");
    app.press("ctrl-u");
    app.type_text("goto attn");
    shoot_both(&mut app, "palette_goto");
    app.press("ctrl-u");
    app.type_text("xyzzy");
    shoot_both(&mut app, "palette_nothing");
    app.press("ctrl-u");
    app.type_text("method finest");
    shoot_both(&mut app, "palette_error");
}

#[test]
fn messages_that_do_not_fit_in_a_row_take_those_above_while_they_are_shown() {
    let mut app = measured();
    app.state.notices.dismiss();
    let bar = picture(&render(&mut app, SMALL, &Theme::dark()));
    app.state.notify(Tone::Warning, format!("{}and the end", "a word of many ".repeat(8)));
    let shown = picture(&render(&mut app, SMALL, &Theme::dark()));
    assert!(shown.contains("and the end") && !shown.contains("shows all"), "{shown}");
    shoot_at(&mut app, "message_of_two_rows", &[SMALL]);
    app.state.notify(Tone::Error, format!("{}and the end", "a word of many ".repeat(20)));
    let shown = picture(&render(&mut app, SMALL, &Theme::dark()));
    assert!(shown.contains("… N shows all") && !shown.contains("and the end"), "{shown}");
    shoot_at(&mut app, "message_of_many_rows", &[SMALL]);
    app.press("N G");
    let log = picture(&render(&mut app, SMALL, &Theme::dark())).replace('\n', " ");
    assert!(log.contains("and the end"), "{log}");
    app.press("esc");
    app.state.notices.dismiss();
    assert_eq!(picture(&render(&mut app, SMALL, &Theme::dark())), bar);
}

#[test]
fn the_copy_menu() {
    let mut app = measured();
    app.press("y");
    shoot_both(&mut app, "copy");
}

#[test]
fn help_that_is_searched() {
    let mut app = measured();
    app.press("? /");
    app.type_text("filter");
    shoot_both(&mut app, "help_search");
    app.press("ctrl-u");
    app.type_text("xyzzy");
    shoot_both(&mut app, "help_search_nothing");
}

#[test]
fn other_themes() {
    for theme in [ThemeName::Contrast, ThemeName::Sixteen] {
        let mut app = measured();
        app.pass(std::time::Duration::from_secs(60));
        shoot(&mut app, &format!("theme_{}", theme.name()), &Theme::of(theme));
        for (keys, what) in [("5", "map"), ("S", "sensitivity")] {
            let mut app = measured();
            app.press(keys);
            app.serve();
            app.pass(std::time::Duration::from_secs(60));
            shoot(&mut app, &format!("theme_{}_{what}", theme.name()), &Theme::of(theme));
        }
    }
}

#[test]
fn in_ascii() {
    let mut app = measured();
    app.pass(std::time::Duration::from_secs(60));
    app.state.appearance.ascii = true;
    shoot(&mut app, "ascii", &Theme::of(ThemeName::None));
    for (keys, what) in [("5", "map"), ("S", "sensitivity"), ("B", "budget"), ("Q", "quantize")] {
        let mut app = measured();
        app.press(keys);
        app.serve();
        app.pass(std::time::Duration::from_secs(60));
        app.state.appearance.ascii = true;
        shoot(&mut app, &format!("ascii_{what}"), &Theme::of(ThemeName::None));
    }
}

/// Sixteen colours are what a terminal of sixteen has.
fn is_of_sixteen(colour: Color) -> bool {
    !matches!(colour, Color::Rgb(..) | Color::Indexed(16..))
}

#[test]
fn the_theme_of_16_uses_no_other_and_that_of_none_no_colour_at_all() {
    for keys in ["", "2", "3", "4", "5", "6", "7", "8", "?", "Q", "J", "n", ":", "y", "o", "/"] {
        let mut app = measured();
        if !keys.is_empty() {
            app.press(keys);
        }
        let buffer = render(&mut app, MEDIUM, &Theme::of(ThemeName::Sixteen));
        assert!(buffer.content().iter().all(|c| is_of_sixteen(c.fg) && is_of_sixteen(c.bg)), "{keys}");
        let buffer = render(&mut app, MEDIUM, &Theme::of(ThemeName::None));
        assert!(buffer.content().iter().all(|c| c.fg == Color::Reset && c.bg == Color::Reset), "{keys}");
        app.state.appearance.ascii = true;
        let buffer = render(&mut app, MEDIUM, &Theme::dark());
        let other: Vec<&str> =
            buffer.content().iter().map(ratatui::buffer::Cell::symbol).filter(|s| !s.is_ascii()).collect();
        assert!(other.is_empty(), "{keys}: {other:?}");
    }
}

/// The right border stands where it belongs in every row, whatever the names are made of.
#[test]
fn wide_and_combining_names_keep_every_line_as_wide_as_its_pane() {
    let names = [
        "日本語の重み.weight",
        "e\u{301}\u{301}tage.weight",
        "👩‍👩‍👧.weight",
        "a\u{200b}b.weight",
        "ｆｕｌｌ.weight",
        "हिन्दी.weight",
    ];
    let mut tiny = layered();
    for (i, name) in names.iter().enumerate() {
        tiny = tiny.normal(&format!("blk.0.{name}"), &[256, 16], 40 + i as u64);
    }
    let mut app = App::on(&tiny);
    app.go("blk.0.日本語の重み.weight");
    for size in [(60, 16), SMALL, MEDIUM, (97, 31)] {
        let buffer = render(&mut app, size, &Theme::dark());
        let splitter = app.state.geometry.splitter;
        for y in 2..size.1 - 5 {
            for x in [0, splitter - 1, splitter, size.0 - 1] {
                assert_eq!(buffer[(x, y)].symbol(), "│", "column {x} of row {y} at {size:?}:\n{}", picture(&buffer));
            }
            assert_eq!(columns(&buffer, y), usize::from(size.0), "row {y}:\n{}", picture(&buffer));
        }
    }
}

/// What names and values are made of that are not made for people: nothing of it controls the terminal or moves a column.
#[test]
fn odd_names_and_values() {
    let mut tiny = layered();
    let odd = [
        "日本語の重みはとても長いので切られる",
        "e\u{301}\u{301}tage",
        "👩‍👩‍👧🇩🇪❤\u{fe0f}",
        "a\u{200b}b",
        "esc\x1b[2Jape",
        "bell\x07\u{9b}",
        "\u{202e}desrever",
    ];
    for (i, name) in odd.iter().enumerate() {
        tiny = tiny
            .normal(&format!("blk.0.{name}.weight"), &[256, 16], 40 + i as u64)
            .kv(&format!("odd.{name}"), Kv::Str(format!("{name} {name} {name}")));
    }
    let mut app = App::on(&tiny);
    app.go("blk.0.日本語の重みはとても長いので切られる.weight");
    shoot_both(&mut app, "odd_names");
    Reader::default().press(&mut app, "i 2");
    shoot_both(&mut app, "odd_values");
    for cell in render(&mut app, MEDIUM, &Theme::dark()).content() {
        assert!(!cell.symbol().chars().any(char::is_control), "{:?}", cell.symbol());
    }
}

/// Columns that a terminal takes for a row: what stands behind a wide sign is not sent.
fn columns(buffer: &Buffer, y: u16) -> usize {
    let (mut x, mut columns) = (0, 0);
    while x < buffer.area.width {
        let width = tritscope::text::width(buffer[(x, y)].symbol()).max(1);
        columns += width;
        x += width as u16;
    }
    columns
}

/// The main screens of others, light beside dark.
#[test]
fn the_main_screens_in_both_themes() {
    let mut app = measured();
    app.pass(std::time::Duration::from_secs(60));
    shoot_both(&mut app, "both_tensor");
    app.press("J");
    shoot_both(&mut app, "both_jobs");
    app.press("esc Q");
    shoot_both(&mut app, "both_quantize");
    app.press("esc");
    app.go("");
    shoot_both(&mut app, "both_model");
}
