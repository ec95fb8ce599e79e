//! Whole conversions of small files.

use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::sentencepiece::tests as proto;
use super::*;

const TOKENS: &str = "tokenizer.ggml.tokens";

/// The files of a folder, as JSON.
#[derive(Default)]
struct Folder {
    tokenizer: Json,
    config: Json,
    model: Option<Vec<u8>>,
    vocab: Option<&'static str>,
    hyper: Json,
}

impl Folder {
    fn convert(&self, architecture: &str, rows: u64) -> TokenizerKvs {
        let bytes = |json: &Json| (!json.is_null()).then(|| json.to_string().into_bytes());
        let (tokenizer, config, hyper) = (bytes(&self.tokenizer), bytes(&self.config), bytes(&self.hyper));
        let files = TokenizerFiles {
            tokenizer_json: tokenizer.as_deref(),
            tokenizer_config: config.as_deref(),
            sentencepiece: self.model.as_deref(),
            vocab_txt: self.vocab.map(str::as_bytes),
            config: hyper.as_deref(),
            ..TokenizerFiles::default()
        };
        convert(&files, architecture, rows)
    }
}

fn strings(out: &TokenizerKvs, key: &str) -> Vec<String> {
    let Some(Value::Array { head, len, .. }) = out.get(key) else { panic!("no {key}: {out:?}") };
    assert_eq!(*len, head.len() as u64);
    head.iter().map(|v| v.as_str().unwrap().to_owned()).collect()
}

/// Numbers of an array, types or scores.
fn numbers(out: &TokenizerKvs, key: &str) -> Vec<f64> {
    let Some(Value::Array { head, .. }) = out.get(key) else { panic!("no {key}") };
    let number = |v: &Value| match v {
        Value::Signed(n, ValueType::I32) => *n as f64,
        Value::Float(x, ValueType::F32) => *x,
        other => panic!("{other:?} in {key}"),
    };
    head.iter().map(number).collect()
}

fn types(out: &TokenizerKvs) -> Vec<f64> {
    numbers(out, "tokenizer.ggml.token_type")
}

fn id(out: &TokenizerKvs, kind: &str) -> Option<u64> {
    out.get(&format!("tokenizer.ggml.{kind}_token_id")).and_then(Value::as_u64)
}

fn adds(out: &TokenizerKvs, kind: &str) -> Option<bool> {
    match out.get(&format!("tokenizer.ggml.add_{kind}_token")) {
        Some(Value::Bool(value)) => Some(*value),
        None => None,
        other => panic!("{other:?}"),
    }
}

fn text<'k>(out: &'k TokenizerKvs, key: &str) -> &'k str {
    out.get(key).and_then(Value::as_str).unwrap_or("")
}

fn added(id: u64, content: &str, special: bool) -> Json {
    json!({"id": id, "content": content, "special": special, "normalized": false, "lstrip": false, "rstrip": false})
}

/// SmolLM's form with eight tokens.
fn byte_level() -> Json {
    json!({
        "added_tokens": [added(0, "<|endoftext|>", true), added(6, "<think>", false), added(7, "<|im_end|>", false)],
        "normalizer": null,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
            {"type": "Digits", "individual_digits": true},
            {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true}]},
        "post_processor": null,
        "decoder": {"type": "ByteLevel"},
        "model": {"type": "BPE", "vocab": {"<|endoftext|>": 0, "a": 1, "b": 2, "\u{120}": 3, "ab": 4, "\u{120}ab": 5},
            "merges": ["a b", ["\u{120}", "ab"]]},
    })
}

