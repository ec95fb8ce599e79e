//! Source pages: asked for before they are needed, and given back behind the work where a file is large for the memory.
//!
//! An export reads a file from its beginning to its end, but in bands by several threads, and through a map each touches
//! pages one after the other: a system that reads little ahead would let them wait for the disk by turns. So a window
//! ahead of the first band is announced. What was read is kept for the next one who wants the file, unless the file would
//! push all else out of the memory; such a file is read through buffers, not through its map.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::engine::format::source::Source;
use crate::engine::model::Model;

/// Bytes ahead of a band that are asked for.
const WINDOW: u64 = 32 << 20;
/// How far what is given back lies behind what is asked for.
const BEHIND: u64 = 4 * WINDOW;

/// Where each file of a model is being read.
pub(super) struct Ahead {
    /// Up to where each file was asked for.
    asked: Vec<AtomicU64>,
    /// Whether what was read is given back.
    drops: bool,
}

/// Whether a model's files are large for the memory.
pub(super) fn is_large(model: &Model) -> bool {
    let bytes = model.files.iter().map(|file| file.len()).fold(0, u64::saturating_add);
    bytes > memory() / 2
}

impl Ahead {
    /// Nothing read yet; whether what was read is given back.
    pub(super) fn new(model: &Model, drops: bool) -> Self {
        Self { asked: model.files.iter().map(|_| AtomicU64::new(0)).collect(), drops }
    }

    /// A band of a file is about to be read.
    pub(super) fn reading(&self, number: usize, file: &Source, offset: u64) {
        let Some(asked) = self.asked.get(number) else { return };
        let known = asked.load(Ordering::Relaxed);
        // By halves of the window, so that it is asked for in large pieces.
        if offset + WINDOW / 2 < known {
            return;
        }
        let (from, to) = (known.max(offset), offset + WINDOW);
        if asked.compare_exchange(known, to, Ordering::Relaxed, Ordering::Relaxed).is_err() {
            return;
        }
        file.will_need(from, to.saturating_sub(from));
        if self.drops {
            // Far enough behind that no other band is there still.
            let (from, to) = (known.saturating_sub(BEHIND), to.saturating_sub(BEHIND));
            file.forget(from, to.saturating_sub(from));
        }
    }
}

/// Bytes of memory that this process may use: the machine's, or what its control group leaves. Elsewhere than on Linux
/// nobody is asked.
fn memory() -> u64 {
    #[cfg(target_os = "linux")]
    {
        let info = rustix::system::sysinfo();
        // A long of the system: 32 bits where it has these.
        let machine = (info.totalram as u64).saturating_mul(u64::from(info.mem_unit.max(1)));
        let groups = std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        let limit =
            limit_files(&groups).filter_map(|path| std::fs::read_to_string(path).ok()?.trim().parse::<u64>().ok());
        limit.fold(machine, u64::min)
    }
    #[cfg(not(target_os = "linux"))]
    u64::MAX
}

/// Files with the limits of control groups, as `/proc/self/cgroup` names these: cgroups(7), both versions. What a
/// container sees of its own group lies at the top.
#[cfg(target_os = "linux")]
fn limit_files(groups: &str) -> impl Iterator<Item = String> {
    let of_line = |line: &str| {
        let mut fields = line.splitn(3, ':');
        let (_, controllers, path) = (fields.next()?, fields.next()?, fields.next()?.trim_end_matches('/'));
        let (root, file) = match controllers {
            "" => ("/sys/fs/cgroup", "memory.max"),
            list if list.split(',').any(|name| name == "memory") => ("/sys/fs/cgroup/memory", "memory.limit_in_bytes"),
            _ => return None,
        };
        Some([format!("{root}{path}/{file}"), format!("{root}/{file}")])
    };
    groups.lines().filter_map(of_line).flatten()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn the_machine_has_some_memory() {
        assert!(memory() > 1 << 20);
    }

    #[test]
    fn limits_are_looked_for_where_groups_have_them() {
        let files: Vec<String> = limit_files("0::/user.slice/a\n4:memory:/b\n3:cpu,cpuacct:/c\n").collect();
        let v2 = ["/sys/fs/cgroup/user.slice/a/memory.max", "/sys/fs/cgroup/memory.max"];
        let v1 = ["/sys/fs/cgroup/memory/b/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.limit_in_bytes"];
        assert_eq!(files, [v2, v1].concat());
    }
}
