//! The tensors as a tree: names folded by their parts, or tensors by their roles, in natural order.
//!
//! Every dot ends a folder, but `weight` and its like stay with the part before them. The tree is an arena of nodes with
//! parents before children, so that aggregates are one pass from the back.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use super::names::natural_cmp;
use super::role::{Role, RoleSet};
use super::tensor::Tensor;

/// Most folders above a tensor; what a longer name has left stays one label. The tree is built by recursion, and names
/// come from files.
const MAX_DEPTH: usize = 16;

/// A folder or a tensor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// The whole name of a tensor; of a folder the prefix that its tensors share, with the closing dot, or the pattern
    /// `role:…` that picks them. A folder of a layer within a role has the layer behind that.
    pub path: Arc<str>,
    /// Where in the path its label begins.
    label: u32,
    /// Index of the folder it lies in.
    pub parent: Option<usize>,
    /// Folders above it.
    pub depth: u32,
    /// What it is.
    pub kind: NodeKind,
}

impl Node {
    /// What is shown behind the parent's label: `blk.`, `3.`, `ffn_down.weight`.
    pub fn label(&self) -> &str {
        self.path.get(self.label as usize..).unwrap_or_default()
    }
}

/// What a [`Node`] is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NodeKind {
    /// A folder and the indices of its nodes, in natural order.
    Folder(Vec<usize>),
    /// A tensor: its index in the model.
    Tensor(usize),
}

/// What makes folders.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Grouping {
    /// The parts of names.
    #[default]
    Names,
    /// Roles and their families.
    Roles,
}

/// All nodes; top-level ones are listed in [`Tree::roots`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tree {
    /// Arena: every parent stands before its children.
    pub nodes: Vec<Node>,
    /// Nodes without a parent, in natural order.
    pub roots: Vec<usize>,
    /// What its folders are.
    pub grouping: Grouping,
    /// Node of each tensor.
    leaves: Vec<u32>,
    /// The tensors in natural order, and what part of this list is at or below each node.
    order: Vec<usize>,
    spans: Vec<Range<u32>>,
    /// Tensor of each node, or [`NO_TENSOR`]. What goes through all nodes reads this in place of [`Tree::nodes`], which is
    /// many times as long: memory that a key need not touch need not be in the caches, or in memory at all.
    tensors: Vec<u32>,
    /// The nodes that are folders.
    folders: Vec<u32>,
}

/// Stands for no tensor.
const NO_TENSOR: u32 = u32::MAX;

/// One level while it is being built.
#[derive(Default)]
struct Builder<'a> {
    folders: BTreeMap<&'a str, Builder<'a>>,
    tensors: Vec<(&'a str, usize)>,
}

impl Tree {
    /// Builds the tree of a model's tensors.
    pub fn build(tensors: &[Tensor]) -> Self {
        let mut root = Builder::default();
        for (index, tensor) in tensors.iter().enumerate() {
            let (folders, label) = split(&tensor.name);
            let mut at = &mut root;
            for folder in folders {
                at = at.folders.entry(folder).or_default();
            }
            at.tensors.push((label, index));
        }
        let mut tree = Self::default();
        tree.roots = tree.add_level(root, None, "", 0);
        tree.find_leaves(tensors.len());
        tree
    }

    fn add_level(&mut self, level: Builder<'_>, parent: Option<usize>, prefix: &str, depth: u32) -> Vec<usize> {
        enum Item<'a> {
            Folder(Builder<'a>),
            Tensor(usize),
        }
        let folders = level.folders.into_iter().map(|(part, b)| (Cow::from(format!("{part}.")), Item::Folder(b)));
        let tensors = level.tensors.into_iter().map(|(label, i)| (Cow::from(label), Item::Tensor(i)));
        let mut items: Vec<(Cow<'_, str>, Item<'_>)> = folders.chain(tensors).collect();
        items.sort_by(|a, b| natural_cmp(&a.0, &b.0));
        let mut ids = Vec::with_capacity(items.len());
        for (label, item) in items {
            let id = self.nodes.len();
            ids.push(id);
            let path: Arc<str> = [prefix, &label].concat().into();
            let node = |path, kind| Node { path, label: prefix.len() as u32, parent, depth, kind };
            match item {
                Item::Tensor(index) => self.nodes.push(node(path, NodeKind::Tensor(index))),
                Item::Folder(inner) => {
                    self.nodes.push(node(Arc::clone(&path), NodeKind::Folder(Vec::new())));
                    let children = self.add_level(inner, Some(id), &path, depth + 1);
                    self.nodes[id].kind = NodeKind::Folder(children);
                }
            }
        }
        ids
    }

