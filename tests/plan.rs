//! The resolver: masks, rules, protections, shapes, and the words that say why.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use support::{Kv, Tiny, dense, f32_bytes, moe, normals};
use tritscope::engine::codec::DType;
use tritscope::engine::model::Model;
use tritscope::engine::plan::{
    Action, Decision, Fallback, Faults, Mask, Pattern, Plan, Precision, Protection, Reason, Recipe, Rule, Step, Winner,
    resolve, resolve_knowing,
};
use tritscope::engine::ternary::{Format, Method};

fn rule(pattern: &str, action: Action) -> Rule {
    Rule { pattern: pattern.parse().unwrap(), action }
}

fn recipe(layers: Mask, rules: &[(&str, Action)]) -> Recipe {
    Recipe { layers, rules: rules.iter().map(|(p, a)| rule(p, *a)).collect(), ..Recipe::default() }
}

fn of<'a>(model: &Model, plan: &'a Plan, name: &str) -> &'a Decision {
    &plan.decisions[model.find(name).unwrap()]
}

fn ternary_names(model: &Model, plan: &Plan) -> Vec<String> {
    let pairs = model.tensors.iter().zip(&plan.decisions);
    pairs.filter(|(_, d)| d.is_ternary()).map(|(t, _)| t.name.clone()).collect()
}

/// Every kind of tensor, with rows that divide by 256.
fn zoo() -> Model {
    let mut tiny = Tiny::default();
    for name in [
        "token_embd",
        "blk.0.attn_q",
        "blk.0.ffn_up",
        "blk.0.ffn_gate_inp",
        "blk.0.ffn_up_shexp",
        "position_embd",
        "output",
        "blk.0.ssm_conv1d",
        "strange",
    ] {
        tiny = tiny.normal(&format!("{name}.weight"), &[256, 4], 7);
    }
    tiny.normal("blk.0.ffn_up_exps.weight", &[256, 4, 2], 8)
        .normal("blk.0.attn_norm.weight", &[256], 9)
        .normal("blk.0.attn_q.bias", &[256], 10)
        .tensor("ids", &[256, 4], DType::I32, vec![0; 4096])
        .open()
        .unwrap()
}

#[test]
fn masks_take_what_they_say_and_nothing_protected() {
    let model = zoo();
    let taken = |mask| ternary_names(&model, &resolve(&model, &recipe(mask, &[])));
    assert_eq!(taken(Mask::Experts), ["blk.0.ffn_up_exps.weight"]);
    let all = ["blk.0.attn_q.weight", "blk.0.ffn_up.weight", "blk.0.ffn_up_shexp.weight", "blk.0.ffn_up_exps.weight"];
    assert_eq!(taken(Mask::All), all);
    assert!(taken(Mask::Custom).is_empty());
}

#[test]
fn globs_regexes_and_roles_pass_over_protected_tensors() {
    let model = zoo();
    for pattern in ["*", "re:.", "*.weight"] {
        let plan = resolve(&model, &recipe(Mask::Custom, &[(pattern, Action::TERNARY)]));
        let names = ternary_names(&model, &plan);
        assert!(names.contains(&"strange.weight".to_owned()), "{pattern}");
        for protected in ["token_embd", "output", "blk.0.ffn_gate_inp", "position_embd", "blk.0.ssm_conv1d"] {
            assert!(!names.contains(&format!("{protected}.weight")), "{pattern} took {protected}");
        }
        assert_eq!(plan.totals.overridden, 0);
    }
    let plan = resolve(&model, &recipe(Mask::Custom, &[("role:token_embd", Action::TERNARY)]));
    assert!(ternary_names(&model, &plan).is_empty());
}

