//! The quantize dialog: its fields, and what its summary says of the plan.

use super::Session;
use super::dialog::{Found, Target};
use super::input::{TextEdit, TextInput};
use super::summary::figures;
use crate::engine::export::{Verify, working_memory};
use crate::engine::plan::Reason;
use crate::engine::plan::budget::Goal;
use crate::engine::preview::sqnr_db;
use crate::text;

/// Most worker threads: more than any machine has.
const MAX_THREADS: usize = 1024;
/// Ends of the memory that the arrows reach.
const MEMORY: (u64, u64) = (1 << 20, 1 << 40);

/// A field of the quantize dialog.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QuantizeField {
    /// The output's path.
    Path,
    /// How far it is read back.
    Verify,
    /// The format that the plan asks for.
    Format,
    /// The method that the plan asks for.
    Method,
    /// Worker threads.
    Threads,
    /// Most working memory.
    Memory,
    /// Whether an existing file may be replaced.
    Overwrite,
    /// The button.
    Start,
}

/// The quantize dialog. Format and method are the plan's own.
#[derive(Debug, Clone)]
pub struct QuantizeForm {
    /// The output's path.
    pub path: TextInput,
    /// How far it is read back.
    pub verify: Verify,
    /// Worker threads, as typed.
    pub threads: TextInput,
    /// Most working memory, as typed.
    pub memory: TextInput,
    /// Whether an existing file may be replaced.
    pub overwrite: bool,
    /// The field that has the keys.
    pub field: QuantizeField,
    /// Whether something was typed into it since: the first digit replaces what a number was.
    pub typing: bool,
    /// Whether the plan's last step is this form's: another format or method replaces it.
    pub stepped: bool,
    /// What was found at the path.
    pub target: Option<Target>,
    /// The tensor that loses most of those that were measured, with its SQNR, and the revisions of plan and figures that
    /// this was looked for with.
    pub worst: (Option<(usize, f64)>, (u64, u64)),
    /// Why it did not start.
    pub problem: Option<String>,
}

impl QuantizeForm {
    /// A form with this path, and the usual beside it.
    pub fn new(path: String, threads: usize, memory: u64, problem: Option<String>) -> Self {
        Self {
            path: TextInput::proposal(path),
            verify: Verify::Hash,
            threads: TextInput::new(threads.max(1).to_string()),
            memory: TextInput::new(in_whole_units(memory)),
            overwrite: false,
            field: QuantizeField::Path,
            typing: false,
            stepped: false,
            target: None,
            worst: (None, (0, 0)),
            problem,
        }
    }

    /// The fields that can be reached.
    pub fn fields(&self) -> Vec<QuantizeField> {
        use QuantizeField::{Format, Memory, Method, Overwrite, Path, Start, Threads, Verify};
        let mut fields = vec![Path, Verify, Format, Method, Threads, Memory];
        if self.must_overwrite() {
            fields.push(Overwrite);
        }
        fields.push(Start);
        fields
    }

    /// Whether a file is there that would have to be replaced.
    pub fn must_overwrite(&self) -> bool {
        !self.path.text().is_empty() && self.target.as_ref().is_some_and(|t| t.found == Found::File)
    }

    /// Gives a field the keys.
    pub fn go_to(&mut self, field: QuantizeField) {
        self.field = field;
        self.typing = false;
    }

    /// Goes so many fields on, around the ends.
    pub fn step(&mut self, forward: bool) {
        let fields = self.fields();
        let at = fields.iter().position(|f| *f == self.field).unwrap_or(0);
        let to = if forward { at + 1 } else { at + fields.len() - 1 };
        self.go_to(fields[to % fields.len()]);
    }

    /// The next or previous way of checking.
    pub fn cycle_verify(&mut self, forward: bool) {
        const ALL: [Verify; 3] = [Verify::None, Verify::Hash, Verify::Full];
        let at = ALL.iter().position(|v| *v == self.verify).unwrap_or(1);
        self.verify = ALL[if forward { at + 1 } else { at + 2 } % 3];
    }

    /// Types into a field that holds a number; whether it is one, and takes that.
    pub fn type_number(&mut self, edit: TextEdit) -> bool {
        let (input, takes): (_, fn(char) -> bool) = match self.field {
            QuantizeField::Threads => (&mut self.threads, |c| c.is_ascii_digit()),
            QuantizeField::Memory => (&mut self.memory, |c| c.is_ascii_alphanumeric() || c == '.'),
            _ => return false,
        };
        if let TextEdit::Insert(sign) = edit {
            if !takes(sign) {
                return false;
            }
            if !self.typing && sign.is_ascii_digit() {
                input.set("");
            }
        }
        self.typing = true;
        self.problem = None;
        input.apply(edit)
    }