    /// The same tensors by their roles: families of several roles, roles, layers where a role has several tensors in
    /// one. In all of them the order is that of this tree.
    #[must_use]
    pub fn by_role(&self, tensors: &[Tensor]) -> Self {
        let mut of_role: BTreeMap<Role, Vec<usize>> = BTreeMap::new();
        for node in &self.nodes {
            if let NodeKind::Tensor(index) = node.kind {
                of_role.entry(tensors[index].role).or_default().push(index);
            }
        }
        let mut tree = Self { grouping: Grouping::Roles, ..Self::default() };
        let names = |tensor: usize| Arc::clone(&self.nodes[self.leaves[tensor] as usize].path);
        let mut families: Vec<(RoleSet, usize)> = Vec::new();
        for (role, members) in &of_role {
            let set = RoleSet::One(*role);
            let together = |family: &RoleSet| of_role.keys().filter(|r| family.contains(**r)).count() > 1;
            let family = RoleSet::CLOSE.into_iter().filter(|f| f.contains(*role)).find(together);
            let parent = family.map(|family| {
                let open = families.iter().find(|(f, _)| *f == family).map(|(_, node)| *node);
                open.unwrap_or_else(|| {
                    let node = tree.add_folder(family.name(), format!("role:{}", family.name()), None);
                    families.push((family, node));
                    node
                })
            });
            let folder = tree.add_folder(set.name(), format!("role:{}", set.name()), parent);
            tree.add_members(folder, tensors, members, &names);
        }
        tree.find_leaves(tensors.len());
        tree
    }

    /// The tensors of a role, in folders of their layers if one of these has several.
    fn add_members(&mut self, folder: usize, tensors: &[Tensor], members: &[usize], names: &dyn Fn(usize) -> Arc<str>) {
        let layer = |index: &usize| tensors[*index].layer;
        let mut layers: BTreeMap<Option<u32>, Vec<usize>> = BTreeMap::new();
        members.iter().for_each(|index| layers.entry(layer(index)).or_default().push(*index));
        let crowded = layers.len() > 1 && layers.iter().any(|(layer, all)| layer.is_some() && all.len() > 1);
        if !crowded {
            members.iter().for_each(|index| self.add_tensor(folder, *index, names(*index)));
            return;
        }
        for (layer, all) in layers {
            let parent = match layer {
                Some(layer) => {
                    let path = format!("{} layer {layer}", self.nodes[folder].path);
                    self.add_folder(&format!("layer {layer}"), path, Some(folder))
                }
                None => folder,
            };
            all.iter().for_each(|index| self.add_tensor(parent, *index, names(*index)));
        }
    }

    /// A folder whose path ends with its label.
    fn add_folder(&mut self, label: &str, path: String, parent: Option<usize>) -> usize {
        let label = path.len().saturating_sub(label.len()) as u32;
        self.add(Node { path: path.into(), label, parent, depth: 0, kind: NodeKind::Folder(Vec::new()) })
    }

    fn add_tensor(&mut self, parent: usize, index: usize, path: Arc<str>) {
        let kind = NodeKind::Tensor(index);
        self.add(Node { path, label: 0, parent: Some(parent), depth: 0, kind });
    }

    /// Puts a node below its parent, behind its other children.
    fn add(&mut self, mut node: Node) -> usize {
        let id = self.nodes.len();
        match node.parent {
            Some(parent) => {
                node.depth = self.nodes[parent].depth + 1;
                if let NodeKind::Folder(children) = &mut self.nodes[parent].kind {
                    children.push(id);
                }
            }
            None => self.roots.push(id),
        }
        self.nodes.push(node);
        id
    }

    /// Orders the children of every folder; equal ones stay in natural order. Parents still stand before their children.
    pub fn sort_by(&mut self, mut compare: impl FnMut(usize, usize) -> std::cmp::Ordering) {
        let mut sort = |ids: &mut Vec<usize>| ids.sort_by(|a, b| compare(*a, *b).then(a.cmp(b)));
        sort(&mut self.roots);
        for folder in &self.folders {
            if let NodeKind::Folder(children) = &mut self.nodes[*folder as usize].kind {
                sort(children);
            }
        }
    }

    /// The node of a tensor.
    pub fn leaf(&self, tensor: usize) -> Option<usize> {
        self.leaves.get(tensor).map(|node| *node as usize)
    }

    /// The tensor that a node is, if it is one.
    pub fn tensor_at(&self, node: usize) -> Option<usize> {
        self.tensors.get(node).filter(|tensor| **tensor != NO_TENSOR).map(|tensor| *tensor as usize)
    }

    /// The nodes directly below a node, in their order.
    pub fn children(&self, node: usize) -> &[usize] {
        if self.tensor_at(node).is_some() {
            return &[];
        }
        match &self.nodes[node].kind {
            NodeKind::Folder(children) => children,
            NodeKind::Tensor(_) => &[],
        }
    }