#[test]
fn only_an_exact_name_or_unprotect_overrides_and_it_is_reported() {
    let model = zoo();
    let plan = resolve(&model, &recipe(Mask::Custom, &[("token_embd.weight", Action::TERNARY)]));
    let decision = of(&model, &plan, "token_embd.weight");
    assert!(decision.is_ternary() && decision.overridden);
    assert!(decision.reason_text().contains("protection (token embeddings) overridden"), "{}", decision.reason_text());
    assert!(plan.notes.iter().any(|n| n.code == "overridden"));

    let mut lifted = recipe(Mask::All, &[]);
    lifted.unprotect = vec!["role:router".parse().unwrap(), "output.weight".parse().unwrap()];
    let plan = resolve(&model, &lifted);
    for name in ["blk.0.ffn_gate_inp.weight", "output.weight"] {
        let decision = of(&model, &plan, name);
        assert!(decision.is_ternary() && decision.overridden && decision.winner == Winner::Unprotect, "{name}");
    }
    assert!(!of(&model, &plan, "token_embd.weight").is_ternary());
    // Under another mask a lifted protection only lets globs in.
    lifted.layers = Mask::Custom;
    assert!(ternary_names(&model, &resolve(&model, &lifted)).is_empty());
    lifted.rules = vec![rule("*", Action::TERNARY)];
    assert!(of(&model, &resolve(&model, &lifted), "output.weight").overridden);
}

#[test]
fn nothing_makes_vectors_norms_biases_and_integers_ternary() {
    let model = zoo();
    for (name, protection) in [
        ("blk.0.attn_norm.weight", Protection::Norm),
        ("blk.0.attn_q.bias", Protection::Bias),
        ("blk.0.ssm_conv1d.weight", Protection::StateSpace),
        ("ids", Protection::Integer),
    ] {
        let mut insist = recipe(Mask::All, &[(name, Action::TERNARY)]);
        insist.unprotect = vec![Pattern::name(name)];
        let plan = resolve(&model, &insist);
        let decision = of(&model, &plan, name);
        assert_eq!(decision.step, Step::Copy, "{name}");
        assert_eq!(decision.reason, Reason::Protected(protection));
        assert!(decision.misses_request() && plan.first_miss(&model).is_some());
        assert!(decision.reason_text().contains("cannot take quantized"));
    }
}

#[test]
fn the_last_matching_rule_wins_and_carries_its_format_and_method() {
    let model = zoo();
    let special = Action::Ternary { format: Some(Format::Q2_0), method: Some(Method::Twn) };
    let plan = resolve(
        &model,
        &recipe(
            Mask::All,
            &[("blk.*", Action::KEEP), ("*attn*", special), ("re:attn_q\\.w", Action::TERNARY), ("*ffn_up.*", special)],
        ),
    );
    assert_eq!(of(&model, &plan, "blk.0.attn_q.weight").step, Step::Ternary(Format::Tq2_0, Method::Exact));
    assert_eq!(of(&model, &plan, "blk.0.attn_q.weight").winner, Winner::Rule(2));
    assert_eq!(of(&model, &plan, "blk.0.ffn_up.weight").step, Step::Ternary(Format::Q2_0, Method::Twn));
    assert_eq!(of(&model, &plan, "blk.0.ffn_up_exps.weight").reason, Reason::Kept);
    // A glob that passes over a protected tensor leaves an earlier exact rule in force.
    let plan = resolve(&model, &recipe(Mask::Custom, &[("output.weight", special), ("*", Action::TERNARY)]));
    assert_eq!(of(&model, &plan, "output.weight").step, Step::Ternary(Format::Q2_0, Method::Twn));
    // A glob that keeps does not pass over anything.
    let plan = resolve(&model, &recipe(Mask::Custom, &[("output.weight", special), ("*", Action::KEEP)]));
    assert_eq!(of(&model, &plan, "output.weight").reason, Reason::Kept);
}

