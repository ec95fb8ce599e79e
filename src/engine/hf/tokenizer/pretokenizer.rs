//! Which of llama.cpp's pre-tokenizers cuts a text as a `tokenizer.json` does.
//!
//! llama.cpp has a list of regular expressions for each name (`src/llama-vocab.cpp`, mid-2026): each in turn cuts the
//! pieces that the one before left. A `pre_tokenizer` is brought into the same form, so that equal lists tokenize
//! equally; the converter instead encodes a text and looks the hash of the ids up, which works for the vocabularies on
//! its list only. Where several names have the same list, what else llama.cpp ties to them decides: whether a word that
//! is a token is taken without merging, whether spaces before punctuation are dropped when text is shown, the
//! architecture.

use serde_json::Value as Json;

use super::json::{parts, type_of};
use super::shown;

/// What decides between names with the same list.
pub(super) struct Facts<'a> {
    /// GGUF's architecture.
    pub architecture: &'a str,
    /// Whether a word that is a token is taken without merging.
    pub ignores_merges: bool,
    /// `clean_up_tokenization_spaces`.
    pub cleans_up: Option<bool>,
    /// Whether the post-processor is RoBERTa's.
    pub roberta: bool,
}

/// The contractions, in the spelling that most files have, and in llama.cpp's, whose regular expressions know no
/// `(?i:`.
const CONTRACTIONS: &str = "(?i:'s|'t|'re|'ve|'m|'ll|'d)";
const CONTRACTIONS_SPELT_OUT: &str = "(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])";

/// The regular expression inside of ByteLevel.
const GPT2: &str = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";
const LLAMA3: &str = concat!(
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|",
    r"\s+(?!\S)|\s+"
);
const QWEN2: &str = concat!(
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|",
    r"\s+(?!\S)|\s+"
);
const QWEN35: &str = concat!(
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|",
    r"\s+(?!\S)|\s+"
);
const MINICPM5: &str = concat!(
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}+| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|",
    r"\s+(?!\S)|\s+"
);
const SEED_CODER: &str = concat!(
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1}| ?[^\s\p{L}\p{N}\r\n]+|\s*[\r\n]+|",
    r"\s+(?!\S)|\s+"
);
const EXAONE_MOE: &str = concat!(
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?(?:\p{L}\p{M}*(?: \p{L}\p{M}*)*)+|\p{N}|",
    r" ?[^\s\p{L}\p{N}]+[\r\n/]?|\s*[\r\n]|\s+(?!\S)|\s+"
);
const JAIS2: &str = concat!(
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|",
    r"\s{512}(?!\S)|\s{256}(?!\S)|\s{128}(?!\S)|\s{64}(?!\S)|\s{32}(?!\S)|\s{16}(?!\S)|\s{8}(?!\S)|\s{4}(?!\S)|",
    r"\s{1,2}(?!\S)|\s{1}"
);
const UFAKZEKA: &str = r"[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const BAILING: &str = concat!(
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|",
    r"\s+(?!\S)|\s+"
);
const GPT4O: &str = concat!(
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|",
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|",
    r"\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
);
const TEKKEN: &str = concat!(
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|",
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|",
    r"\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
);
const KIMI: &str = concat!(
    r"[\p{Han}]+|",
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]*[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]+",
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?|",
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]+[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]*",
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?|",
    r"\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
);
const DEEPSEEK3: &str = concat!(
    r##"[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+|"##,
    r" ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
);
const SPARK: &str = concat!(
    r##"[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+|"##,
    r" ?[\p{P}\p{S}]+|[\r\n]|\s+(?!\S)|\s+"
);
/// DeepSeek's list of Latin, Greek, Cyrillic and related letters goes on for 800 bytes; its beginning tells it apart.
const DEEPSEEK_LETTERS: &str = r"\s?[A-Za-zµÀ-ÖØ-öø-…";
const KANA_AND_HAN: &str = "[一-龥\u{3040}-ゟ゠-ヿ]+";
const HAN_AND_HANGUL: &str = "[一-龥ࠀ-一가-\u{d7ff}]+";
const BLOOM: &str = r" ?[^(\s|[.,!?…。，、।۔،])]+";
const DIGIT: &str = r"\p{N}";
const DIGITS: &str = r"\p{N}+";
const THREE_DIGITS: &str = r"\p{N}{1,3}";

