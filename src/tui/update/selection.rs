//! The keys that select what other keys act on.

use crate::tui::action::Action;
use crate::tui::state::{Session, Tone};

/// Does one; what to say about it, or `None` for a key of another kind.
pub(super) fn act(session: &mut Session, action: Action) -> Option<(Tone, String)> {
    let said = |result: Result<String, String>| match result {
        Ok(words) => (Tone::Info, words),
        Err(why) => (Tone::Warning, why),
    };
    Some(match action {
        Action::SelectRange if session.tree.range().is_none() => {
            session.tree.begin_range();
            (Tone::Info, "selecting: move to the other end; v keeps it, esc drops it".to_owned())
        }
        Action::SelectRange => {
            session.keep_range();
            (Tone::Info, format!("{} selected; esc drops them", tensors(session.selected_count())))
        }
        Action::SelectLayers => said(session.choose_in_all_layers()),
        Action::InvertSelection => said(session.invert_selection()),
        _ => return None,
    })
}

fn tensors(count: usize) -> String {
    if count == 1 { "1 tensor".to_owned() } else { format!("{count} tensors") }
}
