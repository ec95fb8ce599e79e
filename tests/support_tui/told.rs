//! A state in words, part by part: what a command changes is the parts that differ.

use tritscope::tui::effect::Effect;
use tritscope::tui::state::input::TextInput;
use tritscope::tui::state::pages::Pages;
use tritscope::tui::state::pages::metadata::Shown;
use tritscope::tui::state::pane::Pane;
use tritscope::tui::state::{Dialog, Session, State};

type Parts = Vec<(&'static str, String)>;

/// A line of text with its cursor.
fn line(input: &TextInput) -> String {
    let (before, after) = input.split();
    format!("{before}|{after}")
}

fn dialog(dialog: &Dialog) -> String {
    match dialog {
        Dialog::Help(help) => format!(
            "Help of {} from line {}, search {} {}",
            help.of.name(),
            help.scroll.top,
            line(&help.search),
            if help.searching { "typed" } else { "kept" }
        ),
        Dialog::Palette(palette) => {
            format!("Palette {} line {} of {}", line(&palette.input), palette.cursor, palette.choices.len())
        }
        Dialog::Messages(scroll) => format!("Messages from line {}", scroll.top),
        Dialog::Quantize(form) => format!(
            "Quantize {} {:?} threads {} memory {} overwrite {} on {:?}: {:?}",
            line(&form.path),
            form.verify,
            line(&form.threads),
            line(&form.memory),
            form.overwrite,
            form.field,
            form.problem
        ),
        Dialog::Presets(menu) => format!("Presets line {}", menu.cursor),
        Dialog::Types(menu, _) => format!("Types line {}", menu.cursor),
        Dialog::ReadRecipe(form) => format!("ReadRecipe {}: {:?}", line(&form.path), form.problem),
        Dialog::SaveRecipe(form) => format!("SaveRecipe {}: {:?}", line(&form.path), form.problem),
        Dialog::SaveReport(form) => format!("SaveReport {}: {:?}", line(&form.path), form.problem),
        Dialog::SaveChart(form) => format!("SaveChart {}: {:?}", line(&form.path), form.problem),
        Dialog::Picker(picker) => format!(
            "Picker for {:?} in {} {} line {}",
            picker.purpose,
            picker.folder.display(),
            line(&picker.input),
            picker.cursor
        ),
        Dialog::Failure { path, message, .. } => format!("Failure {} {message}", path.display()),
        Dialog::Copy(_) | Dialog::Jobs(_) | Dialog::Apply(_) | Dialog::Quit => format!("{dialog:?}"),
    }
}

fn pane(pane: &Pane) -> Parts {
    let window = pane.place.window;
    vec![
        ("keys of the preview", pane.focused.to_string()),
        ("bins", format!("{:?}", pane.bins)),
        ("overlay", format!("{:?}", pane.overlay)),
        ("cell", format!("{:?} {:?}", pane.matrix.cell(), pane.matrix.figure)),
        ("place", format!("{:?}", pane.place.at)),
        ("window", format!("{}+{} {}+{}", window.row, window.rows, window.column, window.columns)),
        ("map by", format!("{:?} {:?}", pane.measure, pane.quantity)),
        ("experts", format!("{} {}", pane.experts, pane.expert)),
        ("signs", pane.signs.to_string()),
        ("bytes first", pane.bytes.to_string()),
        ("scrolled", pane.scroll.to_string()),
        ("place typed", format!("{:?}", pane.goto.as_ref().map(|goto| (line(&goto.input), goto.problem.clone())))),
    ]
}

fn pages(pages: &Pages) -> Parts {
    let (values, tokens) = (&pages.metadata, &pages.tokenizer);
    let detail = values.detail.as_ref().map(|detail| match &detail.shown {
        Shown::Text { top, .. } => format!("{} from line {top}", detail.entry),
        Shown::Array(array) => format!("{} element {}", detail.entry, array.cursor),
    });
    vec![
        ("page", format!("{:?}", pages.page)),
        ("overview", pages.overview.to_string()),
        ("metadata", format!("line {} of {}, open {}", values.cursor, values.rows.len(), values.opened)),
        ("metadata typed", format!("{} {} {}", values.editing, line(&values.search), line(&values.goto))),
        ("value", format!("{detail:?}")),
        ("tokens", format!("line {}, merges {:?}", tokens.cursor, tokens.merges.as_ref().map(|merges| merges.cursor))),
        ("tokens typed", format!("{} {}", tokens.editing, line(&tokens.search))),
        ("template", format!("{} from line {}", pages.template.chosen, pages.template.top)),
        ("problems", format!("line {}, check {:?}", pages.problems.cursor, pages.problems.check)),
        ("rule", pages.recipe.cursor.to_string()),
        (
            "pattern",
            format!("{:?}", pages.recipe.line.as_ref().map(|typed| (line(&typed.input), typed.of, typed.keep))),
        ),
        ("backend", pages.runtime.to_string()),
    ]
}

fn session(session: &Session) -> Parts {
    let (tree, plan) = (&session.tree, &session.plan);
    let names = |tensors: Vec<usize>| {
        let all: Vec<&str> = tensors.iter().map(|tensor| session.model.tensors[*tensor].name.as_str()).collect();
        all.join(" ")
    };
    let ternary = (0..session.model.tensors.len()).filter(|tensor| plan.decision(*tensor).is_ternary()).collect();
    let mut parts = vec![
        ("model", session.model.path.display().to_string()),
        ("screen", format!("{:?}", session.screen)),
        ("tab", format!("{:?}", session.tab)),
        ("row", format!("{:?}", tree.path(tree.selected()))),
        ("rows", format!("{} by {:?}", tree.rows().len(), tree.tree().grouping)),
        (
            "filter",
            format!("{} {}", if session.filter.editing { "typed" } else { "kept" }, line(&session.filter.input)),
        ),
        ("sort", format!("{:?} {}", session.sort.column, if session.sort.descending { "down" } else { "up" })),
        ("selected", session.selected_count().to_string()),
        ("ternary", names(ternary)),
        ("recipe", plan.recipe().to_toml().unwrap().lines().filter(|l| !l.is_empty()).collect::<Vec<_>>().join("; ")),
        ("split", format!("{:?}", session.split)),
        ("log axis", session.log_axis.to_string()),
        ("armed", format!("{:?}", session.armed)),
        ("exact", format!("{:?}", session.exact)),
        ("scan", session.scan.to_string()),
        ("sensitivity", {
            let at = &session.sensitivity;
            format!("role {} layer {} by {:?}", at.row, at.column, at.measure)
        }),
    ];
    let slider = session.slider.as_ref().map(|slider| {
        let typed = slider.input.as_ref().map(line);
        format!("{} tensors in {:?}, typed {typed:?}: {:?}", slider.count, slider.unit, slider.problem)
    });
    parts.push(("budget", format!("{slider:?}")));
    let compare = session.compare.as_ref().map(|compare| {
        format!("{:?} by error {} line {} of {}", compare.show, compare.by_error, compare.cursor, compare.rows.len())
    });
    parts.push(("compare", format!("{compare:?}")));
    parts.extend(pane(&session.pane));
    parts.extend(pages(&session.pages));
    parts
}

/// Everything that commands change.
fn parts(state: &State) -> Parts {
    let mut parts = vec![
        ("dialog", state.dialog.as_ref().map_or_else(|| "none".to_owned(), dialog)),
        ("opening", format!("{:?}", state.opening.as_ref().map(|opening| &opening.path))),
        ("appearance", format!("{:?}", state.appearance)),
        ("quit when done", state.quit_when_done.to_string()),
        ("tour", format!("{:?}", state.tour.as_ref().map(tritscope::tui::state::tour::Tour::step))),
        ("paused", state.jobs.all().iter().filter(|job| job.paused.is_some()).count().to_string()),
        ("open model", state.session.is_some().to_string()),
    ];
    parts.extend(state.session.iter().flat_map(session));
    parts
}

/// What differs between two texts of parts divided by `; `: those that went and those that came.
fn difference(before: &str, after: &str) -> String {
    let (old, new): (Vec<&str>, Vec<&str>) = (before.split("; ").collect(), after.split("; ").collect());
    let gone = old.iter().filter(|part| !new.contains(part)).map(|part| format!("-{part}"));
    let come = new.iter().filter(|part| !old.contains(part)).map(|part| format!("+{part}"));
    let told = gone.chain(come).collect::<Vec<_>>().join(" ");
    if told.is_empty() { "another order".to_owned() } else { told }
}

/// What a command changed and what it wants done; empty where that is nothing.
pub fn change(before: &State, after: &State, effects: &[Effect]) -> String {
    let (old, new) = (parts(before), parts(after));
    let mut told: Vec<String> = new
        .iter()
        .filter_map(|(name, value)| {
            let was = old.iter().find(|(other, _)| other == name).map_or("", |(_, was)| was);
            let said = match *name {
                _ if was == value => return None,
                "recipe" => difference(was, value),
                "ternary" => difference(&was.replace(' ', "; "), &value.replace(' ', "; ")),
                _ => format!("{was} → {value}"),
            };
            Some(format!("{name}: {said}"))
        })
        .collect();
    let messages = after.notices.log().iter().skip(before.notices.log().len());
    told.extend(messages.map(|notice| format!("says {:?}", notice.text)));
    let name = |effect: &Effect| {
        let words = format!("{effect:?}");
        let end = words.find(|c: char| !c.is_alphanumeric()).unwrap_or(words.len());
        match effect {
            Effect::Quit(_) | Effect::SetMouse(_) | Effect::CancelExport(_) | Effect::RunExportNext(_) => words,
            Effect::PauseExport(..) => words,
            _ => words[..end].to_owned(),
        }
    };
    if !effects.is_empty() {
        told.push(format!("effects: {}", effects.iter().map(name).collect::<Vec<_>>().join(", ")));
    }
    told.join("\n    ")
}
