//! Questions about a model's files that take more than a frame may: one thread answers them in order.
//!
//! Answers are values that a face keeps as long as it likes. [`Desk::answer`] does the work and can be called without a
//! thread; arrays that were asked about last stay open, so that the next page of theirs is near.

use std::collections::VecDeque;
use std::ops::Range;
use std::panic::AssertUnwindSafe;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};

use super::{EventSink, JobEvent};
use crate::engine::error::{Error, Result};
use crate::engine::model::Model;
use crate::engine::model::elements::{Elements, Glimpse};
use crate::engine::model::templates::{Template, templates};
use crate::engine::model::tree::Tree;
use crate::engine::model::vocabulary::Vocabulary;
use crate::engine::progress::Cancel;

/// Bytes of a string that a listing holds.
pub const LISTED: u64 = 512;
/// Bytes of an array's element that a page holds.
pub const ELEMENT: u64 = 4096;
/// Bytes of a value that is shown whole.
pub const WHOLE: u64 = 1 << 20;
/// Elements of an array that a listing holds.
const HEAD: u64 = 16;
/// Entries of a listing; a file that has more is read no further.
const ENTRIES: usize = 1 << 20;
/// Arrays that stay open.
const OPEN: usize = 4;

/// Something to be read.
#[derive(Debug, Clone)]
pub enum Question {
    /// Every metadata entry with the beginning of its value.
    Listing,
    /// An entry's value as a whole, as far as that is shown: its index.
    Value(usize),
    /// Elements of an array: the entry's index and which.
    Page(usize, Range<u64>),
    /// The tokenizer's table.
    Vocabulary,
    /// Tokens with these words in them. Only the newest search is of interest.
    Find(Arc<Vocabulary>, String),
    /// The chat templates.
    Templates,
    /// The tensors by their roles.
    ByRole,
}

/// What came of a [`Question`].
#[derive(Debug, Clone)]
pub enum Answer {
    /// For each entry in order its value, or why it cannot be read.
    Listing(Vec<Result<Glimpse, String>>),
    /// A value.
    Value(usize, Result<Glimpse, String>),
    /// The elements of a range, as far as the array goes.
    Page(usize, Range<u64>, Result<Vec<Glimpse>, String>),
    /// The table, `None` where the model has none.
    Vocabulary(Result<Option<Arc<Vocabulary>>, String>),
    /// What was searched and the ids found.
    Found(String, Vec<u32>),
    /// The templates.
    Templates(Result<Vec<Template>, String>),
    /// The tree.
    ByRole(Arc<Tree>),
}

/// Where questions are answered: what is worth keeping between them.
#[derive(Debug, Default)]
pub struct Desk {
    arrays: VecDeque<(Arc<Model>, usize, Elements)>,
}

impl Desk {
    /// Answers a question; `None` where it was cancelled.
    pub fn answer(&mut self, model: &Arc<Model>, question: Question, cancel: &Cancel) -> Option<Answer> {
        let told = |e: Error| e.to_string();
        let entry = |index: usize| model.metadata.entries().get(index);
        Some(match question {
            Question::Listing => {
                let entries = model.metadata.entries().iter().take(ENTRIES);
                let glimpse = |e| model.metadata.glimpse(e, LISTED, HEAD).map_err(told);
                Answer::Listing(entries.map(glimpse).collect())
            }
            Question::Value(index) => {
                let value = entry(index).map(|e| model.metadata.glimpse(e, WHOLE, 0).map_err(told));
                Answer::Value(index, value?)
            }
            Question::Page(index, range) => {
                let page = self.page(model, index, range.clone()).map_err(told);
                Answer::Page(index, range, page)
            }
            Question::Vocabulary => match Vocabulary::read(model, cancel) {
                Err(Error::Cancelled) => return None,
                read => Answer::Vocabulary(read.map(|v| v.map(Arc::new)).map_err(told)),
            },
            Question::Find(vocabulary, words) => {
                let found = vocabulary.find(&words, cancel).ok()?;
                Answer::Found(words, found)
            }
            Question::Templates => Answer::Templates(templates(model).map_err(told)),
            Question::ByRole => Answer::ByRole(Arc::new(Tree::build(&model.tensors).by_role(&model.tensors))),
        })
    }

    fn page(&mut self, model: &Arc<Model>, index: usize, range: Range<u64>) -> Result<Vec<Glimpse>> {
        let at = self.arrays.iter().position(|(m, i, _)| *i == index && Arc::ptr_eq(m, model));
        let mut open = match at.and_then(|at| self.arrays.remove(at)) {
            Some((_, _, elements)) => elements,
            None => match Elements::open(model, index)? {
                Some(elements) => elements,
                None => return Ok(Vec::new()),
            },
        };
        let page = open.read(range, ELEMENT);
        self.arrays.push_back((Arc::clone(model), index, open));
        if self.arrays.len() > OPEN {
            self.arrays.pop_front();
        }
        page
    }
}

/// The thread, and what cancels the search that it may be at.
pub(super) struct Lane {
    sender: Sender<(Arc<Model>, Question, Cancel)>,
    search: Mutex<Cancel>,
}

impl Lane {
    /// Starts it.
    pub(super) fn start(sink: EventSink) -> Result<Self> {
        let (sender, receiver) = channel::<(Arc<Model>, Question, Cancel)>();
        let run = move || {
            let mut desk = Desk::default();
            for (model, question, cancel) in receiver {
                let asked = question.clone();
                let work = AssertUnwindSafe(|| desk.answer(&model, question, &cancel));
                let answer = std::panic::catch_unwind(work).unwrap_or_else(|_| {
                    desk = Desk::default();
                    failed(asked, "reading it panicked; this is a bug")
                });
                if let Some(answer) = answer {
                    sink(JobEvent::Answered { model, answer });
                }
            }
        };
        std::thread::Builder::new()
            .name("questions".to_owned())
            .spawn(run)
            .map_err(|e| Error::Usage(format!("cannot start a thread: {e}")))?;
        Ok(Self { sender, search: Mutex::default() })
    }

    /// Asks. A search cancels the one before it.
    pub(super) fn ask(&self, model: Arc<Model>, question: Question) {
        let cancel = Cancel::new();
        if matches!(question, Question::Find(..)) {
            let mut search = self.search.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *search, cancel.clone()).cancel();
        }
        // The thread ends only with the program: it writes nothing that somebody would have to wait for.
        let _ = self.sender.send((model, question, cancel));
    }
}

/// The answer that says that there is none.
fn failed(question: Question, why: &str) -> Option<Answer> {
    let why = why.to_owned();
    Some(match question {
        Question::Listing => Answer::Listing(vec![Err(why)]),
        Question::Value(index) => Answer::Value(index, Err(why)),
        Question::Page(index, range) => Answer::Page(index, range, Err(why)),
        Question::Vocabulary => Answer::Vocabulary(Err(why)),
        Question::Templates => Answer::Templates(Err(why)),
        Question::Find(..) | Question::ByRole => return None,
    })
}