#[test]
fn byte_level_bpe_has_tokens_types_merges_and_a_name() {
    let config = json!({"add_prefix_space": false, "bos_token": "<|endoftext|>", "eos_token": {"content": "<|im_end|>"},
        "pad_token": "<none>", "clean_up_tokenization_spaces": false, "chat_template": "hello"});
    let folder = Folder { tokenizer: byte_level(), config, ..Folder::default() };
    let out = folder.convert("llama", 9);
    assert_eq!(text(&out, "tokenizer.ggml.model"), "gpt2");
    assert_eq!(text(&out, "tokenizer.ggml.pre"), "smollm");
    let tokens = ["<|endoftext|>", "a", "b", "Ġ", "ab", "Ġab", "<think>", "<|im_end|>", "[PAD8]"];
    assert_eq!(strings(&out, TOKENS), tokens);
    assert_eq!(types(&out), [3.0, 1.0, 1.0, 1.0, 1.0, 1.0, 4.0, 3.0, 5.0]);
    assert_eq!(strings(&out, "tokenizer.ggml.merges"), ["a b", "Ġ ab"]);
    assert_eq!((id(&out, "bos"), id(&out, "eos"), id(&out, "padding")), (Some(0), Some(7), None));
    assert_eq!((adds(&out, "bos"), adds(&out, "eos")), (None, None));
    assert_eq!(text(&out, "tokenizer.chat_template"), "hello");
    assert_eq!(out.get("tokenizer.ggml.add_space_prefix"), Some(&Value::Bool(false)));
    assert!(out.missing.is_empty(), "{:?}", out.missing);
    assert_eq!(out.notes.len(), 2, "{:?}", out.notes);
    assert!(folder.convert("gpt2", 9).get("tokenizer.ggml.add_space_prefix").is_none());
}

#[test]
fn what_is_wrong_with_a_bpe_is_named() {
    let mut tokenizer = byte_level();
    tokenizer["model"]["merges"] = json!(["a b", "a b c"]);
    tokenizer["pre_tokenizer"] = json!({"type": "ByteLevel", "use_regex": false, "add_prefix_space": false});
    let out = Folder { tokenizer, ..Folder::default() }.convert("llama", 4);
    assert_eq!(strings(&out, TOKENS), ["<|endoftext|>", "a", "b", "Ġ"]);
    let [pre, merges] = &out.missing[..] else { panic!("{:?}", out.missing) };
    assert!(pre.starts_with("tokenizer.ggml.pre: tokenizer.json does not cut"), "{pre}");
    assert!(merges.starts_with("tokenizer.ggml.merges: merge 1, “a b c”"), "{merges}");
    assert!(out.notes[0].contains("beyond the embedding's 4 rows, which are left out: 4 (first: “ab” with id 4)"));

    let mut tokenizer = byte_level();
    tokenizer["normalizer"] = json!({"type": "Sequence", "normalizers": [{"type": "NFC"}, {"type": "Prepend"}]});
    tokenizer["model"]["merges"] = json!([["a", "x"], ["a b", "c"]]);
    let out = Folder { tokenizer, ..Folder::default() }.convert("llama", 8);
    assert_eq!(out.missing, ["tokenizer.ggml.pre: llama.cpp does not apply the normalizer “Prepend”"]);
    assert_eq!(strings(&out, "tokenizer.ggml.merges"), ["a x", "aĠb c"]);
    assert!(out.notes.iter().any(|n| n.ends_with("does not have: 2 (first: “x”)")), "{:?}", out.notes);
}

#[test]
fn a_pre_tokenizer_that_puts_bos_in_front_is_told_where_no_file_does() {
    let regex = concat!(
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|",
        r"\s*[\r\n]+|\s+(?!\S)|\s+"
    );
    let mut tokenizer = byte_level();
    tokenizer["pre_tokenizer"] = json!({"type": "Sequence", "pretokenizers": [
        {"type": "Split", "pattern": {"Regex": regex}, "behavior": "Isolated", "invert": false},
        {"type": "ByteLevel", "add_prefix_space": false, "use_regex": false}]});
    tokenizer["model"]["ignore_merges"] = json!(true);
    let out = Folder { tokenizer: tokenizer.clone(), ..Folder::default() }.convert("llama", 8);
    assert_eq!((text(&out, "tokenizer.ggml.pre"), adds(&out, "bos")), ("llama-bpe", Some(false)));

    tokenizer["post_processor"] = json!({"type": "Sequence", "processors": [{"type": "ByteLevel"}, {
        "type": "TemplateProcessing",
        "single": [{"SpecialToken": {"id": "<|endoftext|>"}}, {"Sequence": {"id": "A"}}], "pair": []}]});
    let out = Folder { tokenizer, ..Folder::default() }.convert("llama", 8);
    assert_eq!((adds(&out, "bos"), adds(&out, "eos"), id(&out, "bos")), (Some(true), Some(false), Some(0)));
}