    /// The nodes that are folders, parents before those in them.
    pub fn folders(&self) -> impl DoubleEndedIterator<Item = usize> {
        self.folders.iter().map(|node| *node as usize)
    }

    /// Finds every tensor's node and what lies below every node. Parents stand before their children, and these in
    /// their order, so that two passes do.
    fn find_leaves(&mut self, tensors: usize) {
        let mut below = vec![0; self.nodes.len()];
        for (id, node) in self.nodes.iter().enumerate().rev() {
            below[id] += usize::from(matches!(node.kind, NodeKind::Tensor(_)));
            if let Some(parent) = node.parent {
                below[parent] += below[id];
            }
        }
        self.nodes.shrink_to_fit();
        (self.leaves, self.order) = (vec![0; tensors], vec![0; tensors]);
        self.tensors = Vec::with_capacity(self.nodes.len());
        // Where the next child of a folder, or the next root, begins.
        let (mut next, mut next_root) = (vec![0; self.nodes.len()], 0);
        self.spans = Vec::with_capacity(self.nodes.len());
        for (id, node) in self.nodes.iter().enumerate() {
            let cursor = node.parent.map_or(&mut next_root, |parent| &mut next[parent]);
            let start = *cursor;
            *cursor += below[id];
            next[id] = start;
            self.spans.push(start as u32..(start + below[id]) as u32);
            if let NodeKind::Tensor(index) = node.kind {
                (self.leaves[index], self.order[start]) = (id as u32, index);
                self.tensors.push(index as u32);
            } else {
                self.tensors.push(NO_TENSOR);
                self.folders.push(id as u32);
            }
        }
    }

    /// Indices of every tensor at or below a node, in natural order however the tree is sorted.
    pub fn tensors_below(&self, node: usize) -> &[usize] {
        let span = &self.spans[node];
        &self.order[span.start as usize..span.end as usize]
    }

    /// Indices of every tensor, in natural order.
    pub fn tensors(&self) -> &[usize] {
        &self.order
    }
}

/// Splits a name into folders and the label of its leaf. A layer's number ends a folder (`blk`, `3`), and so do the
/// words of Hugging Face's modules; `weight` and `bias` stay with the part before them.
fn split(name: &str) -> (Vec<&str>, &str) {
    let mut cut = name.len();
    if let Some(dot) = name.rfind('.')
        && matches!(&name[dot + 1..], "weight" | "bias" | "scales" | "scale" | "input_scale")
    {
        cut = dot;
    }
    let folders = name[..cut].split('.').count().saturating_sub(1).min(MAX_DEPTH);
    let mut parts = name.splitn(folders + 1, '.');
    let folders: Vec<&str> = parts.by_ref().take(folders).collect();
    (folders, parts.next().unwrap_or(""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_make_folders_and_families_where_there_are_several() {
        let names = ["blk.0.attn_q.weight", "blk.10.attn_q.weight", "blk.2.attn_q.weight", "blk.0.attn_k.weight"];
        let experts = ["blk.0.ffn_up.0.weight", "blk.0.ffn_up.1.weight", "blk.2.ffn_up.0.weight"];
        let tensor = |name: &&str| Tensor::named((*name).to_owned(), vec![4, 4], crate::engine::codec::DType::F16);
        let tensors: Vec<Tensor> = names.iter().chain(&experts).map(tensor).collect();
        let tree = Tree::build(&tensors).by_role(&tensors);
        let paths: Vec<&str> = tree.nodes.iter().map(|n| &*n.path).collect();
        assert_eq!(
            paths[..7],
            [
                "role:attn",
                "role:attn_q",
                "blk.0.attn_q.weight",
                "blk.2.attn_q.weight",
                "blk.10.attn_q.weight",
                "role:attn_k",
                "blk.0.attn_k.weight"
            ]
        );
        assert_eq!(paths[7..10], ["role:expert_up", "role:expert_up layer 0", "blk.0.ffn_up.0.weight"]);
        assert!(tree.nodes.iter().enumerate().all(|(id, n)| n.parent.is_none_or(|parent| parent < id)));
        assert_eq!(tree.roots.iter().map(|root| tree.tensors_below(*root).len()).sum::<usize>(), tensors.len());
    }

    #[test]
    fn names_split_into_folders_and_a_leaf() {
        assert_eq!(split("output.weight"), (vec![], "output.weight"));
        assert_eq!(split("blk.3.ffn_down.weight"), (vec!["blk", "3"], "ffn_down.weight"));
        assert_eq!(split("blk.3.ffn_down.7.weight"), (vec!["blk", "3", "ffn_down"], "7.weight"));
        assert_eq!(split("plain"), (vec![], "plain"));
        assert_eq!(split(""), (vec![], ""));
        assert_eq!(split(&".".repeat(100_000)).0.len(), MAX_DEPTH);
    }
}
