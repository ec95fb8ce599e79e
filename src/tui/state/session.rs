//! One opened model with everything that is edited and known about it.

use std::sync::Arc;
use std::time::Duration;

use super::columns::{Column, Sort};
use super::compare::{Compare, Stage};
use super::edit::Target;
use super::fate::Fate;
use super::filter::Filter;
use super::kinds::{Counted, Kinds};
use super::pages::Pages;
use super::pane::Pane;
use super::plan::PlanState;
use super::previews::{Previews, Subject};
use super::selection::Chosen;
use super::sensitivity::Sensitivity;
use super::slider::Slider;
use super::summary::{Changed, Summaries};
use super::tree::{Item, TreeView};
use crate::engine::error::{Diagnostic, Severity};
use crate::engine::lint::structural;
use crate::engine::model::tree::{Grouping, Tree};
use crate::engine::model::{Model, RoleSet};
use crate::engine::plan::{Live, Recipe, Rule};
use crate::jobs::Subject as Look;

/// Rows are put in order again no oftener while figures come in.
const SORTS_APART: Duration = Duration::from_millis(500);

/// What the preview pane shows of a tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Tab {
    /// Everything, as far as there is room.
    #[default]
    Overview,
    /// The scales of the blocks.
    Scales,
    /// The weights, with thresholds and levels.
    Weights,
    /// The methods by group sizes.
    Methods,
    /// Error, scale or zeros over rows and blocks.
    Map,
    /// One block.
    Block,
    /// The codes of what is ternary already.
    Trits,
    /// What the tensor is.
    Info,
}

impl Tab {
    /// Every tab, in order.
    pub const ALL: [Self; 8] =
        [Self::Overview, Self::Scales, Self::Weights, Self::Methods, Self::Map, Self::Block, Self::Trits, Self::Info];

    /// Name on the screen.
    pub fn title(self) -> &'static str {
        match self {
            Self::Overview => "Overview",
            Self::Scales => "Scales",
            Self::Weights => "Weights",
            Self::Methods => "Methods",
            Self::Map => "Map",
            Self::Block => "Block",
            Self::Trits => "Trits",
            Self::Info => "Info",
        }
    }

    /// Name where there is little room: three letters.
    pub fn short(self) -> &'static str {
        match self {
            Self::Overview => "Ovr",
            Self::Scales => "Scl",
            Self::Weights => "Wgt",
            Self::Methods => "Mth",
            Self::Map => "Map",
            Self::Block => "Blk",
            Self::Trits => "Trt",
            Self::Info => "Inf",
        }
    }

    /// The tab so many places further, around the end.
    #[must_use]
    pub fn step(self, by: usize) -> Self {
        let at = Self::ALL.iter().position(|t| *t == self).unwrap_or(0);
        Self::ALL[(at + by) % Self::ALL.len()]
    }
}

/// What stands between the title and the plan bar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Screen {
    /// The tree and the preview of what is under its cursor.
    #[default]
    Tensors,
    /// The error of everything that may go ternary, by layer and role.
    Sensitivity,
    /// A second model beside this one.
    Compare,
    /// A page of the model.
    Model,
}

/// How far the asking for figures of everything has come.
#[derive(Debug, Clone, Default)]
pub struct Sweeps {
    /// What goes ternary before this tensor is measured.
    pub ternary: usize,
    /// What may go ternary before this tensor is.
    pub eligible: usize,
    /// Wants that the lane was given and has not done.
    pub outstanding: usize,
    /// Whether it was given less than all.
    pub more: bool,
    /// The folder that its tensors were looked through of, and how many of them: what goes ternary, what may.
    pub below: Option<(Item, [usize; 2])>,
    /// Whether there is more to look through than one frame has time for.
    pub unfinished: bool,
}

impl Sweeps {
    /// Whether figures that were asked for are still to come.
    pub fn is_measuring(&self) -> bool {
        self.outstanding > 0 || self.more || self.unfinished
    }

    /// Goes back to the first tensor of which something else becomes: it may be measured in another format.
    pub fn follow(&mut self, changed: &Changed) {
        let first = match changed {
            Changed::All => Some(0),
            Changed::These(list) => list.iter().min().copied(),
        };
        if let Some(first) = first {
            self.ternary = self.ternary.min(first);
            self.eligible = self.eligible.min(first);
            self.below = None;
        }
    }
}

impl Screen {
    /// Name in the title.
    pub fn title(self) -> &'static str {
        match self {
            Self::Tensors => "Tensors",
            Self::Sensitivity => "Sensitivity",
            Self::Compare => "Compare",
            Self::Model => "Model",
        }
    }
}

