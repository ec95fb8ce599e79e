//! Budget first: which tensors go ternary for a size, on models, and as the command line does it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot set itself up should stop")]

mod support;

use std::path::Path;
use std::process::Output;

use serde_json::Value;
use support::{Kv, Tiny};
use tempfile::TempDir;
use tritscope::engine::codec::DType;
use tritscope::engine::model::{Model, OpenOptions};
use tritscope::engine::plan::budget::Figure;
use tritscope::engine::plan::{Action, Budget, Faults, Mask, Pattern, Precision, Recipe, Rule, resolve};
use tritscope::engine::ternary::{Format, Method};

/// Layers with two matrices each, a norm, a router-free head.
fn model(layers: u32) -> (TempDir, Model) {
    let mut tiny = Tiny::default().kv("llama.block_count", Kv::U32(layers)).normal("token_embd.weight", &[256, 16], 1);
    for layer in 0..layers {
        let seed = u64::from(10 * layer + 10);
        tiny = tiny
            .normal(&format!("blk.{layer}.attn_norm.weight"), &[256], seed)
            .normal(&format!("blk.{layer}.attn_q.weight"), &[256, 32], seed + 1)
            .normal(&format!("blk.{layer}.ffn_up.weight"), &[256, 64], seed + 2);
    }
    let folder = tempfile::tempdir().unwrap();
    let path = tiny.write(folder.path());
    let model = Model::open(&path, &OpenOptions::default()).unwrap();
    (folder, model)
}

/// An error that depends on the tensor alone.
#[allow(clippy::unnecessary_wraps, reason = "it stands where something may be unknown")]
fn figure(tensor: usize, _: Format, _: Method) -> Option<Figure> {
    let rel_mse = ((tensor * 7919) % 97) as f64 / 97.0 + 0.01;
    Some(Figure { rel_mse, sum_e2: rel_mse * 100.0, sum_w2: 100.0 })
}

fn ranked(model: &Model, recipe: &Recipe) -> Budget {
    let mut budget = Budget::new(model, recipe, &Faults::default());
    budget.rank(figure);
    budget
}

fn ternary(model: &Model, recipe: &Recipe) -> Vec<usize> {
    let plan = resolve(model, recipe);
    (0..model.tensors.len()).filter(|i| plan.decisions[*i].is_ternary()).collect()
}

#[test]
fn every_place_of_the_slider_becomes_rules_that_choose_the_same_tensors_and_bytes() {
    let (_folder, model) = model(5);
    let recipe = Recipe::default();
    let budget = ranked(&model, &recipe);
    assert_eq!((budget.free().len(), budget.unmeasured(), budget.pinned().len()), (10, 0, 0));
    for count in 0..=10 {
        let chosen = budget.recipe(&model, &recipe, count);
        let mut wanted: Vec<usize> = budget.order().items()[..count].iter().map(|item| item.tensor).collect();
        wanted.sort_unstable();
        assert_eq!(ternary(&model, &chosen), wanted, "{count}: {:?}", chosen.rules);
        assert_eq!(resolve(&model, &chosen).totals.new_bytes, budget.order().bytes_at(count));
        // Two kinds of names: a rule each, and at most an exception each.
        assert!(chosen.rules.len() <= 4, "{count}: {:?}", chosen.rules);
        let again: Recipe = chosen.to_toml().unwrap().parse().unwrap();
        assert_eq!(again, chosen, "it survives the file");
    }
    assert_eq!(budget.recipe(&model, &recipe, 10).layers, Mask::All, "all of it is the mask, without rules");
    assert!(budget.recipe(&model, &recipe, 10).rules.is_empty());
}

