//! Files that end before what their headers speak of: downloads that were stopped, copies that ran out of room.

use std::fmt;

use super::gguf::{Gguf, align_up};
use crate::text;

/// How much of a file is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CutOff {
    /// Bytes of the file.
    pub there: u64,
    /// Bytes that its header speaks of.
    pub whole: u64,
    /// Tensors of which bytes are missing.
    pub incomplete: usize,
    /// Tensors.
    pub tensors: usize,
}

impl CutOff {
    /// Of tensors by the ends of their data in the file; `None` where the file has all of them.
    pub fn of(there: u64, ends: impl Iterator<Item = u64>) -> Option<Self> {
        let mut found = Self { there, whole: there, incomplete: 0, tensors: 0 };
        for end in ends {
            found.tensors += 1;
            found.incomplete += usize::from(end > there);
            found.whole = found.whole.max(end);
        }
        (found.incomplete > 0).then_some(found)
    }

    /// Of a GGUF whose types are settled. Only where its tensors lie one behind the other, as every writer lays them out:
    /// an offset that is wrong by itself says nothing about the file's end.
    pub fn of_gguf(gguf: &Gguf) -> Option<Self> {
        let mut order: Vec<_> = gguf.tensors.iter().map(|t| (t.offset, t.bytes)).collect();
        order.sort_unstable();
        let (mut next, mut ends) = (Some(0), Vec::with_capacity(order.len()));
        for (offset, bytes) in order {
            let end = bytes.and_then(|bytes| offset.checked_add(bytes)).filter(|_| next == Some(offset))?;
            ends.push(gguf.data_offset.checked_add(end)?);
            next = align_up(end, gguf.alignment);
        }
        Self::of(gguf.data_offset + gguf.data_len, ends.into_iter())
    }
}

impl fmt::Display for CutOff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (there, whole) = (text::bytes(self.there), text::bytes(self.whole));
        // Where both look alike, what is missing is a few bytes.
        let share = if there == whole {
            format!("the last {} of {whole} are missing", text::bytes(self.whole - self.there))
        } else {
            let unit = |words: &str| words.rsplit(' ').next().map(str::to_owned);
            let brief = if unit(&there) == unit(&whole) { there.split(' ').next().unwrap_or(&there) } else { &there };
            format!("{brief} of {whole} are there")
        };
        let are = if self.incomplete == 1 { "is" } else { "are" };
        write!(
            f,
            "cut off: {share}; {} of {} {are} missing or incomplete",
            self.incomplete,
            text::counted(self.tensors, "tensor")
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_said_in_one_sentence() {
        const MIB: u64 = 1 << 20;
        let cut = CutOff::of(95 * MIB + MIB / 2, [50 * MIB, 95 * MIB, 200 * MIB, 258 * MIB].into_iter());
        let words = "cut off: 95.5 of 258 MiB are there; 2 of 4 tensors are missing or incomplete";
        assert_eq!(cut.map(|c| c.to_string()).as_deref(), Some(words));
        let cut = CutOff::of(1000, [900, 5 * MIB].into_iter());
        let words = "cut off: 1000 B of 5.00 MiB are there; 1 of 2 tensors is missing or incomplete";
        assert_eq!(cut.map(|c| c.to_string()).as_deref(), Some(words));
        let cut = CutOff::of(100 * MIB - 1, [100 * MIB].into_iter());
        let words = "cut off: the last 1 B of 100 MiB are missing; 1 of 1 tensor is missing or incomplete";
        assert_eq!(cut.map(|c| c.to_string()).as_deref(), Some(words));
        assert_eq!(CutOff::of(100, [40, 100].into_iter()), None);
    }
}
