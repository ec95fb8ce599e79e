//! Flags of calibrated codes.

use std::path::PathBuf;

use clap::Args;

use crate::engine::error::{Error, Result};
use crate::engine::plan::CalibrationChoice;

/// How method calibrated works.
#[derive(Debug, Args)]
pub struct CalibrationArgs {
    /// Second moments of the layers' inputs, for method calibrated
    #[arg(long, value_name = "FILE")]
    moments: Option<PathBuf>,
    /// Method calibrated: what is added to the moments' diagonal, as a share of its mean [default: 0.01]
    #[arg(long, value_name = "SHARE")]
    damping: Option<f64>,
    /// Method calibrated: how far the moments are moved towards their diagonal, 0 to 1 [default: 0]
    #[arg(long, value_name = "SHARE")]
    shrinkage: Option<f64>,
    /// Method calibrated: rounds of refitting scales and choosing trits again [default: 3]
    #[arg(long, value_name = "N")]
    rounds: Option<usize>,
}

impl CalibrationArgs {
    /// What was typed put over what a recipe says. Errors: a number out of its range.
    pub(super) fn over(&self, choice: &mut CalibrationChoice) -> Result<()> {
        if let Some(moments) = &self.moments {
            choice.moments = Some(moments.clone());
        }
        choice.damping = self.damping.unwrap_or(choice.damping);
        choice.shrinkage = self.shrinkage.unwrap_or(choice.shrinkage);
        choice.rounds = self.rounds.unwrap_or(choice.rounds);
        choice.settings().map(|_| ()).map_err(Error::Usage)
    }
}