#[test]
fn rules_are_pins() {
    let (_folder, model) = model(3);
    let rule = |text: &str, action| Rule { pattern: text.parse::<Pattern>().unwrap(), action };
    let rules = vec![
        rule("blk.0.*", Action::KEEP),
        rule("blk.2.ffn_up.weight", Action::TERNARY),
        rule("blk.1.attn_q.weight", Action::Keep { precision: Some(Precision::Q8_0) }),
    ];
    let recipe = Recipe { layers: Mask::All, rules: rules.clone(), ..Recipe::default() };
    let budget = ranked(&model, &recipe);
    let name = |tensor: usize| model.tensors[tensor].name.as_str();
    let free: Vec<&str> = budget.free().iter().map(|f| name(f.tensor)).collect();
    assert_eq!(free, ["blk.1.ffn_up.weight", "blk.2.attn_q.weight"]);
    assert_eq!(budget.pinned().map(name).collect::<Vec<_>>(), ["blk.2.ffn_up.weight"]);
    for count in 0..=2 {
        let chosen = budget.recipe(&model, &recipe, count);
        let names: Vec<&str> = ternary(&model, &chosen).into_iter().map(name).collect();
        assert!(names.contains(&"blk.2.ffn_up.weight") && !names.iter().any(|n| n.starts_with("blk.0.")), "{names:?}");
        assert_eq!(names.len(), count + 1);
        let query = model.find("blk.1.attn_q.weight").unwrap();
        assert_eq!(resolve(&model, &chosen).decisions[query].new_type, DType::Q8_0, "its precision is pinned too");
        assert!(chosen.rules.ends_with(&rules), "they are asked last: {:?}", chosen.rules);
        assert_eq!(resolve(&model, &chosen).totals.new_bytes, budget.order().bytes_at(count));
    }
    assert!(budget.rel_mse_at(0).is_some(), "the pinned one counts");
}

#[test]
fn protections_are_respected_and_what_was_lifted_is_free() {
    let (_folder, model) = model(1);
    let name = |tensor: usize| model.tensors[tensor].name.clone();
    let budget = ranked(&model, &Recipe::default());
    assert!(budget.free().iter().all(|f| !name(f.tensor).contains("norm") && !name(f.tensor).contains("embd")));
    let recipe = Recipe { unprotect: vec!["token_embd.weight".parse().unwrap()], ..Recipe::default() };
    let budget = ranked(&model, &recipe);
    assert!(budget.free().iter().any(|f| name(f.tensor) == "token_embd.weight"));
    for count in 0..=budget.order().items().len() {
        assert_eq!(ternary(&model, &budget.recipe(&model, &recipe, count)).len(), count);
    }
}

#[test]
fn what_is_not_measured_or_cannot_be_coded_stays() {
    let (_folder, model) = model(3);
    let mut budget = Budget::new(&model, &Recipe::default(), &Faults::default());
    assert_eq!((budget.order().items().len(), budget.unmeasured()), (0, 6));
    let even = |tensor: usize, f: Format, m: Method| figure(tensor, f, m).filter(|_| tensor.is_multiple_of(2));
    budget.rank(even);
    assert!(budget.order().items().iter().all(|item| item.tensor % 2 == 0));
    assert_eq!(budget.order().items().len() + budget.unmeasured(), 6);
}

#[test]
fn the_order_of_a_hundred_thousand_is_one_sort_and_a_place_in_it_a_search() {
    use tritscope::engine::plan::budget::{Item, Order};
    let items = (0..100_000).map(|tensor| Item { tensor, saved: 1000, cost: ((tensor * 7919) % 100_003) as f64 });
    let order = Order::new(1 << 40, items.collect());
    let costs: Vec<f64> = order.items().iter().map(|item| item.cost).collect();
    assert!(costs.is_sorted());
    assert_eq!(order.fit((1 << 40) - 50_000_000), Some(50_000));
}

fn run(folder: &Path, arguments: &[&str]) -> Output {
    std::process::Command::new(env!("CARGO_BIN_EXE_tritscope")).args(arguments).current_dir(folder).output().unwrap()
}

