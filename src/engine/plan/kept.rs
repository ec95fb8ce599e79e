//! The precision of tensors that stay: what the recipe asks for, what their shape takes, what a GGUF and llama.cpp can
//! hold.

use super::protect::Protection;
use super::recipe::{Precision, Recipe};
use crate::engine::codec::DType;
use crate::engine::model::{Role, Tensor};

/// What becomes of a tensor that stays.
#[derive(Default)]
pub(super) struct Kept {
    /// The type it is converted to; `None`: copied.
    pub(super) to: Option<DType>,
    /// Why it is not converted although the recipe asks for it.
    pub(super) unconverted: Option<String>,
    /// Why it is converted although the recipe does not ask for that type.
    pub(super) forced: Option<String>,
}

/// Precision of a tensor that stays; `own` is what the rule asks for that keeps it. What llama.cpp computes with in F32 stays or becomes F32; block types need rows that
/// divide, and fall back to Q8_0 and F16.
pub(super) fn kept_step(
    tensor: &Tensor,
    protection: Option<Protection>,
    recipe: &Recipe,
    own: Option<Precision>,
) -> Kept {
    let of_role = match tensor.role {
        Role::TokenEmbd => recipe.embeddings,
        Role::Output => recipe.head,
        _ => None,
    };
    let wanted = own.or(of_role).unwrap_or(recipe.keep_precision).dtype();
    if tensor.dtype.is_integer() {
        return Kept::default();
    }
    // Positions and token types are added to embeddings, which llama.cpp does in F32 only.
    let absolute = protection.is_some_and(|p| p.is_absolute() || p == Protection::Position);
    let (to, forced) = match wanted {
        Some(_) if absolute => (DType::F32, None),
        Some(to) => block_type_that_fits(tensor, to),
        None => match forced_type(tensor, absolute) {
            Some((to, why)) => (to, Some(why)),
            None => return Kept::default(),
        },
    };
    if let Some(why) = tensor.bound_reason() {
        return Kept { unconverted: Some(why), ..Kept::default() };
    }
    if to == tensor.dtype { Kept::default() } else { Kept { to: Some(to), forced, unconverted: None } }
}

/// The type, or one with shorter blocks where rows do not divide.
fn block_type_that_fits(tensor: &Tensor, to: DType) -> (DType, Option<String>) {
    let takes = |t: DType| t.layout().is_some_and(|l| l.takes(tensor.row_len(), tensor.elements()));
    let chosen = [to, DType::Q8_0, DType::F16].into_iter().find(|t| takes(*t)).unwrap_or(DType::F32);
    let why = format!("rows do not divide into blocks of {to}");
    (chosen, (chosen != to).then_some(why))
}

/// The type that a tensor must become although nobody asked: a GGUF cannot hold its type, or llama.cpp could not compute
/// with it as it stands in another container.
fn forced_type(tensor: &Tensor, absolute: bool) -> Option<(DType, String)> {
    if tensor.dtype == DType::F64 && tensor.assembly.is_some() {
        return Some((DType::F32, "llama.cpp does not compute with F64".to_owned()));
    }
    if tensor.dtype.number().is_none() {
        let to = if absolute { DType::F32 } else { DType::F16 };
        return Some((to, format!("a GGUF has no {}", tensor.dtype)));
    }
    let half = matches!(tensor.dtype, DType::F16 | DType::BF16);
    let f32_only = tensor.assembly.as_ref().is_some_and(|a| absolute || a.is_f32_only());
    (f32_only && half).then(|| (DType::F32, "llama.cpp wants it as F32".to_owned()))
}
