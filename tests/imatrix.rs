//! Importance matrices: both forms read back what was written, wrong files are refused by name and number, and no
//! bytes whatever bring the reader down.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot set itself up should stop"
)]

use proptest::prelude::*;
use tritscope::engine::error::{Error, Severity};
use tritscope::engine::imatrix::Imatrix;

/// Appends an i32.
fn i32le(out: &mut Vec<u8>, n: i32) {
    out.extend_from_slice(&n.to_le_bytes());
}

fn u64le(out: &mut Vec<u8>, n: u64) {
    out.extend_from_slice(&n.to_le_bytes());
}

fn f32s(out: &mut Vec<u8>, values: &[f32]) {
    values.iter().for_each(|v| out.extend_from_slice(&v.to_le_bytes()));
}

/// A string as GGUF has it: u64 length, bytes.
fn string(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    u64le(&mut out, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
    out
}

/// A metadata entry: key, type number, value.
fn kv(key: &str, number: u32, value: &[u8]) -> Vec<u8> {
    [string(key), number.to_le_bytes().to_vec(), value.to_vec()].concat()
}

fn u32_kv(key: &str, n: u32) -> Vec<u8> {
    kv(key, 4, &n.to_le_bytes())
}

fn strings_kv(key: &str, items: &[&str]) -> Vec<u8> {
    let mut value = 8u32.to_le_bytes().to_vec();
    u64le(&mut value, items.len() as u64);
    items.iter().for_each(|item| value.extend(string(item)));
    kv(key, 9, &value)
}

/// An importance matrix in the GGUF form, written without the program's writer.
struct File {
    kvs: Vec<Vec<u8>>,
    /// Name, shape, type number, values.
    tensors: Vec<(String, Vec<u64>, u32, Vec<f32>)>,
}

impl File {
    fn new() -> Self {
        let kvs = vec![
            kv("general.type", 8, &string("imatrix")),
            strings_kv("imatrix.datasets", &["wiki.txt", "code.txt"]),
            u32_kv("imatrix.chunk_count", 40),
            u32_kv("imatrix.chunk_size", 512),
        ];
        Self { kvs, tensors: Vec::new() }
    }

    fn tensor(mut self, name: &str, shape: &[u64], values: &[f32]) -> Self {
        self.tensors.push((name.to_owned(), shape.to_vec(), 0, values.to_vec()));
        self
    }

    /// One weight of two columns, and experts 0 to 2 of three columns, of which no token reached number 1.
    fn sound() -> Self {
        Self::new()
            .tensor("blk.0.attn_q.weight.in_sum2", &[2], &[6.0, 1.5])
            .tensor("blk.0.attn_q.weight.counts", &[1], &[3.0])
            .tensor("exps.counts", &[1, 3], &[2.0, 0.0, 4.2])
            .tensor("exps.in_sum2", &[3, 3], &[2.0, 4.0, 6.0, 0.0, 0.0, 0.0, 8.0, 0.0, 1.0])
    }

    fn bytes(&self) -> Vec<u8> {
        let mut out = b"GGUF\x03\0\0\0".to_vec();
        u64le(&mut out, self.tensors.len() as u64);
        u64le(&mut out, self.kvs.len() as u64);
        self.kvs.iter().for_each(|kv| out.extend_from_slice(kv));
        let mut data = Vec::new();
        for (name, shape, number, values) in &self.tensors {
            out.extend(string(name));
            out.extend_from_slice(&(shape.len() as u32).to_le_bytes());
            shape.iter().for_each(|n| u64le(&mut out, *n));
            out.extend_from_slice(&number.to_le_bytes());
            u64le(&mut out, data.len() as u64);
            f32s(&mut data, values);
            data.resize(data.len().next_multiple_of(32), 0);
        }
        out.resize(out.len().next_multiple_of(32), 0);
        out.extend(data);
        out
    }
}

/// An entry of the legacy form.
fn legacy_entry(out: &mut Vec<u8>, name: &str, calls: i32, values: &[f32]) {
    i32le(out, name.len() as i32);
    out.extend_from_slice(name.as_bytes());
    i32le(out, calls);
    i32le(out, values.len() as i32);
    f32s(out, values);
}

/// The legacy form of [`File::sound`] with 4 calls each, and its trailer. The expert without tokens has 1 × calls.
fn legacy() -> Vec<u8> {
    let mut out = Vec::new();
    i32le(&mut out, 2);
    legacy_entry(&mut out, "blk.0.attn_q.weight", 4, &[8.0, 2.0]);
    legacy_entry(&mut out, "exps", 4, &[4.0, 8.0, 12.0, 4.0, 4.0, 4.0, 8.0, 0.0, 1.0]);
    i32le(&mut out, 40);
    i32le(&mut out, 8);
    out.extend_from_slice(b"wiki.txt");
    out
}

/// Reads bytes as a file. An error must be about the input, name the file and hold no control character.
fn read(bytes: &[u8]) -> Result<Imatrix, Error> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("imatrix.gguf");
    std::fs::write(&path, bytes).unwrap();
    let read = Imatrix::read(&path);
    if let Err(error) = &read {
        let text = error.to_string();
        assert!(text.contains("imatrix.gguf") && !text.contains(char::is_control), "{text:?}");
        assert_eq!(error.exit_code(), 3, "{text}");
    }
    read
}

