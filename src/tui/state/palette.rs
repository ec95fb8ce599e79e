//! The palette: a line to type a command into, and the commands that it may mean.
//!
//! Every action of the context it was opened from is a command, by the names of the keymap; beside them stand commands
//! that take an argument, whose values are offered as they are typed, and last the commands of all other contexts, with
//! where they work.

use nucleo_matcher::pattern::{AtomKind, CaseMatching, Normalization, Pattern};
use nucleo_matcher::{Config, Matcher, Utf32Str};

use super::appearance::ThemeName;
use super::columns::Column;
use super::command::{report_name, shorten};
use super::dialog::Dialog;
use super::edit::TargetType;
use super::filter::complete::complete;
use super::filter::parse::parse;
use super::input::TextInput;
use super::{Session, State};
use crate::engine::plan::Mask;
use crate::engine::plan::budget::Goal;
use crate::engine::ternary::{Format, Method};
use crate::text;
use crate::tui::action::Action;
use crate::tui::keymap::{Bound, Context, is_anywhere};

/// Values that are offered for an argument at most.
const OFFERED: usize = 200;

/// The open palette.
#[derive(Debug, Clone)]
pub struct Palette {
    /// What was typed.
    pub input: TextInput,
    /// Index of the chosen command.
    pub cursor: usize,
    /// What had the keys before: commands run there.
    pub from: Context,
    /// The dialog that it lies over.
    pub beneath: Option<Box<Dialog>>,
    /// What the text may mean, likeliest first.
    pub choices: Vec<Choice>,
    /// Why it means nothing, or what is wrong with the argument.
    pub problem: Option<String>,
}

/// A line of the palette.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// The command as it would be typed.
    pub line: String,
    /// What follows it, in capitals, if it needs an argument.
    pub argument: &'static str,
    /// Its keys.
    pub keys: String,
    /// What it does.
    pub help: String,
    /// Where it works, if not where the palette was opened.
    pub place: Option<Context>,
    /// What happens on enter.
    pub run: Run,
}

/// What a line of the palette does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Run {
    /// An action, in the context that the palette was opened from.
    Act(Action),
    /// An action of another context.
    Elsewhere(Context, Action),
    /// Nothing yet: the line is typed out, for more of it to be typed.
    Fill,
    /// A command with its argument.
    Verb(Verb, String),
    /// A command whose argument has to be typed first.
    Ask(Verb),
}

/// A command that takes an argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// Puts the cursor on a tensor.
    Goto,
    /// Filters the tree.
    Filter,
    /// Opens a file.
    Open,
    /// A method for the selection.
    Method,
    /// A format for the selection.
    Format,
    /// A type for the selection.
    Type,
    /// The mask.
    Mask,
    /// Puts the rows of the tree in another order.
    Sort,
    /// Opens the budget slider at a size.
    Budget,
    /// Writes the report of the plan.
    SaveReport,
    /// The colours.
    Theme,
    /// The mouse.
    Mouse,
    /// Drawing in ASCII.
    Ascii,
}

impl Verb {
    const ALL: [Self; 13] = [
        Self::Goto,
        Self::Filter,
        Self::Open,
        Self::Method,
        Self::Format,
        Self::Type,
        Self::Mask,
        Self::Sort,
        Self::Budget,
        Self::SaveReport,
        Self::Theme,
        Self::Mouse,
        Self::Ascii,
    ];

    /// Its name, what its argument is called, what it does.
    pub fn words(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Goto => ("goto", "NAME", "put the cursor on this tensor"),
            Self::Filter => ("filter", "TEXT", "filter the tree"),
            Self::Open => ("open", "PATH", "open this file"),
            Self::Method => ("method", "NAME", "this method for the selection"),
            Self::Format => ("format", "NAME", "this format for the selection"),
            Self::Type => ("type", "NAME", "this type for the selection: a ternary format, a precision, keep"),
            Self::Mask => ("mask", "NAME", "this mask"),
            Self::Sort => ("sort", "COLUMN", "sort the tree by this column; -COLUMN the other way round"),
            Self::Budget => ("budget", "SIZE", "choose a size such as 200MiB or 3bpw: the least sensitive go ternary"),
            Self::SaveReport => ("save-report", "PATH", "write the report of the plan: text, .json or .md"),
            Self::Theme => ("theme", "NAME", "these colours"),
            Self::Mouse => ("mouse", "on|off", "whether the mouse is the program's or the terminal's"),
            Self::Ascii => ("ascii", "on|off", "whether only ASCII is drawn"),
        }
    }

    fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|verb| verb.words().0 == word)
    }

    fn needs_model(self) -> bool {
        !matches!(self, Self::Open | Self::Theme | Self::Mouse | Self::Ascii)
    }
}

