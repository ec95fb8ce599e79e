//! What can take the keys: screens, panes, lines and dialogs, each with the keys it has.

use crate::tui::state::pages::Page;
use crate::tui::state::{Dialog, Screen, Session, State, Tab};

/// What takes the keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Context {
    /// The tree.
    Browse,
    /// The filter line.
    Filter,
    /// The preview pane: what all of its tabs have.
    Pane,
    /// The table of methods.
    Methods,
    /// The map.
    Map,
    /// The map while it shows experts.
    Experts,
    /// The block view.
    Block,
    /// The line that a block's place is typed into.
    Goto,
    /// The question what a method is to be applied to.
    Apply,
    /// Any of the model's pages.
    Page,
    /// The metadata page.
    Values,
    /// The tokenizer page.
    Tokens,
    /// The chat template page.
    Templates,
    /// The problems page.
    Problems,
    /// The recipe page.
    Rules,
    /// The line that is searched for on a page.
    PageLine,
    /// The line that a rule's pattern is typed into.
    PatternLine,
    /// A text that scrolls: messages.
    Reading,
    /// The list of exports.
    Jobs,
    /// The quantize dialog.
    Quantize,
    /// The menu of presets.
    Presets,
    /// The menu of types.
    Types,
    /// The line that the path of a recipe to read is typed into.
    ReadRecipe,
    /// The line that a recipe's path is typed into.
    SaveRecipe,
    /// The line that the path of a report is typed into.
    SaveReport,
    /// The budget slider.
    Budget,
    /// Errors by layer and role.
    Sensitivity,
    /// The line that a chart's path is typed into.
    SaveChart,
    /// A second model beside this one.
    Compare,
    /// The question whether to quit.
    Quit,
    /// Choosing a file.
    Picker,
    /// The report that a file cannot be opened.
    Failure,
    /// The palette.
    Palette,
    /// The copy menu.
    Copy,
    /// Help.
    Help,
    /// The line that help is searched by.
    HelpSearch,
}

impl Context {
    /// Every context, in the order of help.
    pub const ALL: [Self; 36] = [
        Self::Browse,
        Self::Filter,
        Self::Pane,
        Self::Methods,
        Self::Map,
        Self::Experts,
        Self::Block,
        Self::Goto,
        Self::Apply,
        Self::Page,
        Self::Values,
        Self::Tokens,
        Self::Templates,
        Self::Problems,
        Self::Rules,
        Self::PageLine,
        Self::PatternLine,
        Self::Reading,
        Self::Jobs,
        Self::Quantize,
        Self::Presets,
        Self::Types,
        Self::ReadRecipe,
        Self::SaveRecipe,
        Self::SaveReport,
        Self::Budget,
        Self::Sensitivity,
        Self::SaveChart,
        Self::Compare,
        Self::Quit,
        Self::Picker,
        Self::Failure,
        Self::Palette,
        Self::Copy,
        Self::Help,
        Self::HelpSearch,
    ];

    /// What takes the keys in this state.
    pub fn of(state: &State) -> Self {
        match &state.dialog {
            Some(Dialog::Palette(_)) => Self::Palette,
            Some(Dialog::Copy(_)) => Self::Copy,
            Some(Dialog::Help(help)) if help.searching => Self::HelpSearch,
            Some(Dialog::Help(_)) => Self::Help,
            Some(Dialog::Messages(_)) => Self::Reading,
            Some(Dialog::Jobs(_)) => Self::Jobs,
            Some(Dialog::Quantize(_)) => Self::Quantize,
            Some(Dialog::Presets(_)) => Self::Presets,
            Some(Dialog::Types(..)) => Self::Types,
            Some(Dialog::ReadRecipe(_)) => Self::ReadRecipe,
            Some(Dialog::SaveRecipe(_)) => Self::SaveRecipe,
            Some(Dialog::SaveReport(_)) => Self::SaveReport,
            Some(Dialog::Apply(_)) => Self::Apply,
            Some(Dialog::SaveChart(_)) => Self::SaveChart,
            Some(Dialog::Quit) => Self::Quit,
            Some(Dialog::Picker(_)) => Self::Picker,
            Some(Dialog::Failure { .. }) => Self::Failure,
            None => state.session.as_ref().map_or(Self::Browse, Self::of_session),
        }
    }

    /// What takes the keys on the screen itself, whatever dialog lies over it.
    pub fn of_session(session: &Session) -> Self {
        match session.screen {
            Screen::Tensors if session.filter.editing => Self::Filter,
            Screen::Tensors if session.slider.is_some() => Self::Budget,
            Screen::Tensors if session.pane.goto.is_some() => Self::Goto,
            Screen::Tensors if session.pane.focused => match session.tab {
                Tab::Methods => Self::Methods,
                Tab::Map if session.pane.experts => Self::Experts,
                Tab::Map => Self::Map,
                Tab::Block => Self::Block,
                Tab::Overview | Tab::Scales | Tab::Weights | Tab::Trits | Tab::Info => Self::Pane,
            },
            Screen::Tensors => Self::Browse,
            Screen::Sensitivity => Self::Sensitivity,
            Screen::Compare => Self::Compare,
            Screen::Model => Self::of_page(session),
        }
    }