fn refused(bytes: &[u8]) -> String {
    let message = read(bytes).expect_err("the file should be refused").to_string();
    message.split_once("imatrix.gguf: ").expect("the error names the file").1.to_owned()
}

#[test]
fn the_gguf_form_is_divided_by_its_counts() {
    let imatrix = read(&File::sound().bytes()).unwrap();
    assert_eq!((imatrix.chunks, imatrix.chunk_size, imatrix.legacy), (Some(40), Some(512), false));
    assert_eq!(imatrix.datasets, ["wiki.txt", "code.txt"]);
    assert!(imatrix.diagnostics.is_empty(), "{:?}", imatrix.diagnostics);
    let names: Vec<&str> = imatrix.entries().iter().map(|e| e.name.as_str()).collect();
    assert_eq!(names, ["blk.0.attn_q.weight", "exps"]);
    let plain = imatrix.for_tensor("blk.0.attn_q.weight", 2, 1).unwrap().unwrap();
    assert_eq!((plain.of_expert(0), plain.of_expert(1)), (Some([2.0, 0.5].as_slice()), None));
    let merged = imatrix.for_tensor("exps", 3, 3).unwrap().unwrap();
    assert_eq!(merged.of_expert(0), Some([1.0, 2.0, 3.0].as_slice()));
    assert_eq!(merged.of_expert(1), None);
    // A count of 4.2 is one of 4.
    assert_eq!(merged.of_expert(2), Some([2.0, 0.0, 0.25].as_slice()));
    assert_eq!((merged.experts(), merged.row_len(), merged.unreached()), (3, 3, vec![1]));
    assert_eq!(imatrix.entry("exps").unwrap().counts, [2.0, 0.0, 4.0]);
    assert_eq!(imatrix.for_tensor("blk.0.attn_k.weight", 2, 1), Ok(None));
}

#[test]
fn the_legacy_form_is_divided_by_its_calls() {
    let imatrix = read(&legacy()).unwrap();
    assert_eq!((imatrix.chunks, imatrix.chunk_size, imatrix.legacy), (Some(40), None, true));
    assert_eq!(imatrix.datasets, ["wiki.txt"]);
    assert!(imatrix.diagnostics.is_empty(), "{:?}", imatrix.diagnostics);
    let plain = imatrix.for_tensor("blk.0.attn_q.weight", 2, 1).unwrap().unwrap();
    assert_eq!(plain.of_expert(0), Some([2.0, 0.5].as_slice()));
    // Nothing in the file says three experts of three; the tensor does.
    let merged = imatrix.for_tensor("exps", 3, 3).unwrap().unwrap();
    assert_eq!(merged.of_expert(2), Some([2.0, 0.0, 0.25].as_slice()));
    assert_eq!((merged.unreached(), merged.of_expert(3)), (vec![1], None));
    assert!(imatrix.for_tensor("exps", 9, 1).unwrap().is_some());
}

#[test]
fn without_calls_legacy_values_stand_as_they_are() {
    for calls in [0, -7, i32::MIN] {
        let mut out = Vec::new();
        i32le(&mut out, 1);
        legacy_entry(&mut out, "a", calls, &[3.0, 5.0]);
        let imatrix = read(&out).unwrap();
        assert_eq!(imatrix.entry("a").unwrap().importance, [3.0, 5.0]);
        assert_eq!((imatrix.chunks, imatrix.datasets.len(), imatrix.diagnostics.len()), (None, 0, 0));
    }
}

