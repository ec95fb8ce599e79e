//! Files of second moments: what is written is read back, what cannot be second moments is refused, merged files are those
//! of both texts together, and their diagonals are an importance matrix.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use proptest::prelude::*;
use support::normals;
use support::reading::files;
use support::safetensors::Safe;
use tempfile::{TempDir, tempdir};
use tritscope::engine::error::{Diagnostic, Error, Result};
use tritscope::engine::imatrix::Imatrix;
use tritscope::engine::moments::{About, Moments, Output, Packed, Planned, Store, Writer, merge, to_imatrix};
use tritscope::engine::progress::{Cancel, Silent};

/// Second moments of `tokens` inputs of `columns` values.
fn measured(columns: usize, tokens: usize, seed: u64) -> Packed {
    mean_of(columns, &[normals(columns * tokens, seed)])
}

/// Second moments of all inputs of these texts.
fn mean_of(columns: usize, texts: &[Vec<f32>]) -> Packed {
    let inputs: Vec<&[f32]> = texts.iter().flat_map(|text| text.chunks_exact(columns)).collect();
    let mean = |i: usize, j: usize| {
        inputs.iter().map(|x| f64::from(x[i]) * f64::from(x[j])).sum::<f64>() / inputs.len() as f64
    };
    let values = (0..columns).flat_map(|i| (i..columns).map(move |j| (i, j))).map(|(i, j)| mean(i, j) as f32);
    Packed { columns, values: values.collect() }
}

/// An input, and for each of its experts moments and tokens.
type Given = (Planned, Vec<(Packed, u64)>);

fn plain(weights: &[&str], moments: Packed, tokens: u64) -> Given {
    let weights = weights.iter().map(|w| (*w).to_owned()).collect();
    (Planned { weights, columns: moments.columns, experts: 1 }, vec![(moments, tokens)])
}

fn about(tokens: u64, text: &str) -> About {
    let texts = vec![text.to_owned()];
    About { model: Some("5a5b".into()), tokens, texts, tool: Some("a test".into()), version: 1 }
}

fn write(path: &Path, about: &About, store: Store, inputs: &[Given]) -> Result<()> {
    let planned = inputs.iter().map(|(planned, _)| planned.clone()).collect();
    let mut writer = Writer::create(&Output { sync: false, ..Output::new(path) }, about, planned, store)?;
    for (moments, tokens) in inputs.iter().flat_map(|(_, experts)| experts) {
        writer.write(moments, *tokens)?;
    }
    assert_eq!(writer.finish(&Cancel::new())?, None);
    Ok(())
}

/// A model of one layer: an input that three weights share, one of its own, and four experts, of which one has no tokens.
fn layer(seed: u64) -> Vec<Given> {
    let none = || Packed { columns: 6, values: vec![0.0; 21] };
    let experts = vec![
        (measured(6, 40, seed + 2), 40),
        (none(), 0),
        (measured(6, 3, seed + 3), 3),
        (measured(6, 17, seed + 4), 17),
    ];
    vec![
        plain(&["blk.0.attn_q.weight", "blk.0.attn_k.weight", "blk.0.attn_v.weight"], measured(8, 60, seed), 60),
        plain(&["blk.0.attn_output.weight"], measured(5, 60, seed + 1), 60),
        (Planned { weights: vec!["blk.0.ffn_up_exps.weight".into()], columns: 6, experts: 4 }, experts),
    ]
}

fn written(folder: &TempDir, name: &str, seed: u64) -> Moments {
    let path = folder.path().join(name);
    write(&path, &about(60, name), Store::F32, &layer(seed)).unwrap();
    Moments::open(&path).unwrap()
}

/// Moments of one input of two columns, by hand.
fn sound() -> Safe {
    let values: Vec<f32> = vec![4.0, 1.0, 1.0];
    Safe::default()
        .about("format", "tritscope.moments")
        .about("version", "1")
        .about("tokens", "3")
        .tensor("a.weight.moments", "F32", &[1, 3], support::f32_bytes(&values))
        .tensor("a.weight.tokens", "I64", &[1], 3i64.to_le_bytes().to_vec())
}

