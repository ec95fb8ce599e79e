//! Presets: what people mostly begin with, each as one step that can be undone.
//!
//! A preset says which tensors go ternary. Format, method and the precision of what stays are left as they are; only a
//! recipe from a file brings its own.

use crate::engine::model::{Model, Role, RoleSet};
use crate::engine::plan::{Action, Mask, Pattern, Recipe, Rule, Totals, resolve};

/// A preset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Preset {
    /// Routed experts.
    Experts,
    /// Every linear layer but router, embeddings and head.
    Linear,
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
    pub const ALL: [Self; 5] = [Self::Experts, Self::Linear, Self::UpGate, Self::None, Self::File];

    /// What it is called.
    pub fn title(self) -> &'static str {
        match self {
            Self::Experts => "experts",
            Self::Linear => "all linear layers",
            Self::UpGate => "up and gate only",
            Self::None => "none",
            Self::File => "from a recipe file …",
        }
    }

    /// The recipe with what it says instead of mask, rules and lifted protections; `None` where a file says it.
    pub fn recipe(self, model: &Model, recipe: &Recipe) -> Option<Recipe> {
        let of_role = |role: &Role| model.tensors.iter().any(|t| t.role == *role);
        let (layers, roles) = match self {
            Self::Experts => (Mask::Experts, Vec::new()),
            Self::Linear => (Mask::All, Vec::new()),
            Self::UpGate => (Mask::Custom, UP_GATE.into_iter().filter(of_role).collect()),
            Self::None => (Mask::Custom, Vec::new()),
            Self::File => return None,
        };
        let rule = |role| Rule { pattern: Pattern::Role(RoleSet::One(role)), action: Action::TERNARY };
        let rules = roles.into_iter().map(rule).collect();
        Some(Recipe { layers, rules, unprotect: Vec::new(), ..recipe.clone() })
    }
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
    pub fn new(model: &Model, recipe: &Recipe) -> Self {
        let mut cursor = None;
        let mut offers = Vec::new();
        for (line, preset) in Preset::ALL.into_iter().enumerate() {
            let next = preset.recipe(model, recipe);
            if next.as_ref() == Some(recipe) {
                cursor = Some(line);
            }
            offers.push((preset, next.map(|next| resolve(model, &next).totals)));
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
