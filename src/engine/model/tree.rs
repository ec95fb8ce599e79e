//! The tensors as a tree: names folded by their parts, in natural order.
//!
//! Every dot ends a folder, but `weight` and its like stay with the part before them. The tree is an arena of nodes with
//! parents before children, so that aggregates are one pass from the back.

use std::collections::BTreeMap;

use super::names::natural_cmp;
use super::tensor::Tensor;

/// Most folders above a tensor; what a longer name has left stays one label. The tree is built by recursion, and names
/// come from files.
const MAX_DEPTH: usize = 16;

/// A folder or a tensor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// What is shown behind the parent's label: `blk.`, `3.`, `ffn_down.weight`.
    pub label: String,
    /// The whole name of a tensor; of a folder the prefix that its tensors share, with the closing dot.
    pub path: String,
    /// Index of the folder it lies in.
    pub parent: Option<usize>,
    /// Folders above it.
    pub depth: usize,
    /// What it is.
    pub kind: NodeKind,
}

/// What a [`Node`] is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NodeKind {
    /// A folder and the indices of its nodes, in natural order.
    Folder(Vec<usize>),
    /// A tensor: its index in the model.
    Tensor(usize),
}

/// All nodes; top-level ones are listed in [`Tree::roots`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tree {
    /// Arena: every parent stands before its children.
    pub nodes: Vec<Node>,
    /// Nodes without a parent, in natural order.
    pub roots: Vec<usize>,
}

/// One level while it is being built.
#[derive(Default)]
struct Builder {
    folders: BTreeMap<String, Builder>,
    tensors: Vec<(String, usize)>,
}

impl Tree {
    /// Builds the tree of a model's tensors.
    pub fn build(tensors: &[Tensor]) -> Self {
        let mut root = Builder::default();
        for (index, tensor) in tensors.iter().enumerate() {
            let (folders, label) = split(&tensor.name);
            let mut at = &mut root;
            for folder in folders {
                at = at.folders.entry(folder.to_owned()).or_default();
            }
            at.tensors.push((label.to_owned(), index));
        }
        let mut tree = Self::default();
        tree.roots = tree.add_level(root, None, "", 0);
        tree
    }

    fn add_level(&mut self, level: Builder, parent: Option<usize>, prefix: &str, depth: usize) -> Vec<usize> {
        enum Item {
            Folder(Builder),
            Tensor(usize),
        }
        let folders = level.folders.into_iter().map(|(part, b)| (format!("{part}."), Item::Folder(b)));
        let tensors = level.tensors.into_iter().map(|(label, i)| (label, Item::Tensor(i)));
        let mut items: Vec<(String, Item)> = folders.chain(tensors).collect();
        items.sort_by(|a, b| natural_cmp(&a.0, &b.0));
        let mut ids = Vec::with_capacity(items.len());
        for (label, item) in items {
            let id = self.nodes.len();
            let path = format!("{prefix}{label}");
            ids.push(id);
            let node = |kind| Node { label, path: path.clone(), parent, depth, kind };
            match item {
                Item::Tensor(index) => self.nodes.push(node(NodeKind::Tensor(index))),
                Item::Folder(inner) => {
                    self.nodes.push(node(NodeKind::Folder(Vec::new())));
                    let children = self.add_level(inner, Some(id), &path, depth + 1);
                    self.nodes[id].kind = NodeKind::Folder(children);
                }
            }
        }
        ids
    }

    /// Indices of every tensor at or below a node.
    pub fn tensors_below(&self, node: usize) -> Vec<usize> {
        let mut found = Vec::new();
        let mut stack = vec![node];
        while let Some(id) = stack.pop() {
            match &self.nodes[id].kind {
                NodeKind::Tensor(index) => found.push(*index),
                NodeKind::Folder(children) => stack.extend(children.iter().rev()),
            }
        }
        found
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
    fn names_split_into_folders_and_a_leaf() {
        assert_eq!(split("output.weight"), (vec![], "output.weight"));
        assert_eq!(split("blk.3.ffn_down.weight"), (vec!["blk", "3"], "ffn_down.weight"));
        assert_eq!(split("blk.3.ffn_down.7.weight"), (vec!["blk", "3", "ffn_down"], "7.weight"));
        assert_eq!(split("plain"), (vec![], "plain"));
        assert_eq!(split(""), (vec![], ""));
        assert_eq!(split(&".".repeat(100_000)).0.len(), MAX_DEPTH);
    }
}