#[test]
fn rows_that_do_not_divide_fall_back_to_another_ternary_type_or_stay() {
    let model = Tiny::default()
        .normal("blk.0.ffn_up.weight", &[640, 2], 1)
        .normal("blk.0.ffn_down.weight", &[100, 2], 2)
        .normal("blk.0.ffn_gate.weight", &[512, 2], 3)
        .open()
        .unwrap();
    for format in [Format::Tq2_0, Format::Tq1_0] {
        let plan = resolve(&model, &Recipe { format, ..recipe(Mask::All, &[]) });
        let up = of(&model, &plan, "blk.0.ffn_up.weight");
        assert_eq!(up.step, Step::Ternary(Format::Q2_0, Method::Exact));
        assert!(
            up.reason_text().starts_with("rows of 640 are not a multiple of 256: Q2_0 instead of"),
            "{}",
            up.reason_text()
        );
        let down = of(&model, &plan, "blk.0.ffn_down.weight");
        assert_eq!((down.step, down.new_type), (Step::Copy, DType::F16));
        assert_eq!(down.reason, Reason::RowLength { format, row: 100 });
        assert_eq!(of(&model, &plan, "blk.0.ffn_gate.weight").reason, Reason::Selected);
        assert_eq!((plan.totals.fallbacks, plan.totals.misses, plan.totals.ternary_tensors), (1, 1, 2));
        assert_eq!(plan.first_miss(&model).unwrap().0.name, "blk.0.ffn_up.weight");
    }
    let strict = Recipe { fallback: Fallback::None, ..recipe(Mask::All, &[]) };
    assert_eq!(of(&model, &resolve(&model, &strict), "blk.0.ffn_up.weight").step, Step::Copy);
}

#[test]
fn the_mask_of_experts_says_so_where_there_are_none() {
    let none = dense().open().unwrap();
    let note =
        |model: &Model, recipe: &Recipe| resolve(model, recipe).notes.into_iter().find(|n| n.code == "no-experts");
    let text = note(&none, &Recipe::default()).unwrap().message;
    assert!(text.contains("--layers all") && text.contains("no routed experts"), "{text}");
    assert!(note(&moe().open().unwrap(), &Recipe::default()).is_none());
    assert!(note(&none, &recipe(Mask::All, &[])).is_none());
    let unused = resolve(&none, &recipe(Mask::All, &[("blk.9.*", Action::KEEP)]));
    assert!(unused.notes.iter().any(|n| n.code == "rule-unused" && n.message.contains("blk.9.*")));
}

#[test]
fn kept_tensors_take_the_precision_and_vectors_become_f32() {
    let model = Tiny::default()
        .normal("token_embd.weight", &[256, 4], 1)
        .tensor("blk.0.attn_norm.weight", &[256], DType::F16, vec![0; 512])
        .tensor("blk.0.ffn_gate_inp.weight", &[256, 4], DType::F32, f32_bytes(&normals(1024, 2)))
        .tensor("ids", &[256], DType::I32, vec![0; 1024])
        .open()
        .unwrap();
    let plan = resolve(&model, &Recipe { keep_precision: Precision::Bf16, ..recipe(Mask::All, &[]) });
    let step = |name| of(&model, &plan, name).step;
    assert_eq!(step("token_embd.weight"), Step::Convert(DType::BF16));
    assert_eq!(step("blk.0.attn_norm.weight"), Step::Convert(DType::F32));
    assert_eq!(step("blk.0.ffn_gate_inp.weight"), Step::Convert(DType::BF16));
    assert_eq!(step("ids"), Step::Copy);
    assert_eq!(of(&model, &plan, "blk.0.attn_norm.weight").new_bytes, 1024);
}

#[test]
fn what_is_in_the_requested_format_already_stays_byte_for_byte() {
    let model = Tiny::default().tensor("blk.0.ffn_up.weight", &[256, 2], DType::TQ2_0, vec![0; 132]).open().unwrap();
    let plan = resolve(&model, &recipe(Mask::All, &[]));
    assert_eq!(of(&model, &plan, "blk.0.ffn_up.weight").reason, Reason::AlreadyThere);
    assert!(!plan.changes_anything() && plan.first_miss(&model).is_none());
    let other = resolve(&model, &Recipe { format: Format::Tq1_0, ..recipe(Mask::All, &[]) });
    assert!(other.changes_anything());
    assert_eq!(other.totals.requantized, 0, "a ternary source loses nothing");
}

#[test]
fn a_ternary_source_loses_nothing_only_where_its_blocks_stay_whole() {
    let source = |dtype: DType, bytes: usize| {
        Tiny::default().tensor("blk.0.ffn_up.weight", &[256, 2], dtype, vec![0; bytes]).open().unwrap()
    };
    let requantized = |model: &Model, format, method| {
        resolve(model, &Recipe { format, method, ..recipe(Mask::All, &[]) }).totals.requantized
    };
    let (tq2, q2) = (source(DType::TQ2_0, 132), source(DType::Q2_0, 144));
    assert_eq!(requantized(&tq2, Format::Tq1_0, Method::Exact), 0);
    assert_eq!(requantized(&tq2, Format::Q2_0, Method::Exact), 0);
    assert_eq!(requantized(&tq2, Format::Tq1_0, Method::Absmean), 1);
    assert_eq!(requantized(&q2, Format::Tq2_0, Method::Exact), 1, "four scales become one");
}

