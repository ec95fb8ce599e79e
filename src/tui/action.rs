//! What a user can intend. Keys become actions in [`super::keymap`], actions become changes in [`super::update`].
//!
//! One table makes the actions, the names by which palette and configuration call them, and the words of help.

mod pane;

use super::state::Tab;
use super::state::compare::Show;
use super::state::copying::Copying;
use super::state::input::TextEdit;
use super::state::pages::Page;
use super::state::presets::Preset;
use super::state::slider::Slide;

pub use pane::PaneAction;

/// A line an action: its name in the code, the name that users type, what it does. An action that carries a value leaves
/// both to a function of that value.
macro_rules! actions {
    (
        $($plain:ident = $name:literal, $help:literal;)*
        --
        $($(#[$doc:meta])* $carrying:ident($value:ty): $words:path;)*
    ) => {
        /// An intent. What it does depends on what is open.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Action {
            $(#[doc = $help] $plain,)*
            $($(#[$doc])* $carrying($value),)*
        }

        impl Action {
            /// Its name, and what it does.
            fn words(self) -> (&'static str, &'static str) {
                match self {
                    $(Self::$plain => ($name, $help),)*
                    $(Self::$carrying(value) => $words(value),)*
                }
            }
        }
    };
}

actions! {
    Up = "up", "line up";
    Down = "down", "line down";
    PageUp = "page-up", "page up";
    PageDown = "page-down", "page down";
    Top = "top", "to the first line";
    Bottom = "bottom", "to the last line";
    Fold = "fold", "close the folder, or go to the one above";
    Unfold = "unfold", "open the folder, or step into it";
    ToggleFold = "toggle-fold", "open or close the folder; on a tensor, give the preview the keys";
    FoldAll = "fold-all", "close every folder";
    UnfoldAll = "unfold-all", "open every folder";
    ToggleTernary = "toggle-ternary", "make the tensor, subtree or selection ternary, or keep it";
    CycleType = "next-type", "next type: kept, ternary formats that fit, smaller precisions";
    ChooseType = "types", "choose a type from a menu: ternary formats, Q8_0, Q6_K, Q4_0, floats";
    SelectRange = "select-range", "select rows up to the cursor; again keeps them";
    SelectLayers = "select-layers", "select the same tensors in every layer";
    InvertSelection = "invert-selection", "select all else that can go ternary";
    NextMethod = "next-method", "next method for the selection";
    PreviousMethod = "previous-method", "previous method for the selection";
    NextFormat = "next-format", "next format for the selection";
    PreviousFormat = "previous-format", "previous format for the selection";
    CycleMask = "next-mask", "next mask: experts, all, custom";
    Presets = "presets", "presets: experts, linear, inner, up/gate, none, file";
    Undo = "undo", "undo the last change of the plan";
    Redo = "redo", "redo";
    Filter = "filter", "filter: words, type:, role:, is:, layer:4..12, sqnr<7; and, or, not";
    Complete = "complete", "complete the key or value";
    NextSort = "sort-next", "sort by the next column";
    PreviousSort = "sort-previous", "sort by the column before";
    ReverseSort = "sort-reverse", "sort the other way round";
    Regroup = "regroup", "fold by role, or by name again";
    MeasureExactly = "measure", "measure every weight of the selection";
    NextTab = "next-tab", "next part of the preview";
    PreviousTab = "previous-tab", "previous part of the preview";
    ToggleLogAxis = "log-axis", "logarithmic or linear axis for scales";
    Quantize = "quantize", "quantize to a new file";
    Jobs = "jobs", "running and finished exports";
    Notes = "notes", "problems of the file, notes on the plan; without a model, messages";
    Messages = "messages", "what the program said so far";
    Pages = "pages", "the model's pages, or back to the tensors";
    NextPage = "next-page", "next page of the model";
    PreviousPage = "previous-page", "previous page of the model";
    ToggleMerges = "merges", "merges instead of tokens";
    NextTemplate = "next-template", "next template";
    PreviousTemplate = "previous-template", "previous template";
    CheckWeights = "check-weights", "check every weight in the background, or stop that";
    ToggleRule = "toggle-rule", "what the rule does: keep, or ternary";
    AddRule = "add-rule", "add a rule behind this one";
    EditRule = "edit-rule", "another pattern for the rule";
    DeleteRule = "delete-rule", "delete the rule";
    RuleDown = "rule-down", "rule one place down: later ones win";
    RuleUp = "rule-up", "rule one place up";
    SaveRecipe = "save-recipe", "write the recipe to a file";
    SaveReport = "save-report", "write the report of the plan to a file: text, .json or .md";
    Sensitivity = "sensitivity", "error by layer and role";
    Budget = "budget", "choose a size: the least sensitive tensors go ternary";
    Compare = "compare", "a second model beside this one";
    CompareResult = "compare-result", "compare the result with its source";
    SwitchUnit = "switch-unit", "typed numbers are MiB, or bits per weight";
    SetRulesAside = "set-rules-aside", "decide on what rules make ternary, too";
    NextMeasure = "next-measure", "next error: SQNR, relative MSE, weighted";
    Worst = "worst", "to the tensor with the greatest error";
    WriteChart = "write-chart", "write the chart as SVG, CSV and JSON";
    GoToTensor = "go-to-tensor", "to this tensor in the tree";
    SortPairs = "sort-pairs", "greatest difference first, or by name";
    Open = "open", "open another file";
    OpenDemo = "open-demo", "open the built-in demo, while no file is open";
    Help = "help", "this help";
    Quit = "quit", "quit; asks while an export runs";
    Back = "back", "one level up: close, drop the selection, clear the filter";
    Accept = "accept", "accept";
    NextField = "next-field", "next field, or complete the path";
    PreviousField = "previous-field", "previous field";
    NextValue = "next-value", "next value";
    PreviousValue = "previous-value", "previous value";
    CancelJob = "cancel-export", "cancel the selected export";
    PauseJob = "pause-export", "pause the selected export, or let it go on";
    RetryJob = "retry-export", "write the selected export again after it failed or was cancelled";
    RunJobNext = "run-export-next", "let the selected export be the next of those that wait";
    OpenResult = "open-result", "open what the selected export wrote";
    JobLog = "export-log", "the log of the selected export, or the list again";
    QuitWhenDone = "quit-when-done", "quit when the exports are done";
    CancelAndQuit = "cancel-and-quit", "cancel the exports and quit";
    Palette = "palette", "every command by its name";
    CopyMenu = "copy", "copy to the clipboard: name, row, command, recipe, report";
    NextTheme = "next-theme", "next colours: dark, light, contrast, 16, none";
    ToggleMouse = "toggle-mouse", "leave the mouse to the terminal, or take it back";
    ToggleAscii = "toggle-ascii", "draw in ASCII, or with lines and blocks";
    Redraw = "redraw", "draw the whole screen anew";
    NarrowTree = "narrow-tree", "move the splitter left";
    WidenTree = "widen-tree", "move the splitter right";
    Tour = "tour", "begin the tour again";
    SkipTour = "skip-tour", "end the tour";
    Search = "search", "search as you type; in an open array: go to an element";
    --
    /// Takes this to the clipboard.
    Copy(Copying): of_copying;
    /// This part of the preview.
    ShowTab(Tab): of_tab;
    /// An intent of the preview pane.
    Pane(PaneAction): PaneAction::words;
    /// Moves the budget slider.
    Slide(Slide): of_slide;
    /// Lists only these pairs of a comparison.
    ShowPairs(Show): of_show;
    /// This page of the model.
    ShowPage(Page): of_page;
    /// Makes this preset the plan.
    TakePreset(Preset): of_preset;
    /// Edits the line of text.
    Edit(TextEdit): of_edit;
}

impl Action {
    /// Its name in palette and configuration: lower case, words joined by `-`, no two alike.
    pub fn name(self) -> &'static str {
        self.words().0
    }

    /// What it does, in words for the help screen.
    pub fn describe(self) -> &'static str {
        self.words().1
    }
}

fn of_tab(tab: Tab) -> (&'static str, &'static str) {
    match tab {
        Tab::Overview => ("tab-overview", "preview: everything that fits"),
        Tab::Scales => ("tab-scales", "preview: scales of the blocks"),
        Tab::Weights => ("tab-weights", "preview: weights, thresholds, levels"),
        Tab::Methods => ("tab-methods", "preview: methods by group sizes"),
        Tab::Map => ("tab-map", "preview: error, scale or zeros over rows and blocks"),
        Tab::Block => ("tab-block", "preview: one block, its values and bytes"),
        Tab::Trits => ("tab-trits", "preview: the codes of what is ternary already"),
        Tab::Info => ("tab-info", "preview: what the tensor is, and why it goes where it goes"),
    }
}

fn of_slide(slide: Slide) -> (&'static str, &'static str) {
    match slide {
        Slide::Smaller => ("smaller", "smaller: at least one more tensor ternary"),
        Slide::Larger => ("larger", "larger: at least one tensor fewer"),
        Slide::MuchSmaller => ("much-smaller", "smaller by a twentieth of the way"),
        Slide::MuchLarger => ("much-larger", "larger by a twentieth of the way"),
        Slide::Least => ("least-size", "as small as it gets"),
        Slide::Most => ("most-size", "nothing that is free goes ternary"),
        Slide::OneMore => ("one-more", "one tensor more goes ternary"),
        Slide::OneFewer => ("one-fewer", "one tensor fewer goes ternary"),
    }
}

fn of_show(show: Show) -> (&'static str, &'static str) {
    match show {
        Show::All => ("pairs-all", "list every tensor"),
        Show::Differ => ("pairs-differ", "list what differs"),
        Show::Equal => ("pairs-equal", "list what is equal"),
        Show::Missing => ("pairs-missing", "list what only one model has"),
        Show::Type => ("pairs-type", "list what has another type"),
    }
}

fn of_copying(what: Copying) -> (&'static str, &'static str) {
    match what {
        Copying::Name => ("copy-name", "copy the name"),
        Copying::Row => ("copy-row", "copy the row, columns divided by tabs"),
        Copying::Command => ("copy-command", "copy the command line that does the same"),
        Copying::Recipe => ("copy-recipe", "copy the recipe as TOML"),
        Copying::Json => ("copy-json", "copy the report of the plan as JSON"),
        Copying::Markdown => ("copy-markdown", "copy the report of the plan as Markdown"),
        Copying::Value => ("copy-value", "copy the value, token, template, problem or rule under the cursor"),
    }
}

fn of_page(page: Page) -> (&'static str, &'static str) {
    match page {
        Page::Overview => ("page-overview", "model: architecture, sizes, where the bytes go"),
        Page::Metadata => ("page-metadata", "model: metadata"),
        Page::Tokenizer => ("page-tokenizer", "model: tokenizer"),
        Page::Template => ("page-template", "model: chat template"),
        Page::Problems => ("page-problems", "model: problems of file and plan"),
        Page::Recipe => ("page-recipe", "model: the recipe's rules"),
        Page::Runtimes => ("page-runtimes", "model: where the output runs"),
    }
}

fn of_preset(preset: Preset) -> (&'static str, &'static str) {
    match preset {
        Preset::Experts => ("preset-experts", "routed experts go ternary"),
        Preset::Linear => ("preset-linear", "every linear layer but router, embeddings and head"),
        Preset::Inner => ("preset-inner", "every linear layer but those of the first and the last layer"),
        Preset::UpGate => ("preset-up-gate", "up and gate projections only"),
        Preset::None => ("preset-none", "nothing goes ternary"),
        Preset::File => ("preset-file", "what a recipe file says"),
    }
}

fn of_edit(edit: TextEdit) -> (&'static str, &'static str) {
    match edit {
        TextEdit::Insert(_) => ("type", "type"),
        TextEdit::Backspace => ("delete-back", "delete the character before the cursor"),
        TextEdit::Delete => ("delete", "delete the character under the cursor"),
        TextEdit::WordBack => ("delete-word", "delete the word before the cursor"),
        TextEdit::Clear => ("delete-line", "delete the whole line"),
        TextEdit::Left => ("cursor-left", "cursor left"),
        TextEdit::Right => ("cursor-right", "cursor right"),
        TextEdit::Home => ("cursor-home", "cursor to the start"),
        TextEdit::End => ("cursor-end", "cursor to the end"),
    }
}
