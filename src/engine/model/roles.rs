//! The rules that turn a name and a shape into a [`Role`].
//!
//! The order matters: what is more special comes first (a router is named `ffn_gate_inp`, a shared expert
//! `ffn_gate_shexp`). Names follow llama.cpp's tables (`llama-arch.cpp`) and Hugging Face's modelling files.

use std::collections::HashMap;

use super::names;
use super::role::Role;

/// The role of the tensor with this name and shape (row length first).
#[expect(
    clippy::case_sensitive_file_extension_comparisons,
    reason = "names of tensors, in lower case here, not of files"
)]
pub fn role_of(name: &str, dims: &[u64]) -> Role {
    let lower = name.to_ascii_lowercase();
    let stem = lower.strip_suffix(".weight").or_else(|| lower.strip_suffix(".bias")).unwrap_or(&lower);
    let has = |part: &str| stem.contains(part);
    let vector = is_vector(dims);

    if has("rope_freqs") || has("rope_factors") || has("position_embd") || has("token_types") || has("rotary_emb") {
        return Role::Position;
    }
    if has("position_embeddings") || has("token_type_embeddings") || has("attn_rel_b") {
        return Role::Position;
    }
    if is_modality(stem) {
        return Role::Modality;
    }
    if has("norm") || has("layernorm") || stem.ends_with(".ln_1") || stem.ends_with(".ln_2") || stem.ends_with("ln_f") {
        return if lower.ends_with(".bias") { Role::Bias } else { Role::Norm };
    }
    if lower.ends_with(".bias") || lower.ends_with("_bias") || stem.ends_with("_b") && vector && has("exp_probs") {
        return Role::Bias;
    }
    if ["altup", "laurel", "per_layer_model_proj", "indexer.k_proj", "indexer.q_proj"].iter().any(|part| has(part)) {
        return if vector { Role::Vector } else { Role::Control };
    }
    if let Some(role) = state_space(stem) {
        return role;
    }
    let role = embeddings(stem).or_else(|| mixture(&lower, stem)).or_else(|| attention(stem)).or_else(|| dense(stem));
    match role {
        Some(role) if !vector => role,
        _ if vector => Role::Vector,
        Some(role) => role,
        None => Role::Other,
    }
}

/// Roles of many names: what differs in the numbers of layers and experts only is asked for once.
#[derive(Debug, Default)]
pub(super) struct Roles {
    known: HashMap<String, [Option<Role>; 2]>,
    /// The form of the name that was asked for last.
    form: String,
}

impl Roles {
    /// [`role_of`], which knows of a part of digits that it is a number and no more.
    pub(super) fn role_of(&mut self, name: &str, dims: &[u64]) -> Role {
        self.form.clear();
        for part in name.split('.') {
            let is_number = (1..10).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
            self.form.push_str(if is_number { "0" } else { part });
            self.form.push('.');
        }
        let vector = usize::from(is_vector(dims));
        if let Some(Some(role)) = self.known.get(&self.form).map(|roles| roles[vector]) {
            return role;
        }
        let role = role_of(name, dims);
        self.known.entry(self.form.clone()).or_default()[vector] = Some(role);
        role
    }
}

fn is_vector(dims: &[u64]) -> bool {
    dims.iter().filter(|d| **d != 1).count() < 2
}

fn is_modality(stem: &str) -> bool {
    const PREFIXES: [&str; 9] =
        ["v.", "a.", "mm.", "sam.", "vision", "model.vision", "audio_tower", "multi_modal_projector", "visual."];
    PREFIXES.iter().any(|p| stem.starts_with(p)) || stem.contains("vision_tower") || stem.contains(".patch_embd")
}

