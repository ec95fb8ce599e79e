//! The palette: a line to type a command into, and the commands that it may mean.
//!
//! Every action of the context it was opened from is a command, by the names of the keymap; beside them stand commands
//! that take an argument, whose values are offered as they are typed.

use nucleo_matcher::pattern::{AtomKind, CaseMatching, Normalization, Pattern};
use nucleo_matcher::{Config, Matcher, Utf32Str};

use super::appearance::ThemeName;
use super::command::shorten;
use super::dialog::Dialog;
use super::edit::TargetType;
use super::input::TextInput;
use super::{Session, State};
use crate::engine::plan::Mask;
use crate::engine::ternary::{Format, Method};
use crate::text;
use crate::tui::action::Action;
use crate::tui::keymap::Context;

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
    /// What happens on enter.
    pub run: Run,
}

/// What a line of the palette does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Run {
    /// An action, in the context that the palette was opened from.
    Act(Action),
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
    /// The colours.
    Theme,
    /// The mouse.
    Mouse,
    /// Drawing in ASCII.
    Ascii,
}

impl Verb {
    const ALL: [Self; 10] = [
        Self::Goto,
        Self::Filter,
        Self::Open,
        Self::Method,
        Self::Format,
        Self::Type,
        Self::Mask,
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
            Self::Theme => ("theme", "NAME", "these colours"),
            Self::Mouse => ("mouse", "on|off", "whether the mouse is the program's or the terminal's"),
            Self::Ascii => ("ascii", "on|off", "whether only ASCII is drawn"),
        }
    }

    fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|verb| verb.words().0 == word)
    }

    fn needs_model(self) -> bool {
        matches!(self, Self::Goto | Self::Filter | Self::Method | Self::Format | Self::Type | Self::Mask)
    }
}

impl Palette {
    /// An empty line over whatever is open.
    pub fn new(state: &mut State) -> Self {
        let from = Context::of(state);
        let choices = choices(state, from, "");
        let beneath = state.dialog.take().map(Box::new);
        Self { input: TextInput::default(), cursor: 0, from, beneath, choices }
    }
}

/// Why a text means nothing: there is no such command, or it takes no such argument.
pub fn nothing_like(line: &str) -> String {
    match line.trim_start().split_once(' ').filter(|(word, _)| Verb::named(word).is_some()) {
        Some((word, argument)) => {
            format!("{word}: nothing is like '{}'; delete it to see what there is", text::escape(argument.trim()))
        }
        None => "no command is like this; esc closes".to_owned(),
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
    let listed =
        |action: Action| !matches!(action, Action::Edit(_) | Action::Palette) && keymap.works(state, from, action);
    let actions = [Some(from), from.falls_back_to()]
        .into_iter()
        .flatten()
        .flat_map(|context| keymap.of(context))
        .filter(|b| listed(b.action))
        .map(|b| Choice {
            line: b.action.name().to_owned(),
            argument: "",
            keys: b.shown.clone(),
            help: b.help().to_owned(),
            run: Run::Act(b.action),
        });
    let verbs = Verb::ALL.into_iter().filter(|v| state.session.is_some() || !v.needs_model()).map(|verb| {
        let (name, argument, help) = verb.words();
        Choice { line: name.to_owned(), argument, keys: String::new(), help: help.to_owned(), run: Run::Ask(verb) }
    });
    ranked(actions.chain(verbs).collect(), line.trim())
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
        let name = pattern.score(Utf32Str::new(&choice.line, &mut buffer), &mut matcher);
        // Letters in any order are found in nearly every sentence: of help, whole parts only.
        let help = words.score(Utf32Str::new(&choice.help, &mut buffer), &mut matcher);
        name.map(|n| n.saturating_add(1 << 16)).or(help)
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
        Verb::Filter => vec![value(typed, if typed.is_empty() { "everything again" } else { help })],
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

/// Tensors whose names contain the text, the one that is called so first: name and type.
fn tensors(session: &Session, typed: &str) -> Vec<(String, String)> {
    let typed = typed.to_lowercase();
    let all = &session.model.tensors;
    let exact = session.model.find(&typed);
    let others = all.iter().enumerate().filter(|(i, t)| Some(*i) != exact && t.name.to_lowercase().contains(&typed));
    let found = exact.map(|i| &all[i]).into_iter().chain(others.map(|(_, t)| t));
    found.take(OFFERED).map(|t| (t.name.clone(), format!("{} {}", t.dtype, text::shape(&t.dims)))).collect()
}
