//! Running a program: how long it took, and the most anonymous memory that it was seen with.

use std::io;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Between two looks at a program's memory.
const LOOK: Duration = Duration::from_millis(2);

/// What a run took.
pub struct Run {
    /// Seconds.
    pub seconds: f64,
    /// Most anonymous memory that was seen, in bytes; 0 where the system does not tell.
    pub anonymous: u64,
}

/// Runs a command once, silently. Errors: it cannot be started, it fails.
pub fn run(command: &mut Command) -> io::Result<Run> {
    let start = Instant::now();
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    let mut most = 0;
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        most = most.max(anonymous(child.id()).unwrap_or(0));
        std::thread::sleep(LOOK);
    };
    let run = Run { seconds: start.elapsed().as_secs_f64(), anonymous: most };
    if status.success() { Ok(run) } else { Err(io::Error::other(format!("{command:?} ended with {status}"))) }
}

/// The median; NaN of nothing.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

/// `RssAnon` of a process, in bytes; Linux only.
fn anonymous(process: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"))?;
    Some(line.trim().trim_end_matches(" kB").trim().parse::<u64>().ok()? * 1024)
}