fn state_space(stem: &str) -> Option<Role> {
    let last = stem.rsplit('.').next().unwrap_or(stem);
    let in_mixer = stem.contains("mamba") || stem.contains(".mixer.") || stem.contains("linear_attn");
    match last {
        "ssm_in" | "ssm_out" | "ssm_ba" | "ssm_x" | "ssm_dt" | "ssm_beta" | "ssm_alpha" => Some(Role::SsmProj),
        "in_proj" | "out_proj" | "x_proj" | "dt_proj" | "in_proj_qkvz" | "in_proj_ba" if in_mixer => {
            Some(Role::SsmProj)
        }
        "in_proj" | "out_proj" if stem.contains("shortconv.") => Some(Role::SsmProj),
        _ if last.starts_with("ssm_") || stem.contains("shortconv.conv") || last == "conv1d" || last == "a_log" => {
            Some(Role::Ssm)
        }
        _ if last.starts_with("time_mix_") || last.starts_with("channel_mix_") => {
            // RWKV: its large projections are linear layers, the rest llama.cpp keeps.
            let part = last.trim_start_matches("time_mix_").trim_start_matches("channel_mix_");
            let linear = matches!(part, "key" | "value" | "receptance" | "gate" | "output");
            Some(if linear { Role::SsmProj } else { Role::Ssm })
        }
        _ => None,
    }
}

fn embeddings(stem: &str) -> Option<Role> {
    match stem {
        "token_embd" | "per_layer_token_embd" => return Some(Role::TokenEmbd),
        "output" | "lm_head" | "embed_out" | "cls" | "cls.output" => return Some(Role::Output),
        _ => {}
    }
    let last = stem.rsplit('.').next().unwrap_or(stem);
    match last {
        "embed_tokens" | "word_embeddings" | "wte" | "embed_in" | "tok_embeddings" => Some(Role::TokenEmbd),
        "lm_head" => Some(Role::Output),
        _ => None,
    }
}

/// Routers, routed and shared experts.
fn mixture(lower: &str, stem: &str) -> Option<Role> {
    let has = |part: &str| stem.contains(part);
    let last = stem.rsplit('.').next().unwrap_or(stem);
    let router = has("ffn_gate_inp")
        || has("ffn_gate_tid2eid")
        || last == "router"
        || has("block_sparse_moe.gate")
        || last == "shared_expert_gate"
        || stem.ends_with("mlp.gate")
        || has("router.layer")
        || stem.ends_with("mlp.gate.wg");
    if router {
        return Some(Role::Router);
    }
    if has("_shexp") || has("shared_expert") || has("shared_mlp") {
        return projection(last).map(|p| [Role::SharedGate, Role::SharedUp, Role::SharedUp, Role::SharedDown][p]);
    }
    let routed = has("_exps") || has(".experts.") || has("_chexps") || names::parse(lower).expert.is_some();
    if routed {
        let part = if names::parse(lower).expert.is_some() && !has("experts.") {
            stem.rsplit('.').nth(1).unwrap_or(last)
        } else {
            last
        };
        return projection(part).map(|p| [Role::ExpertGate, Role::ExpertUp, Role::ExpertGateUp, Role::ExpertDown][p]);
    }
    None
}

/// 0 gate, 1 up, 2 fused gate and up, 3 down.
fn projection(part: &str) -> Option<usize> {
    const NAMES: [&[&str]; 4] =
        [&["gate_proj", "w1"], &["up_proj", "w3"], &["gate_up_proj", "gate_up"], &["down_proj", "w2"]];
    if let Some(p) = NAMES.iter().position(|names| names.contains(&part)) {
        return Some(p);
    }
    let part = part.strip_prefix("ffn_").unwrap_or(part);
    if part.starts_with("gate_up") {
        Some(2)
    } else if part.starts_with("gate") {
        Some(0)
    } else if part.starts_with("up") {
        Some(1)
    } else if part.starts_with("down") {
        Some(3)
    } else {
        None
    }
}

