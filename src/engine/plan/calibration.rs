//! What a recipe says about calibrated codes: which moments, and how they are used.

use std::path::PathBuf;

use crate::engine::calibrated::Settings;

/// The table `[calibration]` of a recipe.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CalibrationChoice {
    /// File of second moments.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub moments: Option<PathBuf>,
    /// Added to the diagonal of the moments, as a share of its mean.
    pub damping: f64,
    /// How far the moments are moved towards their diagonal, 0 to 1.
    pub shrinkage: f64,
    /// Rounds of refit and descent behind feedback.
    pub rounds: usize,
}

impl Default for CalibrationChoice {
    fn default() -> Self {
        let Settings { damping, shrinkage, rounds } = Settings::default();
        Self { moments: None, damping, shrinkage, rounds }
    }
}

impl CalibrationChoice {
    /// Greatest number of rounds; the error stops falling after a few.
    pub const MOST_ROUNDS: usize = 100;

    /// Whether nothing was chosen.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// The same for the quantizer. Errors: which number is out of its range.
    pub fn settings(&self) -> Result<Settings, String> {
        let Self { damping, shrinkage, rounds, .. } = *self;
        if !damping.is_finite() || damping < 0.0 {
            return Err(format!("damping is {damping}; a number of at least 0 belongs there"));
        }
        if !(0.0..=1.0).contains(&shrinkage) {
            return Err(format!("shrinkage is {shrinkage}; a number from 0 to 1 belongs there"));
        }
        if rounds > Self::MOST_ROUNDS {
            return Err(format!("{rounds} rounds; at most {} are made", Self::MOST_ROUNDS));
        }
        Ok(Settings { damping, shrinkage, rounds })
    }

    /// The flags that say the same.
    pub(super) fn flags(&self) -> Vec<String> {
        let default = Self::default();
        let mut flags = Vec::new();
        if let Some(moments) = &self.moments {
            flags.extend(["--moments".to_owned(), moments.to_string_lossy().into_owned()]);
        }
        if self.damping != default.damping {
            flags.extend(["--damping".to_owned(), self.damping.to_string()]);
        }
        if self.shrinkage != default.shrinkage {
            flags.extend(["--shrinkage".to_owned(), self.shrinkage.to_string()]);
        }
        if self.rounds != default.rounds {
            flags.extend(["--rounds".to_owned(), self.rounds.to_string()]);
        }
        flags
    }
}
