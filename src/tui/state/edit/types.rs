//! What a tensor can be made: kept, ternary in any format that fits, another precision. One key goes through them, a menu
//! lists them with what each would take.

use super::{Outcome, Target, rules_for, toggle_tensor, with_rules};
use crate::engine::codec::DType;
use crate::engine::model::{Model, Tensor};
use crate::engine::plan::{Action, Precision, Protection, Reason, Recipe};
use crate::engine::ternary::{Format, Method};
use crate::tui::state::fate::stays;
use crate::tui::state::plan::PlanState;

/// A type that tensors can be given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TargetType {
    /// What the recipe has for tensors that stay.
    Kept,
    /// Ternary in this format.
    Ternary(Format),
    /// Kept in this precision.
    In(Precision),
}

/// The precisions that can be chosen, in the order in which a key goes through them.
const PRECISIONS: [Precision; 6] =
    [Precision::Q8_0, Precision::Q6K, Precision::Q4_0, Precision::F16, Precision::Bf16, Precision::F32];

impl TargetType {
    /// Every one of them: kept, the formats, the precisions.
    pub fn all() -> impl Iterator<Item = Self> {
        let formats = Format::ALL.into_iter().map(Self::Ternary);
        std::iter::once(Self::Kept).chain(formats).chain(PRECISIONS.into_iter().map(Self::In))
    }

    /// As it is typed and shown.
    pub fn name(self) -> &'static str {
        match self {
            Self::Kept => "keep",
            Self::Ternary(format) => format.name(),
            Self::In(precision) => precision.name(),
        }
    }

    /// In a few words.
    pub fn describe(self) -> &'static str {
        match self {
            Self::Kept => "as what stays is kept",
            Self::Ternary(format) => format.describe(),
            Self::In(Precision::Q8_0) => "8.50 bpw, groups of 32",
            Self::In(Precision::Q6K) => "6.56 bpw, groups of 256",
            Self::In(Precision::Q4_0) => "4.50 bpw, groups of 32",
            Self::In(Precision::F32) => "single floats",
            Self::In(Precision::Bf16) => "brain floats",
            Self::In(_) => "half floats",
        }
    }
}

/// The tensors of a target by what can become of them.
struct Members {
    /// Those that may go ternary, or do.
    able: Vec<usize>,
    /// Those that can be kept in another precision. A subtree, a role or a selection passes over what is protected.
    convertible: Vec<usize>,
}

impl Members {
    fn of(model: &Model, state: &PlanState, target: &Target) -> Self {
        let all = || target.tensors().iter().copied();
        let single = matches!(target, Target::Tensor(_));
        let converts = |tensor: &usize| {
            let passed_over = Protection::of(&model.tensors[*tensor]).is_some_and(|p| !single || p.is_absolute());
            !passed_over && unconvertible(&model.tensors[*tensor]).is_none()
        };
        Self {
            able: all().filter(|tensor| state.outlook(*tensor).eligible).collect(),
            convertible: all().filter(converts).collect(),
        }
    }

    /// Those that a type is for.
    fn for_type(&self, chosen: TargetType) -> &[usize] {
        match chosen {
            TargetType::Kept if self.convertible.is_empty() => &self.able,
            TargetType::Ternary(_) => &self.able,
            TargetType::Kept | TargetType::In(_) => &self.convertible,
        }
    }

    /// What they all are now; `None` where they differ.
    fn present(&self, state: &PlanState) -> Option<TargetType> {
        let members = if self.able.is_empty() { &self.convertible } else { &self.able };
        let first = present(state, *members.first()?);
        members.iter().all(|tensor| present(state, *tensor) == first).then_some(first)
    }
}

/// Why a tensor can be kept only as it is.
fn unconvertible(tensor: &Tensor) -> Option<String> {
    match Protection::of(tensor) {
        Some(Protection::Integer) => Some("integers are indices, not weights".to_owned()),
        // What is added to embeddings is F32 in llama.cpp.
        Some(p) if p.is_absolute() || p == Protection::Position => {
            Some(format!("{}: llama.cpp computes with it in F32", p.describe()))
        }
        _ => tensor.bound_reason(),
    }
}

/// What a tensor is made now.
fn present(state: &PlanState, tensor: usize) -> TargetType {
    if let Some((format, _)) = asked(state, tensor) {
        return TargetType::Ternary(format);
    }
    match state.rule_of(tensor).map(|rule| rule.action) {
        Some(Action::Keep { precision: Some(precision) }) => TargetType::In(precision),
        _ => TargetType::Kept,
    }
}

