//! Rotary embedding: base frequencies, scaling, and the tensors that are computed for it.
//!
//! Configurations spell this in three ways: `rope_theta` beside `rope_scaling`; `rope_parameters` with both; and
//! `rope_parameters` with one object for `full_attention` and one for `sliding_attention`. Keys and formulas are those
//! of llama.cpp's converter (`conversion/base.py`, `llama.py`, `phi.py`, mid-2026), which follow
//! `modeling_rope_utils.py` of the transformers library.

use std::f32::consts::PI;

use super::class::Class;
use super::config::Config;
use super::elementary::{ln, pow};
use super::kvs::Kvs;
use super::sizes::{MAX_HEAD, Sizes};

const ORIGINAL: &str = "original_max_position_embeddings";

/// A tensor that no checkpoint has: name, shape, elements.
pub(super) type Computed = (String, Vec<u64>, Vec<f32>);

/// What a configuration says of rotary embedding.
pub(super) struct Rope<'a, 'b> {
    config: &'b Config<'a>,
    /// The scaling of all layers, or of those with full attention.
    scaling: Option<Config<'a>>,
    /// The parameters of layers with a sliding window.
    sliding: Option<Config<'a>>,
}

impl<'a, 'b> Rope<'a, 'b> {
    pub(super) fn new(config: &'b Config<'a>) -> Self {
        let key = if config.has("rope_parameters") { "rope_parameters" } else { "rope_scaling" };
        let outer = config.object(key);
        let inside = |name: &str| outer.as_ref().filter(|outer| outer.has(name)).and_then(|outer| outer.object(name));
        let (full, sliding) = (inside("full_attention"), inside("sliding_attention"));
        Self { config, scaling: full.or(outer), sliding }
    }

    /// Writes the keys that all architectures share.
    pub(super) fn write(&self, class: &Class, sizes: &Sizes, kvs: &mut Kvs) {
        if let Some(scaling) = &self.scaling {
            self.scaling(class, scaling, sizes, kvs);
        }
        kvs.f32("rope.freq_base", self.theta());
        if class.arch == "gemma3" {
            kvs.f32("rope.freq_base_swa", self.sliding_theta());
        }
        if class.arch != "phi3" && class.arch != "deepseek2" {
            self.whole_heads();
        }
    }

    fn theta(&self) -> Option<f64> {
        let inside = self.scaling.as_ref().and_then(|scaling| scaling.positive("rope_theta"));
        inside.or_else(|| self.config.need_positive("rope_theta"))
    }

    fn sliding_theta(&self) -> Option<f64> {
        let kind = self.sliding.as_ref().and_then(|sliding| sliding.text("rope_type"));
        if let (Some(sliding), Some(kind)) = (&self.sliding, kind.filter(|kind| *kind != "default")) {
            let sentence = format!("is '{}', and llama.cpp scales nothing in layers with a window", shown(kind));
            sliding.problem("rope_type", &sentence);
        }
        let inside = self.sliding.as_ref().and_then(|sliding| sliding.positive("rope_theta"));
        inside.or_else(|| self.config.need_positive("rope_local_base_freq"))
    }

