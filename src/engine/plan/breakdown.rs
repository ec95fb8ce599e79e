//! Where the bytes go: sums by role and by type, now and in the output.

use std::collections::BTreeMap;

use super::resolve::Plan;
use crate::engine::codec::DType;
use crate::engine::model::{Model, Role};

/// Sums over the tensors of one role or one type.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Share {
    /// Tensors now.
    pub tensors: u64,
    /// Elements now.
    pub params: u64,
    /// Bytes now.
    pub bytes: u64,
    /// Tensors in the output.
    pub new_tensors: u64,
    /// Bytes in the output.
    pub new_bytes: u64,
    /// Elements that are ternary in the output.
    pub ternary_params: u64,
}

/// The sums of a plan, the largest now first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Breakdown {
    /// By what tensors are for.
    pub roles: Vec<(Role, Share)>,
    /// By type: what has it now, and what will have it.
    pub types: Vec<(DType, Share)>,
}

impl Breakdown {
    /// The sums of a plan of this model.
    pub fn of(model: &Model, plan: &Plan) -> Self {
        let mut roles: BTreeMap<Role, Share> = BTreeMap::new();
        let mut types: BTreeMap<DType, Share> = BTreeMap::new();
        // Tensors that share a decision are alike.
        for shared in plan.decisions.shared() {
            let (tensor, decision) = (&model.tensors[shared.first], &shared.decision);
            let all = |each: u64| each.saturating_mul(shared.tensors);
            let ternary = if decision.new_type.is_ternary() { all(tensor.elements()) } else { 0 };
            let now = |share: &mut Share| {
                share.tensors += shared.tensors;
                share.params = share.params.saturating_add(all(tensor.elements()));
                share.bytes = share.bytes.saturating_add(all(tensor.bytes));
            };
            let then = |share: &mut Share| {
                share.new_tensors += shared.tensors;
                share.new_bytes = share.new_bytes.saturating_add(all(decision.new_bytes));
                share.ternary_params = share.ternary_params.saturating_add(ternary);
            };
            let role = roles.entry(tensor.role).or_default();
            now(role);
            then(role);
            now(types.entry(tensor.dtype).or_default());
            then(types.entry(decision.new_type).or_default());
        }
        Self { roles: sorted(roles), types: sorted(types) }
    }

    /// Bytes of the largest role or type, now or then: what bars are drawn against.
    pub fn largest<T>(shares: &[(T, Share)]) -> u64 {
        shares.iter().map(|(_, s)| s.bytes.max(s.new_bytes)).max().unwrap_or(0)
    }
}

fn sorted<T: Ord>(shares: BTreeMap<T, Share>) -> Vec<(T, Share)> {
    let mut shares: Vec<(T, Share)> = shares.into_iter().collect();
    shares.sort_by_key(|(_, s)| std::cmp::Reverse((s.bytes, s.new_bytes)));
    shares
}