/// Lists and llama.cpp's usual name for each. An entry that ends in `…` stands for all that begin so.
const LISTS: &[(&str, &[&str])] = &[
    ("gpt-2", &[GPT2]),
    ("smollm", &[DIGIT, GPT2]),
    ("llama-bpe", &[LLAMA3]),
    ("qwen2", &[QWEN2]),
    ("qwen35", &[QWEN35]),
    ("gpt-4o", &[GPT4O]),
    ("tekken", &[TEKKEN]),
    ("deepseek-v3", &[THREE_DIGITS, KANA_AND_HAN, DEEPSEEK3]),
    (
        "deepseek-llm",
        &[
            r"[\r\n]",
            DEEPSEEK_LETTERS,
            "\\s?[!-/:-~！-／：-～‘-‟\u{3000}-。]+",
            r"\s+$",
            HAN_AND_HANGUL,
            // In llama.cpp all digits in a row; with a vocabulary that has no token of two digits it is the same.
            DIGIT,
        ],
    ),
    ("deepseek-coder", &[r"[\r\n]", r"\s?\p{L}+", r"\s?\p{P}+", HAN_AND_HANGUL, DIGIT]),
    ("spark2_5", &[THREE_DIGITS, KANA_AND_HAN, SPARK, DIGIT]),
    ("falcon", &["Punctuation Contiguous", GPT2, DIGITS, "[0-9][0-9][0-9]"]),
    ("bloom", &[BLOOM]),
    ("viking", &[BLOOM, DIGIT]),
    ("minicpm5", &[THREE_DIGITS, MINICPM5]),
    ("tiny_aya", &[r"\d{1,3}(?=(?:\d{3})*\b)", GPT4O]),
    ("superbpe", &[DIGITS, r"(?=(\d{3})+(?!\d))"]),
    ("bailingmoe", &[BAILING]),
    ("seed-coder", &[SEED_CODER]),
    ("exaone-moe", &[EXAONE_MOE]),
    ("jais-2", &[JAIS2]),
    ("ufakzeka", &[UFAKZEKA]),
    ("kimi-k2", &[KIMI]),
    ("laguna", &[r"Split MergedWithNext (?:\r?\n)+(?!\r?\n)", QWEN2]),
];

/// Names that an architecture's tokenizers have in place of the usual one of the same list.
const BY_ARCHITECTURE: &[(&str, &[&str], &str)] = &[
    ("gpt-2", &["olmo"], "olmo"),
    ("gpt-2", &["mpt", "gptneox"], "mpt"),
    ("gpt-2", &["jais"], "jais"),
    ("gpt-2", &["phi2"], "phi-2"),
    ("gpt-2", &["exaone4"], "exaone4"),
    ("gpt-2", &["modern-bert"], "modern-bert"),
    ("smollm", &["starcoder", "starcoder2"], "starcoder"),
    ("smollm", &["refact", "granite", "granitemoe"], "refact"),
    ("smollm", &["command-r", "cohere2"], "command-r"),
    ("smollm", &["codeshell"], "codeshell"),
    ("smollm", &["exaone"], "exaone"),
    ("qwen2", &["stablelm"], "stablelm2"),
    ("qwen2", &["hunyuan-moe"], "hunyuan"),
    ("qwen2", &["grok"], "grok-2"),
    ("gpt-4o", &["llama4"], "llama4"),
    ("gpt-4o", &["minimax-m2"], "minimax-m2"),
    ("deepseek-v3", &["hunyuan-dense"], "hunyuan-dense"),
];

/// GLM's architectures, whose names say besides that no token stands for `bos` by default.
const GLM: [&str; 5] = ["chatglm", "glm4", "glm4moe", "glm-dsa", "glm5-next"];

/// Names with which llama.cpp takes a word that is a token without merging.
const WHOLE_WORDS: [&str; 4] = ["llama-bpe", "glm4", "tekken", "minicpm5"];

