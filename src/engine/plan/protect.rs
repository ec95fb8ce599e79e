//! What stays in its precision unless somebody insists, and what stays even then.

use crate::engine::model::{Role, Tensor};

/// Why masks, globs and roles pass over a tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Protection {
    /// Chooses the experts: a small tensor whose errors change which weights run at all.
    Router,
    /// Steers other tensors; llama.cpp never quantizes it.
    Control,
    /// Token embeddings.
    Embedding,
    /// The output head.
    Head,
    /// Positional embeddings, RoPE factors.
    Position,
    /// Norm weights: llama.cpp wants them as F32.
    Norm,
    /// Biases: llama.cpp wants them as F32.
    Bias,
    /// Any other vector: block formats need rows, llama.cpp wants F32.
    OneDimensional,
    /// State-space and convolution parameters, which llama.cpp computes with in F32.
    StateSpace,
    /// Integers are indices, not weights.
    Integer,
}

impl Protection {
    /// The protection of a tensor, if it has one.
    pub fn of(tensor: &Tensor) -> Option<Self> {
        if tensor.dtype.is_integer() {
            return Some(Self::Integer);
        }
        match tensor.role {
            Role::Norm => Some(Self::Norm),
            Role::Bias => Some(Self::Bias),
            Role::Ssm => Some(Self::StateSpace),
            _ if tensor.rank() < 2 => Some(Self::OneDimensional),
            Role::Router => Some(Self::Router),
            Role::Control => Some(Self::Control),
            Role::TokenEmbd => Some(Self::Embedding),
            Role::Output => Some(Self::Head),
            Role::Position => Some(Self::Position),
            _ => None,
        }
    }

    /// Whether nothing can lift it: what llama.cpp cannot take quantized.
    pub fn is_absolute(self) -> bool {
        !matches!(self, Self::Router | Self::Control | Self::Embedding | Self::Head | Self::Position)
    }

    /// What it is, in words that follow "protected: ".
    pub fn describe(self) -> &'static str {
        match self {
            Self::Router => "router",
            Self::Control => "control tensor that llama.cpp keeps",
            Self::Embedding => "token embeddings",
            Self::Head => "output head",
            Self::Position => "positional",
            Self::Norm => "norm",
            Self::Bias => "bias",
            Self::OneDimensional => "1-D",
            Self::StateSpace => "state-space parameter",
            Self::Integer => "integers",
        }
    }
}