/// What opening says, or reading the first matrix.
fn refusal(folder: &TempDir, file: &Safe) -> String {
    let path = file.write(folder.path(), "m.safetensors");
    let found = Moments::open(&path).and_then(|m| m.read(&m.entries()[0], 0));
    let error = found.unwrap_err();
    assert_eq!(error.exit_code(), 3, "{error}");
    let text = error.to_string();
    assert!(text.contains("m.safetensors: "), "{text}");
    text
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn what_is_written_is_read_back(columns in 1usize..24, experts in 1usize..4, tokens in 1usize..30, seed: u64) {
        let folder = tempdir().unwrap();
        let given: Vec<(Packed, u64)> =
            (0..experts).map(|e| (measured(columns, tokens + e, seed ^ e as u64), (tokens + e) as u64)).collect();
        let planned = Planned { weights: vec!["w".into(), "v".into()], columns, experts };
        for store in [Store::F32, Store::Bf16] {
            let path = folder.path().join(store.name());
            write(&path, &about(9, "t"), store, &[(planned.clone(), given.clone())]).unwrap();
            let moments = Moments::open(&path).unwrap();
            prop_assert_eq!(moments.about(), &about(9, "t"));
            let entry = moments.of("v", columns as u64, experts as u64).unwrap().unwrap();
            prop_assert_eq!(&entry.weights, &["w", "v"]);
            prop_assert_eq!((entry.columns, entry.experts, entry.store), (columns, experts, store));
            for (expert, (meant, tokens)) in given.iter().enumerate() {
                prop_assert_eq!(entry.tokens[expert], *tokens);
                let found = moments.read(entry, expert).unwrap();
                prop_assert_eq!(moments.diagonal(entry, expert).unwrap(), found.diagonal());
                let rounded = |v: &f32| match store {
                    Store::F32 => *v,
                    Store::Bf16 => half::bf16::from_f32(*v).to_f32(),
                };
                prop_assert_eq!(found.values, meant.values.iter().map(rounded).collect::<Vec<_>>());
            }
        }
    }

    #[test]
    fn a_changed_byte_is_refused_or_read_and_nothing_else(at: prop::sample::Index, byte: u8) {
        let folder = tempdir().unwrap();
        let moments = written(&folder, "m", 1);
        let mut bytes = fs::read(&moments.path).unwrap();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let path = folder.path().join("changed");
        fs::write(&path, bytes).unwrap();
        let read = || -> Result<usize> {
            let moments = Moments::open(&path)?;
            let read = |entry| (0..4).filter(|expert| moments.read(entry, *expert).is_ok()).count();
            Ok(moments.entries().iter().map(read).sum())
        };
        match read() {
            Ok(sound) => prop_assert!((5..=6).contains(&sound), "{sound} of 6 matrices, byte {at}"),
            Err(error) => prop_assert_eq!(error.exit_code(), 3, "{}", error),
        }
    }

    #[test]
    fn merged_moments_are_those_of_all_texts(columns in 1usize..12, a in 1usize..20, b in 1usize..20, seed: u64) {
        let folder = tempdir().unwrap();
        let texts = [normals(columns * a, seed), normals(columns * b, !seed)];
        let opened: Vec<Moments> = texts.iter().zip([a, b]).enumerate().map(|(i, (text, tokens))| {
            let path = folder.path().join(i.to_string());
            let moments = mean_of(columns, std::slice::from_ref(text));
            write(&path, &about(tokens as u64, "t"), Store::F32, &[plain(&["w"], moments, tokens as u64)]).unwrap();
            Moments::open(&path).unwrap()
        }).collect();
        let out = folder.path().join("both");
        merge(&opened, &Output::new(&out), Store::F32, &Silent, &Cancel::new()).unwrap();
        let both = Moments::open(&out).unwrap();
        prop_assert_eq!(both.about().tokens, (a + b) as u64);
        prop_assert_eq!(&both.entries()[0].tokens, &[(a + b) as u64]);
        let (found, meant) = (both.read(&both.entries()[0], 0).unwrap(), mean_of(columns, &texts));
        let scale = meant.diagonal().into_iter().fold(0.0, f32::max);
        for (found, meant) in found.values.iter().zip(&meant.values) {
            prop_assert!((found - meant).abs() <= 1e-6 * scale, "{found} {meant}");
        }
    }
}