/// Names with which llama.cpp puts `bos` in front unless `tokenizer.ggml.add_bos_token` says no.
pub(super) const WITH_BOS: [&str; 2] = ["llama-bpe", "tekken"];

/// Finds the name; the error says what the pre-tokenizer is. Notes say what llama.cpp does otherwise.
pub(super) fn name(pre_tokenizer: &Json, facts: &Facts<'_>, notes: &mut Vec<String>) -> Result<&'static str, String> {
    let steps = steps(pre_tokenizer, notes);
    let usual = LISTS.iter().find(|(_, list)| matches(list, &steps)).map(|(name, _)| *name);
    let Some(usual) = usual else {
        return Err(described(&steps));
    };
    let name = refined(usual, facts);
    if facts.ignores_merges && !WHOLE_WORDS.contains(&name) {
        notes.push(format!(
            "tokenizer.json takes a word that is a token without merging it; llama.cpp's {name} merges, which ends at \
             the same token where the merges lead to it"
        ));
    } else if !facts.ignores_merges && WHOLE_WORDS.contains(&name) {
        notes
            .push(format!("llama.cpp's {name} takes a word that is a token without merging it; tokenizer.json merges"));
    }
    Ok(name)
}

fn refined(usual: &'static str, facts: &Facts<'_>) -> &'static str {
    let glm = GLM.contains(&facts.architecture);
    match usual {
        "llama-bpe" if glm && facts.ignores_merges => return "glm4",
        "llama-bpe" if glm => return "chatglm-bpe",
        // The list of Llama 3 with merging: DBRX, Phi-4, OLMo 2, Granite 4.
        "llama-bpe" if !facts.ignores_merges => return "dbrx",
        "gpt-2" if facts.roberta => return "roberta-bpe",
        _ => {}
    }
    let mut by_architecture = BY_ARCHITECTURE.iter();
    match by_architecture.find(|(name, list, _)| *name == usual && list.contains(&facts.architecture)) {
        Some((_, _, name)) => name,
        // The same list as SmolLM's, but spaces before punctuation are dropped when text is shown.
        None if usual == "smollm" && facts.cleans_up == Some(true) => "starcoder",
        None => usual,
    }
}

fn matches(list: &[&str], steps: &[String]) -> bool {
    list.len() == steps.len()
        && list.iter().zip(steps).all(|(wanted, step)| match wanted.strip_suffix('…') {
            Some(beginning) => step.starts_with(beginning),
            None => step == wanted,
        })
}

/// The regular expressions that cut, in order. A step that is none stands under its type's name.
fn steps(pre_tokenizer: &Json, notes: &mut Vec<String>) -> Vec<String> {
    let mut out = Vec::new();
    for part in parts(pre_tokenizer, "pretokenizers") {
        let flag = |field: &str, default: bool| part.get(field).and_then(Json::as_bool).unwrap_or(default);
        match type_of(part) {
            "ByteLevel" => {
                if flag("add_prefix_space", true) {
                    notes.push(
                        "tokenizer.json puts a space before a text (add_prefix_space); llama.cpp does not".into(),
                    );
                }
                if flag("use_regex", true) {
                    out.push(GPT2.to_owned());
                }
            }
            "Digits" => out.push(if flag("individual_digits", false) { DIGIT } else { DIGITS }.to_owned()),
            "Split" => out.push(split(part)),
            other => {
                let behavior = part.get("behavior").and_then(Json::as_str).unwrap_or("");
                out.push(format!("{other} {behavior}").trim_end().to_owned());
            }
        }
    }
    out
}

/// The regular expression of a `Split` that keeps both what matches and what lies between. To remove what does *not*
/// match is the same where everything matches, as it does with those that end in `\s+`.
fn split(part: &Json) -> String {
    let pattern = part.get("pattern");
    let text = |field: &str| pattern.and_then(|p| p.get(field)).and_then(Json::as_str);
    let behavior = part.get("behavior").and_then(Json::as_str).unwrap_or("");
    let invert = part.get("invert").and_then(Json::as_bool).unwrap_or(false);
    let Some(regex) = text("Regex") else {
        return format!("Split {behavior} at {}", shown(text("String").unwrap_or("")));
    };
    let regex = spelt(regex);
    match (behavior, invert) {
        ("Isolated", false) => regex,
        ("Removed", true) if regex.ends_with(r"|\s+") => regex,
        (_, false) => format!("Split {behavior} {regex}"),
        (_, true) => format!("Split {behavior} all but {regex}"),
    }
}