    /// The kind of scaling: none for an absent one and for `default`.
    fn kind(&self) -> Option<&'a str> {
        let scaling = self.scaling.as_ref()?;
        let kind = scaling.text("rope_type").or_else(|| scaling.text("type"))?;
        (kind != "default").then_some(kind)
    }

    fn scaling(&self, class: &Class, scaling: &Config<'_>, sizes: &Sizes, kvs: &mut Kvs) {
        let Some(kind) = self.kind() else {
            if scaling.has("factor") && !scaling.has("rope_type") && !scaling.has("type") {
                scaling.problem("rope_type", "is missing");
            }
            return;
        };
        match kind {
            "linear" => {
                kvs.text("rope.scaling.type", "linear");
                kvs.f32("rope.scaling.factor", scaling.need_positive("factor"));
            }
            "yarn" => self.yarn(class, scaling, sizes, kvs),
            "llama3" if class.arch == "llama" => {}
            "longrope" | "su" if class.arch == "phi3" => {}
            // Within the trained context it changes nothing; llama.cpp's converter leaves it out as well.
            "dynamic" => self.config.report().note(
                "config.json: rope_scaling of type 'dynamic' was left out; llama.cpp has nothing like it, and it \
                 matters only beyond the trained context"
                    .to_owned(),
            ),
            other => {
                let sentence = format!("is '{}', which llama.cpp has no key for in '{}'", shown(other), class.arch);
                scaling.problem("rope_type", &sentence);
            }
        }
    }

    fn yarn(&self, class: &Class, scaling: &Config<'_>, sizes: &Sizes, kvs: &mut Kvs) {
        kvs.text("rope.scaling.type", "yarn");
        kvs.f32("rope.scaling.factor", scaling.need_positive("factor"));
        // Absent, it is the context, as the transformers library has it.
        kvs.u32("rope.scaling.original_context_length", self.original_context().or(sizes.context));
        kvs.f32("rope.scaling.yarn_ext_factor", scaling.positive("extrapolation_factor"));
        let attention = scaling.positive("attention_factor").or_else(|| scaling.positive("attn_factor"));
        kvs.f32("rope.scaling.yarn_attn_factor", attention);
        kvs.f32("rope.scaling.yarn_beta_fast", scaling.positive("beta_fast"));
        kvs.f32("rope.scaling.yarn_beta_slow", scaling.positive("beta_slow"));
        let (scale, all) = (scaling.positive("mscale"), scaling.positive("mscale_all_dim"));
        if class.arch == "deepseek2" && scale.is_some() && scale != all {
            scaling.problem("mscale", "differs from mscale_all_dim, and llama.cpp has a key for one of them only");
        }
    }

    /// DeepSeek-V2's `mscale_all_dim`, with the factor that llama.cpp's loader takes out again.
    pub(super) fn yarn_log_multiplier(&self) -> Option<f64> {
        Some(0.1 * self.scaling.as_ref()?.positive("mscale_all_dim")?)
    }

    /// The context before scaling, inside of the scaling's parameters or beside them.
    fn original_context(&self) -> Option<u32> {
        let inside = self.scaling.as_ref().and_then(|scaling| scaling.uint(ORIGINAL));
        inside.or_else(|| self.config.uint(ORIGINAL))
    }

    /// The same, and its absence is reported.
    fn need_original_context(&self) -> Option<u32> {
        self.original_context().or_else(|| self.config.need_uint(ORIGINAL))
    }

    /// The part of a head that is rotated.
    fn partial(&self) -> Option<f64> {
        let key = "partial_rotary_factor";
        self.scaling.as_ref().and_then(|scaling| scaling.positive(key)).or_else(|| self.config.positive(key))
    }

    fn whole_heads(&self) {
        if self.partial().is_some_and(|part| part != 1.0) {
            self.config.problem("partial_rotary_factor", "is not 1, and llama.cpp rotates whole heads here");
        }
    }

    /// Phi-3's keys and its factors for long contexts.
    pub(super) fn phi3(&self, sizes: &Sizes, kvs: &mut Kvs) -> Vec<Computed> {
        let original = self.need_original_context();
        kvs.u32("rope.scaling.original_context_length", original);
        let part = self.partial().unwrap_or(1.0);
        if part > 1.0 {
            self.config.problem("partial_rotary_factor", "is above 1");
        }
        let rotated = sizes.embd.zip(sizes.heads).map(|(embd, heads)| (part * f64::from(embd)) as u32 / heads);
        if rotated.is_some_and(|rotated| rotated == 0 || !rotated.is_multiple_of(2)) {
            self.config.problem("partial_rotary_factor", "leaves no even number of elements to rotate");
        }
        kvs.u32("rope.dimension_count", rotated);
        if !matches!(self.kind(), Some("longrope" | "su")) {
            return Vec::new();
        }
        if let (Some(context), Some(original)) = (sizes.context, original) {
            kvs.f32("rope.scaling.attn_factor", Some(attention_factor(context, original)));
        }
        let factors = [("long_factor", "rope_factors_long.weight"), ("short_factor", "rope_factors_short.weight")];
        factors.into_iter().filter_map(|(key, name)| self.factors(key, name, rotated?)).collect()
    }

    fn factors(&self, key: &str, name: &str, rotated: u32) -> Option<Computed> {
        let scaling = self.scaling.as_ref()?;
        if !scaling.has(key) {
            scaling.problem(key, "is missing");
        }
        let factors = scaling.positives(key)?;
        if factors.len() as u64 != u64::from(rotated / 2) {
            let sentence = format!("has a length of {} and must have one of {}", factors.len(), rotated / 2);
            scaling.problem(key, &sentence);
            return None;
        }
        Some((name.to_owned(), vec![factors.len() as u64], factors))
    }

    /// Llama 3's frequency factors.
    pub(super) fn llama3(&self, sizes: &Sizes) -> Option<Computed> {
        let scaling = self.scaling.as_ref().filter(|_| self.kind() == Some("llama3"))?;
        let low = scaling.need_positive("low_freq_factor");
        let high = scaling.need_positive("high_freq_factor");
        let (factor, original) = (scaling.need_positive("factor"), self.need_original_context());
        let (low, high) = (low?, high?);
        if high <= low {
            scaling.problem("high_freq_factor", "is not above low_freq_factor");
            return None;
        }
        let params = Llama3 { base: self.theta()?, factor: factor?, low, high, context: f64::from(original?) };
        let head = sizes.head.filter(|head| *head <= MAX_HEAD)?;
        let factors: Vec<f32> = (0..head / 2).map(|pair| params.factor_of(pair, head)).collect();
        Some(("rope_freqs.weight".to_owned(), vec![factors.len() as u64], factors))
    }
}

/// Parameters of Llama 3's scaling.
struct Llama3 {
    base: f64,
    factor: f64,
    low: f64,
    high: f64,
    context: f64,
}

impl Llama3 {
    /// What the frequency of a pair is divided by. Steps are in f32, as the converter does them.
    fn factor_of(&self, pair: u32, head: u32) -> f32 {
        let (factor, low, high, context) = (self.factor as f32, self.low as f32, self.high as f32, self.context as f32);
        let frequency = 1.0 / pow(self.base, f64::from((2 * pair) as f32 / head as f32)) as f32;
        let wavelength = 2.0 * PI / frequency;
        if f64::from(wavelength) < self.context / self.high {
            1.0
        } else if f64::from(wavelength) > self.context / self.low {
            factor
        } else {
            let smooth = (context / wavelength - low) / (high - low);
            1.0 / ((1.0 - smooth) / factor + smooth)
        }
    }
}

/// Phi-3's attention factor for a context beyond the original one.
fn attention_factor(context: u32, original: u32) -> f64 {
    let scale = f64::from(context) / f64::from(original);
    if scale > 1.0 && original > 1 { (1.0 + ln(scale) / ln(f64::from(original))).sqrt() } else { 1.0 }
}

/// A word from the file, short enough for a sentence.
fn shown(word: &str) -> String {
    crate::text::escape(word).chars().take(40).collect()
}