/// What is asked of a tensor that goes ternary.
fn asked(state: &PlanState, tensor: usize) -> Option<(Format, Method)> {
    let decision = state.decision(tensor);
    decision.requested.filter(|_| decision.is_ternary())
}

/// The next type for the target. Where some of it goes ternary and some does not, all does first.
pub fn cycle_type(model: &Model, state: &PlanState, target: &Target) -> Outcome {
    let members = Members::of(model, state, target);
    let offered = offered(model, state, target, &members);
    let Some(first) = offered.first() else {
        return match target {
            Target::Tensor(index) => toggle_tensor(model, state, *index, false),
            _ => Outcome::Refused(format!("{}: nothing here takes another type", target.label(model))),
        };
    };
    let next = match members.present(state) {
        None | Some(TargetType::Kept) => *first,
        Some(now) => {
            let at = offered.iter().position(|other| *other == now);
            at.map_or(Some(first), |at| offered.get(at + 1)).copied().unwrap_or(TargetType::Kept)
        }
    };
    set(model, state, target, &members, next)
}

/// Gives the target this type.
pub fn set_type(model: &Model, state: &PlanState, target: &Target, chosen: TargetType) -> Outcome {
    let members = Members::of(model, state, target);
    match refusal(model, state, target, &members, chosen) {
        Some(why) => Outcome::Refused(format!("{}: {why}", target.label(model))),
        None => set(model, state, target, &members, chosen),
    }
}

fn set(model: &Model, state: &PlanState, target: &Target, members: &Members, chosen: TargetType) -> Outcome {
    let (label, recipe) = (target.label(model), state.recipe());
    let asked: Vec<Option<(Format, Method)>> = members.able.iter().map(|tensor| asked(state, *tensor)).collect();
    let methods: Vec<Method> = asked.into_iter().flatten().map(|(_, method)| method).collect();
    let method = methods.first().copied().filter(|m| methods.iter().all(|other| other == m));
    let action = match chosen {
        TargetType::Kept => Action::KEEP,
        TargetType::In(precision) => Action::Keep { precision: Some(precision) },
        TargetType::Ternary(format) => Action::Ternary {
            format: (format != recipe.format).then_some(format),
            method: method.filter(|m| *m != recipe.method),
        },
    };
    let verb = match chosen {
        TargetType::Kept => "keep".to_owned(),
        TargetType::Ternary(format) => format.dtype().to_string(),
        TargetType::In(precision) => precision.dtype().map_or_else(|| "keep".to_owned(), |dtype| dtype.to_string()),
    };
    match rules_for(model, target, members.for_type(chosen), action) {
        Ok((prefix, rules)) => {
            Outcome::Changed(format!("{verb} {label}"), with_rules(model, state.live(), recipe, prefix, rules))
        }
        Err(why) => Outcome::Refused(why),
    }
}

/// What a key goes through besides keeping: the recipe's format, then the others for the same runtime that take all of
/// the rows, but the one that the recipe's falls back to; then the precisions that make it smaller.
fn offered(model: &Model, state: &PlanState, target: &Target, members: &Members) -> Vec<TargetType> {
    let first = state.recipe().format;
    let allowed = |chosen: &TargetType| refusal(model, state, target, members, *chosen).is_none();
    let falls_back = !takes_all(model, &members.able, first);
    let formats = std::iter::once(first).chain(Format::ALL.into_iter().filter(|format| *format != first));
    let formats = formats.filter(|format| !(falls_back && *format == Format::Q2_0));
    let bytes: u64 = members.convertible.iter().map(|tensor| model.tensors[*tensor].bytes).sum();
    let elements: u64 = members.convertible.iter().map(|tensor| model.tensors[*tensor].elements()).sum();
    let smaller = |precision: &Precision| {
        precision.dtype().and_then(|dtype| dtype.bytes_for(elements)).is_some_and(|after| after < bytes)
    };
    let precisions = PRECISIONS.into_iter().filter(smaller).map(TargetType::In);
    formats.map(TargetType::Ternary).chain(precisions).filter(allowed).collect()
}

fn takes_all(model: &Model, tensors: &[usize], format: Format) -> bool {
    tensors.iter().map(|t| &model.tensors[*t]).all(|t| format.takes(t.row_len(), t.elements()))
}