impl Palette {
    /// An empty line over whatever is open.
    pub fn new(state: &mut State) -> Self {
        let from = Context::of(state);
        let choices = choices(state, from, "");
        let beneath = state.dialog.take().map(Box::new);
        Self { input: TextInput::default(), cursor: 0, from, beneath, choices, problem: None }
    }
}

/// Why a text means nothing: there is no such command, it takes no such argument, or something is wrong with that.
pub fn problem(line: &str, choices: &[Choice]) -> Option<String> {
    let verb = line.trim_start().split_once(' ').and_then(|(word, argument)| Some((Verb::named(word)?, argument)));
    match verb {
        Some((Verb::Filter, argument)) => parse(argument).err().map(|problem| problem.message),
        _ if !choices.is_empty() => None,
        Some((Verb::Budget, argument)) => argument.trim().parse::<Goal>().err(),
        Some((verb, argument)) => {
            let (word, argument) = (verb.words().0, text::escape(argument.trim()));
            Some(format!("{word}: nothing is like '{argument}'; delete it to see what there is"))
        }
        None => Some("no command is like this; esc closes".to_owned()),
    }
}

/// What a text may mean, likeliest first.
pub fn choices(state: &State, from: Context, line: &str) -> Vec<Choice> {
    let line = line.trim_start();
    if let Some((word, argument)) = line.split_once(' ')
        && let Some(verb) = Verb::named(word)
        && (state.session.is_some() || !verb.needs_model())
    {
        return values(state, verb, argument.trim());
    }
    let keymap = &state.settings.keymap;
    let listed = |action: Action| is_command(action) && keymap.works(state, from, action);
    let here: Vec<&Bound> = [Some(from), from.falls_back_to()]
        .into_iter()
        .flatten()
        .flat_map(|context| keymap.of(context))
        .filter(|b| listed(b.action))
        .collect();
    let here_names: Vec<&str> = here.iter().map(|b| b.action.name()).collect();
    let (others, anywhere) = others(state, from);
    let actions = here.into_iter().chain(anywhere).map(|b| of_action(b, None));
    // What opens a dialog without an argument, and does without it with one, is one line.
    let named = |verb: Verb| here_names.contains(&verb.words().0) || matches!(verb, Verb::Budget | Verb::SaveReport);
    let has = |verb: &Verb| !named(*verb) && (state.session.is_some() || !verb.needs_model());
    let verbs = Verb::ALL.into_iter().filter(has).map(|verb| {
        let (name, argument, help) = verb.words();
        let (line, help) = (name.to_owned(), help.to_owned());
        Choice { line, argument, keys: String::new(), help, place: None, run: Run::Ask(verb) }
    });
    let others = others.into_iter().map(|b| of_action(b, Some(b.context)));
    ranked(actions.chain(verbs).chain(others).collect(), line.trim())
}

/// Whether an action is worth a line wherever it works: not what types, nor what the palette itself is.
fn is_command(action: Action) -> bool {
    !matches!(action, Action::Edit(_) | Action::Palette)
}

/// Whether an action is worth a line where it does not work: moving and answering mean something of their own in each
/// place.
fn is_command_elsewhere(action: Action) -> bool {
    use Action::{Accept, Back, Bottom, Complete, Down, Fold, NextField, NextValue, PageDown, PageUp};
    use Action::{PreviousField, PreviousValue, Search, Top, Unfold, Up};
    let moves = matches!(action, Up | Down | PageUp | PageDown | Top | Bottom | Fold | Unfold);
    let answers = matches!(action, Accept | Back | NextField | PreviousField | NextValue | PreviousValue);
    is_command(action) && !moves && !answers && !matches!(action, Complete | Search | Action::Quit)
}

