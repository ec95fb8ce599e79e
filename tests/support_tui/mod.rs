//! The interface without a terminal and without threads: keys in, state and effects out, previews measured on request.

#![allow(dead_code, reason = "every test binary compiles this module and uses its own part of it")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot set itself up should stop")]

pub mod beside;
pub mod exports;
pub mod matrix;
pub mod pages;
pub mod shoot;
pub mod told;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use tempfile::TempDir;
use tritscope::engine::model::{Model, OpenOptions};
use tritscope::engine::plan::Recipe;
use tritscope::engine::preview::{Ask, measure_weighted};
use tritscope::engine::progress::Cancel;
use tritscope::jobs::{JobEvent, LookKey, Want};
use tritscope::tui::effect::Effect;
use tritscope::tui::event::{Event, Msg};
use tritscope::tui::state::tree::Item;
use tritscope::tui::state::{Session, Settings, State};
use tritscope::tui::update::{self, update};

use crate::support::{Kv, Tiny};

/// Two layers of a mixture of experts: rows of 256, and of 320 which only blocks of 64 divide; a router, norms.
pub fn layered() -> Tiny {
    let mut tiny = Tiny::default().kv("llama.block_count", Kv::U32(2)).kv("llama.expert_count", Kv::U32(4)).normal(
        "token_embd.weight",
        &[256, 16],
        1,
    );
    for layer in 0..2 {
        let seed = 10 * (layer + 1);
        let name = |part: &str| format!("blk.{layer}.{part}.weight");
        tiny = tiny
            .normal(&name("attn_norm"), &[256], seed)
            .normal(&name("attn_q"), &[256, 64], seed + 1)
            .normal(&name("attn_v"), &[320, 16], seed + 2)
            .normal(&name("ffn_gate_inp"), &[256, 4], seed + 3)
            .normal(&name("ffn_up_exps"), &[256, 16, 4], seed + 4);
    }
    tiny.normal("output_norm.weight", &[256], 2).normal("output.weight", &[256, 16], 3)
}

/// One layer without experts.
pub fn dense() -> Tiny {
    Tiny::default()
        .kv("llama.block_count", Kv::U32(1))
        .normal("blk.0.attn_norm.weight", &[256], 2)
        .normal("blk.0.ffn_up.weight", &[256, 64], 3)
        .normal("output.weight", &[256, 16], 5)
}

/// An interface on a model in a folder of its own.
pub struct App {
    pub state: State,
    pub folder: TempDir,
    at: Duration,
    wants: Vec<Want>,
    looks: Vec<LookKey>,
}

