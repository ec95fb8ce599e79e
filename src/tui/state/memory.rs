//! How a file was left: what is put back when it is opened again. Plain data; [`crate::tui::keeping`] keeps it.

use super::Session;
use super::tree::Item;
use crate::engine::model::tree::Grouping;
use crate::engine::plan::Recipe;

/// Version of the form that it is kept in.
const VERSION: u32 = 1;
/// Open folders that are kept at most; of more, only those above the cursor are opened again.
const FOLDERS: usize = 4000;

/// How a file was left.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Memory {
    /// Version of this form.
    pub version: u32,
    /// The row under the cursor: a name or a prefix; empty for the model.
    pub cursor: String,
    /// Whether the tree was folded by role.
    pub by_role: bool,
    /// Folders that were open.
    pub open: Vec<String>,
    /// The filter in force.
    pub filter: String,
    /// What rows are sorted by, as the command says it; empty where it is their own order.
    #[serde(default)]
    pub sort: String,
    /// The recipe as it was edited; none where it was not.
    pub recipe: Option<Recipe>,
    /// What it was before that: edits of another recipe are not put back.
    pub started: Option<Recipe>,
}

impl Memory {
    /// How a session is now; `started` is the recipe that it began with.
    pub fn of(session: &Session, started: &Recipe) -> Self {
        let tree = &session.tree;
        let edited = session.plan.recipe() != started;
        let mut open: Vec<String> = tree.open_folders().map(str::to_owned).collect();
        if open.len() > FOLDERS {
            open.clear();
        }
        Self {
            version: VERSION,
            cursor: tree.path(tree.selected()).to_owned(),
            by_role: tree.grouping() == Grouping::Roles,
            open,
            filter: session.filter.in_force().to_owned(),
            sort: if session.sort.is_natural() { String::new() } else { session.sort.command() },
            recipe: edited.then(|| session.plan.recipe().clone()),
            started: edited.then(|| started.clone()),
        }
    }

    /// Whether it is of a form that this program reads.
    pub fn is_readable(&self) -> bool {
        self.version == VERSION
    }

    /// Whether the edits that it holds are of this recipe.
    pub fn edits(&self, started: &Recipe) -> Option<&Recipe> {
        self.recipe.as_ref().filter(|_| self.started.as_ref() == Some(started))
    }

    /// The row that the cursor was on, where the tree still has it.
    pub fn row(&self, session: &Session) -> Item {
        let node = session.tree.tree().nodes.iter().position(|node| *node.path == *self.cursor);
        node.filter(|_| !self.cursor.is_empty()).map_or(Item::Model, Item::Node)
    }
}