/// Commands of all other contexts: those that work in one of them only, and those that work here too.
fn others(state: &State, from: Context) -> (Vec<&Bound>, Vec<&Bound>) {
    let keymap = &state.settings.keymap;
    if state.session.is_none() {
        return (Vec::new(), Vec::new());
    }
    let mut seen: Vec<Action> = keymap.holding(from).map(|b| b.action).collect();
    let mut found = Vec::new();
    for bound in Context::ALL.into_iter().flat_map(|context| keymap.of(context)) {
        if is_command_elsewhere(bound.action) && !seen.contains(&bound.action) {
            seen.push(bound.action);
            found.push(bound);
        }
    }
    found.into_iter().partition(|b| !is_anywhere(b.action))
}

fn of_action(bound: &Bound, place: Option<Context>) -> Choice {
    let name = bound.action.name();
    Choice {
        line: name.to_owned(),
        argument: Verb::named(name).map_or("", |verb| verb.words().1),
        // A key means what it says in its own place only.
        keys: if is_anywhere(bound.action) && place.is_none() && bound.context != Context::Browse {
            String::new()
        } else {
            bound.shown.clone()
        },
        help: bound.help().to_owned(),
        place,
        run: place.map_or(Run::Act(bound.action), |place| Run::Elsewhere(place, bound.action)),
    }
}

/// Those that resemble the text, those whose name does before those whose help does.
fn ranked(all: Vec<Choice>, text: &str) -> Vec<Choice> {
    if text.is_empty() {
        return all;
    }
    let pattern = Pattern::new(text, CaseMatching::Ignore, Normalization::Smart, AtomKind::Fuzzy);
    let words = Pattern::new(text, CaseMatching::Ignore, Normalization::Smart, AtomKind::Substring);
    let mut matcher = Matcher::new(Config::DEFAULT);
    let mut buffer = Vec::new();
    let mut score = |choice: &Choice| {
        if choice.line == text {
            return Some(u32::MAX);
        }
        // What works here comes before what works elsewhere, and names before help.
        let step = if choice.place.is_none() { 1 << 16 } else { 0 };
        let name = pattern.score(Utf32Str::new(&choice.line, &mut buffer), &mut matcher);
        // Letters in any order are found in nearly every sentence: of help, whole parts only.
        let help = words.score(Utf32Str::new(&choice.help, &mut buffer), &mut matcher);
        name.map(|n| n.saturating_add((1 << 17) + step)).or(help.map(|n| n.saturating_add(step)))
    };
    let mut scored: Vec<(u32, Choice)> = all.into_iter().filter_map(|c| Some((score(&c)?, c))).collect();
    scored.sort_by_key(|(score, _)| std::cmp::Reverse(*score));
    scored.into_iter().map(|(_, choice)| choice).collect()
}