#[test]
fn weights_that_share_an_input_have_one_entry() {
    let folder = tempdir().unwrap();
    let moments = written(&folder, "m", 1);
    let names: Vec<&str> = moments.entries().iter().map(|e| e.name.as_str()).collect();
    assert_eq!(names, ["blk.0.attn_output.weight", "blk.0.attn_q.weight", "blk.0.ffn_up_exps.weight"]);
    for weight in ["blk.0.attn_q.weight", "blk.0.attn_k.weight", "blk.0.attn_v.weight"] {
        assert_eq!(moments.of(weight, 8, 1).unwrap().unwrap().name, "blk.0.attn_q.weight");
    }
    assert_eq!(moments.of("blk.0.ffn_down.weight", 8, 1).unwrap(), None);
    for (weight, row_len, experts, part) in [
        (
            "blk.0.attn_k.weight",
            9,
            1,
            "'blk.0.attn_k.weight': the moments are of 8 columns × 1 experts, the tensor has rows of 9 × 1",
        ),
        ("blk.0.ffn_up_exps.weight", 6, 5, "of 6 columns × 4 experts, the tensor has rows of 6 × 5 experts"),
    ] {
        let error = moments.of(weight, row_len, experts).unwrap_err();
        assert!(error.to_string().contains(part), "{error}");
        assert_eq!(error.exit_code(), 3);
    }
    assert!(moments.read(&moments.entries()[0], 1).unwrap_err().to_string().contains("1 experts only"));
}

#[test]
fn experts_with_few_tokens_are_drawn_to_the_layers_mean() {
    let folder = tempdir().unwrap();
    let moments = written(&folder, "m", 1);
    let entry = moments.of("blk.0.ffn_up_exps.weight", 6, 4).unwrap().unwrap();
    assert_eq!(entry.tokens, [40, 0, 3, 17]);
    let own: Vec<Packed> = (0..4).map(|e| moments.read(entry, e).unwrap()).collect();
    assert!(own[1].values.iter().all(|v| *v == 0.0));
    for (e, tokens) in [40.0f64, 0.0, 3.0, 17.0].into_iter().enumerate() {
        let shrunk = moments.read_shrunk(entry, e).unwrap();
        for (k, found) in shrunk.values.iter().enumerate() {
            let at = |e: usize| f64::from(own[e].values[k]);
            let mean = (40.0 * at(0) + 3.0 * at(2) + 17.0 * at(3)) / 60.0;
            let weight = tokens / (tokens + 6.0);
            let meant = weight * at(e) + (1.0 - weight) * mean;
            assert!((f64::from(*found) - meant).abs() < 1e-10, "expert {e}, value {k}: {found} {meant}");
        }
    }
    let plain = moments.of("blk.0.attn_q.weight", 8, 1).unwrap().unwrap();
    assert_eq!(moments.read_shrunk(plain, 0).unwrap(), moments.read(plain, 0).unwrap());
}

