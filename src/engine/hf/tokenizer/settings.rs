//! The small files beside the vocabulary: `tokenizer_config.json`, `special_tokens_map.json`, `added_tokens.json`,
//! `config.json`, `generation_config.json`.
//!
//! A file that cannot be read counts as absent and is told.

use serde_json::Value as Json;

use super::added::Added;
use super::{Tally, TokenizerFiles, TokenizerKvs};

/// What the files say.
#[derive(Debug, Default)]
pub(super) struct Settings {
    tokenizer: Json,
    special_map: Json,
    config: Json,
    generation: Json,
    /// Added tokens of `tokenizer_config.json` (`added_tokens_decoder`), then those of `added_tokens.json`.
    pub added: Vec<Added<'static>>,
}

impl Settings {
    /// Reads what is there.
    pub fn read(files: &TokenizerFiles<'_>, out: &mut TokenizerKvs) -> Self {
        let mut read = |name: &str, bytes: Option<&[u8]>| match bytes.map(serde_json::from_slice) {
            Some(Ok(json)) => json,
            Some(Err(e)) => {
                out.note(format!("{name} cannot be read: {}", super::told(&e)));
                Json::Null
            }
            None => Json::Null,
        };
        let mut settings = Self {
            tokenizer: read("tokenizer_config.json", files.tokenizer_config),
            special_map: read("special_tokens_map.json", files.special_tokens_map),
            config: read("config.json", files.config),
            generation: read("generation_config.json", files.generation_config),
            added: Vec::new(),
        };
        let list = read("added_tokens.json", files.added_tokens);
        settings.added = added(&settings.tokenizer, &list, out);
        settings
    }

    /// The text of a special token (`bos`, `eos`, …): of `tokenizer_config.json`, else of `special_tokens_map.json`.
    pub fn token(&self, kind: &str) -> Option<&str> {
        let field = format!("{kind}_token");
        [&self.tokenizer, &self.special_map].into_iter().find_map(|json| {
            let entry = json.get(&field)?;
            entry.as_str().or_else(|| entry.get("content")?.as_str())
        })
    }

    /// A truth value of `tokenizer_config.json`.
    pub fn flag(&self, field: &str) -> Option<bool> {
        self.tokenizer.get(field)?.as_bool()
    }

    /// `tokenizer_class`, or nothing.
    pub fn class(&self) -> &str {
        self.tokenizer.get("tokenizer_class").and_then(Json::as_str).unwrap_or("")
    }

    /// The chat template of `tokenizer_config.json`: a string, or a list of named ones.
    pub fn chat_template(&self) -> Option<&Json> {
        self.tokenizer.get("chat_template").filter(|t| !t.is_null())
    }

    /// The id of a special token in `config.json`, at the top or under `text_config`. A list of ids says none.
    pub fn id(&self, kind: &str) -> Option<u64> {
        let field = format!("{kind}_token_id");
        let top = self.config.get(&field).filter(|id| !id.is_null());
        top.or_else(|| self.config.get("text_config")?.get(&field))?.as_u64()
    }

    /// The id of a special token in `generation_config.json`.
    pub fn generation_id(&self, kind: &str) -> Option<u64> {
        self.generation.get(format!("{kind}_token_id"))?.as_u64()
    }
}

/// The added tokens of both files. What is neither id nor text is counted and told.
fn added(tokenizer: &Json, list: &Json, out: &mut TokenizerKvs) -> Vec<Added<'static>> {
    let (mut all, mut odd) = (Vec::new(), Tally::default());
    let known = |all: &[Added<'_>], id: u64| all.binary_search_by_key(&id, |t| t.id).is_ok();
    for (id, entry) in tokenizer.get("added_tokens_decoder").and_then(Json::as_object).into_iter().flatten() {
        let content = entry.get("content").and_then(Json::as_str);
        let (Ok(id), Some(content)) = (id.parse(), content) else {
            odd.add(|| super::shown(id));
            continue;
        };
        let special = entry.get("special").and_then(Json::as_bool) == Some(true);
        all.push(Added { id, content: content.to_owned().into(), special });
    }
    all.sort_by_key(|t| t.id);
    let decoded = all.len();
    for (content, id) in list.as_object().into_iter().flatten() {
        match id.as_u64() {
            Some(id) if known(all.get(..decoded).unwrap_or(&[]), id) => {}
            Some(id) => all.push(Added { id, content: content.clone().into(), special: false }),
            None => odd.add(|| super::shown(content)),
        }
    }
    out.notes.extend(odd.message("added tokens without an id or a text, which are left out"));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_found_in_their_order_and_oddities_told() {
        let files = TokenizerFiles {
            tokenizer_config: Some(
                br#"{"bos_token":{"content":"<s>"},"eos_token":null,"add_bos_token":true,"unk_token":7,
                "added_tokens_decoder":{"9":{"content":"<z>","special":true},"2":{"content":"<a>"},
                "x":{"content":"b"}}}"#,
            ),
            special_tokens_map: Some(br#"{"bos_token":"<other>","eos_token":"</s>"}"#),
            added_tokens: Some(br#"{"<a2>":2,"<q>":11,"<r>":-1}"#),
            config: Some(
                br#"{"bos_token_id":null,"eos_token_id":[1,2],"text_config":{"bos_token_id":5,"eos_token_id":6}}"#,
            ),
            generation_config: Some(b"{"),
            ..TokenizerFiles::default()
        };
        let mut out = TokenizerKvs::default();
        let settings = Settings::read(&files, &mut out);
        assert_eq!(settings.token("bos"), Some("<s>"));
        assert_eq!(settings.token("eos"), Some("</s>"));
        assert_eq!(settings.token("unk"), None);
        assert_eq!(settings.flag("add_bos_token"), Some(true));
        assert_eq!((settings.id("bos"), settings.id("eos")), (Some(5), None));
        let ids: Vec<(u64, &str, bool)> =
            settings.added.iter().map(|t| (t.id, t.content.as_ref(), t.special)).collect();
        assert_eq!(ids, [(2, "<a>", false), (9, "<z>", true), (11, "<q>", false)]);
        assert_eq!(out.notes.len(), 2, "{:?}", out.notes);
        assert!(out.notes[0].starts_with("generation_config.json cannot be read"));
    }
}
