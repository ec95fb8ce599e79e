//! The chat template: one, or several with names.

use serde_json::Value as Json;

use super::settings::Settings;
use super::{Tally, TokenizerKvs, shown};
use crate::engine::format::gguf::{Value, ValueType};

const KEY: &str = "tokenizer.chat_template";

/// Most named templates. No known file has more than five.
const MAX_TEMPLATES: usize = 64;

/// Writes the template of `tokenizer_config.json`, or that of `chat_template.jinja` where there is none.
pub(super) fn write(settings: &Settings, jinja: Option<&[u8]>, out: &mut TokenizerKvs) {
    let jinja = jinja.and_then(|bytes| {
        let text = std::str::from_utf8(bytes);
        if let Err(e) = &text {
            out.miss(KEY, format!("chat_template.jinja is not UTF-8: {e}"));
        }
        text.ok()
    });
    match (settings.chat_template(), jinja) {
        (Some(Json::String(text)), _) => {
            if jinja.is_some_and(|other| other != text) {
                out.note("chat_template.jinja differs from the template of tokenizer_config.json, which was taken");
            }
            out.put(KEY, Value::string(text));
        }
        (Some(Json::Array(list)), _) => named(list, out),
        (Some(_), None) => out.miss(KEY, "chat_template in tokenizer_config.json is neither a string nor a list"),
        (_, Some(text)) => out.put(KEY, Value::string(text)),
        (None, None) => {}
    }
}

/// Writes templates with names: the one named `default` as the template, each other one under its name, in which what
/// is no ASCII letter or digit becomes `_`.
fn named(list: &[Json], out: &mut TokenizerKvs) {
    let (mut names, mut left_out): (Vec<String>, Tally) = Default::default();
    for entry in list {
        let text = |field: &str| entry.get(field).and_then(Json::as_str);
        let name = text("name").unwrap_or("");
        let plain: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
        let key = if plain == "default" { KEY.to_owned() } else { format!("{KEY}.{plain}") };
        let template = text("template").filter(|_| !name.is_empty() && names.len() < MAX_TEMPLATES);
        let (Some(template), None) = (template, out.get(&key)) else {
            left_out.add(|| shown(name));
            continue;
        };
        out.put(key, Value::string(template));
        if plain != "default" {
            names.push(plain);
        }
    }
    out.notes
        .extend(left_out.message("chat templates without a name or a text, or with the name of another, left out"));
    if !names.is_empty() {
        let names = names.into_iter().map(Value::String).collect();
        out.put_array("tokenizer.chat_templates", ValueType::String, names);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::hf::tokenizer::TokenizerFiles;

    fn written(config: &str, jinja: Option<&[u8]>) -> TokenizerKvs {
        let files = TokenizerFiles { tokenizer_config: Some(config.as_bytes()), ..TokenizerFiles::default() };
        let mut out = TokenizerKvs::default();
        let settings = Settings::read(&files, &mut out);
        write(&settings, jinja, &mut out);
        out
    }

    #[test]
    fn a_string_goes_before_the_file() {
        let out = written(r#"{"chat_template":"A"}"#, Some(b"B"));
        assert_eq!(out.get(KEY).unwrap().as_str(), Some("A"));
        assert_eq!(out.notes.len(), 1);
        assert_eq!(written(r#"{"chat_template":null}"#, Some(b"B")).get(KEY).unwrap().as_str(), Some("B"));
        assert_eq!(written("{}", None), TokenizerKvs::default());
    }

    #[test]
    fn names_become_keys() {
        let out = written(
            r#"{"chat_template":[{"name":"default","template":"D"},{"name":"tool use","template":"T"},
                {"name":"rag","template":"R"},
                {"name":"rag","template":"again"},{"name":"x"}]}"#,
            None,
        );
        let text = |key: &str| out.get(key).unwrap().as_str().unwrap();
        assert_eq!(
            (text(KEY), text("tokenizer.chat_template.tool_use"), text("tokenizer.chat_template.rag")),
            ("D", "T", "R")
        );
        let Some(Value::Array { head, len: 2, .. }) = out.get("tokenizer.chat_templates") else { panic!("no names") };
        assert_eq!(*head, ["tool_use", "rag"].map(Value::string));
        assert!(out.notes.len() == 1 && out.notes[0].ends_with("left out: 2 (first: “rag”)"), "{:?}", out.notes);
    }

    #[test]
    fn what_is_no_template_is_missing() {
        assert_eq!(written(r#"{"chat_template":5}"#, None).missing.len(), 1);
        assert_eq!(written("{}", Some(b"\xff")).missing.len(), 1);
    }
}
