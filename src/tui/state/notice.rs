//! Short messages about what just happened; the newest is shown for a few seconds, all are kept for the list.

use std::time::Duration;

/// How a notice is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// Something happened.
    Info,
    /// Something ended well.
    Good,
    /// Something should be looked at.
    Warning,
    /// Something failed.
    Error,
}

/// A message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// How it is meant.
    pub tone: Tone,
    /// What happened; safe to print.
    pub text: String,
    /// When, since the start of the program.
    pub at: Duration,
}

/// Messages, oldest first.
#[derive(Debug, Clone, Default)]
pub struct Notices {
    log: Vec<Notice>,
    dismissed: bool,
}

/// Messages that are kept.
const KEPT: usize = 200;

impl Notices {
    /// Adds one, which is shown from now on.
    pub fn push(&mut self, tone: Tone, text: impl Into<String>, at: Duration) {
        if self.log.len() == KEPT {
            self.log.remove(0);
        }
        self.log.push(Notice { tone, text: text.into(), at });
        self.dismissed = false;
    }

    /// The one that is shown at this time.
    pub fn shown(&self, now: Duration) -> Option<&Notice> {
        self.log.last().filter(|n| !self.dismissed && now < Self::end(n))
    }

    /// Until when the newest is shown, if it still is.
    pub fn expires(&self, now: Duration) -> Option<Duration> {
        self.shown(now).map(Self::end)
    }

    /// Hides the newest.
    pub fn dismiss(&mut self) {
        self.dismissed = true;
    }

    /// All that are kept, oldest first.
    pub fn log(&self) -> &[Notice] {
        &self.log
    }

    fn end(notice: &Notice) -> Duration {
        let seconds = match notice.tone {
            Tone::Info => 4,
            Tone::Good | Tone::Warning => 8,
            Tone::Error => 20,
        };
        notice.at + Duration::from_secs(seconds)
    }
}