impl App {
    /// Nothing open.
    pub fn empty() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let settings = Settings {
            command: "tritscope".to_owned(),
            // Paths are shown below it, so that screens do not depend on where temporary folders are.
            home: Some(folder.path().to_owned()),
            folder: folder.path().to_owned(),
            ..Settings::default()
        };
        let state = State::new(settings, (120, 40));
        Self { state, folder, at: Duration::ZERO, wants: Vec::new(), looks: Vec::new() }
    }

    /// This model is open.
    pub fn on(tiny: &Tiny) -> Self {
        let mut app = Self::empty();
        let path = tiny.write(app.folder.path());
        let model = Arc::new(Model::open(&path, &OpenOptions::default()).unwrap());
        update::show_model(&mut app.state, model);
        app.settle();
        app
    }

    /// The open model.
    pub fn session(&self) -> &Session {
        self.state.session.as_ref().unwrap()
    }

    pub fn model(&self) -> Arc<Model> {
        Arc::clone(&self.session().model)
    }

    pub fn recipe(&self) -> &Recipe {
        self.session().plan.recipe()
    }

    /// The rules as they would stand on a command line.
    pub fn rules(&self) -> Vec<String> {
        let rule = |r: &tritscope::engine::plan::Rule| format!("{:?} {}", r.action, r.pattern);
        self.recipe().rules.iter().map(rule).collect()
    }

    /// Index of a tensor.
    pub fn tensor(&self, name: &str) -> usize {
        self.session().model.find(name).unwrap_or_else(|| panic!("no tensor {name}"))
    }

    /// Whether a tensor goes ternary.
    pub fn ternary(&self, name: &str) -> bool {
        self.session().plan.decision(self.tensor(name)).is_ternary()
    }

    /// Names of the tensors that go ternary, in file order.
    pub fn all_ternary(&self) -> Vec<&str> {
        let session = self.session();
        let names = session.model.tensors.iter().enumerate();
        names.filter(|(i, _)| session.plan.decision(*i).is_ternary()).map(|(_, t)| t.name.as_str()).collect()
    }

    /// Puts the cursor on a row by the name of its tensor or the prefix of its folder; the empty one is the model.
    pub fn go(&mut self, path: &str) {
        let session = self.state.session.as_mut().unwrap();
        if path.is_empty() {
            session.tree.move_to(0);
            return;
        }
        let nodes = &session.tree.tree().nodes;
        let node = nodes.iter().position(|n| *n.path == *path).unwrap_or_else(|| panic!("no row {path}"));
        session.tree.select(node);
        self.state.wants_changed = true;
    }

    /// The path of the row under the cursor.
    pub fn selected(&self) -> &str {
        let tree = &self.session().tree;
        tree.path(tree.selected())
    }

    /// Sends an event a millisecond after the one before.
    pub fn send(&mut self, event: Event) -> Vec<Effect> {
        self.at += Duration::from_millis(1);
        let effects = update(&mut self.state, Msg { at: self.at, event });
        self.keep_wants(effects)
    }

    /// Lets time pass.
    pub fn pass(&mut self, time: Duration) {
        self.at += time;
        self.send(Event::Wake);
    }

    /// What happens before a frame is drawn.
    pub fn settle(&mut self) -> Vec<Effect> {
        self.send(Event::Settle)
    }

    /// Presses keys, given as words: `j`, `space`, `ctrl-r`, `enter`. What they cause comes back.
    pub fn press(&mut self, keys: &str) -> Vec<Effect> {
        let mut effects = Vec::new();
        for word in keys.split_whitespace() {
            effects.extend(self.send(Event::Key(key(word))));
            effects.extend(self.settle());
        }
        effects
    }

    /// Types text, letter by letter.
    pub fn type_text(&mut self, text: &str) -> Vec<Effect> {
        let mut effects = Vec::new();
        for c in text.chars() {
            effects.extend(self.send(Event::Key(KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE))));
            effects.extend(self.settle());
        }
        effects
    }

    /// What is shown as a message, if anything.
    pub fn notice(&self) -> &str {
        self.state.notices.shown(self.state.now).map_or("", |n| n.text.as_str())
    }

    /// The previews that are wanted, most wanted first.
    pub fn wants(&self) -> &[Want] {
        &self.wants
    }

    /// Measures what is wanted, as the lane would, until nothing is.
    pub fn serve(&mut self) {
        loop {
            while !self.wants.is_empty() {
                let want = self.wants.remove(0);
                self.deliver(&want);
            }
            self.settle();
            match self.looks.first().copied() {
                Some(key) => self.show(key),
                None if self.wants.is_empty() => return,
                None => {}
            }
        }
    }

    /// Measures one want and hands its report over.
    pub fn deliver(&mut self, want: &Want) {
        let model = self.model();
        let key = want.key;
        let ask = Ask {
            tensor: key.tensor,
            format: key.format,
            methods: &want.methods,
            depth: key.depth,
            imatrix: self.state.settings.imatrix.as_deref(),
            blind: want.blind,
            weights: true,
        };
        let measured = measure_weighted(&model, &ask, &Cancel::new());
        let event = match measured {
            Ok(report) => JobEvent::Preview { model, key, report: Arc::new(report) },
            Err(e) => JobEvent::PreviewFailed { model, key, message: e.to_string() },
        };
        self.send(Event::Job(event));
    }

    /// The looks that are wanted, most wanted first.
    pub fn looks(&self) -> &[LookKey] {
        &self.looks
    }

    /// Looks at one thing, as the lane would, and hands it over.
    pub fn show(&mut self, key: LookKey) {
        let model = self.model();
        self.looks.retain(|k| *k != key);
        let seen = key.look(&model, self.state.settings.imatrix.as_deref(), None, &Cancel::new());
        self.send(Event::Job(JobEvent::Look { model, key, seen: seen.map_err(|e| e.to_string()) }));
        self.settle();
    }

    /// A path in the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Opens the picker with the folder read, as the files' thread would.
    pub fn show_folder(&mut self, path: &Path, entries: Vec<tritscope::tui::state::picker::Entry>) {
        self.send(Event::Folder { path: path.to_owned(), entries: Ok(entries) });
    }

    /// Rows of the tree as paths, as far as they are not folded away.
    pub fn rows(&self) -> Vec<&str> {
        let tree = &self.session().tree;
        tree.rows().iter().filter(|row| **row != Item::Model).map(|row| tree.path(*row)).collect()
    }

    /// The list of wants is the lane's business: it is kept, the other effects are handed back.
    fn keep_wants(&mut self, effects: Vec<Effect>) -> Vec<Effect> {
        let mut rest = Vec::new();
        for effect in effects {
            match effect {
                Effect::WantPreviews(_, wants) => self.wants = wants,
                Effect::WantLooks(_, looks) => self.looks = looks,
                other => rest.push(other),
            }
        }
        rest
    }
}

/// A key from its name.
pub fn key(word: &str) -> KeyEvent {
    let (modifiers, name) = match word.strip_prefix("ctrl-") {
        Some(rest) => (KeyModifiers::CONTROL, rest),
        None => (KeyModifiers::NONE, word),
    };
    let code = match name {
        "space" => KeyCode::Char(' '),
        "enter" => KeyCode::Enter,
        "esc" => KeyCode::Esc,
        "tab" => KeyCode::Tab,
        "up" => KeyCode::Up,
        "down" => KeyCode::Down,
        "left" => KeyCode::Left,
        "right" => KeyCode::Right,
        "home" => KeyCode::Home,
        "end" => KeyCode::End,
        "pgup" => KeyCode::PageUp,
        "pgdn" => KeyCode::PageDown,
        "backspace" => KeyCode::Backspace,
        "f1" => KeyCode::F(1),
        _ => KeyCode::Char(name.chars().next().unwrap()),
    };
    KeyEvent::new(code, modifiers)
}