#[test]
fn rules_and_lifted_protections_without_effect_are_told() {
    let model = zoo();
    let notes = |r: &Recipe| -> Vec<(String, String)> {
        resolve(&model, r).notes.into_iter().map(|n| (n.code.to_owned(), n.message)).collect()
    };
    let skipped = notes(&recipe(Mask::Custom, &[("token_embd*", Action::TERNARY)]));
    assert!(
        skipped.iter().any(|(code, text)| code == "protected-skipped" && text.contains("token_embd.weight")),
        "{skipped:?}"
    );
    let mut lifted = recipe(Mask::Custom, &[]);
    lifted.unprotect = vec![Pattern::name_or_role("router").unwrap()];
    assert!(
        notes(&lifted).iter().any(|(code, text)| code == "rule-unused" && text.contains("nothing makes it ternary"))
    );
    lifted.layers = Mask::All;
    assert!(
        notes(&lifted).iter().any(|(code, text)| code == "overridden" && text.contains("blk.0.ffn_gate_inp.weight"))
    );
    assert!(Pattern::name_or_role("blk.*").is_err() && Pattern::name_or_role("re:.").is_err());
    let read: Recipe = "unprotect = [\"router\"]".parse().unwrap();
    assert_eq!(read.unprotect, lifted.unprotect);
}

#[test]
fn a_type_without_a_decoder_stays_and_says_why() {
    let model =
        Tiny::default().tensor("blk.0.ffn_up.weight", &[256, 2], DType::of_number(134), vec![0; 272]).open().unwrap();
    let convert = Recipe { keep_precision: Precision::F16, ..recipe(Mask::Custom, &[]) };
    let words = of(&model, &resolve(&model, &convert), "blk.0.ffn_up.weight").reason_text();
    assert_eq!(words, "not selected, not converted: IQ1_BN is named but has no layout that this version knows");
    let plan = resolve(&model, &recipe(Mask::All, &[]));
    let decision = of(&model, &plan, "blk.0.ffn_up.weight");
    assert_eq!(decision.step, Step::Copy);
    assert!(decision.reason_text().contains("IQ1_BN is named"), "{}", decision.reason_text());
    assert!(decision.misses_request());
}

#[test]
fn one_type_number_has_one_meaning_in_an_output() {
    let model = Tiny::default()
        .kv("general.file_type", Kv::U32(1))
        .normal("blk.0.ffn_up.weight", &[640, 2], 1)
        .normal("blk.0.ffn_gate.weight", &[512, 2], 3)
        .tensor("blk.1.ffn_up.weight", &[64, 1], DType::Q2_0, vec![0; 18])
        .open()
        .unwrap();
    for format in Format::ALL {
        for fallback in [Fallback::Q2_0, Fallback::None] {
            let plan = resolve(&model, &Recipe { format, fallback, ..recipe(Mask::All, &[]) });
            for (tensor, decision) in model.tensors.iter().zip(&plan.decisions) {
                assert_eq!(Some(decision.new_bytes), decision.new_type.bytes_for(tensor.elements()), "{}", tensor.name);
                if let Step::Ternary(format, _) = decision.step {
                    assert_eq!(format.dtype(), decision.new_type);
                }
            }
        }
    }
}

#[test]
fn the_file_type_follows_the_larger_part_of_the_matrices() {
    let build = |embedding: u64| {
        Tiny::default()
            .kv("general.file_type", Kv::U32(7))
            .normal("token_embd.weight", &[256, embedding], 1)
            .normal("blk.0.ffn_up.weight", &[256, 8], 2)
            .normal("blk.0.ffn_norm.weight", &[4096], 3)
            .open()
            .unwrap()
    };
    let of = |model: &Model, recipe: &Recipe| resolve(model, recipe).file_type(model);
    let all = recipe(Mask::All, &[]);
    assert_eq!(of(&build(8), &all), Some(37), "half is enough");
    assert_eq!(of(&build(9), &all), Some(7), "less than half leaves the source's");
    assert_eq!(of(&build(8), &Recipe { format: Format::Tq1_0, ..all.clone() }), Some(36));
    assert_eq!(of(&build(8), &Recipe { format: Format::Q2_0, ..all.clone() }), Some(41));
    assert_eq!(of(&build(9), &Recipe { keep_precision: Precision::F32, ..all }), Some(0));
}