/// What can follow a command.
fn values(state: &State, verb: Verb, typed: &str) -> Vec<Choice> {
    let (name, _, help) = verb.words();
    let value = |value: &str, help: &str| Choice {
        line: format!("{name} {value}"),
        argument: "",
        keys: String::new(),
        help: help.to_owned(),
        place: None,
        run: Run::Verb(verb, value.to_owned()),
    };
    let among = |all: &[&str]| {
        let fits = all.iter().filter(|v| v.starts_with(&typed.to_lowercase()));
        fits.map(|v| value(v, help)).collect::<Vec<_>>()
    };
    match verb {
        Verb::Goto => {
            let found = state.session.as_ref().map_or_else(Vec::new, |session| tensors(session, typed));
            found.into_iter().map(|(name, dtype)| value(&name, &dtype)).collect()
        }
        Verb::Filter => {
            let whole =
                parse(typed).is_ok().then(|| value(typed, if typed.is_empty() { "everything again" } else { help }));
            whole.into_iter().chain(filters(state, typed)).collect()
        }
        Verb::Sort => {
            let sign = if typed.starts_with('-') { "-" } else { "" };
            among(&Column::ALL.map(|column| format!("{sign}{}", column.word())).each_ref().map(String::as_str))
        }
        Verb::Budget => budgets(typed).iter().map(|size| value(size, help)).collect(),
        Verb::SaveReport if typed.is_empty() => {
            let name = state.session.as_ref().map_or_else(String::new, |session| report_name(&session.model.path));
            let stem = name.trim_end_matches(".txt");
            [("txt", "as `plan` prints it"), ("json", "as JSON"), ("md", "as Markdown")]
                .map(|(ending, help)| value(&format!("{stem}.{ending}"), help))
                .to_vec()
        }
        Verb::SaveReport => vec![value(typed, help)],
        Verb::Open => {
            let home = state.settings.home.as_deref();
            let recent = state.recent.iter().map(|path| shorten(path, home)).filter(|path| path.contains(typed));
            let typed = (!typed.is_empty()).then(|| value(typed, help));
            typed.into_iter().chain(recent.map(|path| value(&path, "opened before"))).take(OFFERED).collect()
        }
        Verb::Method => among(&Method::COMPARED.map(Method::name)),
        Verb::Format => among(&Format::ALL.map(Format::name)),
        Verb::Type => among(&TargetType::all().map(TargetType::name).collect::<Vec<_>>()),
        Verb::Mask => among(&Mask::ALL.map(Mask::name)),
        Verb::Theme => among(&ThemeName::ALL.map(ThemeName::name)),
        Verb::Mouse | Verb::Ascii => among(&["on", "off"]),
    }
}

/// What the last word of a filter may become, as lines that are typed out.
fn filters(state: &State, typed: &str) -> Vec<Choice> {
    let Some(session) = &state.session else { return Vec::new() };
    let mut types = Vec::new();
    for shared in session.plan.plan().decisions.shared() {
        for dtype in [session.model.tensors[shared.first].dtype, shared.decision.new_type] {
            if !types.contains(&dtype) {
                types.push(dtype);
            }
        }
    }
    let completion = complete(typed, &types);
    let name = Verb::Filter.words().0;
    let written = completion.options.iter().map(|option| Choice {
        line: format!("{name} {}{option}", typed.get(..completion.replaces.start).unwrap_or_default()),
        argument: "",
        keys: String::new(),
        help: "complete the filter".to_owned(),
        place: None,
        run: Run::Fill,
    });
    written.collect()
}

/// Sizes that a text may become: with a unit where it has none yet, and as it is where it says a size.
fn budgets(typed: &str) -> Vec<String> {
    let number = typed.trim_end_matches(|c: char| c.is_ascii_alphabetic()).trim_end();
    let unit = typed[number.len()..].trim_start().to_lowercase();
    if number.parse::<f64>().is_err() {
        return Vec::new();
    }
    let offered = if unit.is_empty() { &["bpw", "MiB", "GiB"][..] } else { &["bpw", "MiB", "GiB", "KiB", "TiB"][..] };
    let units = offered.iter().filter(|known| known.to_lowercase().starts_with(&unit));
    let mut sizes: Vec<String> = units.map(|unit| format!("{number}{unit}")).collect();
    if !unit.is_empty() && typed.parse::<Goal>().is_ok() {
        sizes.retain(|size| size != typed);
        sizes.push(typed.to_owned());
    }
    sizes.retain(|size| size.parse::<Goal>().is_ok());
    sizes
}

/// Tensors whose names contain the text, the one that is called so first: name and type.
fn tensors(session: &Session, typed: &str) -> Vec<(String, String)> {
    let typed = typed.to_lowercase();
    let all = &session.model.tensors;
    let exact = session.model.find(&typed);
    let others = all.iter().enumerate().filter(|(i, t)| Some(*i) != exact && t.name.to_lowercase().contains(&typed));
    let found = exact.map(|i| &all[i]).into_iter().chain(others.map(|(_, t)| t));
    found.take(OFFERED).map(|t| (t.name.clone(), format!("{} {}", t.dtype, text::shape(&t.dims)))).collect()
}
