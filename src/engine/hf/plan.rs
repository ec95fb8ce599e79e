//! From the list of Hugging Face tensors to the tensors of the GGUF: each finds its place, each place its tensor.

use std::collections::BTreeMap;

use crate::text::escape;

use super::names::{self, Place, Reading};
use super::report::{Gap, Report};
use super::sizes::Sizes;
use super::slots::{Arch, Kind, Need, Slot};
use super::transform::TensorPlan;
use super::{HfTensor, head};

/// The formats that a tensor may be stored in.
const FORMATS: [&str; 3] = ["F32", "F16", "BF16"];

/// A tensor that claims a place.
#[derive(Debug, Clone, Copy)]
struct Claim {
    /// Index in the list.
    index: usize,
    expert: Option<u32>,
    kind: Kind,
}

/// Places by layer and GGUF name, with those that claim them.
type Claims = BTreeMap<(Option<u32>, &'static str), Vec<Claim>>;

/// Everything that placing needs to look at.
pub(super) struct Planner<'a> {
    pub(super) arch: &'static Arch,
    pub(super) sizes: &'a Sizes,
    pub(super) tensors: &'a [HfTensor],
    pub(super) head: head::Head,
    pub(super) report: &'a Report,
}

impl Planner<'_> {
    /// The tensors in order: before the layers, layer by layer, behind them. Complete if nothing was reported.
    pub(super) fn plan(&self) -> Vec<TensorPlan> {
        let mut claims = self.claims();
        let mut plans = Vec::new();
        let layers = self.sizes.layers.unwrap_or(0);
        let inside = (0..layers).flat_map(|layer| self.arch.layer.iter().map(move |slot| (Some(layer), slot)));
        let first = self.arch.first.iter().map(|slot| (None, slot));
        let last = self.arch.last.iter().map(|slot| (None, slot));
        for (layer, slot) in first.chain(inside).chain(last) {
            if let Some(plan) = self.fill(slot, layer, &mut claims) {
                plans.push(plan);
            }
        }
        for ((layer, gguf), claims) in claims {
            self.left_over(layer, gguf, &claims);
        }
        plans
    }

    /// Reads every name.
    fn claims(&self) -> Claims {
        let mut claims = Claims::new();
        let mut unused: BTreeMap<&'static str, usize> = BTreeMap::new();
        for (index, tensor) in self.tensors.iter().enumerate() {
            if self.predicts_further(&tensor.name) {
                *unused.entry("the layers behind the last one, which predict further tokens").or_default() += 1;
                continue;
            }
            match names::read(self.arch, &tensor.name) {
                Reading::Placed(places) => {
                    if self.is_wanted(&places, tensor) {
                        self.check_format(tensor);
                        for place in places {
                            let claim = Claim { index, expert: place.expert, kind: place.kind };
                            claims.entry((place.layer, place.slot.gguf)).or_default().push(claim);
                        }
                    }
                }
                Reading::Unused(what) => *unused.entry(what).or_default() += 1,
                Reading::Unknown => self.extra(tensor, &format!("has no place in '{}'", self.arch.name)),
            }
        }
        for (what, count) in unused {
            let tensors = if count == 1 { "tensor was" } else { "tensors were" };
            self.report.note(format!("{count} {tensors} left out: {what}"));
        }
        claims
    }

    /// Whether a tensor is of DeepSeek-V3's layers behind the counted ones.
    fn predicts_further(&self, name: &str) -> bool {
        let layer = names::layer(self.arch, name).filter(|_| self.arch.name == "deepseek2");
        layer.zip(self.sizes.layers).is_some_and(|(layer, layers)| layer >= layers)
    }

    /// Whether a tensor at these places is used: not an output head that shares the embedding, and nothing behind the
    /// last layer.
    fn is_wanted(&self, places: &[Place], tensor: &HfTensor) -> bool {
        let Some(place) = places.first() else { return false };
        if place.slot.gguf == head::OUTPUT && self.head == head::Head::Shared {
            let name = escape(&tensor.name);
            self.report.note(format!("{name} was left out: tie_word_embeddings makes it the embedding"));
            return false;
        }
        let beyond = place.layer.zip(self.sizes.layers).is_some_and(|(layer, layers)| layer >= layers);
        if beyond {
            self.extra(tensor, "lies in a layer that num_hidden_layers does not count");
        }
        !beyond
    }

    /// Takes the claims of a place and makes its plan of them.
    fn fill(&self, slot: &'static Slot, layer: Option<u32>, claims: &mut Claims) -> Option<TensorPlan> {
        if !self.sizes.is_one_of(slot.layers, layer) || !self.takes(slot.need) {
            return None;
        }
        let claims = claims.remove(&(layer, slot.gguf)).unwrap_or_default();
        if claims.is_empty() {
            return self.absent(slot, layer);
        }
        let parts = if slot.hf.contains('*') && claims.iter().any(|claim| claim.expert.is_some()) {
            self.experts(slot, layer, claims)?
        } else {
            vec![self.single(claims)?]
        };
        self.shaped(slot, layer, &parts)
    }

    /// Whether this model has a place for a tensor that is needed so.
    fn takes(&self, need: Need) -> bool {
        match need {
            Need::PlainQueries => self.sizes.query_rank.is_none(),
            Need::CompressedQueries => self.sizes.query_rank.is_some(),
            _ => true,
        }
    }

    /// Nothing claims the place.
    fn absent(&self, slot: &'static Slot, layer: Option<u32>) -> Option<TensorPlan> {
        let needed = match slot.need {
            Need::Yes if slot.gguf == head::OUTPUT && self.head != head::Head::Own => return self.copied_head(slot),
            Need::Yes | Need::PlainQueries | Need::CompressedQueries => true,
            Need::Output => self.head == head::Head::Own,
            Need::CorrectionBias => self.sizes.correction_bias,
            Need::AttentionBias => self.sizes.attention_bias,
            Need::FeedForwardBias => self.sizes.ff_bias,
        };
        if needed {
            self.missing(slot, layer, None);
        }
        None
    }

    /// The embedding once more as the output head, for a loader that insists on one.
    fn copied_head(&self, slot: &'static Slot) -> Option<TensorPlan> {
        let is_embedding = |name: &str| match names::read(self.arch, name) {
            Reading::Placed(places) => places.iter().any(|place| place.slot.gguf == "token_embd.weight"),
            _ => false,
        };
        let index = self.tensors.iter().position(|tensor| is_embedding(&tensor.name))?;
        self.report.note("output.weight is a copy of the embedding, because llama.cpp wants one here".into());
        self.shaped(slot, None, &[Claim { index, expert: None, kind: Kind::Plain }])
    }

    fn missing(&self, slot: &Slot, layer: Option<u32>, expert: Option<u32>) {
        self.report.gap(Gap::Missing, || {
            let stem = match expert {
                Some(expert) => slot.hf.replace('*', &expert.to_string()),
                None => slot.hf.to_owned(),
            };
            let prefix = if self.arch.name == "bert" || stem.starts_with("lm_head") { "" } else { "model." };
            let layer = layer.map(|layer| format!("{}{layer}.", self.arch.layer_prefix)).unwrap_or_default();
            format!("tensor {prefix}{layer}{stem} is missing")
        });
    }

    /// The one tensor of a place.
    fn single(&self, claims: Vec<Claim>) -> Option<Claim> {
        let mut claims = claims.into_iter();
        let claim = claims.next()?;
        if let Some(second) = claims.next() {
            self.twice(&claim, &second);
            return None;
        }
        Some(claim)
    }

    /// The experts of a place in order; every one must be there once.
    fn experts(&self, slot: &Slot, layer: Option<u32>, claims: Vec<Claim>) -> Option<Vec<Claim>> {
        let mut by_number: BTreeMap<u32, Claim> = BTreeMap::new();
        let mut whole = true;
        for claim in claims {
            let Some(expert) = claim.expert else {
                self.extra(self.tensors.get(claim.index)?, "holds all experts, which are there one by one as well");
                whole = false;
                continue;
            };
            if let Some(first) = by_number.insert(expert, claim) {
                self.twice(&first, &claim);
                whole = false;
            }
        }
        let experts = self.sizes.experts?;
        for expert in (0..experts).filter(|expert| !by_number.contains_key(expert)) {
            self.missing(slot, layer, Some(expert));
            whole = false;
        }
        for (expert, claim) in by_number.range(experts..) {
            let sentence = format!("is expert {expert}, and config.json counts {experts}");
            self.extra(self.tensors.get(claim.index)?, &sentence);
            whole = false;
        }
        whole.then(|| by_number.into_values().collect())
    }

    /// The plan for a place and its parts, if shapes are what the configuration asks for.
    fn shaped(&self, slot: &Slot, layer: Option<u32>, parts: &[Claim]) -> Option<TensorPlan> {
        let claim = parts.first()?;
        let tensor = self.tensors.get(claim.index)?;
        for part in parts {
            let other = self.tensors.get(part.index)?;
            if other.shape != tensor.shape || other.dtype != tensor.dtype {
                let sentence = "differs in shape or format from";
                self.shape_gap(other, &format!("{sentence} {}", escape(&tensor.name)));
                return None;
            }
        }
        let name = names::gguf_name(slot, layer);
        let fused = slot.hf.contains('*') && claim.expert.is_none();
        if fused && self.could_lie_either_way(claim.kind) {
            self.shape_gap(tensor, "has two equal dimensions, so that rows cannot be told from columns");
            return None;
        }
        let Some(transform) = claim.kind.transform(&tensor.shape, &self.sizes.transform_heads()) else {
            self.shape_gap(tensor, &format!("does not divide into the heads or halves that {name} needs"));
            return None;
        };
        let experts = claim.expert.map(|_| parts.len() as u64);
        let Some(dims) = names::dims(transform, &tensor.shape, experts) else {
            self.shape_gap(tensor, "has no elements, or more than can be counted");
            return None;
        };
        let parts = parts.iter().map(|part| part.index).collect();
        let plan = TensorPlan { name, parts, dims, transform, f32_only: names::f32_only(slot) };
        self.fits(slot, tensor, &plan).then_some(plan)
    }

    /// Compares a plan's shape with the configuration's, as llama.cpp's loader will: dimensions of 1 at the end do not
    /// count.
    fn fits(&self, slot: &Slot, tensor: &HfTensor, plan: &TensorPlan) -> bool {
        let expected: Option<Vec<u64>> = slot.dims.iter().map(|dim| self.sizes.dim(*dim)).collect();
        // A number that is missing was reported; nothing can be compared with it.
        let Some(expected) = expected else { return true };
        let at = |dims: &[u64], i: usize| dims.get(i).copied().unwrap_or(1);
        let fits = (0..plan.dims.len().max(expected.len())).all(|i| at(&plan.dims, i) == at(&expected, i));
        if !fits {
            let sentence = format!("makes {} {:?}, and config.json asks for {expected:?}", plan.name, plan.dims);
            self.shape_gap(tensor, &sentence);
        }
        fits
    }

    /// Whether a tensor of all experts looks the same transposed.
    fn could_lie_either_way(&self, kind: Kind) -> bool {
        let (Some(embd), Some(ff)) = (self.sizes.embd, self.sizes.expert_ff) else { return false };
        if kind == Kind::Plain { embd == ff } else { u64::from(embd) == 2 * u64::from(ff) }
    }

    /// What claimed a place that this model does not have.
    fn left_over(&self, layer: Option<u32>, gguf: &str, claims: &[Claim]) {
        // Without the number of layers all of them would be here.
        if layer.is_some() && self.sizes.layers.is_none() {
            return;
        }
        for tensor in claims.iter().filter_map(|claim| self.tensors.get(claim.index)) {
            let place = layer.map_or_else(|| gguf.to_owned(), |layer| format!("blk.{layer}.{gguf}"));
            self.extra(tensor, &format!("would be {place}, which this configuration has no use for"));
        }
    }

    fn check_format(&self, tensor: &HfTensor) {
        if !FORMATS.contains(&tensor.dtype.as_str()) {
            self.report.gap(Gap::Format, || {
                let dtype: String = escape(&tensor.dtype).chars().take(20).collect();
                format!("tensor {} is stored as {dtype}; {} are read", escape(&tensor.name), FORMATS.join(", "))
            });
        }
    }

    fn twice(&self, first: &Claim, second: &Claim) {
        let name = |claim: &Claim| self.tensors.get(claim.index).map_or_else(String::new, |t| escape(&t.name));
        let (first, second) = (name(first), name(second));
        self.report.gap(Gap::Extra, || format!("tensor {second} has the place of tensor {first}"));
    }

    fn extra(&self, tensor: &HfTensor, sentence: &str) {
        self.report.gap(Gap::Extra, || format!("tensor {} {sentence}", escape(&tensor.name)));
    }

    fn shape_gap(&self, tensor: &HfTensor, sentence: &str) {
        self.report.gap(Gap::Shape, || format!("tensor {} {:?} {sentence}", escape(&tensor.name), tensor.shape));
    }
}
