//! How fast an export goes, kind of work by kind of work, and how long the rest of it takes.

use std::time::Duration;

use crate::engine::export::{Labor, Workload};

/// How far back the moving average looks.
const WINDOW: Duration = Duration::from_secs(5);
/// Seconds that a kind of work must have gone on before its own pace is believed.
const ENOUGH: f64 = 0.2;

/// Units of a kind of work, and the seconds that they took; both fade.
#[derive(Debug, Clone, Copy, Default)]
struct Kind {
    units: f64,
    seconds: f64,
}

/// The paces of an export.
#[derive(Debug, Clone, Default)]
pub struct Pace {
    kinds: [Kind; Labor::ALL.len()],
    /// Until when it is known what was done; `None` behind a pause.
    until: Option<Duration>,
}

impl Pace {
    /// Work begins, or goes on.
    pub fn begin(&mut self, now: Duration) {
        self.until = Some(now);
    }

    /// What comes next says nothing about the time since the last.
    pub fn interrupt(&mut self) {
        self.until = None;
    }

    /// So much was done since the last time.
    pub fn note(&mut self, (labor, units): (Labor, f64), now: Duration) {
        if let Some(until) = self.until.replace(now) {
            let seconds = now.saturating_sub(until).as_secs_f64();
            let kept = (-seconds / WINDOW.as_secs_f64()).exp();
            let kind = &mut self.kinds[labor.index()];
            *kind = Kind { units: kind.units * kept + units, seconds: kind.seconds * kept + seconds };
        }
    }

    /// Seconds that the rest takes. A kind of which nothing is known yet is taken to be as much faster or slower than its
    /// units say as the others are.
    pub fn remaining(&self, work: &Workload) -> Option<f64> {
        let all = self.kinds.iter().fold(Kind::default(), |sum, kind| Kind {
            units: sum.units + kind.units,
            seconds: sum.seconds + kind.seconds,
        });
        if all.seconds < ENOUGH || all.units <= 0.0 {
            return None;
        }
        let seconds = Labor::ALL.into_iter().map(|labor| {
            let own = self.kinds[labor.index()];
            let pace = if own.seconds >= ENOUGH && own.units > 0.0 { own } else { all };
            work.left(labor) * pace.seconds / pace.units
        });
        Some(seconds.sum())
    }
}