/// A post-processor's flags and ids with these texts in `tokenizer_config.json`.
fn processed(processor: Json, config: Json) -> TokenizerKvs {
    let mut tokenizer = byte_level();
    tokenizer["post_processor"] = processor;
    let mut list = tokenizer["added_tokens"].as_array().unwrap().clone();
    list.extend([added(8, "[CLS]", true), added(9, "[SEP]", true)]);
    tokenizer["added_tokens"] = Json::Array(list);
    Folder { tokenizer, config, ..Folder::default() }.convert("llama", 10)
}

#[test]
fn templates_say_what_is_put_around() {
    let token = |text: &str| json!({"SpecialToken": {"id": text, "type_id": 0}});
    let part = |text: &str| json!({"Sequence": {"id": text, "type_id": 0}});
    let template = |single: Json, pair: Json| json!({"type": "TemplateProcessing", "single": single, "pair": pair});
    let bert = template(
        json!([token("[CLS]"), part("A"), token("[SEP]")]),
        json!([token("[CLS]"), part("A"), token("[SEP]"), part("B"), token("[SEP]")]),
    );
    let out = processed(bert.clone(), json!({"cls_token": "[CLS]", "sep_token": "[SEP]"}));
    assert_eq!([adds(&out, "bos"), adds(&out, "eos"), adds(&out, "sep")], [Some(true), Some(true), Some(false)]);
    assert_eq!([id(&out, "bos"), id(&out, "eos"), id(&out, "seperator")], [Some(8), Some(9), Some(9)]);
    let old = processed(json!({"type": "BertProcessing", "cls": ["[CLS]", 8], "sep": ["[SEP]", 9]}), Json::Null);
    assert_eq!([adds(&old, "bos"), adds(&old, "eos"), adds(&old, "sep")], [Some(true), Some(true), Some(false)]);

    // What was eos ends turns where the template ends with another token.
    let out =
        processed(template(json!([part("A"), token("<|endoftext|>")]), json!([])), json!({"eos_token": "<|im_end|>"}));
    assert_eq!([id(&out, "eos"), id(&out, "eot"), adds(&out, "eos").map(u64::from)], [Some(0), Some(7), Some(1)]);

    // A separator between two texts that nothing ends.
    let out = processed(
        template(json!([part("A")]), json!([part("A"), token("[SEP]"), part("B")])),
        json!({"sep_token": "[SEP]"}),
    );
    assert_eq!((adds(&out, "sep"), adds(&out, "eos")), (Some(true), None));

    // A leading token that is not bos cannot be said.
    let out = processed(template(json!([token("[CLS]"), part("A")]), json!([])), json!({"bos_token": "<|endoftext|>"}));
    assert_eq!(adds(&out, "bos"), Some(false));
    assert!(out.notes.iter().any(|n| n.contains("“[CLS]”, which is neither")), "{:?}", out.notes);

    let roberta = processed(json!({"type": "RobertaProcessing", "cls": ["[CLS]", 8], "sep": ["[SEP]", 9]}), Json::Null);
    assert_eq!([adds(&roberta, "bos"), adds(&roberta, "eos"), adds(&roberta, "sep")], [Some(true); 3]);
    assert_eq!(roberta.missing.len(), 1, "no file says which token bos is: {:?}", roberta.missing);
}

