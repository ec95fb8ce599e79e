//! Threads that work in the background give way to the one that draws, and exports give way to previews.
//!
//! On Linux a thread has a priority of its own. Elsewhere only whole processes have one, and nothing is changed. The
//! scheduler takes turns of some milliseconds, and at smaller distances a key that is pressed waits for several of them.

/// What figures in sight are made at.
pub(super) const PREVIEWS: i32 = 15;
/// What exports, checks and comparisons run at.
pub(super) const BULK: i32 = 19;

/// Lowers the calling thread to this niceness. A system that does not want to lets it run as it is.
#[cfg(target_os = "linux")]
pub(super) fn give_way(niceness: i32) {
    // Of the calling thread, not of the process: so Linux has it for nobody in particular.
    let _ = rustix::process::setpriority_process(None, niceness);
}

/// Lowers the calling thread to this niceness, where threads have one.
#[cfg(not(target_os = "linux"))]
pub(super) fn give_way(_niceness: i32) {}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_thread_gives_way_alone() {
        let mine = || rustix::process::getpriority_process(None).unwrap();
        let before = mine();
        let lowered = std::thread::spawn(move || {
            give_way(before + 3);
            mine()
        });
        assert_eq!(lowered.join().unwrap(), (before + 3).min(19));
        assert_eq!(mine(), before, "other threads stay as they are");
    }
}
