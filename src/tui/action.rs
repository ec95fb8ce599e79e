//! What a user can intend. Keys become actions in [`super::keymap`], actions become changes in [`super::update`].

use super::state::Tab;
use super::state::input::TextEdit;

/// An intent. What it does depends on what is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// One line up.
    Up,
    /// One line down.
    Down,
    /// One screen up.
    PageUp,
    /// One screen down.
    PageDown,
    /// To the first line.
    Top,
    /// To the last line.
    Bottom,
    /// Closes the folder, or goes to the folder above.
    Fold,
    /// Opens the folder, or steps into it.
    Unfold,
    /// Opens or closes the folder.
    ToggleFold,
    /// Closes every folder.
    FoldAll,
    /// Opens every folder.
    UnfoldAll,
    /// Makes the selection ternary, or keeps it.
    ToggleTernary,
    /// The next method for the selection.
    NextMethod,
    /// The previous method for the selection.
    PreviousMethod,
    /// The next format for the selection.
    NextFormat,
    /// The previous format for the selection.
    PreviousFormat,
    /// The next mask.
    CycleMask,
    /// Takes the last change of the plan back.
    Undo,
    /// Makes the change again that was taken back.
    Redo,
    /// Starts typing a filter.
    Filter,
    /// Measures every weight of the selection.
    MeasureExactly,
    /// The next part of the preview.
    NextTab,
    /// The previous part of the preview.
    PreviousTab,
    /// This part of the preview.
    ShowTab(Tab),
    /// Logarithmic or linear axis for the scales.
    ToggleLogAxis,
    /// Opens the quantize dialog.
    Quantize,
    /// Shows the exports.
    Jobs,
    /// Shows notes and diagnostics.
    Notes,
    /// Writes the recipe to a file.
    SaveRecipe,
    /// Opens another file.
    Open,
    /// Shows every key.
    Help,
    /// Ends the program, asking while a job is active.
    Quit,
    /// One level up: closes what is open, clears the filter.
    Back,
    /// Accepts: starts, opens, says yes.
    Accept,
    /// The next field, or completes the path.
    NextField,
    /// The previous field.
    PreviousField,
    /// The next value of the field.
    NextValue,
    /// The previous value of the field.
    PreviousValue,
    /// Stops the selected export.
    CancelJob,
    /// Ends the program when the last export has ended.
    QuitWhenDone,
    /// Cancels the exports and ends the program.
    CancelAndQuit,
    /// Edits the line of text.
    Edit(TextEdit),
}

impl Action {
    /// What it does, in words for the help screen.
    pub fn describe(self) -> &'static str {
        match self {
            Self::Up => "line up",
            Self::Down => "line down",
            Self::PageUp => "page up",
            Self::PageDown => "page down",
            Self::Top => "to the first line",
            Self::Bottom => "to the last line",
            Self::Fold => "close the folder, or go to the one above",
            Self::Unfold => "open the folder, or step into it",
            Self::ToggleFold => "open or close the folder",
            Self::FoldAll => "close every folder",
            Self::UnfoldAll => "open every folder",
            Self::ToggleTernary => "make the tensor or subtree ternary, or keep it",
            Self::NextMethod => "next method for the selection",
            Self::PreviousMethod => "previous method for the selection",
            Self::NextFormat => "next format for the selection",
            Self::PreviousFormat => "previous format for the selection",
            Self::CycleMask => "next mask: experts, all, custom",
            Self::Undo => "undo the last change of the plan",
            Self::Redo => "redo",
            Self::Filter => "filter by name, type:, role:, is:",
            Self::MeasureExactly => "measure every weight of the selection",
            Self::NextTab => "next part of the preview",
            Self::PreviousTab => "previous part of the preview",
            Self::ShowTab(Tab::Overview) => "preview: everything that fits",
            Self::ShowTab(Tab::Scales) => "preview: scales of the blocks",
            Self::ShowTab(Tab::Weights) => "preview: weights, thresholds, levels",
            Self::ShowTab(Tab::Methods) => "preview: methods side by side",
            Self::ToggleLogAxis => "logarithmic or linear axis for scales",
            Self::Quantize => "quantize to a new file",
            Self::Jobs => "running and finished exports",
            Self::Notes => "notes on the plan, problems of the file",
            Self::SaveRecipe => "write the recipe to a file",
            Self::Open => "open another file",
            Self::Help => "this help",
            Self::Quit => "quit; asks while an export runs",
            Self::Back => "one level up: close, clear the filter",
            Self::Accept => "accept",
            Self::NextField => "next field, or complete the path",
            Self::PreviousField => "previous field",
            Self::NextValue => "next value",
            Self::PreviousValue => "previous value",
            Self::CancelJob => "cancel the selected export",
            Self::QuitWhenDone => "quit when the exports are done",
            Self::CancelAndQuit => "cancel the exports and quit",
            Self::Edit(edit) => match edit {
                TextEdit::Insert(_) => "type",
                TextEdit::Backspace => "delete the character before the cursor",
                TextEdit::Delete => "delete the character under the cursor",
                TextEdit::WordBack => "delete the word before the cursor",
                TextEdit::Clear => "delete the whole line",
                TextEdit::Left => "cursor left",
                TextEdit::Right => "cursor right",
                TextEdit::Home => "cursor to the start",
                TextEdit::End => "cursor to the end",
            },
        }
    }
}