#[test]
fn flags_follow_the_post_processor_but_for_tokenizers_that_are_rebuilt() {
    let silent = json!({"type": "ByteLevel"});
    let config = |class: &str| json!({"tokenizer_class": class, "add_bos_token": true, "bos_token": "<|endoftext|>"});
    let out = processed(silent.clone(), config("PreTrainedTokenizerFast"));
    assert_eq!(adds(&out, "bos"), Some(false));
    assert!(out.notes.iter().any(|n| n.contains("add_bos_token is true")), "{:?}", out.notes);
    assert_eq!(adds(&processed(silent, config("LlamaTokenizerFast")), "bos"), Some(true));
    assert_eq!(adds(&processed(Json::Null, config("GPT2Tokenizer")), "bos"), Some(true));
}

#[test]
fn ids_come_from_config_json_where_no_text_says() {
    let hyper = json!({"bos_token_id": 1, "eos_token_id": [1, 2], "pad_token_id": 99, "unk_token_id": -1});
    let out = Folder { tokenizer: byte_level(), hyper, ..Folder::default() }.convert("llama", 8);
    assert_eq!(
        [id(&out, "bos"), id(&out, "eos"), id(&out, "padding"), id(&out, "unknown")],
        [Some(1), None, None, None]
    );
    assert!(out.notes.iter().any(|n| n.contains("pad has id 99, beyond the embedding's 8 rows")), "{:?}", out.notes);
}

/// Pieces of a model in Llama's manner.
fn pieces() -> Vec<u8> {
    let mut trainer = Vec::new();
    [(3, 2), (40, 0), (41, 1), (42, 2)].iter().for_each(|(f, n)| proto::number(*f, *n, &mut trainer));
    let list: [(&[u8], f32, u64); 7] = [
        (b"<unk>", 0.0, 2),
        (b"<s>", 0.0, 3),
        (b"</s>", 0.0, 3),
        (b"<0x0A>", 0.0, 6),
        ("▁a".as_bytes(), -0.5, 1),
        ("▁▁".as_bytes(), 0.0, 4),
        (b"b", -2.0, 1),
    ];
    proto::model(&list, &trainer, &[])
}

#[test]
fn a_sentencepiece_model_keeps_scores_and_types() {
    let out = Folder { model: Some(pieces()), ..Folder::default() }.convert("llama", 8);
    assert_eq!((text(&out, "tokenizer.ggml.model"), text(&out, "tokenizer.ggml.pre")), ("llama", "default"));
    assert_eq!(strings(&out, TOKENS), ["<unk>", "<s>", "</s>", "<0x0A>", "▁a", "  ", "b", "[PAD7]"]);
    assert_eq!(numbers(&out, "tokenizer.ggml.scores"), [0.0, 0.0, 0.0, 0.0, -0.5, 0.0, -2.0, -10_000.0]);
    assert_eq!(types(&out), [2.0, 3.0, 3.0, 6.0, 1.0, 4.0, 1.0, 5.0]);
    assert_eq!(
        [id(&out, "unknown"), id(&out, "bos"), id(&out, "eos"), id(&out, "padding")],
        [Some(0), Some(1), Some(2), None]
    );
    assert_eq!(out.get("tokenizer.ggml.add_space_prefix"), Some(&Value::Bool(true)));
    assert!(out.notes.iter().any(|n| n.contains("bytes without a token: 255 of 256")), "{:?}", out.notes);
    assert!(out.get("tokenizer.ggml.merges").is_none() && out.missing.is_empty());
}

