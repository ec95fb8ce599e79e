//! The terminal: taken over on entry, given back on every way out.
//!
//! [`Screen`] restores it when dropped; [`restore`] does the same for a panic hook, before anything is printed.

mod rows;

use std::io::{self, Stdout, Write, stdout};
use std::mem::ManuallyDrop;
use std::sync::{Mutex, PoisonError};
use std::thread::ThreadId;

use crossterm::event::{DisableBracketedPaste, DisableMouseCapture, EnableBracketedPaste, EnableMouseCapture};
use crossterm::style::{ResetColor, force_color_output};
use crossterm::terminal::{
    BeginSynchronizedUpdate, Clear, ClearType, DisableLineWrap, EnableLineWrap, EndSynchronizedUpdate,
    EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use crossterm::{cursor, execute, queue};
use ratatui::backend::CrosstermBackend;
use ratatui::{Frame, Terminal};

use rows::Rows;

/// The thread that has taken the terminal over, while it has.
static OWNER: Mutex<Option<ThreadId>> = Mutex::new(None);

fn owner() -> std::sync::MutexGuard<'static, Option<ThreadId>> {
    OWNER.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The terminal in raw mode on its alternate screen, until dropped.
pub struct Screen {
    /// Never dropped: it would show the cursor, which [`give_back`] does, and panic where the terminal is gone for good,
    /// because it says so on a stderr that is gone too.
    terminal: ManuallyDrop<Terminal<Rows<CrosstermBackend<Stdout>>>>,
}

impl Screen {
    /// Takes the terminal over.
    pub fn enter(mouse: bool) -> io::Result<Self> {
        enable_raw_mode()?;
        *owner() = Some(std::thread::current().id());
        // Which colours there are is the theme's business: `NO_COLOR` has chosen one without, and another may be chosen.
        force_color_output(true);
        // A sign at the right edge that takes more columns than it should must not go on in the next row.
        let entered = execute!(stdout(), EnterAlternateScreen, DisableLineWrap, EnableBracketedPaste, cursor::Hide)
            .and_then(|()| if mouse { execute!(stdout(), EnableMouseCapture) } else { Ok(()) })
            .and_then(|()| Terminal::new(Rows::on(CrosstermBackend::new(stdout()))));
        match entered {
            Ok(terminal) => Ok(Self { terminal: ManuallyDrop::new(terminal) }),
            Err(e) => {
                give_back();
                Err(e)
            }
        }
    }

    /// Columns and rows.
    pub fn size(&self) -> io::Result<(u16, u16)> {
        self.terminal.size().map(|size| (size.width, size.height))
    }

    /// Draws a frame, which appears at once.
    pub fn draw(&mut self, frame: impl FnOnce(&mut Frame<'_>)) -> io::Result<()> {
        queue!(stdout(), BeginSynchronizedUpdate)?;
        let drawn = self.terminal.draw(frame).map(drop);
        execute!(stdout(), EndSynchronizedUpdate)?;
        drawn
    }

    /// Lets the next frame be drawn as a whole, whatever the terminal shows.
    pub fn forget(&mut self) -> io::Result<()> {
        self.terminal.clear()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        give_back();
    }
}

/// Whether the error is that of a terminal which was closed: the other side of a pseudo-terminal is gone (`EIO`), or the
/// device is (`ENXIO`).
pub(super) fn is_gone(error: &io::Error) -> bool {
    use rustix::io::Errno;
    [Errno::IO, Errno::NXIO].contains(&Errno::from_io_error(error).unwrap_or(Errno::INVAL))
}

/// Takes the mouse, or leaves it to the terminal. A terminal that does not take this has no mouse to speak of.
pub(super) fn set_mouse(on: bool) {
    let _ = if on { execute!(stdout(), EnableMouseCapture) } else { execute!(stdout(), DisableMouseCapture) };
}

/// Sends a control sequence between two frames.
pub(super) fn send(sequence: &str) {
    let mut out = stdout();
    let _ = out.write_all(sequence.as_bytes()).and_then(|()| out.flush());
}

/// Gives the terminal back if it is taken; true once it is free for a report. False means that another thread has it and
/// goes on: a job's panic, which is caught and shown there, so that a hook must not print.
pub fn restore() -> bool {
    let taken = *owner();
    match taken {
        Some(thread) if thread != std::thread::current().id() => false,
        _ => {
            give_back();
            true
        }
    }
}

fn give_back() {
    if owner().take().is_none() {
        return;
    }
    let mut out = stdout();
    // Nothing can be done about a terminal that does not take these.
    let _ = execute!(
        out,
        EndSynchronizedUpdate,
        DisableBracketedPaste,
        DisableMouseCapture,
        // Where there is no alternate screen (GNU screen has none unless told to), nothing else takes the frame away.
        ResetColor,
        EnableLineWrap,
        Clear(ClearType::All),
        cursor::MoveTo(0, 0),
        LeaveAlternateScreen,
        cursor::Show
    );
    let _ = disable_raw_mode();
    let _ = out.flush();
}