/// One spelling for each regular expression: line ends as escapes, contractions in their short form.
fn spelt(regex: &str) -> String {
    let lines = regex.replace('\r', r"\r").replace('\n', r"\n");
    lines.replace(CONTRACTIONS_SPELT_OUT, CONTRACTIONS)
}

fn described(steps: &[String]) -> String {
    if steps.is_empty() {
        return "tokenizer.json does not cut texts before merging, for which llama.cpp has no name".to_owned();
    }
    let shown: Vec<String> = steps.iter().take(8).map(|step| shown(step)).collect();
    format!("llama.cpp has no name for the pre-tokenizer {}", shown.join(", then "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn facts(architecture: &str) -> Facts<'_> {
        Facts { architecture, ignores_merges: false, cleans_up: None, roberta: false }
    }

    fn split(regex: &str) -> Json {
        json!({"type": "Split", "pattern": {"Regex": regex}, "behavior": "Isolated", "invert": false})
    }

    fn sequence(mut parts: Vec<Json>, use_regex: bool) -> Json {
        parts.push(
            json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": use_regex}),
        );
        json!({"type": "Sequence", "pretokenizers": parts})
    }

    fn found(pre_tokenizer: &Json, facts: &Facts<'_>) -> Result<&'static str, String> {
        name(pre_tokenizer, facts, &mut Vec::new())
    }

    /// A sequence of splits, where `digits` stands for the pre-tokenizer of that name, before ByteLevel.
    fn splits(list: &[&str]) -> Json {
        let digits = || json!({"type": "Digits", "individual_digits": true});
        let parts = list.iter().map(|regex| if *regex == "digits" { digits() } else { split(regex) });
        sequence(parts.collect(), false)
    }

    /// The chains of well-known files.
    #[test]
    fn known_chains_have_their_names() {
        let lines = DEEPSEEK3.replace(r"[\r\n]", "[\r\n]").replace(r"[^\r\n", "[^\r\n");
        let letters = "\\s?[A-Za-zµÀ-ÖØ-öø-ƺƼ-ƿǄ-ʓʕ-ʯ]+";
        let marks = "\\s?[!-/:-~！-／：-～‘-‟　-。]+";
        let han = "[一-龥ࠀ-一가-퟿]+";
        let chains = [
            ("dbrx", splits(&[LLAMA3])),
            ("qwen2", splits(&[QWEN2])),
            ("qwen2", splits(&[&QWEN2.replace(CONTRACTIONS, CONTRACTIONS_SPELT_OUT)])),
            ("deepseek-v3", splits(&[r"\p{N}{1,3}", "[一-龥぀-ゟ゠-ヿ]+", &lines])),
            ("deepseek-llm", splits(&["[\r\n]", letters, marks, r"\s+$", han, "digits"])),
            ("deepseek-coder", splits(&["[\r\n]", r"\s?\p{L}+", r"\s?\p{P}+", han, "digits"])),
            ("bloom", splits(&[r" ?[^(\s|[.,!?…。，、।۔،])]+"])),
            ("tiny_aya", splits(&[r"\d{1,3}(?=(?:\d{3})*\b)", GPT4O])),
        ];
        for (expected, chain) in chains {
            assert_eq!(found(&chain, &facts("llama")), Ok(expected), "{chain}");
        }
    }

    #[test]
    fn other_steps_than_isolated_splits_are_brought_into_form() {
        let digits = json!({"type": "Digits", "individual_digits": true});
        let falcon = json!({"type": "Sequence", "pretokenizers": [
            {"type": "Punctuation", "behavior": "Contiguous"},
            {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true},
            {"type": "Digits", "individual_digits": false}, split("[0-9][0-9][0-9]")]});
        let other = |regex: &str, behavior: &str, invert: bool| json!({"type": "Split", "pattern": {"Regex": regex}, "behavior": behavior, "invert": invert});
        let laguna = vec![other(r"(?:\r?\n)+(?!\r?\n)", "MergedWithNext", false), split(QWEN2)];
        let chains = [
            ("smollm", sequence(vec![digits], true)),
            ("gpt-2", json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true})),
            ("falcon", falcon),
            ("gpt-4o", sequence(vec![other(GPT4O, "Removed", true)], false)),
            ("laguna", sequence(laguna, false)),
        ];
        for (expected, chain) in chains {
            assert_eq!(found(&chain, &facts("llama")), Ok(expected), "{chain}");
        }
    }

    #[test]
    fn what_else_is_known_decides_between_equal_lists() {
        let llama3 = sequence(vec![split(LLAMA3)], false);
        let whole = |architecture| Facts { ignores_merges: true, ..facts(architecture) };
        assert_eq!(found(&llama3, &whole("llama")), Ok("llama-bpe"));
        assert_eq!(found(&llama3, &whole("glm4")), Ok("glm4"));
        assert_eq!(found(&llama3, &facts("chatglm")), Ok("chatglm-bpe"));
        let smollm = sequence(vec![json!({"type": "Digits", "individual_digits": true})], true);
        assert_eq!(found(&smollm, &facts("starcoder2")), Ok("starcoder"));
        assert_eq!(found(&smollm, &Facts { cleans_up: Some(true), ..facts("llama") }), Ok("starcoder"));
        assert_eq!(found(&smollm, &Facts { cleans_up: Some(false), ..facts("llama") }), Ok("smollm"));
        let gpt2 = sequence(vec![], true);
        assert_eq!(found(&gpt2, &Facts { roberta: true, ..facts("bert") }), Ok("roberta-bpe"));
        assert_eq!(found(&gpt2, &facts("olmo")), Ok("olmo"));
    }

    #[test]
    fn merging_that_llama_cpp_does_otherwise_is_noted() {
        let mut notes = Vec::new();
        let whole = Facts { ignores_merges: true, ..facts("llama") };
        assert_eq!(name(&sequence(vec![split(GPT4O)], false), &whole, &mut notes), Ok("gpt-4o"));
        assert_eq!(name(&sequence(vec![split(TEKKEN)], false), &facts("llama"), &mut notes), Ok("tekken"));
        assert_eq!(name(&json!({"type": "ByteLevel"}), &facts("gpt2"), &mut notes), Ok("gpt-2"));
        assert_eq!(notes.len(), 3, "{notes:?}");
        assert!(notes[2].contains("add_prefix_space"));
    }

    #[test]
    fn an_unknown_chain_is_described() {
        let chain = sequence(vec![split(r"\p{N}{1,4}"), json!({"type": "Whitespace"})], true);
        let why = found(&chain, &facts("llama")).unwrap_err();
        assert!(why.contains(r"“\p{N}{1,4}”, then “Whitespace”, then “'s|'t"), "{why}");
        let removed = json!({"type": "Split", "pattern": {"Regex": r"\p{N}"}, "behavior": "Removed", "invert": true});
        assert!(found(&sequence(vec![removed], false), &facts("llama")).unwrap_err().contains("all but"));
        assert!(found(&Json::Null, &facts("llama")).unwrap_err().contains("does not cut"));
        let text = json!({"type": "Split", "pattern": {"String": " "}, "behavior": "MergedWithPrevious"});
        assert!(found(&text, &facts("llama")).unwrap_err().contains("MergedWithPrevious at"));
        assert!(found(&json!({"type": "Split"}), &facts("llama")).is_err());
    }

    #[test]
    fn no_list_stands_under_two_names() {
        for (i, (_, list)) in LISTS.iter().enumerate() {
            assert!(LISTS[..i].iter().all(|(_, other)| other != list), "{list:?}");
        }
        for (usual, _, _) in BY_ARCHITECTURE {
            assert!(LISTS.iter().any(|(name, _)| name == usual), "{usual}");
        }
    }
}