#[test]
fn added_tokens_replace_pieces_and_go_behind_them() {
    let config = json!({"add_prefix_space": false, "bos_token": "<s>", "added_tokens_decoder": {
        "1": {"content": "<s>", "special": true}, "5": {"content": "▁▁"}, "6": {"content": "<pad>"}}});
    let tokenizer = json!({"model": {"type": "BPE", "byte_fallback": true},
        "added_tokens": [added(6, "<ignored>", true), added(7, "<extra>", false), added(8, "<far>", true)]});
    let out = Folder { tokenizer, config, model: Some(pieces()), ..Folder::default() }.convert("llama", 8);
    assert_eq!(strings(&out, TOKENS)[4..], ["▁a", "  ", "<pad>", "<extra>"]);
    assert_eq!(types(&out), [2.0, 3.0, 3.0, 6.0, 1.0, 4.0, 3.0, 4.0]);
    assert_eq!(numbers(&out, "tokenizer.ggml.scores")[5..], [-1000.0; 3]);
    assert_eq!(out.get("tokenizer.ggml.add_space_prefix"), Some(&Value::Bool(false)));
    assert!(out.notes.iter().any(|n| n.contains("6 was “b”, is “<pad>”")), "{:?}", out.notes);
    assert!(out.notes.iter().any(|n| n.contains("“<far>” with id 8")), "{:?}", out.notes);
}

/// Llama 2's form. `merges` are those of a file that was converted from SentencePiece.
fn byte_fallback(merges: &Json) -> Json {
    json!({
        "added_tokens": [added(0, "<unk>", true), added(1, "<s>", true)],
        "normalizer": {"type": "Sequence", "normalizers": [
            {"type": "Prepend", "prepend": "▁"}, {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}]},
        "model": {"type": "BPE", "byte_fallback": true, "unk_token": "<unk>", "merges": merges,
            "vocab": {"<unk>": 0, "<s>": 1, "<0x0A>": 2, "ab": 3, "▁a": 4, "▁ab": 5, "▁": 6, "a": 7, "b": 8}},
    })
}

#[test]
fn scores_come_from_the_order_in_which_tokens_are_made() {
    let merges = json!(["▁ a", "a b", ["▁a", "b"], ["▁", "ab"]]);
    let out = Folder { tokenizer: byte_fallback(&merges), ..Folder::default() }.convert("llama", 9);
    let scores = numbers(&out, "tokenizer.ggml.scores");
    assert_eq!(scores, [-1000.0, -1000.0, 0.0, -1.0, 0.0, -2.0, -3.0, -4.0, -5.0]);
    assert_eq!(types(&out), [3.0, 3.0, 6.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]);
    assert_eq!(out.get("tokenizer.ggml.add_space_prefix"), Some(&Value::Bool(true)));
    assert_eq!(out.notes.len(), 2, "{:?}", out.notes);
}

#[test]
fn merges_that_scores_cannot_say_are_told() {
    // "▁" and "ab" make a token too, and no merge says so; the second merge into "▁ab" would come too late.
    let merges = json!(["▁ a", ["▁a", "b"], "a b", "a", ["b", "b"]]);
    let out = Folder { tokenizer: byte_fallback(&merges), ..Folder::default() }.convert("llama", 9);
    let told = |end: &str| assert!(out.notes.iter().any(|n| n.ends_with(end)), "{end}: {:?}", out.notes);
    told("than tokenizer.json: 1 (first: “▁ab”)");
    told("no token: 2 (first: “a” and “”)");
    let merges = json!([["▁a", "b"], "▁ a", "a b", ["▁", "ab"]]);
    let out = Folder { tokenizer: byte_fallback(&merges), ..Folder::default() }.convert("llama", 9);
    assert!(out.notes.iter().any(|n| n.starts_with("merges that stand apart")), "{:?}", out.notes);
}