#[test]
fn totals_add_up() {
    let model = moe().open().unwrap();
    let plan = resolve(&model, &Recipe { format: Format::Q2_0, ..recipe(Mask::All, &[]) });
    let bytes: u64 = plan.decisions.iter().map(|d| d.new_bytes).sum();
    assert_eq!(plan.totals.new_bytes, bytes);
    assert_eq!(plan.totals.bytes, model.tensor_bytes());
    assert_eq!(plan.totals.params, model.parameters());
    let ternary = ternary_names(&model, &plan).len() as u64;
    assert_eq!(plan.totals.ternary_tensors, ternary);
    assert!(plan.totals.new_bpw() < plan.totals.bpw() && plan.totals.misses > 0);
}

#[test]
fn what_is_ternary_already_is_counted_apart_and_in_the_share() {
    let scales = |blocks: usize| [&[0u8; 64][..], &0x3c00u16.to_le_bytes()].concat().repeat(blocks);
    let model = Tiny::default()
        .tensor("blk.0.ffn_up.weight", &[256, 6], DType::TQ2_0, scales(6))
        .normal("blk.0.ffn_down.weight", &[256, 2], 1)
        .open()
        .unwrap();
    let counts = |layers, rules: &[(&str, Action)]| {
        let t = resolve(&model, &recipe(layers, rules)).totals;
        (t.ternary_tensors, t.already_ternary_tensors, t.already_ternary_params, t.ternary_share())
    };
    assert_eq!(counts(Mask::Custom, &[]), (0, 1, 1536, 0.75));
    // What is in the asked format already is not made ternary again.
    assert_eq!(counts(Mask::All, &[]), (1, 1, 1536, 1.0));
    let plan = resolve(&model, &Recipe { keep_precision: Precision::F32, ..recipe(Mask::Custom, &[]) });
    assert_eq!((plan.totals.already_ternary_tensors, plan.totals.ternary_share()), (0, 0.0));
}

#[test]
fn what_is_known_to_hold_no_numbers_goes_neither_ternary_nor_into_blocks() {
    let model = zoo();
    let (up, query) = ("blk.0.ffn_up.weight", "blk.0.attn_q.weight");
    let mut faults = Faults::default();
    assert!(faults.note(model.find(up).unwrap(), Some(70)) && !faults.note(model.find(up).unwrap(), Some(7)));
    let all = recipe(Mask::All, &[]);
    let plan = resolve_knowing(&model, &all, &faults);
    assert_eq!(of(&model, &plan, up).step, Step::Copy);
    assert!(of(&model, &plan, up).reason_text().contains("element 7 is NaN or infinite"));
    assert!(of(&model, &plan, query).is_ternary(), "others of its shape are not touched");
    assert_eq!((plan.totals.misses, plan.totals.not_finite), (1, 1));
    assert!(plan.first_miss(&model).is_some(), "--strict hears of it");
    assert!(plan.notes.iter().any(|n| n.code == "non-finite") && plan.notes.iter().all(|n| n.code != "missed"));
    let kept = Recipe { keep_precision: Precision::Q8_0, layers: Mask::Custom, ..all.clone() };
    let plan = resolve_knowing(&model, &kept, &faults);
    assert_eq!((of(&model, &plan, up).step, of(&model, &plan, query).new_type), (Step::Copy, DType::Q8_0));
    assert!(of(&model, &plan, up).reason_text().contains("not converted: element 7"));
    let floats = Recipe { keep_precision: Precision::F32, ..kept };
    assert_eq!(of(&model, &resolve_knowing(&model, &floats, &faults), up).new_type, DType::F32, "floats hold it");
    assert_eq!(resolve_knowing(&model, &all, &Faults::default()), resolve(&model, &all));
}