/// Why a type cannot be had for the target.
fn refusal(model: &Model, state: &PlanState, target: &Target, members: &Members, chosen: TargetType) -> Option<String> {
    let single = if let Target::Tensor(index) = target { Some(&model.tensors[*index]) } else { None };
    let tensors = || members.for_type(chosen).iter().map(|t| &model.tensors[*t]);
    match chosen {
        TargetType::Kept => None,
        TargetType::Ternary(_) if members.able.is_empty() => Some(match target {
            Target::Tensor(index) => never_ternary(model, state, *index),
            _ => "nothing here can go ternary".to_owned(),
        }),
        TargetType::Ternary(format) if format.only_in() != state.recipe().format.only_in() => {
            Some(format!("only in {}: for whole models", format.only_in().unwrap_or("llama.cpp")))
        }
        // The recipe's own falls back where it does not fit.
        TargetType::Ternary(format) if format == state.recipe().format => None,
        TargetType::Ternary(format) => {
            let other = tensors().find(|t| !format.takes(t.row_len(), t.elements()))?;
            Some(format!("rows of {}: no block of {}", other.row_len(), format.block_len()))
        }
        TargetType::In(_) if members.convertible.is_empty() => {
            let why = single.and_then(unconvertible);
            Some(why.unwrap_or_else(|| "nothing here takes another precision".to_owned()))
        }
        TargetType::In(precision) => {
            let layout = precision.dtype().and_then(DType::layout)?;
            let other = tensors().find(|t| !layout.takes(t.row_len(), t.elements()))?;
            Some(format!("rows of {}: no block of {}", other.row_len(), layout.block_len))
        }
    }
}

/// Why a tensor does not go ternary as it stands.
fn never_ternary(model: &Model, state: &PlanState, index: usize) -> String {
    match (stays(state, index, &model.tensors[index]), state.decision(index).protection) {
        (Some(why), _) => why,
        (None, Some(protection)) => {
            format!("protected ({}): space overrides that", protection.describe())
        }
        (None, None) => state.decision(index).reason_text(),
    }
}

/// A line of the menu of types.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TypeOffer {
    /// The type.
    pub chosen: TargetType,
    /// Bytes of the target with it, or why it cannot be had.
    pub bytes: Result<u64, String>,
    /// How many of its tensors get another format for their shape, and which.
    pub falls_back: Option<(usize, DType)>,
}

/// The menu of types for a target.
#[derive(Debug, Clone)]
pub struct TypeMenu {
    /// What they are for, in words.
    pub label: String,
    /// Bytes of it in the source.
    pub source: u64,
    /// What it is now; `None` where its tensors differ.
    pub present: Option<TargetType>,
    /// Which line the cursor is on.
    pub cursor: usize,
    /// The types.
    pub offers: Vec<TypeOffer>,
}

impl TypeMenu {
    /// The menu, its cursor on what holds now.
    pub fn new(model: &Model, state: &PlanState, target: &Target) -> Self {
        let members = Members::of(model, state, target);
        let comes_to = |recipe: &Recipe| {
            let plan = state.live().plan_of(model, recipe);
            let decisions = || target.tensors().iter().map(|tensor| &plan.decisions[*tensor]);
            let mut fell = decisions().filter(|d| matches!(d.reason, Reason::FellBack { .. })).map(|d| d.new_type);
            let falls_back = fell.next().map(|dtype| (1 + fell.count(), dtype));
            (decisions().map(|d| d.new_bytes).fold(0, u64::saturating_add), falls_back)
        };
        let tried = |chosen| match refusal(model, state, target, &members, chosen) {
            Some(why) => Outcome::Refused(why),
            None => set(model, state, target, &members, chosen),
        };
        let offer = |chosen| match tried(chosen) {
            Outcome::Changed(_, recipe) => {
                let (bytes, falls_back) = comes_to(&recipe);
                TypeOffer { chosen, bytes: Ok(bytes), falls_back }
            }
            Outcome::NeedsConfirmation(why) | Outcome::Refused(why) => {
                TypeOffer { chosen, bytes: Err(why), falls_back: None }
            }
        };
        let offers: Vec<TypeOffer> = TargetType::all().map(offer).collect();
        let present = members.present(state);
        Self {
            label: target.label(model),
            source: target.tensors().iter().map(|t| model.tensors[*t].bytes).fold(0, u64::saturating_add),
            cursor: offers.iter().position(|offer| Some(offer.chosen) == present).unwrap_or(0),
            present,
            offers,
        }
    }

    /// Moves the cursor, around the ends.
    pub fn step(&mut self, by: isize) {
        let len = self.offers.len().max(1) as isize;
        self.cursor = (self.cursor as isize + by).rem_euclid(len) as usize;
    }
}