#[test]
fn a_merged_tensor_counted_as_one_is_cut_by_the_tensor_s_experts() {
    let file = File::new().tensor("t.in_sum2", &[6], &[2.0, 4.0, 6.0, 8.0, 0.0, 1.0]).tensor("t.counts", &[1], &[2.0]);
    let imatrix = read(&file.bytes()).unwrap();
    let found = imatrix.for_tensor("t", 3, 2).unwrap().unwrap();
    assert_eq!(found.of_expert(1), Some([4.0, 0.0, 0.5].as_slice()));
    // Rows of their own with one number for all are the same thing.
    let file =
        File::new().tensor("t.in_sum2", &[3, 2], &[2.0, 4.0, 6.0, 8.0, 0.0, 1.0]).tensor("t.counts", &[], &[2.0]);
    let imatrix = read(&file.bytes()).unwrap();
    assert_eq!(imatrix.entry("t").unwrap().counts, [2.0, 2.0]);
    assert_eq!(imatrix.for_tensor("t", 3, 2).unwrap().unwrap().of_expert(1), Some([4.0, 0.0, 0.5].as_slice()));
    let silent = File::new().tensor("t.in_sum2", &[4], &[0.0; 4]).tensor("t.counts", &[1], &[0.0]);
    let imatrix = read(&silent.bytes()).unwrap();
    assert_eq!(imatrix.for_tensor("t", 2, 2).unwrap().unwrap().unreached(), [0, 1]);
}

#[test]
fn other_sizes_are_told_in_numbers_and_are_an_error_but_for_embeddings() {
    let imatrix = read(&File::sound().bytes()).unwrap();
    for (row_len, experts) in [(4, 3), (3, 2), (9, 1), (1, 9), (0, 0), (u64::MAX, 3), (u64::MAX, u64::MAX)] {
        let mismatch = imatrix.for_tensor("exps", row_len, experts).unwrap_err();
        let text = mismatch.to_string();
        assert!(text.contains("3 columns × 3 experts"), "{text}");
        assert!(text.contains(&format!("rows of {row_len} × {experts} experts")), "{text}");
        let refused = mismatch.judge(&imatrix.path, false).unwrap_err();
        assert!(matches!(&refused, Error::Tensor { tensor, .. } if tensor == "exps"), "{refused}");
        let told = mismatch.judge(&imatrix.path, true).unwrap();
        assert_eq!((told.severity, told.tensor.as_deref()), (Severity::Warning, Some("exps")));
    }
}

#[test]
fn missing_metadata_is_named_key_by_key() {
    for (i, key) in ["general.type", "imatrix.datasets", "imatrix.chunk_count", "imatrix.chunk_size"].iter().enumerate()
    {
        let mut file = File::sound();
        file.kvs.remove(i);
        assert!(
            refused(&file.bytes()).starts_with(&format!("no importance matrix: the metadata lacks {key}")),
            "{key}"
        );
    }
    let mut file = File::sound();
    file.kvs.truncate(1);
    assert!(refused(&file.bytes()).contains("lacks imatrix.datasets, imatrix.chunk_count, imatrix.chunk_size"));
    file.kvs[0] = kv("general.type", 8, &string("model\x1b"));
    assert!(refused(&file.bytes()).starts_with("general.type is 'model\\u{1b}', expected 'imatrix'"));
    let mut file = File::sound();
    file.kvs[2] = kv("imatrix.chunk_count", 5, &(-1i32).to_le_bytes());
    assert!(refused(&file.bytes()).starts_with("imatrix.chunk_count is -1 (i32)"));
    file = File::sound();
    file.kvs[1] = u32_kv("imatrix.datasets", 1);
    assert!(refused(&file.bytes()).starts_with("imatrix.datasets is of type u32"));
    file.kvs[1] = kv("imatrix.datasets", 9, &[4, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0]);
    assert!(refused(&file.bytes()).starts_with("imatrix.datasets has elements that are no strings"));
}

