//! The model's pages in tests: a model with a tokenizer, templates and metadata to show, and the thread that reads them.

use std::sync::Arc;

use tritscope::engine::progress::Cancel;
use tritscope::jobs::JobEvent;
use tritscope::jobs::questions::Desk;
use tritscope::tui::effect::Effect;
use tritscope::tui::event::Event;

use super::{App, layered};
use crate::support::{Kv, Tiny};

/// A chat template with one of everything that is coloured.
pub const TEMPLATE: &str = "{# how turns are laid out #}{{ bos_token }}\n{%- for message in messages %}\n    {%- if \
                            message['role'] == 'user' and loop.index0 > 12 %}\n\t<|user|>{{ message.content | trim \
                            }}\n    {%- endif %}\n{%- endfor %}";

/// Tokens of a byte-level BPE: some ordinary ones, two special ones, a hostile one, and so many numbered ones.
pub fn tokens(numbered: usize) -> Vec<String> {
    let named = ["<s>", "</s>", "Ġthe", "Ġcat", "Ċ", "Ã©", "\u{1b}[2J\u{202e}"];
    named.into_iter().map(str::to_owned).chain((0..numbered).map(|n| format!("tok{n}"))).collect()
}

/// [`layered`] with everything that pages show.
pub fn talkative() -> Tiny {
    let tokens = tokens(600);
    let count = tokens.len();
    let kinds = (0..count).map(|i| if i < 2 { 3 } else { 1 }).collect();
    let merges = (0..500).map(|n| format!("t {n}")).collect();
    layered()
        .kv("general.name", Kv::Str("Talkative\u{1b}[31m".into()))
        .kv("llama.context_length", Kv::U32(2048))
        .kv("llama.embedding_length", Kv::U32(256))
        .kv("llama.rope.freq_base", Kv::F32(10000.0))
        .kv("general.license", Kv::Str("long ".repeat(400)))
        .kv("tokenizer.ggml.model", Kv::Str("gpt2".into()))
        .kv("tokenizer.ggml.pre", Kv::Str("smollm".into()))
        .kv("tokenizer.ggml.tokens", Kv::Strings(tokens))
        .kv("tokenizer.ggml.scores", Kv::F32s((0..count).map(|i| -(i as f32)).collect()))
        .kv("tokenizer.ggml.token_type", Kv::I32s(kinds))
        .kv("tokenizer.ggml.merges", Kv::Strings(merges))
        .kv("tokenizer.ggml.bos_token_id", Kv::U32(0))
        .kv("tokenizer.ggml.eos_token_id", Kv::U32(1))
        .kv("tokenizer.ggml.padding_token_id", Kv::U32(900_000))
        .kv("tokenizer.ggml.add_bos_token", Kv::Bool(true))
        .kv("tokenizer.chat_template", Kv::Str(TEMPLATE.into()))
        .kv("tokenizer.chat_template.tool_use", Kv::Str("{% if tools %}{{ tools | tojson }}{% endif %}".into()))
        .kv("tokenizer.chat_templates", Kv::Strings(vec!["tool_use".into()]))
}

/// Answers what is asked, as the thread of questions would, until nothing is.
#[derive(Default)]
pub struct Reader {
    desk: Desk,
}

impl Reader {
    /// Presses keys and answers what they ask. The other effects come back.
    pub fn press(&mut self, app: &mut App, keys: &str) -> Vec<Effect> {
        let effects = app.press(keys);
        self.serve(app, effects)
    }

    /// Types text, letter by letter, and answers what is asked.
    pub fn type_text(&mut self, app: &mut App, text: &str) {
        let effects = app.type_text(text);
        self.serve(app, effects);
    }

    /// Answers these questions, and those that the answers lead to.
    pub fn serve(&mut self, app: &mut App, effects: Vec<Effect>) -> Vec<Effect> {
        let mut todo = effects;
        let mut rest = Vec::new();
        while let Some(effect) = (!todo.is_empty()).then(|| todo.remove(0)) {
            match effect {
                Effect::Ask(model, question) => {
                    if let Some(answer) = self.desk.answer(&model, question, &Cancel::new()) {
                        app.send(Event::Job(JobEvent::Answered { model: Arc::clone(&model), answer }));
                        todo.extend(app.settle());
                    }
                }
                other => rest.push(other),
            }
        }
        rest
    }
}
