//! `moments info --json`: what is in a file of second moments.

use serde::Serialize;

use super::SCHEMA;
use crate::engine::error::Result;
use crate::engine::moments::{Entry, Moments};
use crate::engine::progress::Cancel;

/// The document.
#[derive(Debug, Clone, Serialize)]
pub struct MomentsReport {
    /// [`SCHEMA`].
    pub schema: u32,
    /// Path of the file.
    pub source: String,
    /// Its length.
    pub bytes: u64,
    /// Version of its form.
    pub version: u32,
    /// Identity of the model, where the file has one.
    pub model: Option<String>,
    /// Tokens of text that went through the model.
    pub tokens: u64,
    /// Hashes of the texts.
    pub texts: Vec<String>,
    /// What made the file.
    pub tool: Option<String>,
    /// Whether every value was checked, not the diagonals alone.
    pub checked: bool,
    /// A row for each input, in natural order.
    pub entries: Vec<MomentsRow>,
}

/// One input.
#[derive(Debug, Clone, Serialize)]
pub struct MomentsRow {
    /// The first weight that it feeds.
    pub name: String,
    /// All weights that it feeds.
    pub weights: Vec<String>,
    /// How its values are stored.
    #[serde(rename = "type")]
    pub dtype: &'static str,
    /// Values of the input.
    pub columns: usize,
    /// Experts, 1 for a plain weight.
    pub experts: usize,
    /// Tokens of each expert.
    pub tokens: Vec<u64>,
    /// Bytes of its values.
    pub bytes: u64,
    /// Smallest mean of squares of the experts that have tokens.
    pub min: f64,
    /// Mean of them.
    pub mean: f64,
    /// Largest of them.
    pub max: f64,
    /// Columns that are zero throughout, in the expert that has most of them.
    pub zero_columns: usize,
    /// Largest share that one column has of an expert's squares.
    pub greatest_share: f64,
    /// Experts without tokens.
    pub unreached_experts: usize,
    /// Experts with fewer tokens than columns, those without any not counted.
    pub short_experts: usize,
    /// What will make the moments hard to invert, in words.
    pub hints: Vec<String>,
}

impl MomentsReport {
    /// Reads the diagonals. `checked`: whether the caller has read every value.
    pub fn of(moments: &Moments, checked: bool, cancel: &Cancel) -> Result<Self> {
        let row = |entry: &Entry| {
            cancel.check()?;
            let facts = moments.facts(entry)?;
            Ok(MomentsRow {
                name: entry.name.clone(),
                weights: entry.weights.clone(),
                dtype: entry.store.name(),
                columns: entry.columns,
                experts: entry.experts,
                tokens: entry.tokens.clone(),
                bytes: entry.bytes(),
                min: facts.least,
                mean: facts.mean,
                max: facts.most,
                zero_columns: facts.zero_columns,
                greatest_share: facts.greatest_share,
                unreached_experts: facts.unreached,
                short_experts: facts.short,
                hints: facts.hints(entry),
            })
        };
        let about = moments.about();
        Ok(Self {
            schema: SCHEMA,
            source: moments.path.display().to_string(),
            bytes: moments.file_len(),
            version: about.version,
            model: about.model.clone(),
            tokens: about.tokens,
            texts: about.texts.clone(),
            tool: about.tool.clone(),
            checked,
            entries: moments.entries().iter().map(row).collect::<Result<_>>()?,
        })
    }
}