    /// One thread more or fewer; twice or half the memory. What is no number is left for who typed it.
    pub fn step_number(&mut self, forward: bool) {
        self.typing = false;
        match (self.field, self.numbers()) {
            (QuantizeField::Threads, Ok((threads, _))) => {
                let to = if forward { threads + 1 } else { threads - 1 };
                self.threads.set(to.clamp(1, MAX_THREADS).to_string());
            }
            (QuantizeField::Memory, Ok((_, memory))) => {
                let to = if forward { memory.saturating_mul(2) } else { memory / 2 };
                self.memory.set(in_whole_units(to.clamp(MEMORY.0, MEMORY.1)));
            }
            _ => {}
        }
    }

    /// What the cap on memory comes to; nothing where it is no number. Errors: that it is too small.
    pub fn memory_use(&self) -> Option<Result<String, String>> {
        let (threads, memory) = self.numbers().ok()?;
        let counted = text::counted(threads, "thread");
        let verb = if threads == 1 { "needs" } else { "need" };
        Some(match working_memory(memory, threads) {
            Ok(bytes) => Ok(format!("at most, for weights in work: {counted} {verb} {}", text::bytes(bytes))),
            Err(least) => Err(format!("too small: {counted} {verb} {} at least", text::bytes(least))),
        })
    }

    /// Threads and bytes of memory. Errors: what of it is no number that can be had.
    pub fn numbers(&self) -> Result<(usize, u64), String> {
        let threads = self.threads.text().trim().parse().ok().filter(|n| (1..=MAX_THREADS).contains(n));
        let threads = threads.ok_or_else(|| format!("threads: a number from 1 to {MAX_THREADS}"))?;
        let text = self.memory.text().trim();
        match text.parse() {
            Ok(Goal::Bytes(memory)) => Ok((threads, memory)),
            _ => Err("memory: a size such as 512MiB or 4GiB".to_owned()),
        }
    }

    /// Looks for the tensor that loses most, if plan or figures have changed since it was looked for.
    pub fn follow(&mut self, session: &Session) {
        let revisions = (session.plan.revision(), session.previews.revision());
        if self.worst.1 != revisions {
            self.worst = (worst(session), revisions);
        }
    }
}

/// Bytes as a number of the largest unit that leaves no fraction.
fn in_whole_units(bytes: u64) -> String {
    let units = [(30, "GiB"), (20, "MiB"), (10, "KiB")];
    let unit = units.into_iter().find(|(shift, _)| bytes > 0 && bytes.trailing_zeros() >= *shift);
    unit.map_or_else(|| format!("{bytes}B"), |(shift, name)| format!("{}{name}", bytes >> shift))
}

/// The tensor that loses most of those that go ternary and were measured, with its SQNR.
fn worst(session: &Session) -> Option<(usize, f64)> {
    let measured = (0..session.model.tensors.len()).filter(|i| session.plan.decision(*i).is_ternary());
    let error = |tensor: usize| {
        let (figures, method) = figures(&session.plan, &session.previews, tensor)?;
        Some((tensor, figures.method(method)?.rel_mse.value))
    };
    let (tensor, error) = measured.filter_map(error).max_by(|a, b| a.1.total_cmp(&b.1))?;
    Some((tensor, sqnr_db(error)))
}

/// How many tensors stay as they are, by why they do; nothing where none does.
pub fn kept(session: &Session) -> Option<String> {
    let mut counts: Vec<(&str, u64)> = Vec::new();
    for shared in session.plan.plan().decisions.shared().iter().filter(|s| !s.decision.is_ternary()) {
        let why = match &shared.decision.reason {
            Reason::NotSelected => "not selected",
            Reason::Kept => "by rules",
            Reason::Protected(_) => "protected",
            Reason::RowLength { .. } => "with rows that no block divides",
            Reason::NotFinite(_) => "with NaN or infinities",
            Reason::Undecodable(_) => "of types that cannot be read",
            Reason::AlreadyThere => "ternary already",
            Reason::Selected | Reason::FellBack { .. } | Reason::Recoded | Reason::NotRecoded(_) | Reason::Empty => {
                "for other reasons"
            }
        };
        match counts.iter_mut().find(|(known, _)| *known == why) {
            Some((_, count)) => *count += shared.tensors,
            None => counts.push((why, shared.tensors)),
        }
    }
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let parts: Vec<String> = counts.iter().map(|(why, count)| format!("{} {why}", text::count(*count))).collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}