#[test]
fn spaces_in_front_are_read_from_each_place() {
    let with = |normalizer: Json, cut: Json| {
        let mut tokenizer = byte_fallback(&json!([]));
        (tokenizer["normalizer"], tokenizer["pre_tokenizer"]) = (normalizer, cut);
        let out = Folder { tokenizer, ..Folder::default() }.convert("gemma", 9);
        out.get("tokenizer.ggml.add_space_prefix").cloned()
    };
    let (no, yes) = (Some(Value::Bool(false)), Some(Value::Bool(true)));
    let replace = json!({"type": "Replace", "pattern": {"String": " "}, "content": "▁"});
    let gemma = json!({"type": "Split", "pattern": {"String": " "}, "behavior": "MergedWithPrevious", "invert": false});
    assert_eq!(with(replace, gemma), no);
    assert_eq!(
        with(Json::Null, json!({"type": "Metaspace", "replacement": "▁", "prepend_scheme": "first", "split": false})),
        yes
    );
    assert_eq!(with(Json::Null, json!({"type": "Metaspace", "prepend_scheme": "never"})), no);
    assert_eq!(with(Json::Null, json!({"type": "Metaspace", "add_prefix_space": false})), no);
    assert_eq!(with(Json::Null, json!({"type": "Metaspace"})), yes);
}

#[test]
fn gemma_4_keeps_its_merges() {
    let mut tokenizer = byte_fallback(&json!([["▁", "a"]]));
    tokenizer["added_tokens"] =
        json!([added(1, "<s>", true), added(8, "b", false), added(9, "<|channel>", true), added(10, "<x>", false)]);
    let out = Folder { tokenizer, ..Folder::default() }.convert("gemma4", 11);
    assert_eq!((text(&out, "tokenizer.ggml.model"), out.get("tokenizer.ggml.pre")), ("gemma4", None));
    assert_eq!(types(&out), [1.0, 3.0, 6.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 4.0, 4.0]);
    assert_eq!(numbers(&out, "tokenizer.ggml.scores"), [-1000.0; 11]);
    assert_eq!(strings(&out, "tokenizer.ggml.merges"), ["▁ a"]);
    assert_eq!(adds(&out, "bos"), Some(true));
}

fn word_piece(prefix: &str) -> Json {
    json!({
        "added_tokens": [
            added(0, "[PAD]", true), added(1, "[UNK]", true), added(2, "[CLS]", true), added(3, "[SEP]", true)],
        "normalizer": {"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": false,
            "strip_accents": null, "lowercase": false},
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": prefix,
            "vocab": {"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3, "play": 4, "##ing": 5, "#": 6, "[unused0]": 7}},
    })
}

#[test]
fn word_piece_marks_beginnings() {
    let config = json!({"cls_token": "[CLS]", "sep_token": "[SEP]", "unk_token": "[UNK]", "pad_token": "[PAD]"});
    let out = Folder { tokenizer: word_piece("##"), config, ..Folder::default() }.convert("bert", 8);
    assert_eq!(strings(&out, TOKENS), ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "▁play", "ing", "▁#", "▁[unused0]"]);
    assert_eq!(types(&out), [3.0, 3.0, 3.0, 3.0, 1.0, 1.0, 1.0, 1.0]);
    assert_eq!(
        [id(&out, "bos"), id(&out, "cls"), id(&out, "eos"), id(&out, "seperator")],
        [Some(2), Some(2), Some(3), Some(3)]
    );
    assert_eq!(out.get("tokenizer.ggml.normalizer.lowercase"), Some(&Value::Bool(false)));
    assert!(out.get("tokenizer.ggml.normalizer.strip_accents").is_none() && out.get("tokenizer.ggml.pre").is_none());
    assert_eq!(out.notes, ["handle_chinese_chars is off in tokenizer.json; llama.cpp does it"]);
    let out = Folder { tokenizer: word_piece("@@"), ..Folder::default() }.convert("bert", 8);
    assert!(out.kvs.is_empty() && out.missing[0].contains("“@@”"), "{out:?}");
}

