//! Presets: what people mostly begin with, each as one step that can be undone.
//!
//! A preset says which tensors go ternary. Format, method and the precision of what stays are left as they are; only a
//! recipe from a file brings its own.

use std::collections::BTreeMap;

use crate::engine::model::{Model, Role, RoleSet};
use crate::engine::plan::{Action, Live, Mask, Pattern, Recipe, Rule, Totals};

/// A preset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Preset {
    /// Routed experts.
    Experts,
    /// Every linear layer but router, embeddings and head.
    Linear,
    /// The same without the first and the last layer, which suffer most.
    Inner,
    /// Of FFNs and experts the up and gate projections: what the activation squashes.
    UpGate,
    /// Nothing.
    None,
    /// What a recipe file says.
    File,
}

/// The projections up and gate, of whatever kind of FFN.
const UP_GATE: [Role; 8] = [
    Role::FfnGate,
    Role::FfnUp,
    Role::FfnGateUp,
    Role::ExpertGate,
    Role::ExpertUp,
    Role::ExpertGateUp,
    Role::SharedGate,
    Role::SharedUp,
];

impl Preset {
    /// Every preset, in the order of the menu.
    pub const ALL: [Self; 6] = [Self::Experts, Self::Linear, Self::Inner, Self::UpGate, Self::None, Self::File];

    /// What it is called.
    pub fn title(self) -> &'static str {
        match self {
            Self::Experts => "experts",
            Self::Linear => "all linear layers",
            Self::Inner => "all but first and last",
            Self::UpGate => "up and gate only",
            Self::None => "none",
            Self::File => "from a recipe file …",
        }
    }

    /// The recipe with what it says instead of mask, rules and lifted protections; `None` where a file says it.
    pub fn recipe(self, model: &Model, recipe: &Recipe) -> Option<Recipe> {
        let of_role = |role: &Role| model.tensors.iter().any(|t| t.role == *role);
        let ternary = |role| Rule { pattern: Pattern::Role(RoleSet::One(role)), action: Action::TERNARY };
        let (layers, rules) = match self {
            Self::Experts => (Mask::Experts, Vec::new()),
            Self::Linear => (Mask::All, Vec::new()),
            Self::Inner => (Mask::All, end_layers(model)),
            Self::UpGate => (Mask::Custom, UP_GATE.into_iter().filter(of_role).map(ternary).collect()),
            Self::None => (Mask::Custom, Vec::new()),
            Self::File => return None,
        };
        Some(Recipe { layers, rules, unprotect: Vec::new(), ..recipe.clone() })
    }
}

/// Rules that keep the first and the last layer; of a model with several stacks of layers, those of each.
fn end_layers(model: &Model) -> Vec<Rule> {
    let mut stacks: BTreeMap<&str, (u32, u32)> = BTreeMap::new();
    for tensor in &model.tensors {
        let Some((stack, layer)) = tensor.layer.and_then(|layer| Some((stack(&tensor.name, layer)?, layer))) else {
            continue;
        };
        let ends = stacks.entry(stack).or_insert((layer, layer));
        *ends = (ends.0.min(layer), ends.1.max(layer));
    }
    let ends = stacks.into_iter().flat_map(|(stack, (first, last))| {
        let last = (last != first).then_some(last);
        std::iter::once(first).chain(last).map(move |layer| format!("{stack}{layer}."))
    });
    let keep = |prefix: String| Some(Rule { pattern: Pattern::prefix(&prefix).ok()?, action: Action::KEEP });
    ends.filter_map(keep).collect()
}

/// What of a name stands before the number of its layer: `blk.` of `blk.3.attn_q.weight`.
fn stack(name: &str, layer: u32) -> Option<&str> {
    let mut at = 0;
    for part in name.split('.') {
        if part.parse() == Ok(layer) {
            return name.get(..at);
        }
        at += part.len() + 1;
    }
    None
}

/// The menu.
#[derive(Debug, Clone)]
pub struct PresetMenu {
    /// Which line the cursor is on.
    pub cursor: usize,
    /// What each would amount to; `None` for what a file says.
    pub offers: Vec<(Preset, Option<Totals>)>,
}

impl PresetMenu {
    /// The menu of a model, the cursor on what is in force.
    pub fn new(model: &Model, live: &Live) -> Self {
        let recipe = live.recipe();
        let mut cursor = None;
        let mut offers = Vec::new();
        for (line, preset) in Preset::ALL.into_iter().enumerate() {
            let next = preset.recipe(model, recipe);
            if next.as_ref() == Some(recipe) {
                cursor = Some(line);
            }
            offers.push((preset, next.map(|next| live.plan_of(model, &next).totals)));
        }
        Self { cursor: cursor.unwrap_or(0), offers }
    }

    /// Moves the cursor, around the ends.
    pub fn step(&mut self, by: isize) {
        let len = self.offers.len().max(1) as isize;
        self.cursor = (self.cursor as isize + by).rem_euclid(len) as usize;
    }
}

/// A recipe that was read, to take the place of the one under edit: the importance matrix is the one that is loaded.
pub fn taken_over(read: Recipe, present: &Recipe) -> Recipe {
    Recipe { imatrix: present.imatrix.clone(), calibration_samples: present.calibration_samples, ..read }
}
