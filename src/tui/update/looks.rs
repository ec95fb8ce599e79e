//! Looks into the tensor in sight: which are wanted, and what is done with those that arrive.

use std::sync::Arc;

use crate::engine::model::Model;
use crate::engine::preview::{BlockShape, Depth};
use crate::engine::ternary::{Format, Method};
use crate::jobs::{LookKey, PreviewKey, Seen, Subject, Want};
use crate::tui::effect::Effect;
use crate::tui::state::fate::never;
use crate::tui::state::matrix::Group;
use crate::tui::state::summary::what_if;
use crate::tui::state::{Session, State, Tab};

/// The tensor under the cursor with the format and method that it is coded by, or would be.
pub(super) fn coded(session: &Session) -> Option<(usize, (Format, Method))> {
    let tensor = session.tree.selected_tensor()?;
    Some((tensor, what_if(&session.plan, tensor)?))
}

/// What the open tab looks at.
pub(super) fn subject(session: &Session) -> Option<(usize, Subject)> {
    let (tensor, subject) = session.look()?;
    let map = matches!(subject, Subject::Grid(..) | Subject::Experts(..));
    // Nothing of what never goes ternary is mapped.
    (!map || never(&session.plan, tensor).is_none()).then_some((tensor, subject))
}

/// A look is there. One of another model, or one that nobody wants any more, is dropped.
pub(super) fn arrived(state: &mut State, model: &Arc<Model>, key: LookKey, seen: Result<Seen, String>) -> Vec<Effect> {
    if let Some(session) = &mut state.session
        && Arc::ptr_eq(model, &session.model)
        && session.pane.looks.insert(key, seen)
    {
        state.wants_changed = true;
    }
    Vec::new()
}

/// Puts the place in step with the tensor, and asks for what the open tab lacks.
pub(super) fn settle(session: &mut Session) -> Option<Effect> {
    super::pane::check(session);
    let tensor = session.tree.selected_tensor();
    if let (Some(index), Tab::Map | Tab::Block) = (tensor, session.tab) {
        let shape = what_if(&session.plan, index)
            .and_then(|(format, _)| BlockShape::of(session.model.tensors.get(index)?, format));
        session.pane.place.follow(index, shape);
        if session.model.tensors[index].matrices() < 2 {
            session.pane.experts = false;
        }
    }
    let wanted =
        subject(session).map_or_else(Vec::new, |(tensor, subject)| session.pane.looks.missing(tensor, subject));
    if wanted == session.pane.looks.wanted {
        return None;
    }
    session.pane.looks.wanted.clone_from(&wanted);
    Some(Effect::WantLooks(Arc::clone(&session.model), wanted))
}

/// Reports that the table of methods lacks: each group's sample, then each group's exact figures.
pub(super) fn for_methods(session: &Session, weighted: bool) -> Vec<Want> {
    let Some((index, (current, method))) = coded(session).filter(|_| session.tab == Tab::Methods) else {
        return Vec::new();
    };
    if never(&session.plan, index).is_some() {
        return Vec::new();
    }
    let tensor = &session.model.tensors[index];
    let formats: Vec<Format> = Group::ALL
        .into_iter()
        .map(|group| group.format(current))
        .filter(|f| f.takes(tensor.row_len(), tensor.elements()))
        .filter(|f| session.previews.failure((index, *f)).is_none())
        .collect();
    let mut wants = Vec::new();
    for depth in [Depth::SHOWN, Depth::Exact] {
        for format in &formats {
            let report = session.previews.report((index, *format));
            let whole = report.filter(|r| !weighted || !format.is_plain() || r.blind.is_some());
            if whole.is_none_or(|r| depth == Depth::Exact && !r.exact) {
                let others = Method::COMPARED.into_iter().filter(|m| *m != method);
                let methods = std::iter::once(method).chain(others).collect();
                wants.push(Want {
                    key: PreviewKey { tensor: index, format: *format, depth },
                    methods,
                    blind: weighted,
                });
            }
        }
    }
    wants
}
