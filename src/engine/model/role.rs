//! What a tensor is for, told from its name and shape.
//!
//! GGUF's names (`blk.3.ffn_gate_exps.weight`) and Hugging Face's (`model.layers.3.mlp.experts.7.gate_proj.weight`)
//! give the same roles. The protections and masks of [`crate::engine::plan`] are written in terms of them.

use std::fmt;
use std::str::FromStr;

/// What a tensor is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    /// Token embedding table.
    TokenEmbd,
    /// Output head (`output.weight`, `lm_head.weight`).
    Output,
    /// Attention query projection.
    AttnQ,
    /// Attention key projection.
    AttnK,
    /// Attention value projection.
    AttnV,
    /// Fused query, key and value projection.
    AttnQkv,
    /// Low-rank key/value projections of latent attention (MLA).
    AttnKv,
    /// Attention output projection.
    AttnOut,
    /// Gate on the attention's output.
    AttnGate,
    /// Gate projection of a dense FFN.
    FfnGate,
    /// Up projection of a dense FFN.
    FfnUp,
    /// Fused gate and up projection of a dense FFN.
    FfnGateUp,
    /// Down projection of a dense FFN.
    FfnDown,
    /// Gate projection of routed experts, merged (3-D) or one expert's.
    ExpertGate,
    /// Up projection of routed experts.
    ExpertUp,
    /// Fused gate and up projection of routed experts.
    ExpertGateUp,
    /// Down projection of routed experts.
    ExpertDown,
    /// Gate projection of shared experts.
    SharedGate,
    /// Up projection of shared experts.
    SharedUp,
    /// Down projection of shared experts.
    SharedDown,
    /// The gate that chooses experts.
    Router,
    /// Small matrices that steer others (AltUp, LAuReL, sparse-attention indexers); llama.cpp never quantizes them.
    Control,
    /// RMSNorm and LayerNorm weights.
    Norm,
    /// Biases.
    Bias,
    /// Positional embeddings and RoPE factors.
    Position,
    /// Linear projections of recurrent layers (`ssm_in`, `ssm_out`, RWKV's `time_mix_key`).
    SsmProj,
    /// Everything else of state-space and short-convolution layers.
    Ssm,
    /// Vision and audio towers and their projectors.
    Modality,
    /// A vector whose purpose the name does not tell.
    Vector,
    /// Anything else.
    Other,
}

impl Role {
    /// Every role with its name, in the order of listings.
    pub const ALL: [(Self, &'static str); 30] = [
        (Self::TokenEmbd, "token_embd"),
        (Self::Output, "output"),
        (Self::AttnQ, "attn_q"),
        (Self::AttnK, "attn_k"),
        (Self::AttnV, "attn_v"),
        (Self::AttnQkv, "attn_qkv"),
        (Self::AttnKv, "attn_kv"),
        (Self::AttnOut, "attn_out"),
        (Self::AttnGate, "attn_gate"),
        (Self::FfnGate, "ffn_gate"),
        (Self::FfnUp, "ffn_up"),
        (Self::FfnGateUp, "ffn_gate_up"),
        (Self::FfnDown, "ffn_down"),
        (Self::ExpertGate, "expert_gate"),
        (Self::ExpertUp, "expert_up"),
        (Self::ExpertGateUp, "expert_gate_up"),
        (Self::ExpertDown, "expert_down"),
        (Self::SharedGate, "shared_gate"),
        (Self::SharedUp, "shared_up"),
        (Self::SharedDown, "shared_down"),
        (Self::Router, "router"),
        (Self::Control, "control"),
        (Self::Norm, "norm"),
        (Self::Bias, "bias"),
        (Self::Position, "position"),
        (Self::SsmProj, "ssm_proj"),
        (Self::Ssm, "ssm"),
        (Self::Modality, "modality"),
        (Self::Vector, "vector"),
        (Self::Other, "other"),
    ];

    /// Name in listings, JSON and `role:` patterns.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(role, _)| *role == self).map_or("other", |(_, name)| name)
    }

    /// Routed experts' weights: what the mask `experts` takes.
    pub fn is_routed_expert(self) -> bool {
        matches!(self, Self::ExpertGate | Self::ExpertUp | Self::ExpertGateUp | Self::ExpertDown)
    }

    /// Shared experts' weights.
    pub fn is_shared_expert(self) -> bool {
        matches!(self, Self::SharedGate | Self::SharedUp | Self::SharedDown)
    }

    /// Attention projections.
    pub fn is_attention(self) -> bool {
        matches!(
            self,
            Self::AttnQ | Self::AttnK | Self::AttnV | Self::AttnQkv | Self::AttnKv | Self::AttnOut | Self::AttnGate
        )
    }

    /// Dense FFN projections.
    pub fn is_dense_ffn(self) -> bool {
        matches!(self, Self::FfnGate | Self::FfnUp | Self::FfnGateUp | Self::FfnDown)
    }

    /// A matrix that multiplies activations: what the mask `all` takes.
    pub fn is_linear(self) -> bool {
        self.is_attention()
            || self.is_dense_ffn()
            || self.is_routed_expert()
            || self.is_shared_expert()
            || self == Self::SsmProj
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl serde::Serialize for Role {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// A role or a family of roles, as `role:NAME` and `--unprotect ROLE` take it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RoleSet {
    /// One role.
    One(Role),
    /// `attn`: every attention projection.
    Attention,
    /// `ffn`: every dense FFN projection.
    DenseFfn,
    /// `expert`: every routed expert's projection.
    RoutedExpert,
    /// `shared_expert`: every shared expert's projection.
    SharedExpert,
    /// `linear`: everything that [`Role::is_linear`].
    Linear,
}

impl RoleSet {
    /// The families' names.
    pub const FAMILIES: [(Self, &'static str); 5] = [
        (Self::Attention, "attn"),
        (Self::DenseFfn, "ffn"),
        (Self::RoutedExpert, "expert"),
        (Self::SharedExpert, "shared_expert"),
        (Self::Linear, "linear"),
    ];

    /// The families that share no role with another.
    pub const CLOSE: [Self; 4] = [Self::Attention, Self::DenseFfn, Self::RoutedExpert, Self::SharedExpert];

    /// Whether `role` belongs to the set.
    pub fn contains(self, role: Role) -> bool {
        match self {
            Self::One(one) => one == role,
            Self::Attention => role.is_attention(),
            Self::DenseFfn => role.is_dense_ffn(),
            Self::RoutedExpert => role.is_routed_expert(),
            Self::SharedExpert => role.is_shared_expert(),
            Self::Linear => role.is_linear(),
        }
    }

    /// Name as in a `role:` pattern.
    pub fn name(self) -> &'static str {
        match self {
            Self::One(role) => role.name(),
            family => Self::FAMILIES.iter().find(|(f, _)| *f == family).map_or("linear", |(_, name)| name),
        }
    }
}

impl FromStr for RoleSet {
    type Err = String;

    fn from_str(s: &str) -> Result<Self, String> {
        let roles = Role::ALL.iter().map(|(role, name)| (Self::One(*role), *name));
        Self::FAMILIES
            .into_iter()
            .chain(roles)
            .find(|(_, name)| name.eq_ignore_ascii_case(s))
            .map(|(set, _)| set)
            .ok_or_else(|| {
                let names: Vec<_> =
                    Self::FAMILIES.iter().map(|(_, n)| *n).chain(Role::ALL.iter().map(|(_, n)| *n)).collect();
                format!("unknown role '{s}': one of {}", names.join(", "))
            })
    }
}
