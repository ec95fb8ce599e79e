//! Sensitivity: the error of every tensor that may go ternary, by layer and role. The picture that papers show.
//!
//! [`Sensitivity`] is the document, as JSON and CSV; [`grid`] sums it up by role and layer for screens; [`svg`] draws it.

pub mod grid;
mod svg;

use std::fmt::Write as _;

use serde::Serialize;

use super::{Measured, SCHEMA, finite};
use crate::engine::model::{Model, Role};
use crate::engine::plan::{Plan, Step};
use crate::engine::preview::sqnr_db;
use crate::engine::stats::ErrorSums;
use crate::engine::ternary::{Format, Method};

pub use grid::{Errors, Grid};

/// Which error is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Measure {
    /// Signal over noise in dB: more is better.
    #[default]
    Sqnr,
    /// Relative squared error: less is better.
    RelMse,
    /// The same, weighted by importance.
    Weighted,
}

impl Measure {
    /// Every measure, in the order in which a key goes through them.
    pub const ALL: [Self; 3] = [Self::Sqnr, Self::RelMse, Self::Weighted];

    /// What stands at an axis.
    pub fn label(self) -> &'static str {
        match self {
            Self::Sqnr => "SQNR (dB)",
            Self::RelMse => "relative MSE",
            Self::Weighted => "importance-weighted relative MSE",
        }
    }

    /// Whether a greater value is a smaller error.
    pub fn more_is_better(self) -> bool {
        self == Self::Sqnr
    }

    /// Its value of these sums; `None` where it has none: an infinite SQNR, no importance.
    pub fn of(self, errors: &Errors) -> Option<f64> {
        let plain = || if errors.sum_e2 == 0.0 { 0.0 } else { errors.sum_e2 / errors.sum_w2 };
        let value = match self {
            Self::Sqnr => sqnr_db(plain()),
            Self::RelMse => plain(),
            Self::Weighted => errors.weighted.filter(|(_, w)| *w > 0.0).map(|(e, w)| e / w)?,
        };
        finite(value)
    }
}

/// One tensor.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Point {
    /// Name.
    pub tensor: String,
    /// Role.
    pub role: Role,
    /// Layer number.
    pub layer: Option<u32>,
    /// Elements.
    pub elements: u64,
    /// Format it was tried in.
    pub format: &'static str,
    /// Method it was tried by.
    pub method: &'static str,
    /// Σ(w − ŵ)² ÷ Σw².
    pub rel_mse: Option<f64>,
    /// −10·log10(rel_mse); null where the error is zero.
    pub sqnr_db: Option<f64>,
    /// The same error weighted by importance; null where the tensor has none.
    pub weighted_rel_mse: Option<f64>,
    /// Whether the figures are estimated from a sample.
    pub estimated: bool,
    /// 95 % interval of rel_mse while estimated.
    pub interval: Option<[f64; 2]>,
    /// The sums behind them.
    #[serde(skip)]
    pub errors: Errors,
}

/// The error of every tensor that was tried.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Sensitivity {
    /// [`SCHEMA`].
    pub schema: u32,
    /// Path of the model.
    pub source: String,
    /// The model's name.
    pub model: String,
    /// Format that the recipe asks for.
    pub format: &'static str,
    /// Method that it asks for.
    pub method: &'static str,
    /// One point a tensor, in file order.
    pub points: Vec<Point>,
}

impl Sensitivity {
    /// A document without points.
    pub fn new(model: &Model, format: Format, method: Method) -> Self {
        Self {
            schema: SCHEMA,
            source: model.path.display().to_string(),
            model: model.title(),
            format: format.name(),
            method: method.name(),
            points: Vec::new(),
        }
    }

    /// What was measured of the tensors that `plan` makes ternary.
    pub fn of_plan(
        model: &Model,
        plan: &Plan,
        (format, method): (Format, Method),
        measured: &[Option<Measured>],
    ) -> Self {
        let mut chart = Self::new(model, format, method);
        for (index, (decision, measured)) in plan.decisions.iter().zip(measured).enumerate() {
            if let (Step::Ternary(format, method), Some(measured)) = (decision.step, measured)
                && measured.problem.is_none()
            {
                chart.push(model, index, (format, method), measured.errors(model.tensors[index].elements()));
            }
        }
        chart
    }

    /// Adds a tensor.
    pub fn push(&mut self, model: &Model, index: usize, (format, method): (Format, Method), errors: Errors) {
        let tensor = &model.tensors[index];
        let interval = errors.interval.filter(|i| i.iter().all(|x| x.is_finite()));
        self.points.push(Point {
            tensor: tensor.name.clone(),
            role: tensor.role,
            layer: tensor.layer,
            elements: tensor.elements(),
            format: format.name(),
            method: if format.is_plain() { method.name() } else { "codebook" },
            rel_mse: Measure::RelMse.of(&errors),
            sqnr_db: Measure::Sqnr.of(&errors),
            weighted_rel_mse: Measure::Weighted.of(&errors),
            estimated: !errors.exact,
            interval: interval.filter(|_| !errors.exact),
            errors,
        });
    }

    /// The points by role and layer.
    pub fn grid(&self) -> Grid {
        let cells = self.points.iter().enumerate().map(|(i, p)| (i, p.role, p.layer, Some(p.errors)));
        Grid::new(cells)
    }

    /// The points as comma-separated values with a heading (RFC 4180, lines end with a line feed).
    pub fn csv(&self) -> String {
        let mut out = String::from(
            "tensor,role,layer,elements,format,method,rel_mse,sqnr_db,weighted_rel_mse,estimated,low,high\n",
        );
        let number = |x: Option<f64>| x.map_or_else(String::new, |x| x.to_string());
        for p in &self.points {
            let layer = p.layer.map_or_else(String::new, |n| n.to_string());
            let _ = writeln!(
                out,
                "{},{},{layer},{},{},{},{},{},{},{},{},{}",
                quoted(&p.tensor),
                p.role,
                p.elements,
                p.format,
                p.method,
                number(p.rel_mse),
                number(p.sqnr_db),
                number(p.weighted_rel_mse),
                p.estimated,
                number(p.interval.map(|i| i[0])),
                number(p.interval.map(|i| i[1])),
            );
        }
        out
    }

    /// The document as JSON.
    pub fn json(&self) -> String {
        // Numbers and strings only: there is nothing in it that could not be encoded.
        serde_json::to_string_pretty(self).map_or_else(|_| String::new(), |text| text + "\n")
    }

    /// The picture: lines of each role over the layers, and the same as a map.
    pub fn svg(&self, measure: Measure) -> String {
        svg::draw(self, measure)
    }
}

/// A field of CSV; control characters do not survive.
fn quoted(field: &str) -> String {
    let field = crate::text::escape(field);
    if field.contains([',', '"']) { format!("\"{}\"", field.replace('"', "\"\"")) } else { field }
}

impl Errors {
    /// The sums of a measurement that looked at `n` of `elements` weights.
    pub fn expanded(sums: &ErrorSums, elements: u64) -> Option<(f64, f64)> {
        let share = elements as f64 / sums.n.max(1) as f64;
        (sums.sum_qw2 > 0.0).then_some((share * sums.sum_qe2, share * sums.sum_qw2))
    }
}
