//! Moments of several texts together: the mean weighted by tokens, matrix by matrix.

use std::path::Path;

use super::{About, Entry, Moments, Output, Packed, Planned, Store, VERSION, Writer, packed};
use crate::engine::error::{Diagnostic, Error, Result, Severity};
use crate::engine::format::source::FileId;
use crate::engine::progress::{Cancel, Delta, Progress, Stage};

/// Merges files of the same model into one. One matrix of each file is in memory at a time.
///
/// Refused: files of different models, other inputs or other sizes. Told: a file that does not say which model it is of,
/// and a text that more than one file was made from, which counts once for each.
pub fn merge(
    files: &[Moments],
    output: &Output<'_>,
    store: Store,
    progress: &dyn Progress,
    cancel: &Cancel,
) -> Result<Vec<Diagnostic>> {
    let [first, others @ ..] = files else {
        return Err(Error::Usage("nothing to merge".to_owned()));
    };
    others.iter().try_for_each(|other| require_alike(first, other))?;
    let (about, mut notes) = about(files)?;
    let planned = |e: &Entry| Planned { weights: e.weights.clone(), columns: e.columns, experts: e.experts };
    let sources: Vec<FileId> = output.sources.iter().copied().chain(files.iter().map(Moments::id)).collect();
    let output = Output { sources: &sources, ..output.clone() };
    let mut writer = Writer::create(&output, &about, first.entries.iter().map(planned).collect(), store)?;
    let stored = |columns: usize| packed::len(columns) as u64 * store.size();
    let bytes = first.entries.iter().map(|e| e.experts as u64 * stored(e.columns)).sum();
    progress.report(Delta::Stage(Stage::Write));
    progress.report(Delta::Total { tensors: first.entries.len() as u64, bytes });
    for (i, entry) in first.entries.iter().enumerate() {
        for expert in 0..entry.experts {
            cancel.check()?;
            let (moments, tokens) = together(files, i, expert)?;
            writer.write(&moments, tokens)?;
            progress.report(Delta::Bytes(stored(entry.columns)));
        }
        progress.report(Delta::TensorDone { index: i });
    }
    progress.report(Delta::Stage(Stage::Sync));
    let unsynced = writer.finish(cancel)?;
    notes.extend(unsynced.map(|why| Diagnostic::file(Severity::Warning, "unsynced", why)));
    Ok(notes)
}

/// The mean over all files of one matrix, and the tokens behind it.
fn together(files: &[Moments], entry: usize, expert: usize) -> Result<(Packed, u64)> {
    let mut parts: Vec<(Packed, u64)> = Vec::with_capacity(files.len());
    let mut total = 0u64;
    for file in files {
        let Some(entry) = file.entries.get(entry) else { continue };
        let tokens = entry.tokens.get(expert).copied().unwrap_or(0);
        let Some(sum) = total.checked_add(tokens).filter(|sum| i64::try_from(*sum).is_ok()) else {
            return Err(Error::tensor(&file.path, &entry.name, format!("{total} + {tokens} tokens are too many")));
        };
        total = sum;
        parts.push((file.read(entry, expert)?, tokens));
    }
    // The first takes the sums; one without tokens is zeros.
    let mut parts = parts.into_iter();
    let Some((mut sums, own)) = parts.next() else {
        return Err(Error::Usage("nothing to merge".to_owned()));
    };
    let others: Vec<(Packed, u64)> = parts.filter(|(_, tokens)| *tokens > 0).collect();
    if !others.is_empty() {
        let (own, whole) = (own as f64, total as f64);
        for (k, value) in sums.values.iter_mut().enumerate() {
            let sum = others.iter().fold(own * f64::from(*value), |sum, (part, tokens)| {
                sum + *tokens as f64 * f64::from(part.values.get(k).copied().unwrap_or(f32::NAN))
            });
            *value = (sum / whole) as f32;
        }
    }
    Ok((sums, total))
}

/// Refuses a file that is of another model, or has other inputs.
fn require_alike(first: &Moments, other: &Moments) -> Result<()> {
    let at = first.path.display();
    if let (Some(a), Some(b)) = (&first.about.model, &other.about.model)
        && a != b
    {
        return Err(Error::content(&other.path, format!("is of the model {b}, {at} of {a}")));
    }
    let lacks = |path: &Path, e: &Entry, has: &Path| {
        Err(Error::content(path, format!("has no moments of '{}', {} has", e.name, has.display())))
    };
    if let Some(e) = first.entries.iter().find(|e| other.entries.iter().all(|o| o.name != e.name)) {
        return lacks(&other.path, e, &first.path);
    }
    if let Some(e) = other.entries.iter().find(|e| first.entries.iter().all(|o| o.name != e.name)) {
        return lacks(&first.path, e, &other.path);
    }
    for (a, b) in first.entries.iter().zip(&other.entries) {
        let refuse = |what: String| Err(Error::tensor(&other.path, &b.name, what));
        if (a.columns, a.experts) != (b.columns, b.experts) {
            let (here, there) = ((b.columns, b.experts), (a.columns, a.experts));
            return refuse(format!(
                "is of {} columns × {} experts, in {at} of {} × {}",
                here.0, here.1, there.0, there.1
            ));
        }
        if a.weights != b.weights {
            return refuse(format!("feeds {}, in {at} {}", b.weights.join(", "), a.weights.join(", ")));
        }
    }
    Ok(())
}

/// What the merged file says about itself, and what is worth telling.
fn about(files: &[Moments]) -> Result<(About, Vec<Diagnostic>)> {
    let mut about = About { version: VERSION, ..About::default() };
    let mut notes = Vec::new();
    let mut tools: Vec<&str> = Vec::new();
    for file in files {
        let own = &file.about;
        about.tokens = about
            .tokens
            .checked_add(own.tokens)
            .ok_or_else(|| Error::content(&file.path, format!("{} tokens are more than can be added", own.tokens)))?;
        about.model = about.model.or_else(|| own.model.clone());
        let name = file.path.display();
        let mut say = |severity, code, what: String| notes.push(Diagnostic::file(severity, code, what));
        if own.model.is_none() {
            say(Severity::Warning, "moments-model", format!("{name} does not say which model it is of"));
        }
        if own.texts.is_empty() {
            say(Severity::Note, "moments-text", format!("{name} does not say which text it was made from"));
        }
        for text in &own.texts {
            if about.texts.contains(text) {
                let what = format!("{name} was made from the text {text} as another was: it counts more than once");
                say(Severity::Warning, "moments-text", what);
            } else {
                about.texts.push(text.clone());
            }
        }
        tools.extend(own.tool.as_deref().into_iter().filter(|tool| !tools.contains(tool)).collect::<Vec<_>>());
    }
    if about.texts.len() > 1 {
        let what = format!("of {} different texts", about.texts.len());
        notes.push(Diagnostic::file(Severity::Note, "moments-text", what));
    }
    about.tool = (!tools.is_empty()).then(|| tools.join(", "));
    Ok((about, notes))
}
