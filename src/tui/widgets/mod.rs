//! Small drawings that several panes use. They know numbers and styles, not the state.

pub(super) mod chart;
pub(super) mod gauge;
pub(super) mod heat;
pub(super) mod stack;