/// Where a screen is divided: the left part in thousandths of the columns, so that it stays when the screen is resized;
/// none where nobody has chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Split(pub Option<u16>);

impl Split {
    /// Columns that either side has at least.
    const LEAST: u16 = 24;

    /// With the divide in this column.
    pub fn at(column: u16, columns: u16) -> Self {
        let column = column.clamp(Self::LEAST, columns.saturating_sub(Self::LEAST).max(Self::LEAST));
        let thousandths = u32::from(column) * 1000 / u32::from(columns.max(1));
        Self(Some(u16::try_from(thousandths).unwrap_or(1000).min(1000)))
    }

    /// A little to the right or left of the column where it is now.
    #[must_use]
    pub fn step(self, right: bool, now: u16, columns: u16) -> Self {
        const STEP: u16 = 4;
        Self::at(if right { now.saturating_add(STEP) } else { now.saturating_sub(STEP) }, columns)
    }

    /// Columns of the left part.
    pub fn left(self, columns: u16, default: u16) -> u16 {
        let Self(Some(thousandths)) = self else { return default };
        let wanted = (u32::from(columns) * u32::from(thousandths)).div_ceil(1000) as u16;
        wanted.clamp(Self::LEAST, columns.saturating_sub(Self::LEAST).max(Self::LEAST))
    }
}

/// Some of a model's tensors in file order.
fn in_file_order(tensors: &[usize], all: usize) -> Vec<usize> {
    // Marking is quicker than sorting, but looks at every tensor of the model.
    if tensors.len() < all / 16 {
        let mut sorted = tensors.to_vec();
        sorted.sort_unstable();
        return sorted;
    }
    let mut among = vec![false; all];
    tensors.iter().for_each(|tensor| among[*tensor] = true);
    among.iter().enumerate().filter(|(_, is)| **is).map(|(tensor, _)| tensor).collect()
}

/// An opened model.
#[derive(Debug, Clone)]
pub struct Session {
    /// The model.
    pub model: Arc<Model>,
    /// What its metadata, types and shapes tell, beside the model's own diagnostics.
    pub problems: Vec<Diagnostic>,
    /// The tree of its tensors.
    pub tree: TreeView,
    /// What becomes of them.
    pub plan: PlanState,
    /// What was measured of them.
    pub previews: Previews,
    /// What its tensors are for, and of which types they are.
    pub kinds: Kinds,
    /// The same below the folder under the cursor.
    pub counted: Option<Counted>,
    /// Sums over tensors, as of the last frame.
    pub summaries: Summaries,
    /// The tree's filter.
    pub filter: Filter,
    /// What the rows of the tree are sorted by.
    pub sort: Sort,
    /// What they were sorted by last: revisions of plan and figures, and when.
    sorted: Option<(u64, u64, Duration)>,
    /// Tensors that were chosen for the keys to act on.
    pub chosen: Option<Chosen>,
    /// What the screen shows.
    pub screen: Screen,
    /// The model's pages.
    pub pages: Pages,
    /// What the preview shows.
    pub tab: Tab,
    /// What the preview pane remembers.
    pub pane: Pane,
    /// Where the screen is divided between tree and preview.
    pub split: Split,
    /// Whether the scales' axis is logarithmic.
    pub log_axis: bool,
    /// What is in the preview until the next report is there.
    pub shown: Option<Subject>,
    /// The protected tensor whose toggle was asked for once.
    pub armed: Option<usize>,
    /// The tensor that the cursor was taken to last as the one with the greatest error.
    pub worst: Option<usize>,
    /// Whether that was said of a part of what is being measured: it is said again when all is.
    pub worst_of_part: bool,
    /// Tensors that are to be measured exactly, not only sampled.
    pub exact: std::collections::BTreeSet<usize>,
    /// Whether everything that may go ternary is to be measured.
    pub scan: bool,
    /// How far that has come.
    pub sweeps: Sweeps,
    /// The budget slider, while it is open.
    pub slider: Option<Slider>,
    /// The rules of the budget that was accepted last.
    pub budget_rules: Vec<Rule>,
    /// Errors by layer and role.
    pub sensitivity: Sensitivity,
    /// The comparison with a second model, if there is one.
    pub compare: Option<Box<Compare>>,
}

