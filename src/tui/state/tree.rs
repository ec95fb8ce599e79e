//! The tree as it is shown: which folders are open, which rows that makes, where the cursor is.
//!
//! The first row is the model itself. A filter shows the tensors it lets through and the folders above them; while it
//! is on, folds are its own, so that clearing it brings back what was open.

use std::borrow::Cow;
use std::sync::Arc;

use crate::engine::model::Tensor;
use crate::engine::model::tree::{Grouping, NodeKind, Tree};

/// Nodes from which on the tree by roles is made before anybody asks for it.
const MADE_AHEAD: usize = 10_000;

/// What a row stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Item {
    /// The whole model.
    Model,
    /// A folder or tensor: index of a node.
    Node(usize),
}

/// The tree with its folds and its cursor.
#[derive(Debug, Clone)]
pub struct TreeView {
    tree: Tree,
    open: Vec<bool>,
    /// Folds from before the filter.
    unfiltered: Option<Vec<bool>>,
    /// Nodes that the filter lets through: tensors and the folders above them.
    passing: Option<Vec<bool>>,
    /// The same tensors grouped the other way, with the folds that were left there.
    other: Option<Box<(Tree, Vec<bool>)>>,
    roles_wanted: bool,
    rows: Vec<Item>,
    cursor: usize,
    /// The row that a range begins at, and where it is.
    anchor: Option<(Item, usize)>,
    /// First visible row as it was last drawn.
    pub offset: usize,
}

impl TreeView {
    /// A tree whose top-level folders are open.
    pub fn new(tree: Tree) -> Self {
        let open = tree.nodes.iter().map(|n| n.parent.is_none()).collect();
        let mut view = Self {
            tree,
            open,
            unfiltered: None,
            passing: None,
            other: None,
            roles_wanted: false,
            rows: Vec::new(),
            cursor: 0,
            anchor: None,
            offset: 0,
        };
        view.rebuild(Item::Model);
        view
    }

    /// The nodes.
    pub fn tree(&self) -> &Tree {
        &self.tree
    }

    /// The rows, folded ones left out.
    pub fn rows(&self) -> &[Item] {
        &self.rows
    }

    /// Index of the row under the cursor.
    pub fn cursor(&self) -> usize {
        self.cursor
    }

    /// The row under the cursor.
    pub fn selected(&self) -> Item {
        self.rows.get(self.cursor).copied().unwrap_or(Item::Model)
    }

    /// The tensor under the cursor, if it is one.
    pub fn selected_tensor(&self) -> Option<usize> {
        self.tensor_of(self.selected())
    }

    /// The tensor that a row is, if it is one.
    pub fn tensor_of(&self, item: Item) -> Option<usize> {
        match item {
            Item::Node(node) => self.tree.tensor_at(node),
            Item::Model => None,
        }
    }

    /// Tensors at or below a row, in natural order.
    pub fn tensors_below(&self, item: Item) -> &[usize] {
        match item {
            Item::Node(node) => self.tree.tensors_below(node),
            Item::Model => self.tree.tensors(),
        }
    }