#[test]
fn wrong_pairs_are_refused_by_name() {
    let refuse = |file: File, what: &str| {
        let message = refused(&file.bytes());
        assert!(message.starts_with(what), "{message}");
    };
    refuse(
        File::new().tensor("a.in_sum2", &[2], &[1.0, 1.0]),
        "tensor 'a': 'a.in_sum2' is there, 'a.counts' is missing",
    );
    refuse(File::new().tensor("a.counts", &[1], &[1.0]), "tensor 'a': 'a.counts' is there, 'a.in_sum2' is missing");
    let pair = |shape: &[u64], counts: &[u64], values: &[f32], numbers: &[f32]| {
        File::new().tensor("a.in_sum2", shape, values).tensor("a.counts", counts, numbers)
    };
    refuse(
        pair(&[2, 3], &[1, 2], &[1.0; 6], &[1.0; 2]),
        "tensor 'a': 'a.in_sum2' has 3 rows, 'a.counts' has 2 numbers",
    );
    refuse(pair(&[0], &[1], &[], &[1.0]), "tensor 'a': 'a.in_sum2' has the shape 0: no values");
    refuse(pair(&[2, 0], &[0], &[], &[]), "tensor 'a': 'a.in_sum2' has the shape 2×0: no values");
    refuse(pair(&[2], &[1], &[1.0, f32::NAN], &[1.0]), "tensor 'a.in_sum2': value 1 is NaN");
    refuse(pair(&[2], &[1], &[f32::INFINITY, 1.0], &[1.0]), "tensor 'a.in_sum2': value 0 is inf");
    refuse(pair(&[2], &[1], &[1.0, -0.5], &[1.0]), "tensor 'a.in_sum2': value 1 is -0.5");
    refuse(pair(&[2], &[1], &[1.0, 1.0], &[-3.0]), "tensor 'a.counts': value 0 is -3");
    let mut other = pair(&[2], &[1], &[1.0, 1.0], &[1.0]);
    other.tensors[0].2 = 26;
    refuse(other, "tensor 'a': 'a.in_sum2' is of type I32, expected F32");
    refuse(File::new(), "the importance matrix has no entries");
    refuse(File::new().tensor("a", &[1], &[1.0]), "the importance matrix has no entries");
}

#[test]
fn a_file_that_llama_cpp_would_not_open_is_refused() {
    let twice = File::sound().tensor("exps.counts", &[3], &[1.0; 3]);
    assert!(refused(&twice.bytes()).starts_with("tensor 'exps.counts': the name was there before"));
    let mut cut = File::sound().bytes();
    cut.truncate(cut.len() - 64);
    assert!(refused(&cut).starts_with("tensor 'exps."), "{}", refused(&cut));
    let extra = File::sound().tensor("output.in_sum", &[1], &[1.0]);
    let imatrix = read(&extra.bytes()).unwrap();
    assert_eq!(imatrix.entries().len(), 2);
    assert_eq!(imatrix.diagnostics[0].tensor.as_deref(), Some("output.in_sum"));
}

#[test]
fn wrong_legacy_files_are_refused_by_entry_and_number() {
    let refuse = |bytes: &[u8], what: &str| {
        let message = refused(bytes);
        assert!(message.contains(what), "{message}");
    };
    refuse(b"", "no GGUF, and as a legacy importance matrix: the number of entries needs 4 bytes");
    refuse(b"hello, world", "1819043176 entries announced; the 8 bytes that follow hold 1 to 0");
    let with = |entries: i32, name_len: i32, calls: i32, values: i32, rest: &[f32]| {
        let mut out = Vec::new();
        [entries, name_len].iter().for_each(|n| i32le(&mut out, *n));
        out.extend_from_slice(b"name");
        [calls, values].iter().for_each(|n| i32le(&mut out, *n));
        f32s(&mut out, rest);
        out
    };
    refuse(&with(0, 4, 1, 2, &[1.0; 2]), "0 entries announced");
    refuse(&with(-1, 4, 1, 2, &[1.0; 2]), "-1 entries announced");
    refuse(&with(i32::MAX, 4, 1, 2, &[1.0; 2]), "2147483647 entries announced");
    refuse(&with(1, 0, 1, 2, &[1.0; 2]), "the name of entry 0 is 0 bytes long");
    refuse(&with(1, -4, 1, 2, &[1.0; 2]), "the name of entry 0 is -4 bytes long");
    refuse(&with(1, 1000, 1, 2, &[1.0; 2]), "the name of an entry needs 1000 bytes, the file has 20 left");
    refuse(&with(1, 4, 1, 0, &[1.0; 2]), "tensor 'name': 0 values announced");
    refuse(&with(1, 4, 1, -2, &[1.0; 2]), "tensor 'name': -2 values announced");
    refuse(&with(1, 4, 1, i32::MAX, &[1.0; 2]), "tensor 'name': 2147483647 values announced, the 8 bytes that follow");
    refuse(&with(1, 4, 1, 2, &[1.0, f32::NAN]), "tensor 'name': value 1 is NaN");
    refuse(&with(1, 4, 1, 2, &[-1.0, 1.0]), "tensor 'name': value 0 is -1");
    assert!(read(&with(1, 4, 1, 2, &[1.0; 2])).is_ok());
}