impl Session {
    /// A model just opened: the list of layers in sight, the cursor on the first tensor that goes ternary, or could.
    pub fn new(model: Arc<Model>, recipe: Recipe) -> Self {
        // What the first frame waits for, side by side.
        let (tree, (live, problems)) = rayon::join(
            || TreeView::new(Tree::build(&model.tensors)),
            || (Live::new(&model, recipe), structural(&model)),
        );
        let kinds = Kinds::of(&model, &live.plan().decisions, 0..model.tensors.len());
        let plan = PlanState::new(&model, live);
        let mut session = Self {
            problems,
            model,
            tree,
            plan,
            previews: Previews::default(),
            kinds,
            counted: None,
            summaries: Summaries::default(),
            filter: Filter::default(),
            sort: Sort::default(),
            sorted: None,
            chosen: None,
            screen: Screen::default(),
            pages: Pages::default(),
            tab: Tab::default(),
            pane: Pane::default(),
            split: Split::default(),
            log_axis: false,
            shown: None,
            armed: None,
            worst: None,
            worst_of_part: false,
            exact: std::collections::BTreeSet::new(),
            scan: false,
            sweeps: Sweeps::default(),
            slider: None,
            budget_rules: Vec::new(),
            sensitivity: Sensitivity::default(),
            compare: None,
        };
        let tensors = session.tree.tensors_below(Item::Model);
        let ternary = tensors.iter().find(|t| session.plan.decision(**t).is_ternary());
        let first = ternary.or_else(|| tensors.iter().find(|t| session.plan.outlook(**t).eligible)).copied();
        if let Some(node) = first.and_then(|tensor| session.node_of(tensor)) {
            session.tree.select(node);
        }
        session.summarize();
        session
    }

    /// Puts the cursor on a tensor; false if a filter hides it.
    pub fn show(&mut self, tensor: usize) -> bool {
        if let Some(node) = self.node_of(tensor) {
            self.tree.select(node);
        }
        self.tree.selected_tensor() == Some(tensor)
    }

    /// Makes the sums anew.
    pub fn summarize(&mut self) {
        self.learn_from_previews();
        drop((self.plan.take_touched(), self.previews.take_changed()));
        self.summaries = Summaries::new(&self.model, &self.tree, &self.plan, &self.previews);
    }

    /// Tells the plan which tensors previews have seen to hold values that are no numbers.
    fn learn_from_previews(&mut self) {
        let seen = self.previews.spoilt().map(|(tensor, element)| (tensor, Some(element)));
        self.learn(seen.collect());
    }

    /// Tells the plan which tensors a check of every weight has found to hold values that are no numbers.
    pub fn learn_from_check(&mut self) {
        // They know which element it is.
        self.learn_from_previews();
        let found = self.pages.problems.weights.iter();
        let found = found.filter(|d| d.code == "non-finite" && d.severity == Severity::Error);
        let found = found.filter_map(|d| Some((self.model.find(d.tensor.as_deref()?)?, None)));
        self.learn(found.collect());
    }

    fn learn(&mut self, mut found: Vec<(usize, Option<u64>)>) {
        let known = self.plan.live().faults();
        found.retain(|(tensor, _)| known.of(*tensor).is_none());
        if !found.is_empty() && self.plan.learn(&self.model, found) {
            self.sensitivity.fresh.stale = true;
        }
    }

    /// Brings the sums up to date.
    pub fn follow_sums(&mut self) {
        self.learn_from_previews();
        let (touched, came) = (self.plan.take_touched(), self.previews.take_changed());
        self.sweeps.follow(&touched);
        self.summaries.follow(&self.model, &self.tree, &self.plan, &self.previews, (&touched, &came));
    }

    /// Sorts the tree by this.
    pub fn sort_by(&mut self, sort: Sort, now: Duration) {
        self.sort = sort;
        self.arrange(now);
    }

    /// Puts the rows in order.
    pub fn arrange(&mut self, now: Duration) {
        let sort = self.sort;
        self.sweeps.below = None;
        self.sorted = Some((self.plan.revision(), self.previews.revision(), now));
        if sort.column == Column::Name {
            let order = |a: usize, b: usize| if sort.descending { b.cmp(&a) } else { a.cmp(&b) };
            self.tree.arrange(order);
            return;
        }
        let summaries = &self.summaries;
        let fate = |index: usize| Fate::ALL.iter().position(|fate| *fate == self.fate_of(index));
        let key = |node: usize| match (sort.column, self.tree.tensor_of(Item::Node(node))) {
            (Column::Why, Some(index)) => fate(index).map_or(f64::NAN, |at| at as f64),
            (column, _) => column.key(&summaries.of(Item::Node(node))),
        };
        let keys: Vec<f64> = (0..self.tree.tree().nodes.len()).map(key).collect();
        self.tree.arrange(|a, b| sort.compare(keys[a], keys[b]));
    }

