//! A second model beside the first, in tests: chosen, opened and compared as threads would.

use std::sync::Arc;

use tritscope::engine::compare::{compare, histograms, pair_up};
use tritscope::engine::model::{Model, OpenOptions};
use tritscope::engine::progress::Cancel;
use tritscope::jobs::JobEvent;
use tritscope::tui::effect::Effect;
use tritscope::tui::event::Event;

use super::App;
use crate::support::Tiny;

/// How far a comparison is brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Upto {
    /// The path was chosen.
    Opening,
    /// The second model is no model.
    Broken,
    /// Every other pair was compared.
    Half,
    /// All were, and the histograms of the pair under the cursor are there.
    Done,
    /// A file was torn away on the way.
    Torn,
}

/// Chooses a second model and brings the comparison as far as that.
pub fn beside(app: &mut App, other: &Tiny, upto: Upto) {
    let folder = app.path("other");
    std::fs::create_dir(&folder).unwrap();
    let path = other.write(&folder);
    app.press("C ctrl-u");
    app.type_text(path.to_str().unwrap());
    app.press("enter");
    if upto == Upto::Opening {
        return;
    }
    let model = match upto {
        Upto::Broken => Err("other/model.gguf: bad magic (at offset 0)".to_owned()),
        _ => Ok(Arc::new(Model::open(&path, &OpenOptions::default()).unwrap())),
    };
    let begun = app.send(Event::Job(JobEvent::Opened { path, model }));
    let Some(Effect::Compare { id, a, b }) = begun.into_iter().next() else { return };
    let pairs = Arc::new(pair_up(&a, &b));
    app.send(Event::Job(JobEvent::ComparePairs { id, pairs: Arc::clone(&pairs) }));
    let all = upto == Upto::Done;
    let those = pairs.iter().enumerate().filter(|(i, _)| all || i % 2 == 0);
    let outcomes = those.map(|(i, pair)| (i, compare(&a, &b, pair, &Cancel::new()).unwrap())).collect();
    app.send(Event::Job(JobEvent::Compared { id, outcomes }));
    let result = match upto {
        Upto::Done => Ok(()),
        Upto::Torn => Err("other/model.gguf: cannot read 65536 bytes at offset 131072".to_owned()),
        _ => return look(app),
    };
    app.send(Event::Job(JobEvent::CompareEnded { id, result }));
    look(app);
}

/// Brings the list up to date and serves the histograms that are asked for.
pub fn look(app: &mut App) {
    app.pass(std::time::Duration::from_secs(1));
    let asked = app.settle();
    serve(app, asked);
}

/// Presses keys, and serves the histograms that they ask for.
pub fn press(app: &mut App, keys: &str) {
    let asked = app.press(keys);
    serve(app, asked);
    look(app);
}

fn serve(app: &mut App, asked: Vec<Effect>) {
    for effect in asked {
        if let Effect::LookAtPair { id, a, b, index, pair } = effect {
            let seen = histograms(&a, &b, &pair, &Cancel::new()).ok().map(Arc::new);
            app.send(Event::Job(JobEvent::PairSeen { id, index, seen }));
        }
    }
}
