//! What a key does where an action means something of its own: an action that moves or accepts has one description for all
//! contexts, which says little in most of them.

use super::Context as C;
use crate::tui::action::{Action, PaneAction};

/// What an action does in a context, in words for help.
pub(super) fn of(context: C, action: Action) -> &'static str {
    let own = match action {
        Action::Accept => accept(context),
        Action::Back => back(context),
        Action::Up if context == C::Sensitivity => Some("to the role above"),
        Action::Down if context == C::Sensitivity => Some("to the role below"),
        Action::Unfold if context == C::Sensitivity => Some("to the next layer"),
        Action::Fold => match context {
            C::Sensitivity => Some("to the layer before"),
            C::Picker => Some("to the folder above"),
            C::Values => Some("back to the list"),
            _ => None,
        },
        Action::ToggleTernary if context == C::Types => Some("override the tensor's protection; again keeps it"),
        Action::ToggleTernary | Action::NextMethod | Action::PreviousMethod if context == C::Sensitivity => {
            match action {
                Action::ToggleTernary => Some("make the tensor under the cursor ternary, or keep it"),
                Action::NextMethod => Some("next method for the tensor under the cursor"),
                _ => Some("previous method for the tensor under the cursor"),
            }
        }
        Action::NextField if matches!(context, C::Picker | C::Palette) => Some("complete what is typed"),
        Action::NextField if context == C::Quantize => Some("next field"),
        Action::Pane(PaneAction::Enter) => match context {
            C::Methods => Some("choose what the cell is for, and apply it"),
            C::Map => Some("open the block under the cursor"),
            C::Experts => Some("the blocks of this expert"),
            _ => None,
        },
        _ => None,
    };
    own.unwrap_or_else(|| action.describe())
}

fn accept(context: C) -> Option<&'static str> {
    Some(match context {
        C::Filter => "keep the filter",
        C::Goto => "go there",
        C::Values => "the whole value",
        C::PageLine | C::HelpSearch => "keep the search",
        C::Problems => "go to the tensor",
        C::PatternLine => "take the pattern",
        C::Jobs => "yes, cancel it",
        C::Quantize => "start",
        C::SaveRecipe | C::SaveReport | C::SaveChart => "write the file",
        C::ReadRecipe => "read the file",
        C::Presets | C::Types => "take it",
        C::Budget => "take this size",
        C::Picker => "open it",
        C::Palette => "run the command",
        C::Copy => "copy it",
        _ => return None,
    })
}

fn back(context: C) -> Option<&'static str> {
    Some(match context {
        C::Filter => "clear the filter",
        C::Goto | C::Quit => "stay",
        C::PageLine | C::HelpSearch => "clear the search",
        C::PatternLine => "leave the rules as they are",
        C::Budget => "leave all as it was",
        C::Pane => "give the keys back to the tree",
        C::Sensitivity | C::Compare => "back to the tensors",
        C::Reading | C::Jobs | C::Quantize | C::Presets | C::Types | C::ReadRecipe | C::SaveRecipe => "close",
        C::SaveReport | C::SaveChart | C::Picker | C::Failure | C::Palette | C::Copy | C::Help | C::Apply => "close",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::super::Keymap;
    use super::*;

    #[test]
    fn what_accepts_and_what_closes_says_so_everywhere() {
        for row in Keymap::default().rows().filter(|row| row.context != C::Browse && row.context != C::Page) {
            assert_ne!(row.help, Action::Accept.describe(), "{:?}: {}", row.context, row.keys);
            assert_ne!(row.help, Action::Back.describe(), "{:?}: {}", row.context, row.keys);
            assert_ne!(row.help, Action::Fold.describe(), "{:?}: {}", row.context, row.keys);
        }
    }

    #[test]
    fn what_needs_no_words_of_its_own_has_those_of_the_action() {
        assert_eq!(of(C::Browse, Action::Undo), Action::Undo.describe());
        assert_eq!(of(C::Browse, Action::Fold), Action::Fold.describe());
        assert_eq!(of(C::Sensitivity, Action::Fold), "to the layer before");
    }
}