fn attention(stem: &str) -> Option<Role> {
    let last = stem.rsplit('.').next().unwrap_or(stem);
    let in_attention = stem.contains("attn") || stem.contains("attention");
    match last {
        "cross_attn_q" => Some(Role::AttnQ),
        "cross_attn_k" => Some(Role::AttnK),
        "cross_attn_v" => Some(Role::AttnV),
        "cross_attn_o" | "attn_o" => Some(Role::AttnOut),
        "attn_gate" => Some(Role::AttnGate),
        "attn_q" | "q_proj" | "wq" | "attn_q_a" | "attn_q_b" | "q_a_proj" | "q_b_proj" => Some(Role::AttnQ),
        "query" if in_attention => Some(Role::AttnQ),
        "attn_k" | "k_proj" | "wk" => Some(Role::AttnK),
        "key" if in_attention => Some(Role::AttnK),
        "attn_v" | "v_proj" | "wv" => Some(Role::AttnV),
        "value" if in_attention => Some(Role::AttnV),
        "attn_qkv" | "qkv_proj" | "query_key_value" | "c_attn" | "wqkv" => Some(Role::AttnQkv),
        "attn_kv_a_mqa" | "attn_kv_b" | "attn_k_b" | "attn_v_b" | "kv_a_proj_with_mqa" | "kv_b_proj" => {
            Some(Role::AttnKv)
        }
        "attn_output" | "o_proj" | "wo" => Some(Role::AttnOut),
        "c_proj" | "out_proj" if in_attention => Some(Role::AttnOut),
        "dense" if in_attention => Some(Role::AttnOut),
        _ => None,
    }
}