#[test]
fn a_list_of_words_gives_the_same_tokens() {
    let vocab = Some("[PAD]\n[UNK]\n[CLS]\r\n[SEP]\nplay\n##ing\n#\n[unused0]\n");
    let config = json!({"tokenizer_class": "BertTokenizer", "do_lower_case": true});
    let out = Folder { config, vocab, ..Folder::default() }.convert("bert", 8);
    let json = Folder { tokenizer: word_piece("##"), ..Folder::default() }.convert("bert", 8);
    assert_eq!(strings(&out, TOKENS), strings(&json, TOKENS));
    assert_eq!(types(&out), types(&json));
    assert_eq!([id(&out, "bos"), id(&out, "seperator"), id(&out, "mask")], [Some(2), Some(3), None]);
    assert_eq!(out.get("tokenizer.ggml.normalizer.lowercase"), Some(&Value::Bool(true)));
    assert!(out.missing.is_empty());
    let out = Folder { vocab, ..Folder::default() }.convert("bert", 8);
    assert_eq!(out.missing.len(), 1, "nobody says whether letters are lowered: {:?}", out.missing);
    assert!(Folder { vocab, ..Folder::default() }.convert("gpt2", 8).kvs.is_empty());
}

#[test]
fn what_is_not_supported_is_missing() {
    let unigram = json!({"model": {"type": "Unigram", "unk_id": 0, "vocab": [["<unk>", 0.0], ["a", -1.0]]}});
    let out = Folder { tokenizer: unigram, ..Folder::default() }.convert("t5", 2);
    assert_eq!(out.missing, ["tokenizer.ggml.model: a tokenizer of type “Unigram” is not supported"]);
    let model = Some(proto::model(&[(b"a", 0.0, 1)], &[], &[]));
    let out = Folder { model, ..Folder::default() }.convert("t5", 2);
    assert!(out.notes[0].contains("unigram") && out.missing.len() == 1 && out.kvs.is_empty(), "{out:?}");
    for rows in [0, MAX_ROWS + 1, u64::MAX] {
        let out = Folder { tokenizer: byte_level(), ..Folder::default() }.convert("llama", rows);
        assert!(out.kvs.is_empty() && out.missing[0].contains(&rows.to_string()), "{out:?}");
    }
    let out = convert(&TokenizerFiles { tokenizer_json: Some(b"\x1b[2J{"), ..TokenizerFiles::default() }, "llama", 2);
    assert!(out.notes[0].starts_with("tokenizer.json cannot be read") && out.missing.len() == 1);
    assert!(
        Folder { tokenizer: byte_level(), model: Some(pieces()), ..Folder::default() }.convert("llama", 8).kvs[0].1
            == Value::string("gpt2")
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever stands in the files, a conversion ends, writes each key once, and as many tokens as there are rows.
    #[test]
    fn no_bytes_panic(
        which in 0usize..4,
        at in any::<prop::sample::Index>(),
        cut in 0usize..5,
        with in prop::collection::vec(any::<u8>(), 0..6),
        rows in 1u64..12,
    ) {
        let fallback = byte_fallback(&json!(["▁ a", ["a", "b"]]));
        let mut bytes = match which {
            0 => byte_level().to_string().into_bytes(),
            1 => fallback.to_string().into_bytes(),
            2 => word_piece("##").to_string().into_bytes(),
            _ => pieces(),
        };
        let at = at.index(bytes.len());
        bytes.splice(at..(at + cut).min(bytes.len()), with);
        let files = TokenizerFiles {
            tokenizer_json: (which < 3).then_some(&bytes[..]),
            sentencepiece: (which == 3).then_some(&bytes[..]),
            tokenizer_config: Some(&bytes),
            vocab_txt: Some(&bytes),
            ..TokenizerFiles::default()
        };
        let out = convert(&files, "bert", rows);
        let mut keys: Vec<&String> = out.kvs.iter().map(|(key, _)| key).collect();
        keys.sort_unstable();
        keys.dedup();
        prop_assert_eq!(keys.len(), out.kvs.len());
        if let Some(Value::Array { len, .. }) = out.get(TOKENS) {
            prop_assert_eq!(*len, rows);
        } else {
            prop_assert!(!out.missing.is_empty());
        }
    }
}