    /// When the rows have to be put in order again, because what they are sorted by has changed; `None` while nothing
    /// has. What is measured is waited for a little: rows that jump all the time cannot be read.
    pub fn sort_due(&self) -> Option<Duration> {
        let (plan, figures, at) = self.sorted?;
        match self.sort.column {
            Column::Type | Column::NewSize | Column::Sqnr | Column::Why if plan != self.plan.revision() => {
                Some(Duration::ZERO)
            }
            Column::Sqnr | Column::Why if figures != self.previews.revision() => Some(at + SORTS_APART),
            _ => None,
        }
    }

    /// Folds by roles instead of names, or the other way round.
    pub fn regroup(&mut self, now: Duration) {
        self.tree.regroup(&self.model.tensors);
        self.sweeps.below = None;
        // Other folders, the same figures.
        let (_, came) = (self.plan.take_touched(), self.previews.take_changed());
        self.summaries.follow(&self.model, &self.tree, &self.plan, &self.previews, (&Changed::All, &came));
        if !self.sort.is_natural() || self.sorted.is_some() {
            self.arrange(now);
        }
    }

    /// What a key that edits the plan acts on: what is selected, else the row under the cursor, of a filtered tree only
    /// what is seen of it.
    pub fn target(&self) -> Target {
        if let Some(selection) = self.selection() {
            return selection;
        }
        let item = self.tree.selected();
        if let Some(index) = self.tree.tensor_of(item) {
            return Target::Tensor(index);
        }
        let path = self.tree.path(item);
        let tensors = in_file_order(&self.tree.visible_below(item), self.model.tensors.len());
        if self.tree.is_filtered() && tensors.len() < self.tree.tensors_below(item).len() {
            let of = if item == Item::Model { String::new() } else { format!(" of {}", self.tree.title(item)) };
            return Target::Listed { what: format!("filtered{of}"), tensors };
        }
        match (self.tree.grouping(), path.strip_prefix("role:").map(str::parse::<RoleSet>)) {
            (Grouping::Roles, Some(Ok(roles))) => Target::Roles { roles, tensors },
            (Grouping::Roles, Some(Err(_))) => Target::Listed { what: format!("of {path}"), tensors },
            _ => Target::Subtree { prefix: path.to_owned(), tensors },
        }
    }

    /// What the open tab looks at of the tensor under the cursor, beside its figures.
    pub fn look(&self) -> Option<(usize, Look)> {
        let tensor = self.tree.selected_tensor()?;
        if self.tab == Tab::Trits {
            return self.model.tensors.get(tensor)?.dtype.is_ternary().then_some((tensor, Look::Trits));
        }
        let (format, method) = super::summary::what_if(&self.plan, tensor)?;
        // No grid and no block before it is known how they lie.
        let place = &self.pane.place;
        let known = place.tensor == tensor && place.shape.is_some();
        let look = match self.tab {
            Tab::Map if self.pane.experts => Look::Experts(format, method),
            Tab::Map => Look::Grid(format, method, place.window),
            Tab::Block => Look::Block(format, method, place.at),
            _ => return None,
        };
        known.then_some((tensor, look))
    }

    /// When what helps to decide changes by itself: figures that wait to be sorted in, a spinner that turns.
    pub fn decisions_wake(&self, now: Duration, turn: Duration) -> Option<Duration> {
        let (fresh, moves) = match self.screen {
            Screen::Tensors => {
                let slider = self.slider.as_ref()?;
                (&slider.fresh, slider.missing.0 > 0)
            }
            Screen::Sensitivity => (&self.sensitivity.fresh, self.sensitivity.is_measuring()),
            Screen::Compare => {
                let compare = self.compare.as_ref()?;
                (&compare.fresh, matches!(compare.stage, Stage::Opening | Stage::Running))
            }
            Screen::Model => return self.pages.is_reading().then(|| now + turn),
        };
        [fresh.wake(), moves.then(|| now + turn)].into_iter().flatten().min()
    }

    /// The node of a tensor in the tree.
    pub fn node_of(&self, tensor: usize) -> Option<usize> {
        self.tree.tree().leaf(tensor)
    }

    /// Puts the tree's cursor on a node, without the filter where that hides it.
    pub fn show_node(&mut self, node: usize) {
        self.tree.select(node);
        if self.tree.selected() != Item::Node(node) {
            self.filter.clear();
            self.tree.set_filter(None, Item::Node(node));
        }
    }

    /// A tensor in the format it is measured in.
    pub fn subject_of(&self, tensor: usize) -> Option<Subject> {
        Some((tensor, super::summary::what_if(&self.plan, tensor)?.0))
    }

    /// The tensor under the cursor in the format it is measured in.
    pub fn subject(&self) -> Option<Subject> {
        let tensor = self.tree.selected_tensor()?;
        Some((tensor, super::summary::what_if(&self.plan, tensor)?.0))
    }
}
