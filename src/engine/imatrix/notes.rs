//! An importance matrix beside a plan: what it lacks, whom no token reached, and what an output says of it.

use super::Imatrix;
use crate::engine::error::{Diagnostic, Severity};
use crate::engine::format::gguf::Value;
use crate::engine::model::{Model, Tensor};
use crate::engine::plan::{Decision, Plan, Step};
use crate::engine::ternary::Method;
use crate::text::escape;

/// Tensors that a note names before it counts the rest.
const NAMED: usize = 3;

impl Imatrix {
    /// What to know of a run that is weighted by this matrix: what the file itself says is odd, tensors that it lacks or has
    /// in another size, experts without tokens, the number of chunks where it is not the recipe's.
    pub fn notes(&self, model: &Model, plan: &Plan, calibration_samples: usize) -> Vec<Diagnostic> {
        let mut notes = self.diagnostics.clone();
        let weighs = |d: &Decision| match d.step {
            Step::Ternary(format, method) => method == Method::Exact || !format.is_plain(),
            _ => false,
        };
        let chosen = plan.totals.ternary_tensors > 0 && !plan.decisions.iter().any(weighs);
        if chosen {
            let what = "only the method exact (and the format iq1_s) chooses by importance; here it only weighs errors";
            notes.push(Diagnostic::file(Severity::Warning, "imatrix-unused", what));
        }
        let ternary = || model.tensors.iter().zip(&plan.decisions).filter(|(_, d)| d.is_ternary()).map(|(t, _)| t);
        let absent: Vec<&Tensor> = ternary().filter(|t| self.entry(&t.name).is_none()).collect();
        if !absent.is_empty() {
            let what = format!("the importance matrix has nothing about {}: quantized without weights", named(&absent));
            notes.push(Diagnostic::file(Severity::Warning, "imatrix-missing", what));
        }
        for tensor in ternary() {
            match self.for_tensor(&tensor.name, tensor.row_len(), tensor.matrices()) {
                Ok(None) => {}
                Ok(Some(importance)) => notes.extend(unreached(tensor, &importance.unreached())),
                Err(mismatch) => {
                    let what = mismatch.to_string();
                    notes.push(Diagnostic::tensor(Severity::Warning, "imatrix-size", &tensor.name, what));
                }
            }
        }
        notes.extend(self.calibration_note(calibration_samples));
        notes
    }

    /// What an output's metadata says of the matrix, under the keys that llama-quantize uses.
    pub fn provenance(&self) -> Vec<(String, Value)> {
        let key = |name: &str| format!("quantize.imatrix.{name}");
        let small = |n: u64| Value::u32(u32::try_from(n).unwrap_or(u32::MAX));
        let file = self.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let mut kvs = vec![(key("file"), Value::string(file))];
        if let Some(dataset) = self.datasets.first() {
            kvs.push((key("dataset"), Value::string(dataset.clone())));
        }
        kvs.push((key("entries_count"), small(self.entries.len() as u64)));
        kvs.extend(self.chunks.map(|n| (key("chunks_count"), small(n))));
        kvs
    }
}

fn unreached(tensor: &Tensor, experts: &[usize]) -> Option<Diagnostic> {
    if experts.is_empty() {
        return None;
    }
    let list: Vec<String> = experts.iter().take(8).map(ToString::to_string).collect();
    let more = if experts.len() > 8 { format!(" and {} more", experts.len() - 8) } else { String::new() };
    let what = if tensor.matrices() > 1 {
        format!("no token reached experts {}{more}: quantized without weights", list.join(", "))
    } else {
        "no token reached it: quantized without weights".to_owned()
    };
    Some(Diagnostic::tensor(Severity::Warning, "imatrix-unreached", &tensor.name, what))
}

fn named(tensors: &[&Tensor]) -> String {
    let names: Vec<String> = tensors.iter().take(NAMED).map(|t| escape(&t.name)).collect();
    let more = if tensors.len() > NAMED { format!(" and {} more", tensors.len() - NAMED) } else { String::new() };
    names.join(", ") + &more
}