    fn of_page(session: &Session) -> Self {
        let pages = &session.pages;
        match pages.page {
            Page::Recipe if pages.is_typing() => Self::PatternLine,
            _ if pages.is_typing() => Self::PageLine,
            Page::Metadata => Self::Values,
            Page::Tokenizer => Self::Tokens,
            Page::Template => Self::Templates,
            Page::Problems => Self::Problems,
            Page::Recipe => Self::Rules,
            Page::Overview | Page::Runtimes => Self::Page,
        }
    }

    /// Where a key is looked up that the context does not have.
    pub fn falls_back_to(self) -> Option<Self> {
        match self {
            Self::Methods | Self::Map | Self::Experts | Self::Block => Some(Self::Pane),
            Self::Values | Self::Tokens | Self::Templates | Self::Problems | Self::Rules => Some(Self::Page),
            _ => None,
        }
    }

    /// Its name in the configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::Browse => "browse",
            Self::Filter => "filter",
            Self::Pane => "preview",
            Self::Methods => "preview-methods",
            Self::Map => "preview-map",
            Self::Experts => "preview-experts",
            Self::Block => "preview-block",
            Self::Goto => "go-to",
            Self::Apply => "apply",
            Self::Page => "page",
            Self::Values => "metadata",
            Self::Tokens => "tokenizer",
            Self::Templates => "template",
            Self::Problems => "problems",
            Self::Rules => "recipe",
            Self::PageLine => "search",
            Self::PatternLine => "pattern",
            Self::Reading => "reading",
            Self::Jobs => "jobs",
            Self::Quantize => "quantize",
            Self::Presets => "presets",
            Self::Types => "types",
            Self::ReadRecipe => "read-recipe",
            Self::SaveRecipe => "save-recipe",
            Self::SaveReport => "save-report",
            Self::Budget => "budget",
            Self::Sensitivity => "sensitivity",
            Self::SaveChart => "save-chart",
            Self::Compare => "compare",
            Self::Quit => "quit",
            Self::Picker => "picker",
            Self::Failure => "failure",
            Self::Palette => "palette",
            Self::Copy => "copy",
            Self::Help => "help",
            Self::HelpSearch => "help-search",
        }
    }

    /// Heading in help.
    pub fn title(self) -> &'static str {
        match self {
            Self::Browse => "Main screen",
            Self::Filter => "Filter",
            Self::Pane => "Preview",
            Self::Methods => "Preview: methods",
            Self::Map => "Preview: map",
            Self::Experts => "Preview: map of experts",
            Self::Block => "Preview: block",
            Self::Goto => "Going to a block",
            Self::Apply => "Applying a method",
            Self::Page => "Pages of the model",
            Self::Values => "Metadata, besides",
            Self::Tokens => "Tokenizer, besides",
            Self::Templates => "Chat template, besides",
            Self::Problems => "Problems, besides",
            Self::Rules => "Recipe, besides",
            Self::PageLine => "Searching a page",
            Self::PatternLine => "Typing a rule's pattern",
            Self::Reading => "Messages",
            Self::Jobs => "Jobs",
            Self::Quantize => "Quantize dialog",
            Self::Presets => "Presets",
            Self::Types => "Choosing a type",
            Self::ReadRecipe => "Reading a recipe",
            Self::SaveRecipe => "Saving the recipe",
            Self::SaveReport => "Writing the report",
            Self::Budget => "Budget slider",
            Self::Sensitivity => "Sensitivity",
            Self::SaveChart => "Writing the chart",
            Self::Compare => "Comparing two models",
            Self::Quit => "Quitting while exports run",
            Self::Picker => "Choosing a file",
            Self::Failure => "A file that cannot be opened",
            Self::Palette => "Commands",
            Self::Copy => "Copying",
            Self::Help => "Help",
            Self::HelpSearch => "Searching help",
        }
    }

    /// Whether a character that no key is bound to goes into a line of text.
    pub(super) fn types(self) -> bool {
        use Context::{Budget, Filter, Goto, HelpSearch, PageLine, Palette, PatternLine, Picker, Quantize};
        use Context::{ReadRecipe, SaveChart, SaveRecipe, SaveReport};
        matches!(self, Filter | Goto | Quantize | SaveRecipe | Picker | Budget | SaveChart | Palette | HelpSearch)
            || matches!(self, PageLine | PatternLine | ReadRecipe | SaveReport)
    }

    /// Whether `?` is a character of what is typed there.
    pub(super) fn types_words(self) -> bool {
        self.types() && self != Self::Budget
    }

    /// Whether it is help.
    pub(super) fn is_help(self) -> bool {
        matches!(self, Self::Help | Self::HelpSearch)
    }

    /// Whether it asks something that has to be answered first.
    pub(super) fn asks(self) -> bool {
        matches!(self, Self::Quit | Self::Failure | Self::Copy | Self::Apply)
    }
}
