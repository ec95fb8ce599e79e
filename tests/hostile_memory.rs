//! A file cannot make the reader allocate more than its own length backs.
//!
//! Alone in its binary: the allocator counts for the whole process, so nothing else may run beside it.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot set itself up should stop")]

mod support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use support::{Kv, Tiny, dense, moe};
use tritscope::engine::model::tree::Tree;
use tritscope::engine::model::{Model, OpenOptions};
use tritscope::engine::plan::{Recipe, resolve};

/// Bytes of index that a byte of header may turn into: a metadata entry of 13 bytes becomes a few structs, an empty name
/// a tensor, a diagnostic or three.
const FACTOR: usize = 64;
/// What an open takes whatever the file is: the window of an unmapped source, paths, buffers.
const BASE: usize = 3 << 20;

/// The system's allocator, counting bytes in use and the most there were.
struct Counting;

static IN_USE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

#[expect(unsafe_code, reason = "an allocator cannot be written without")]
// SAFETY: every call is handed to the system's allocator as it is.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let now = IN_USE.fetch_add(layout.size(), Relaxed) + layout.size();
        PEAK.fetch_max(now, Relaxed);
        // SAFETY: the caller's promise about `layout` is the one that is asked for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        IN_USE.fetch_sub(layout.size(), Relaxed);
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Opens the file both ways, builds tree and plan where it opens, and asserts what that took at most.
fn assert_bounded(what: &str, bytes: &[u8]) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.gguf");
    std::fs::write(&path, bytes).unwrap();
    for mmap in [true, false] {
        let before = IN_USE.load(Relaxed);
        PEAK.store(before, Relaxed);
        if let Ok(model) = Model::open(&path, &OpenOptions { mmap, ..OpenOptions::default() }) {
            let _ = Tree::build(&model.tensors);
            let _ = resolve(&model, &Recipe::default());
        }
        let peak = PEAK.load(Relaxed) - before;
        let allowed = BASE + FACTOR * bytes.len();
        assert!(
            peak <= allowed,
            "{what}, {} bytes, mmap {mmap}: {peak} bytes at the peak, {allowed} allowed",
            bytes.len()
        );
    }
}

#[test]
fn memory_is_bounded_by_the_length_of_the_file() {
    for count in [1u64 << 63, u64::MAX, 1 << 40, 1 << 32, 1 << 28] {
        assert_bounded("tensor count", &Tiny { n_tensors: Some(count), ..dense() }.bytes());
        assert_bounded("metadata count", &Tiny { n_kvs: Some(count), ..dense() }.bytes());
        let head = count.to_le_bytes().to_vec();
        assert_bounded("string length", &dense().kv("s", Kv::Raw(8, head.clone())).bytes());
        for element in 0..13u32 {
            let array = [element.to_le_bytes().to_vec(), head.clone()].concat();
            assert_bounded("array length", &dense().kv("a", Kv::Raw(9, array)).bytes());
        }
        assert_bounded("dimension", &dense().last(|t| t.dims = vec![count, 1]).bytes());
        assert_bounded("offset", &dense().last(|t| t.offset = Some(count)).bytes());
    }
    // Counts that the file does back: nothing but the smallest entries and infos there are.
    let mut entries = Tiny { kvs: Vec::new(), ..Tiny::default() };
    entries.kvs = vec![(Vec::new(), Kv::U8(0)); 100_000];
    assert_bounded("empty entries", &entries.bytes());
    let infos = [b"GGUF\x03\0\0\0".as_slice(), &100_000u64.to_le_bytes(), &vec![0; 8 + 24 * 100_000]].concat();
    assert_bounded("empty infos", &infos);
    let deep = dense().last(|t| t.name = b"a.".repeat(500_000));
    assert_bounded("a deep name", &deep.bytes());
    assert_bounded("a sound model", &moe().bytes());
}