    /// Tensors at or below a row that the filter lets through.
    pub fn visible_below(&self, item: Item) -> Cow<'_, [usize]> {
        let Some(passing) = &self.passing else {
            return Cow::Borrowed(self.tensors_below(item));
        };
        let mut found = Vec::new();
        let mut stack: Vec<usize> = match item {
            Item::Node(node) => vec![node],
            Item::Model => self.tree.roots.iter().rev().copied().collect(),
        };
        while let Some(node) = stack.pop() {
            match self.tree.tensor_at(node) {
                Some(index) if passing[node] => found.push(index),
                Some(_) => {}
                None => stack.extend(self.tree.children(node).iter().rev()),
            }
        }
        Cow::Owned(found)
    }

    /// The rows directly below a row.
    pub fn children(&self, item: Item) -> &[usize] {
        match item {
            Item::Model => &self.tree.roots,
            Item::Node(node) => self.tree.children(node),
        }
    }

    /// What a folder's row is called: the pattern that its tensors share.
    pub fn title(&self, item: Item) -> String {
        match (item, self.tree.grouping) {
            (Item::Model, _) => String::new(),
            (Item::Node(_), Grouping::Names) => format!("{}*", self.path(item)),
            (Item::Node(_), Grouping::Roles) => self.path(item).to_owned(),
        }
    }

    /// What makes folders.
    pub fn grouping(&self) -> Grouping {
        self.tree.grouping
    }

    /// Folds by roles instead of names, or the other way round. The cursor stays on its tensor, or goes to the first one
    /// of its folder; a filter stays.
    pub fn regroup(&mut self, tensors: &[Tensor]) {
        // Rows of the other tree are other rows.
        self.anchor = None;
        let item = self.selected();
        let first = self.visible_below(item).first().copied().filter(|_| item != Item::Model);
        let passing = self.passing.take().map(|passing| self.passing_tensors(&passing, tensors.len()));
        if let Some(open) = self.unfiltered.take() {
            self.open = open;
        }
        let (tree, open) = self.other.take().map_or_else(
            || {
                let tree = self.tree.by_role(tensors);
                let open = vec![false; tree.nodes.len()];
                (tree, open)
            },
            |other| *other,
        );
        let tree = std::mem::replace(&mut self.tree, tree);
        let open = std::mem::replace(&mut self.open, open);
        self.other = Some(Box::new((tree, open)));
        let home = first.and_then(|tensor| self.tree.leaf(tensor)).map_or(Item::Model, Item::Node);
        match (passing, home) {
            (Some(passing), _) => self.set_filter(Some(&passing), home),
            (None, Item::Node(node)) => self.select(node),
            (None, Item::Model) => self.rebuild(Item::Model),
        }
    }

    /// Whether the tree by roles is to be made ahead, in the background: of so many tensors it takes longer than a key
    /// should. Said once.
    pub fn wants_roles(&mut self) -> bool {
        let wanted = self.other.is_none() && self.tree.nodes.len() >= MADE_AHEAD && !self.roles_wanted;
        self.roles_wanted |= wanted;
        wanted
    }

    /// The tree by roles, for when it is asked for.
    pub fn take_roles(&mut self, tree: Arc<Tree>) {
        if self.other.is_none() && self.tree.grouping == Grouping::Names {
            let tree = Arc::unwrap_or_clone(tree);
            let open = vec![false; tree.nodes.len()];
            self.other = Some(Box::new((tree, open)));
        }
    }

    /// Orders the rows in every folder.
    pub fn arrange(&mut self, compare: impl FnMut(usize, usize) -> std::cmp::Ordering) {
        let selected = self.selected();
        self.tree.sort_by(compare);
        self.rebuild(selected);
    }

    /// The folders above a row, outermost first.
    pub fn ancestors(&self, item: Item) -> Vec<usize> {
        let parent = |node: usize| self.tree.nodes.get(node).and_then(|n| n.parent);
        let first = if let Item::Node(node) = item { parent(node) } else { None };
        let mut above: Vec<usize> = std::iter::successors(first, |node| parent(*node)).collect();
        above.reverse();
        above
    }

    /// The name of a row: a tensor's, or the prefix that a folder's tensors share; empty for the model.
    pub fn path(&self, item: Item) -> &str {
        match item {
            Item::Model => "",
            Item::Node(node) => &self.tree.nodes[node].path,
        }
    }

    /// Whether a folder is open.
    pub fn is_open(&self, node: usize) -> bool {
        self.open.get(node).copied().unwrap_or(false)
    }

    /// Folders that are open when nothing is filtered, by the prefixes that their tensors share.
    pub fn open_folders(&self) -> impl Iterator<Item = &str> {
        let open = self.unfiltered.as_ref().unwrap_or(&self.open);
        self.tree.folders().filter(|id| open[*id]).map(|id| &*self.tree.nodes[id].path)
    }

    /// Opens these folders and closes all others; whether that changes anything.
    pub fn open_only(&mut self, folders: &[String]) -> bool {
        let wanted: std::collections::HashSet<&str> = folders.iter().map(String::as_str).collect();
        let is_open = |node: &crate::engine::model::tree::Node| {
            matches!(node.kind, NodeKind::Folder(_)) && wanted.contains(&*node.path)
        };
        let open: Vec<bool> = self.tree.nodes.iter().map(is_open).collect();
        let folders = self.tree.nodes.iter().zip(open.iter().zip(&self.open));
        let changed = folders.filter(|(node, _)| matches!(node.kind, NodeKind::Folder(_))).any(|(_, (a, b))| a != b);
        self.open = open;
        self.rebuild(self.selected());
        changed
    }

    /// A range of rows begins at the cursor.
    pub fn begin_range(&mut self) {
        self.anchor = Some((self.selected(), self.cursor));
    }

    /// There is no range any more; whether there was one.
    pub fn end_range(&mut self) -> bool {
        self.anchor.take().is_some()
    }

    /// The rows from where a range begins to the cursor, if there is one.
    pub fn range(&self) -> Option<std::ops::RangeInclusive<usize>> {
        self.anchor.map(|(_, row)| row.min(self.cursor)..=row.max(self.cursor))
    }

    /// How many tensors the range has.
    pub fn range_count(&self) -> usize {
        let rows = self.range().and_then(|range| self.rows.get(range)).unwrap_or_default();
        let count = |item: &Item| match item {
            Item::Node(node) if !self.is_folder(*node) => 1,
            item if self.stands_for_all(*item) => self.visible_below(*item).len(),
            _ => 0,
        };
        rows.iter().map(count).sum()
    }

    /// The tensors of the range: of a closed folder what is in it, of an open one what the range has of it.
    pub fn range_tensors(&self) -> Option<Vec<usize>> {
        let mut tensors = Vec::new();
        for row in self.range()? {
            let item = self.rows.get(row).copied().unwrap_or(Item::Model);
            if self.stands_for_all(item) {
                tensors.extend(self.visible_below(item).iter());
            }
        }
        Some(tensors)
    }

    /// Whether a row stands for what is below it: a tensor, a closed folder. The rows in an open one stand for themselves.
    pub fn stands_for_all(&self, item: Item) -> bool {
        matches!(item, Item::Node(node) if !self.is_folder(node) || !self.open[node])
    }

    /// Whether a filter is on.
    pub fn is_filtered(&self) -> bool {
        self.passing.is_some()
    }

    /// Moves the cursor by so many rows, stopping at the ends.
    pub fn move_by(&mut self, rows: isize) {
        self.move_to(self.cursor.saturating_add_signed(rows));
    }

    /// Moves the cursor to a row, or the last one.
    pub fn move_to(&mut self, row: usize) {
        self.cursor = row.min(self.rows.len().saturating_sub(1));
    }

    /// Moves the cursor to the first row of the folder that it is in.
    pub fn to_first_sibling(&mut self) {
        let Item::Node(node) = self.selected() else { return };
        let folder = self.tree.nodes[node].parent.map_or(Item::Model, Item::Node);
        if let Some(row) = self.rows.iter().position(|row| *row == folder) {
            self.move_to(row + 1);
        }
    }

    /// Puts the cursor on a node and opens the folders above it.
    pub fn select(&mut self, node: usize) {
        let mut above = self.tree.nodes[node].parent;
        while let Some(folder) = above {
            self.open[folder] = true;
            above = self.tree.nodes[folder].parent;
        }
        self.rebuild(Item::Node(node));
    }

    /// Opens the folder under the cursor, or steps into it if it is open.
    pub fn unfold(&mut self) {
        match self.selected() {
            Item::Node(node) if self.is_folder(node) && !self.open[node] => {
                self.open[node] = true;
                self.rebuild(Item::Node(node));
            }
            Item::Node(node) if self.is_folder(node) => self.move_by(1),
            Item::Model => self.move_by(1),
            Item::Node(_) => {}
        }
    }

    /// Closes the folder under the cursor, or goes to the folder it lies in.
    pub fn fold(&mut self) {
        let Item::Node(node) = self.selected() else { return };
        if self.is_folder(node) && self.open[node] {
            self.open[node] = false;
            self.rebuild(Item::Node(node));
        } else {
            let parent = self.tree.nodes[node].parent.map_or(Item::Model, Item::Node);
            self.rebuild(parent);
        }
    }

    /// Opens or closes the folder under the cursor; whether there is one.
    pub fn toggle_fold(&mut self) -> bool {
        match self.selected() {
            Item::Node(node) if self.is_folder(node) => {
                self.open[node] = !self.open[node];
                self.rebuild(Item::Node(node));
                true
            }
            _ => false,
        }
    }

    /// Closes every folder.
    pub fn fold_all(&mut self) {
        self.open.fill(false);
        self.rebuild(self.selected());
    }

    /// Opens every folder.
    pub fn unfold_all(&mut self) {
        self.open.fill(true);
        self.rebuild(self.selected());
    }

    /// Shows only these tensors (by index in the model), or everything again. The cursor goes to `home`, or to the
    /// first tensor that passes where that has no row.
    pub fn set_filter(&mut self, tensors: Option<&[bool]>, home: Item) {
        let selected = home;
        if let Some(tensors) = tensors {
            if self.unfiltered.is_none() {
                self.unfiltered = Some(std::mem::take(&mut self.open));
            }
            self.open = vec![true; self.tree.nodes.len()];
            self.passing = Some(self.passing_nodes(tensors));
        } else {
            self.passing = None;
            if let Some(open) = self.unfiltered.take() {
                self.open = open;
            }
        }
        self.rebuild(selected);
        if self.passing.is_some() && self.selected_tensor().is_none() {
            let first = self.rows.iter().position(|row| self.tensor_of(*row).is_some());
            self.move_to(first.unwrap_or(0));
        }
        if let (None, Item::Node(node)) = (tensors, selected) {
            self.select(node);
        }
    }

    /// The same filter lets other tensors through now: folds stay, and so does the cursor, or it goes to the row that
    /// takes its row's place.
    pub fn refilter(&mut self, tensors: &[bool]) {
        let (selected, row) = (self.selected(), self.cursor);
        let passing = self.passing_nodes(tensors);
        let gone = matches!(selected, Item::Node(node) if !passing[node]);
        self.passing = Some(passing);
        self.rebuild(selected);
        if gone {
            self.move_to(row);
        }
    }

    /// The other way round: which tensors pass.
    fn passing_tensors(&self, passing: &[bool], len: usize) -> Vec<bool> {
        let mut tensors = vec![false; len];
        for (node, passes) in passing.iter().enumerate() {
            if let (Some(index), true) = (self.tree.tensor_at(node), *passes) {
                tensors[index] = true;
            }
        }
        tensors
    }

    /// Nodes that these tensors are, and the folders above them.
    fn passing_nodes(&self, tensors: &[bool]) -> Vec<bool> {
        let passes = |node: usize| self.tree.tensor_at(node).and_then(|index| tensors.get(index).copied());
        let mut passing: Vec<bool> = (0..self.tree.nodes.len()).map(|node| passes(node).unwrap_or(false)).collect();
        // From the back: children come before their folders.
        for folder in self.tree.folders().rev() {
            passing[folder] = self.tree.children(folder).iter().any(|child| passing[*child]);
        }
        passing
    }

    fn is_folder(&self, node: usize) -> bool {
        self.tree.tensor_at(node).is_none()
    }

    /// Makes the rows anew and puts the cursor on `selected`, or on the nearest folder above it that has a row.
    fn rebuild(&mut self, selected: Item) {
        let passes = |node: usize| self.passing.as_ref().is_none_or(|p| p[node]);
        // Taken back in place of new memory, which costs a fault a page.
        let mut rows = std::mem::take(&mut self.rows);
        rows.clear();
        rows.push(Item::Model);
        let mut stack: Vec<usize> = self.tree.roots.iter().rev().copied().collect();
        while let Some(node) = stack.pop() {
            if !passes(node) {
                continue;
            }
            rows.push(Item::Node(node));
            if self.open[node] {
                stack.extend(self.tree.children(node).iter().rev());
            }
        }
        self.rows = rows;
        self.cursor = self.row_of(selected);
        self.anchor = self.anchor.map(|(item, _)| (item, self.row_of(item)));
    }

    /// The row of an item, or of the nearest folder above it that has one.
    fn row_of(&self, mut wanted: Item) -> usize {
        loop {
            if let Some(row) = self.rows.iter().position(|row| *row == wanted) {
                return row;
            }
            wanted = match wanted {
                Item::Node(node) => self.tree.nodes[node].parent.map_or(Item::Model, Item::Node),
                Item::Model => return 0,
            };
        }
    }
}
