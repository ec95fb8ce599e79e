//! What will become of every tensor, decided before any data is read.
//!
//! A [`Recipe`] holds what the user wants: mask, ordered rules, overrides of protections, default format and method.
//! [`resolve`] turns it into a [`Plan`], the only place where a tensor's final type is decided; tree, totals, JSON and
//! export read the plan and nothing else.

pub mod breakdown;
pub mod budget;
mod calibration;
mod decision;
mod decisions;
mod faults;
mod kept;
mod live;
mod names;
mod notes;
mod numbers;
mod pattern;
mod protect;
mod recipe;
mod repack;
mod resolve;
mod rule;
mod tally;
mod tidy;

pub use budget::Budget;
pub use calibration::CalibrationChoice;
pub use decision::{Decision, Reason, Step, Totals, Winner};
pub use decisions::{Decisions, Shared};
pub use faults::{Fault, Faults};
pub use live::{Live, Touched};
pub use notes::Hits;
pub use pattern::Pattern;
pub use protect::Protection;
pub use recipe::{Fallback, Mask, Precision, Recipe};
pub use repack::repack;
pub use resolve::{Plan, resolve, resolve_knowing};
pub use rule::{Action, Rule};
pub use tidy::split as around_layer;