#[test]
fn what_follows_the_legacy_entries_may_be_missing_or_odd() {
    let sound = legacy();
    let entries_end = sound.len() - 16;
    let (mut with_chunks, mut whole) = (0, 0);
    for end in entries_end..=sound.len() {
        let imatrix = read(&sound[..end]).unwrap();
        let odd = imatrix.diagnostics.iter().filter(|d| d.code == "imatrix-trailer").count();
        assert_eq!(odd, usize::from(end != entries_end && end != sound.len()), "{end}");
        with_chunks += u32::from(imatrix.chunks == Some(40));
        whole += u32::from(!imatrix.datasets.is_empty());
    }
    assert_eq!((with_chunks, whole), (13, 1));
    let more = read(&[sound.as_slice(), b"xyz"].concat()).unwrap();
    assert_eq!(
        (more.datasets.len(), more.diagnostics[0].message.as_str()),
        (1, "3 bytes follow the end of the matrix")
    );
    let mut negative = sound.clone();
    negative[entries_end..entries_end + 4].copy_from_slice(&(-1i32).to_le_bytes());
    let imatrix = read(&negative).unwrap();
    assert_eq!((imatrix.chunks, imatrix.diagnostics.len()), (None, 1));
}

#[test]
fn of_two_legacy_entries_with_one_name_the_later_counts_and_is_told() {
    let mut out = Vec::new();
    i32le(&mut out, 3);
    legacy_entry(&mut out, "a", 1, &[1.0]);
    legacy_entry(&mut out, "b", 1, &[2.0]);
    legacy_entry(&mut out, "a", 1, &[3.0, 4.0]);
    let imatrix = read(&out).unwrap();
    assert_eq!(imatrix.entries().iter().map(|e| e.name.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(imatrix.entry("a").unwrap().importance, [3.0, 4.0]);
    assert_eq!(imatrix.diagnostics[0].code, "imatrix-duplicate");
}

#[test]
fn the_summary_counts_tokens_and_who_saw_none() {
    let imatrix = read(&File::sound().bytes()).unwrap();
    let summary = imatrix.summary();
    assert_eq!((summary.entries, summary.tokens), (2, Some(20480)));
    assert_eq!((summary.experts, summary.unreached_experts, summary.unreached_tensors), (3, 1, 0));
    assert_eq!(
        summary.to_string(),
        "2 tensors, 40 chunks of 512 tokens (20.5K), from wiki.txt, code.txt, 1 of 3 experts without tokens"
    );
    assert_eq!(imatrix.calibration_note(40), None);
    let note = imatrix.calibration_note(1000).unwrap();
    assert_eq!(note.message, "the importance matrix was made from 40 chunks, calibration_samples is 1000");
    let old = read(&legacy()).unwrap();
    assert_eq!(old.summary().to_string(), "2 tensors, 40 chunks, from wiki.txt (legacy form)");
    assert_eq!((old.summary().experts, old.summary().tokens), (0, None));
}

#[test]
fn a_matrix_cut_short_anywhere_is_refused_or_told() {
    let sound = File::sound().bytes();
    // The last tensor's padding may be missing.
    let data_end = sound.len() - 32 + 4;
    for end in 0..sound.len() {
        assert_eq!(read(&sound[..end]).is_ok(), end >= data_end, "{end}");
    }
    let old = legacy();
    for end in 0..old.len() - 16 {
        assert!(read(&old[..end]).is_err(), "{end}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_bytes_end_in_a_matrix_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = read(&bytes);
        // Small numbers get further into a legacy file than random ones.
        let small: Vec<u8> = bytes.iter().enumerate().map(|(i, b)| if i % 4 == 0 { b % 8 } else { 0 }).collect();
        let _ = read(&small);
    }

    #[test]
    fn a_changed_byte_or_number_ends_in_a_matrix_or_an_error(
        at in any::<prop::sample::Index>(),
        number in prop::sample::select(vec![0u32, 1, 0x7fff_ffff, 0x8000_0000, u32::MAX, 0x7f80_0000, 1 << 30]),
        in_legacy in any::<bool>(),
    ) {
        let mut bytes = if in_legacy { legacy() } else { File::sound().bytes() };
        let at = at.index(bytes.len() - 4);
        bytes[at..at + 4].copy_from_slice(&number.to_le_bytes());
        if let Ok(imatrix) = read(&bytes) {
            for entry in imatrix.entries() {
                prop_assert_eq!(entry.importance.len(), entry.columns * entry.experts);
                prop_assert!(entry.importance.iter().all(|v| v.is_finite() && *v >= 0.0));
                let found = imatrix.for_tensor(&entry.name, entry.columns as u64, entry.experts as u64);
                prop_assert!(found.is_ok_and(|f| f.is_some()));
            }
            prop_assert!(!imatrix.summary().to_string().contains(char::is_control));
        }
    }
}
