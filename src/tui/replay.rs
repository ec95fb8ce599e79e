//! Playing a recording: the clock that it runs by, and when the next event is due.

use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::time::{Duration, Instant};

use super::effect::Exit;
use super::event::Event;
use super::runtime::Runtime;
use super::state::Tone;
use super::tape::{Pace, Player};
use super::{Driver, closed, journal};
use crate::engine::error::Result;

/// How long a lane is waited for before the screen moves a spinner on.
const PATIENCE: Duration = Duration::from_millis(125);

/// The time since the start of the program. While a recording is played as things settle it is the recording's own, so that
/// two clicks are as far apart as they were: it stands still when it comes to the next event's time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    base: Duration,
    since: Instant,
    limit: Option<Duration>,
}

impl Clock {
    pub(super) fn new(start: Instant) -> Self {
        Self { base: Duration::ZERO, since: start, limit: None }
    }

    pub(super) fn now(&self) -> Duration {
        let now = self.base + self.since.elapsed();
        self.limit.map_or(now, |limit| now.min(limit.max(self.base)))
    }

    /// Goes on from a time, up to another.
    fn set(&mut self, now: Duration, limit: Option<Duration>) {
        *self = Self { base: now, since: Instant::now(), limit };
    }
}

impl Driver {
    /// Begins to play a recording.
    pub(super) fn load(&mut self, player: Player) {
        if let Some(text) = player.misfit(self.state.size) {
            self.state.notify(Tone::Warning, text);
        }
        if player.pace == Pace::Settled {
            self.clock.set(self.clock.now(), player.at());
        }
        self.player = Some(player);
    }

    /// Takes in an event from outside. A key ends what is being played, and counts. Whether it came from the user, who waits
    /// for what comes of it.
    pub(super) fn live(&mut self, event: Event, runtime: &mut Runtime) -> bool {
        let answers = event.is_users();
        if answers {
            runtime.go_first(true);
        }
        if let (Event::Key(_), Some(player)) = (&event, &self.player) {
            let text = format!("replay stopped after {} events", player.played());
            self.unload(&text);
        }
        self.handle(event, runtime);
        answers
    }

    fn unload(&mut self, text: &str) {
        journal::note("replay", text);
        self.player = None;
        self.clock.set(self.clock.now(), None);
        self.state.notify(Tone::Info, text);
    }

    /// Waits for what is next while a recording is played: something from outside, or the recording's next event.
    pub(super) fn play(&mut self, receiver: &Receiver<Event>, runtime: &mut Runtime) -> Result<()> {
        let Some(player) = &self.player else { return Ok(()) };
        let pace = player.pace;
        let due = player.due();
        let outside = match (pace, due) {
            (Pace::Times(_), Some(due)) => receiver.recv_timeout(due.saturating_sub(self.clock.now())),
            _ if runtime.is_idle() => receiver.try_recv().map_err(|e| match e {
                TryRecvError::Empty => RecvTimeoutError::Timeout,
                TryRecvError::Disconnected => RecvTimeoutError::Disconnected,
            }),
            _ => match receiver.recv_timeout(PATIENCE) {
                Err(RecvTimeoutError::Timeout) => {
                    self.handle(Event::Wake, runtime);
                    return Ok(());
                }
                received => received,
            },
        };
        match outside {
            Ok(event) => drop(self.live(event, runtime)),
            Err(RecvTimeoutError::Timeout) => self.feed(runtime),
            Err(RecvTimeoutError::Disconnected) => return Err(closed()),
        }
        Ok(())
    }

    /// The recording's next event; at its end the keyboard has the word.
    fn feed(&mut self, runtime: &mut Runtime) {
        let Some(player) = &mut self.player else { return };
        let (at, event) = (player.at(), player.next());
        let Some(event) = event else {
            let text = format!("replayed {} events; the keyboard is yours", player.played());
            return self.unload(&text);
        };
        if let (Pace::Settled, Some(at)) = (player.pace, at) {
            let next = player.at();
            self.clock.set(at, next);
        }
        self.handle(event, runtime);
        // Who watches wants to see the last screen.
        if let Some(player) = self.player.as_ref().filter(|player| !player.quits)
            && runtime.exit == Some(Exit::Done)
        {
            let text = format!("replay ended: {} events, and there it quit; the keyboard is yours", player.played());
            runtime.exit = None;
            self.unload(&text);
        }
    }
}