#[test]
fn a_file_made_by_others_is_read_whatever_the_order_of_its_tensors() {
    let folder = tempdir().unwrap();
    let row = |n: usize| support::f32_bytes(&vec![1.0; n]);
    let path = sound()
        .about("inputs", r#"{"b.10.weight": "b.2.weight", "b.9.weight": "b.2.weight", "b.2.weight": "b.2.weight"}"#)
        .about("more", "is passed over")
        .tensor("b.2.weight.tokens", "I64", &[2], [5i64.to_le_bytes(), 0i64.to_le_bytes()].concat())
        .tensor("b.2.weight.moments", "F32", &[2, 1], [row(1), vec![0; 4]].concat())
        .write(folder.path(), "m.safetensors");
    let moments = Moments::open(&path).unwrap();
    assert_eq!(moments.about(), &About { tokens: 3, version: 1, ..About::default() });
    let b = moments.entry("b.10.weight").unwrap();
    assert_eq!(
        (b.weights.clone(), b.columns, b.experts),
        (vec!["b.2.weight".into(), "b.9.weight".into(), "b.10.weight".into()], 1, 2)
    );
    assert_eq!(moments.read(b, 0).unwrap().values, [1.0]);
    assert_eq!(moments.read(b, 1).unwrap().values, [0.0]);
}

#[test]
fn hostile_files_are_refused_by_file_tensor_and_number() {
    let folder = tempdir().unwrap();
    let meta = |key: &str, value: &str| {
        let mut file = sound();
        file.metadata.retain(|(k, _)| k != key);
        file.about(key, value)
    };
    let values = |values: [f32; 3]| {
        let mut file = sound();
        file.pieces[0].data = support::f32_bytes(&values);
        file
    };
    let shaped = |which: usize, dtype: &str, shape: &[u64], data: Vec<u8>| {
        let mut file = sound();
        let piece = &mut file.pieces[which];
        (piece.dtype, piece.shape, piece.data) = (dtype.into(), shape.to_vec(), data);
        file
    };
    let without = |which: usize| {
        let mut file = sound();
        file.pieces.remove(which);
        file
    };
    let count = |n: i64| shaped(1, "I64", &[1], n.to_le_bytes().to_vec());
    assert!(Moments::open(&sound().write(folder.path(), "m.safetensors")).is_ok());
    let cases: Vec<(Safe, &str)> = vec![
        (meta("format", "pt"), "format is 'pt', expected 'tritscope.moments'"),
        (Safe::default().normal("w", &[4], 1), "the metadata has no format"),
        (meta("version", "2"), "moments of version '2', this program reads version 1"),
        (meta("version", ""), "moments of version ''"),
        (meta("tokens", "many"), "tokens are 'many', expected a number above 0"),
        (meta("tokens", "0"), "tokens are '0'"),
        (meta("inputs", "[1]"), "inputs are no JSON object of names"),
        (meta("inputs", r#"{"b": "c"}"#), "'b' is said to share the input of 'c', which has no moments"),
        (meta("inputs", r#"{"a.weight": "c"}"#), "'a.weight' has moments of its own"),
        (without(0), "'a.weight.tokens': is there, 'a.weight.moments' is missing"),
        (without(1), "'a.weight.moments': is there, 'a.weight.tokens' is missing"),
        (sound().normal("bias", &[4], 1), "'bias': is neither NAME.moments nor NAME.tokens"),
        (sound().normal(".moments", &[4], 1), "'.moments': is neither"),
        (shaped(0, "F16", &[1, 3], vec![0; 6]), "'a.weight.moments': is of type F16, expected F32 or BF16"),
        (shaped(0, "F32", &[3], vec![0; 12]), "has the shape [3], expected [experts, n(n+1)/2]"),
        (shaped(0, "F32", &[1, 4], vec![0; 16]), "has 4 values an expert, which is n(n+1)/2 for no n"),
        (shaped(0, "F32", &[2, 3], vec![0; 24]), "is of type I64 and shape [1], expected I64 and [2]"),
        (shaped(1, "F32", &[1], vec![0; 4]), "'a.weight.tokens': is of type F32 and shape [1]"),
        (count(0), "'a.weight.tokens': no tokens"),
        (count(-3), "expert 0 has -3 tokens"),
        (values([f32::NAN, 1.0, 1.0]), "'a.weight.moments': the square of column 0 is NaN"),
        (values([4.0, f32::NAN, 1.0]), "the product of columns 0 and 1 is NaN"),
        (values([4.0, 1.0, -1.0]), "the square of column 1 is -1"),
        (values([4.0, 3.0, 1.0]), "the product of columns 0 and 1 is 3, more than their squares 4 and 1 allow"),
        (values([0.0; 3]), "all squares are zero, but 3 tokens are behind them"),
    ];
    for (file, part) in cases {
        let text = refusal(&folder, &file);
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[test]
fn files_that_end_early_or_late_are_refused_at_every_length() {
    let folder = tempdir().unwrap();
    let bytes = sound().bytes();
    let path = folder.path().join("m.safetensors");
    for len in 0..bytes.len() {
        fs::write(&path, &bytes[..len]).unwrap();
        let error = Moments::open(&path).unwrap_err();
        assert_eq!(error.exit_code(), 3, "{len}: {error}");
    }
    fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
    let error = Moments::open(&path).unwrap_err().to_string();
    assert!(error.contains("'a.weight.tokens'") && error.contains("it is cut off"), "{error}");
    fs::write(&path, [&bytes[..], b"..."].concat()).unwrap();
    assert!(Moments::open(&path).unwrap_err().to_string().contains("3 bytes follow the last tensor"));
    fs::write(&path, b"GGUF\x03\0\0\0").unwrap();
    assert!(Moments::open(&path).unwrap_err().to_string().contains("a GGUF file, not moments"));
}

#[test]
fn a_writer_refuses_what_a_reader_would_and_leaves_nothing() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("m");
    let sound = measured(4, 9, 1);
    let changed = |at: usize, value: f32| {
        let mut moments = sound.clone();
        moments.values[at] = value;
        moments
    };
    for (moments, tokens, part) in [
        (changed(1, f32::NAN), 9, "'w.moments': the product of columns 0 and 1 is NaN"),
        (changed(0, -1.0), 9, "the square of column 0 is -1"),
        (sound.clone(), 0, "no token is behind it"),
        (sound.clone(), u64::MAX, "tokens are more than the file can say"),
        (measured(5, 9, 1), 9, "5 columns, 4 were announced"),
    ] {
        let planned = Planned { weights: vec!["w".into()], columns: 4, experts: 1 };
        let error = write(&path, &about(9, "t"), Store::F32, &[(planned, vec![(moments, tokens)])]).unwrap_err();
        assert!(error.to_string().contains(part), "{error}");
    }
    let two = Planned { weights: vec!["w".into()], columns: 4, experts: 2 };
    let error = write(&path, &about(9, "t"), Store::F32, &[(two, vec![(sound.clone(), 9)])]).unwrap_err();
    assert!(error.to_string().contains("0 of 1 inputs were written"), "{error}");
    let huge = Packed { columns: 1, values: vec![f32::MAX] };
    let error = write(&path, &about(9, "t"), Store::Bf16, &[plain(&["w"], huge, 9)]).unwrap_err();
    assert!(error.to_string().contains("no finite neighbour in BF16"), "{error}");
    let nameless = Planned { weights: vec![], columns: 4, experts: 1 };
    assert!(write(&path, &about(9, "t"), Store::F32, &[(nameless, vec![])]).is_err());
    assert_eq!(files(folder.path()), Vec::<String>::new());
    write(&path, &about(9, "t"), Store::F32, &[plain(&["w"], sound.clone(), 9)]).unwrap();
    let again = write(&path, &about(9, "t"), Store::F32, &[plain(&["w"], sound, 9)]).unwrap_err();
    assert!(matches!(again, Error::Usage(_)), "{again}");
}

fn codes(notes: &[Diagnostic]) -> Vec<&str> {
    notes.iter().map(|d| d.message.as_str()).collect()
}

#[test]
fn merging_goes_expert_by_expert_and_tells_which_texts() {
    let folder = tempdir().unwrap();
    let files = [written(&folder, "a", 1), written(&folder, "b", 50)];
    let out = folder.path().join("m");
    let notes = merge(&files, &Output::new(&out), Store::F32, &Silent, &Cancel::new()).unwrap();
    assert_eq!(codes(&notes), ["of 2 different texts"]);
    let both = Moments::open(&out).unwrap();
    assert_eq!(both.about(), &About { texts: vec!["a".into(), "b".into()], ..about(120, "") });
    let shared = both.of("blk.0.attn_v.weight", 8, 1).unwrap().unwrap();
    assert_eq!(shared.tokens, [120]);
    let entry = both.of("blk.0.ffn_up_exps.weight", 6, 4).unwrap().unwrap();
    assert_eq!(entry.tokens, [80, 0, 6, 34]);
    assert!(both.read(entry, 1).unwrap().values.iter().all(|v| *v == 0.0));
    // The same file twice is the same mean of twice the tokens.
    let twice = [written(&folder, "c", 1), Moments::open(&folder.path().join("c")).unwrap()];
    let out = folder.path().join("twice");
    let notes = merge(&twice, &Output::new(&out), Store::F32, &Silent, &Cancel::new()).unwrap();
    assert!(codes(&notes)[0].contains("was made from the text c as another was"), "{notes:?}");
    let twice_over = Moments::open(&out).unwrap();
    for (once, twice_as_many) in twice[0].entries().iter().zip(twice_over.entries()) {
        for expert in 0..once.experts {
            assert_eq!(twice[0].read(once, expert).unwrap(), twice_over.read(twice_as_many, expert).unwrap());
        }
    }
}

/// What another file has otherwise.
type Change = dyn Fn(&mut About, &mut Vec<Given>);

#[test]
fn files_that_do_not_belong_together_are_not_merged() {
    let folder = tempdir().unwrap();
    let first = written(&folder, "a", 1);
    let other = |name: &str, change: &Change| {
        let (mut about, mut inputs) = (about(60, name), layer(2));
        change(&mut about, &mut inputs);
        let path = folder.path().join(name);
        write(&path, &about, Store::F32, &inputs).unwrap();
        Moments::open(&path).unwrap()
    };
    let out = folder.path().join("out");
    let merged = |files: &[Moments]| merge(files, &Output::new(&out), Store::F32, &Silent, &Cancel::new());
    let mut files = vec![first];
    let changes: [(&str, &str, &Change); 4] = [
        ("model", "is of the model 77, ", &(|a, _| a.model = Some("77".into()))),
        ("fewer", "has no moments of 'blk.0.attn_output.weight', ", &|_, i| drop(i.remove(1))),
        ("size", "'blk.0.attn_output.weight': is of 4 columns × 1 experts, in ", &|_, i| {
            i[1] = plain(&["blk.0.attn_output.weight"], measured(4, 60, 1), 60);
        }),
        ("feeds", "'blk.0.attn_q.weight': feeds blk.0.attn_q.weight, in ", &|_, i| i[0].0.weights.truncate(1)),
    ];
    for (name, part, change) in changes {
        files.truncate(1);
        files.push(other(name, change));
        let error = merged(&files).unwrap_err();
        assert!(error.to_string().contains(part), "{error}");
        assert_eq!(error.exit_code(), 3);
        files.swap(0, 1);
        assert!(merged(&files).is_err(), "{name}, the other way round");
        files.swap(0, 1);
    }
    files[1] = other("nameless", &|a, _| (a.model, a.texts) = (None, vec![]));
    let notes = merged(&files).unwrap();
    assert!(codes(&notes).iter().any(|m| m.ends_with("does not say which model it is of")), "{notes:?}");
    assert!(merged(&[]).is_err());
    assert!(matches!(merged(&files), Err(Error::Usage(_))), "it is there already");
    let onto = Output { force: true, ..Output::new(&files[0].path) };
    let error = merge(&files, &onto, Store::F32, &Silent, &Cancel::new()).unwrap_err();
    assert!(error.to_string().contains("is the source itself"), "{error}");
    let cancel = Cancel::new();
    cancel.cancel();
    let cancelled = merge(&files, &Output { force: true, ..Output::new(&out) }, Store::F32, &Silent, &cancel);
    assert!(matches!(cancelled, Err(Error::Cancelled)));
    assert!(!support::reading::files(folder.path()).iter().any(|f| f.ends_with(".partial")));
}

#[test]
fn merged_bf16_files_are_still_second_moments() {
    let folder = tempdir().unwrap();
    // Columns that are multiples of one another: products are as large as they can be.
    let text: Vec<f32> = normals(64, 3).into_iter().flat_map(|x| (1..=9).map(move |k| x * k as f32 * 0.371)).collect();
    let mut path = folder.path().join("0");
    write(&path, &about(64, "t"), Store::Bf16, &[plain(&["w"], mean_of(9, &[text]), 64)]).unwrap();
    for round in 1..4 {
        let files = [Moments::open(&path).unwrap(), Moments::open(&folder.path().join("0")).unwrap()];
        path = folder.path().join(round.to_string());
        merge(&files, &Output::new(&path), Store::Bf16, &Silent, &Cancel::new()).unwrap();
    }
    let moments = Moments::open(&path).unwrap();
    assert!(moments.read(&moments.entries()[0], 0).is_ok());
}

#[test]
fn diagonals_are_an_importance_matrix() {
    let folder = tempdir().unwrap();
    let moments = written(&folder, "m", 1);
    let out: PathBuf = folder.path().join("imatrix.gguf");
    assert_eq!(to_imatrix(&moments, &Output::new(&out), &Cancel::new()).unwrap(), None);
    let imatrix = Imatrix::read(&out).unwrap();
    assert!(imatrix.diagnostics.is_empty(), "{:?}", imatrix.diagnostics);
    assert_eq!((imatrix.chunks, imatrix.chunk_size), (Some(15), Some(4)), "60 tokens");
    assert_eq!(imatrix.datasets, ["xxh3-128:m"]);
    assert_eq!(imatrix.entries().len(), 5);
    for entry in moments.entries() {
        for weight in &entry.weights {
            let found = imatrix.for_tensor(weight, entry.columns as u64, entry.experts as u64).unwrap().unwrap();
            for expert in 0..entry.experts {
                let Some(importance) = found.of_expert(expert) else {
                    assert_eq!(entry.tokens[expert], 0);
                    continue;
                };
                assert_eq!(found.count(expert), Some(entry.tokens[expert] as f32));
                for (found, meant) in importance.iter().zip(moments.diagonal(entry, expert).unwrap()) {
                    assert!((found - meant).abs() <= 1e-6 * meant, "{weight}: {found} {meant}");
                }
            }
        }
    }
    let onto = Output { force: true, ..Output::new(&moments.path) };
    assert!(to_imatrix(&moments, &onto, &Cancel::new()).is_err());
}

#[test]
fn figures_tell_what_will_be_hard_to_invert() {
    let folder = tempdir().unwrap();
    let moments = written(&folder, "m", 1);
    let hints = |weight: &str| {
        let entry = moments.entry(weight).unwrap();
        moments.facts(entry).unwrap().hints(entry)
    };
    assert_eq!(hints("blk.0.attn_q.weight"), Vec::<String>::new());
    assert_eq!(
        hints("blk.0.ffn_up_exps.weight"),
        ["1 expert without tokens", "1 expert with fewer tokens than columns"]
    );
    let path = folder.path().join("odd");
    let odd = Packed { columns: 3, values: vec![9.0, 0.0, 0.0, 0.0, 0.0, 1.0] };
    write(&path, &about(2, "t"), Store::F32, &[plain(&["w"], odd, 2)]).unwrap();
    let odd = Moments::open(&path).unwrap();
    let facts = odd.facts(&odd.entries()[0]).unwrap();
    assert_eq!((facts.least, facts.most, facts.zero_columns), (0.0, 9.0, 1));
    assert!((facts.mean - 10.0 / 3.0).abs() < 1e-12);
    let hints = facts.hints(&odd.entries()[0]);
    assert_eq!(hints, ["fewer tokens than columns", "1 zero column", "one column has 90.0 % of the squares"]);
}

/// Runs tritscope in a folder: exit code, stdout, stderr.
fn run(folder: &TempDir, args: &[&str]) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tritscope"));
    let output = command.arg("moments").args(args).current_dir(folder.path()).stdin(Stdio::null()).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

#[test]
fn the_commands_show_merge_and_convert() {
    let folder = tempdir().unwrap();
    written(&folder, "a", 1);
    written(&folder, "b", 50);
    let mut told = String::new();
    for args in [
        &["info", "a"][..],
        &["merge", "a", "b", "-o", "ab", "--bf16"],
        &["info", "ab", "--check"],
        &["to-imatrix", "ab", "-o", "ab.gguf", "--no-sync"],
        &["info", "ab", "--json"],
    ] {
        let (code, out, err) = run(&folder, args);
        assert_eq!(code, 0, "{err}");
        told += &format!("$ tritscope moments {}\n{out}{err}\n", args.join(" "));
    }
    assert_eq!(Imatrix::read(&folder.path().join("ab.gguf")).unwrap().entries().len(), 5);
    insta::assert_snapshot!("moments_commands", told);
}

#[test]
fn the_commands_refuse_with_one_line_and_leave_nothing() {
    let folder = tempdir().unwrap();
    written(&folder, "a", 1);
    let mut bad = sound();
    bad.pieces[0].data = support::f32_bytes(&[4.0, 3.0, 1.0]);
    bad.write(folder.path(), "bad");
    for (code, part, args) in [
        (4, "nowhere: cannot open", &["info", "nowhere"][..]),
        (3, "bad: tensor 'a.weight.moments': the product of columns 0 and 1 is 3", &["info", "bad", "--check"]),
        (3, "bad: has no moments of 'blk.0.attn_output.weight', a has", &["merge", "a", "bad", "-o", "out"]),
        (3, "bad: tensor 'a.weight.moments': the product", &["merge", "bad", "-o", "out"]),
        (2, "a is the source itself", &["merge", "a", "-o", "a", "--force"]),
        (2, "bad exists; --force replaces it", &["to-imatrix", "a", "-o", "bad"]),
        (2, "is the source itself", &["to-imatrix", "a", "-o", "a", "--force"]),
        (2, "required", &["merge", "-o", "out"]),
    ] {
        let (found, out, err) = run(&folder, args);
        assert_eq!((found, out.as_str()), (code, ""), "{args:?}: {err}");
        assert!(err.contains(part), "{part}: {err}");
    }
    // Diagonals alone are sound.
    assert_eq!(run(&folder, &["info", "bad"]).0, 0);
    assert_eq!(files(folder.path()), ["a", "bad"]);
}