fn dense(stem: &str) -> Option<Role> {
    let last = stem.rsplit('.').next().unwrap_or(stem);
    let in_mlp = stem.contains("mlp") || stem.contains("feed_forward");
    match last {
        "ffn_gate" | "gate_proj" => Some(Role::FfnGate),
        "ffn_up" | "up_proj" | "c_fc" | "fc1" | "dense_h_to_4h" => Some(Role::FfnUp),
        "gate_up_proj" | "ffn_gate_up" => Some(Role::FfnGateUp),
        "ffn_down" | "down_proj" | "fc2" | "dense_4h_to_h" => Some(Role::FfnDown),
        "c_proj" if in_mlp => Some(Role::FfnDown),
        "w1" if in_mlp => Some(Role::FfnGate),
        "w2" if in_mlp => Some(Role::FfnDown),
        "w3" if in_mlp => Some(Role::FfnUp),
        "dense" if stem.ends_with("intermediate.dense") => Some(Role::FfnUp),
        "dense" if stem.ends_with("output.dense") => Some(Role::FfnDown),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_give_the_same_role() {
        let matrix = [256, 512];
        let pairs = [
            ("token_embd.weight", "model.embed_tokens.weight", Role::TokenEmbd),
            ("output.weight", "lm_head.weight", Role::Output),
            ("blk.1.attn_q.weight", "model.layers.1.self_attn.q_proj.weight", Role::AttnQ),
            ("blk.1.attn_k.weight", "encoder.layer.1.attention.self.key.weight", Role::AttnK),
            ("blk.1.attn_v.weight", "model.layers.1.self_attn.v_proj.weight", Role::AttnV),
            ("blk.1.attn_qkv.weight", "transformer.h.1.attn.c_attn.weight", Role::AttnQkv),
            ("blk.1.attn_output.weight", "encoder.layer.1.attention.output.dense.weight", Role::AttnOut),
            ("blk.1.ffn_gate.weight", "model.layers.1.mlp.gate_proj.weight", Role::FfnGate),
            ("blk.1.ffn_up.weight", "encoder.layer.1.intermediate.dense.weight", Role::FfnUp),
            ("blk.1.ffn_down.weight", "encoder.layer.1.output.dense.weight", Role::FfnDown),
            ("blk.1.ffn_gate_inp.weight", "model.layers.1.mlp.gate.weight", Role::Router),
            ("blk.1.ffn_gate_inp.weight", "model.layers.1.block_sparse_moe.gate.weight", Role::Router),
            ("blk.1.ffn_gate.3.weight", "model.layers.1.block_sparse_moe.experts.3.w1.weight", Role::ExpertGate),
            ("blk.1.ffn_up_exps.weight", "model.layers.1.mlp.experts.3.up_proj.weight", Role::ExpertUp),
            ("blk.1.ffn_down_exps.weight", "model.layers.1.block_sparse_moe.experts.3.w2.weight", Role::ExpertDown),
            ("blk.1.ffn_up_shexp.weight", "model.layers.1.mlp.shared_expert.up_proj.weight", Role::SharedUp),
            ("blk.1.ffn_gate_inp_shexp.weight", "model.layers.1.mlp.shared_expert_gate.weight", Role::Router),
            ("position_embd.weight", "embeddings.position_embeddings.weight", Role::Position),
        ];
        for (gguf, hf, role) in pairs {
            assert_eq!(role_of(gguf, &matrix), role, "{gguf}");
            assert_eq!(role_of(hf, &matrix), role, "{hf}");
        }
    }

    #[test]
    fn what_is_remembered_of_a_form_is_what_would_be_said() {
        let mut roles = Roles::default();
        for name in [
            "blk.3.ffn_gate.7.weight",
            "blk.12.ffn_gate.0.weight",
            "blk.3.ffn_gate.weight",
            "model.layers.1.mlp.experts.3.w1.weight",
            "model.layers.1.mlp.experts.3.w2.weight",
            "blk.99999999999.ffn_up.3.weight",
            "blk.0.ffn_up.3.weight",
            "h.0.ln_1.weight",
            "0.weight",
            "",
            ".",
        ] {
            for dims in [&[256, 512][..], &[256]] {
                assert_eq!(roles.role_of(name, dims), role_of(name, dims), "{name}");
                assert_eq!(roles.role_of(name, dims), role_of(name, dims), "{name}");
            }
        }
    }

    #[test]
    fn unusual_layers_are_told_apart() {
        let matrix = [256, 512];
        for (name, role) in [
            ("dec.blk.1.cross_attn_q.weight", Role::AttnQ),
            ("dec.blk.1.cross_attn_o.weight", Role::AttnOut),
            ("blk.1.attn_gate.weight", Role::AttnGate),
            ("blk.1.shortconv.in_proj.weight", Role::SsmProj),
            ("blk.1.shortconv.conv.weight", Role::Ssm),
            ("blk.1.time_mix_key.weight", Role::SsmProj),
            ("blk.1.channel_mix_value.weight", Role::SsmProj),
            ("blk.1.time_mix_decay_w1.weight", Role::Ssm),
            ("blk.1.time_mix_lerp_fused.weight", Role::Ssm),
            ("blk.1.ffn_gate_up.weight", Role::FfnGateUp),
            ("blk.1.indexer.k_proj.weight", Role::Control),
            ("blk.1.laurel_l.weight", Role::Control),
            ("altup_proj.weight", Role::Control),
        ] {
            assert_eq!(role_of(name, &matrix), role, "{name}");
        }
    }

    #[test]
    fn vectors_norms_and_biases_are_never_linear() {
        assert_eq!(role_of("blk.0.attn_norm.weight", &[576]), Role::Norm);
        assert_eq!(role_of("blk.0.attn_q_norm.weight", &[64]), Role::Norm);
        assert_eq!(role_of("blk.0.attn_output_norm.weight", &[384]), Role::Norm);
        assert_eq!(role_of("blk.0.attn_q.bias", &[576]), Role::Bias);
        assert_eq!(role_of("blk.0.attn_norm.bias", &[576]), Role::Bias);
        assert_eq!(role_of("blk.0.attn_q.weight", &[576]), Role::Vector);
        assert_eq!(role_of("blk.0.attn_q.weight", &[576, 1]), Role::Vector);
        assert_eq!(role_of("rope_freqs.weight", &[32]), Role::Position);
        assert_eq!(role_of("blk.0.ssm_conv1d.weight", &[4, 1536]), Role::Ssm);
        assert_eq!(role_of("blk.0.ssm_in.weight", &[768, 3072]), Role::SsmProj);
        assert_eq!(role_of("v.blk.0.attn_q.weight", &[768, 768]), Role::Modality);
        assert_eq!(role_of("something.else", &[8, 8]), Role::Other);
        assert!(!role_of("blk.0.exp_probs_b.bias", &[64]).is_linear());
    }
}