fn json(output: &Output) -> Value {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn the_command_line_keeps_a_budget_and_writes_the_recipe_that_does() {
    let (folder, model) = model(4);
    let (all, params) = (model.tensor_bytes(), model.parameters());
    let goal = (all * 6 / 10).to_string();
    let plan =
        json(&run(folder.path(), &["plan", "model.gguf", "--budget", &goal, "--json", "--save-recipe", "r.toml"]));
    let bytes = plan["totals"]["new_bytes"].as_u64().unwrap();
    assert!(bytes <= all * 6 / 10, "{bytes}");
    assert_eq!(plan["budget"]["bytes"].as_u64(), Some(bytes));
    assert_eq!(plan["budget"]["taken"], plan["totals"]["ternary_tensors"]);
    // The tensors that it took are the least sensitive: those that stay cost more where they save the same.
    let again = json(&run(folder.path(), &["plan", "model.gguf", "--recipe", "r.toml", "--json"]));
    assert_eq!(again["totals"], plan["totals"]);
    let bpw = json(&run(folder.path(), &["plan", "model.gguf", "--budget", "9bpw", "--json"]));
    assert!(bpw["totals"]["new_bpw"].as_f64().unwrap() <= 9.0);
    assert_eq!(bpw["budget"]["goal_bytes"].as_u64(), Some(9 * params / 8));
    let text = run(folder.path(), &["plan", "model.gguf", "--budget", &goal]);
    assert!(String::from_utf8_lossy(&text.stdout).contains("free tensors go ternary"));
}

#[test]
fn a_budget_out_of_reach_says_the_least_and_a_file_is_not_written_over() {
    let (folder, _) = model(2);
    let output = run(folder.path(), &["plan", "model.gguf", "--budget", "100"]);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{told}");
    let budget =
        ranked(&Model::open(&folder.path().join("model.gguf"), &OpenOptions::default()).unwrap(), &Recipe::default());
    assert!(told.contains(&format!("{} bytes", budget.order().least())), "{told}");
    let bad = run(folder.path(), &["plan", "model.gguf", "--budget", "much"]);
    assert_eq!(bad.status.code(), Some(2));
    std::fs::write(folder.path().join("r.toml"), "mine").unwrap();
    let output = run(folder.path(), &["plan", "model.gguf", "--budget", "1G", "--save-recipe", "r.toml"]);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(std::fs::read_to_string(folder.path().join("r.toml")).unwrap(), "mine");
}

#[test]
fn the_chart_is_written_as_svg_csv_and_json() {
    let (folder, model) = model(3);
    for name in ["c.svg", "c.csv", "c.json"] {
        let output = run(folder.path(), &["plan", "model.gguf", "--chart", name, "--exact"]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
    let svg = read("c.svg");
    assert!(svg.starts_with("<svg ") && svg.trim_end().ends_with("</svg>"));
    for word in
        ["attn_q", "ffn_up", "layer", "SQNR (dB)", "TQ2_0, groups of 256", "method exact", "every weight measured"]
    {
        assert!(svg.contains(word), "{word}");
    }
    assert!(!svg.contains("NaN") && !svg.contains("inf"));
    assert!(!svg.contains("href") && !svg.contains("<script"));
    // Every tag that is opened is closed.
    let opened = svg.matches("<text").count();
    assert_eq!(opened, svg.matches("</text>").count());
    let csv = read("c.csv");
    assert_eq!(csv.lines().count(), 7, "a heading and six tensors, although the mask takes none");
    assert!(csv.lines().all(|line| line.split(',').count() == 12));
    let document: Value = serde_json::from_str(&read("c.json")).unwrap();
    assert_eq!(document["points"].as_array().unwrap().len(), 6);
    let point = &document["points"][0];
    let plan = json(&run(folder.path(), &["plan", "model.gguf", "--layers", "all", "--exact", "--json"]));
    let row = plan["tensors"].as_array().unwrap().iter().find(|row| row["name"] == point["tensor"]).unwrap();
    let close = |a: &Value, b: &Value| (a.as_f64().unwrap() / b.as_f64().unwrap() - 1.0).abs() < 1e-12;
    assert!(close(&row["rel_mse"], &point["rel_mse"]) && close(&row["sqnr_db"], &point["sqnr_db"]));
    assert!(model.tensors.iter().any(|t| point["tensor"] == t.name.as_str()));
    let output = run(folder.path(), &["plan", "model.gguf", "--chart", "c.pdf"]);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(
        run(folder.path(), &["plan", "model.gguf", "--chart", "c.svg"]).status.code(),
        Some(2),
        "not over a file"
    );
}
