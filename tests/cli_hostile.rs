//! What the program does with bad input, bad outputs and a bad end: exit codes, messages, and nothing left behind.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot set itself up should stop")]

mod support;

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use support::{Kv, Tiny, dense, f32_bytes, moe, normals};
use tempfile::TempDir;
use tritscope::engine::codec::DType;

const PROGRAM: &str = env!("CARGO_BIN_EXE_tritscope");

/// What a run ended with.
#[derive(Debug)]
struct Ended {
    code: Option<i32>,
    out: String,
    err: String,
}

fn run(folder: &Path, arguments: &[&str]) -> Ended {
    let mut command = assert_cmd::Command::new(PROGRAM);
    let output = command.current_dir(folder).args(arguments).timeout(Duration::from_secs(60)).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ended { code: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) }
}

/// A folder with a model in it.
fn folder(tiny: &Tiny) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    tiny.write(folder.path());
    folder
}

/// Names in a folder, sorted.
fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

const QUANTIZE: [&str; 6] = ["quantize", "model.gguf", "-o", "out.gguf", "--layers", "all"];

/// Asserts that quantizing ends with `code`, says each of `words`, and leaves only the model.
fn refuses(folder: &Path, arguments: &[&str], code: i32, words: &[&str]) {
    let before = names(folder);
    let ended = run(folder, arguments);
    assert_eq!(ended.code, Some(code), "{arguments:?}: {ended:?}");
    for word in words {
        assert!(ended.err.contains(word), "'{word}' is not in: {}", ended.err);
    }
    assert_eq!(ended.out, "", "{arguments:?}");
    assert!(!ended.err.trim_end().contains(|c: char| c.is_control() && c != '\n'), "{:?}", ended.err);
    assert!(!ended.err.contains("panicked"), "{}", ended.err);
    assert_eq!(names(folder), before, "{arguments:?} left something behind");
}

#[test]
fn files_that_are_no_models_end_with_3_and_say_where() {
    let (good, marks) = dense().build();
    let header = marks.iter().find(|(_, what)| what == "padding").unwrap().0;
    let mut bad: Vec<(Vec<u8>, &str)> = vec![
        (Vec::new(), "offset 0"),
        (b"not a model at all".to_vec(), "expected \"GGUF\""),
        (Tiny { version: 1, ..dense() }.bytes(), "version 1"),
        (Tiny { version: 3u32.swap_bytes(), ..dense() }.bytes(), "big-endian"),
        (Tiny { n_tensors: Some(1 << 63), ..dense() }.bytes(), "9223372036854775808"),
        (Tiny { n_kvs: Some(1 << 63), ..dense() }.bytes(), "9223372036854775808"),
        (dense().kv("general.alignment", Kv::U32(0)).bytes(), "general.alignment is 0"),
        (dense().kv("general.alignment", Kv::U32(7)).bytes(), "general.alignment is 7"),
    ];
    bad.extend(marks.iter().filter(|(at, _)| *at < header).map(|(at, _)| (good[..*at].to_vec(), "offset")));
    for (bytes, word) in bad {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("model.gguf"), &bytes).unwrap();
        for arguments in [
            &["inspect", "model.gguf"][..],
            &["plan", "model.gguf"],
            &["inspect", "model.gguf", "--no-mmap"],
            &QUANTIZE,
        ] {
            refuses(folder.path(), arguments, 3, &["model.gguf", word]);
        }
    }
}

#[test]
fn files_that_are_merely_odd_are_shown_and_not_exported() {
    let whole = dense().bytes();
    let cases: Vec<(Vec<u8>, &str)> = vec![
        (dense().last(|t| t.type_number = 999).bytes(), "999"),
        (dense().last(|t| t.offset = Some(4096 + 512)).bytes(), "overlap"),
        (dense().last(|t| t.offset = Some(1 << 40)).bytes(), "1099511627776"),
        (dense().normal("output.weight", &[256, 8], 1).bytes(), "duplicate-name"),
        (whole[..whole.len() - 1000].to_vec(), "cut off"),
    ];
    for (bytes, word) in cases {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("model.gguf"), &bytes).unwrap();
        let shown = run(folder.path(), &["inspect", "model.gguf"]);
        assert_eq!(shown.code, Some(0), "{shown:?}");
        assert!(shown.out.contains(word) || shown.err.contains(word), "'{word}': {shown:?}");
        refuses(folder.path(), &QUANTIZE, 3, &["model.gguf", word]);
    }
}

#[test]
fn names_from_files_cannot_drive_the_terminal() {
    let tiny = dense().kv("\x1b[31mkey", Kv::Str("\x1b]0;owned\x07".into())).normal(
        "blk.0.\x1b[2J\u{9b}31m\u{202e}ffn_up.weight",
        &[256, 8],
        9,
    );
    let folder = folder(&tiny);
    for arguments in [
        &["inspect", "model.gguf", "--kv"][..],
        &["inspect", "model.gguf", "--json", "--kv"],
        &["plan", "model.gguf", "--layers", "all"],
        &["plan", "model.gguf", "--layers", "all", "--json"],
    ] {
        let ended = run(folder.path(), arguments);
        assert_eq!(ended.code, Some(0), "{ended:?}");
        let hostile = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
        let json = arguments.contains(&"--json");
        assert!(json || !ended.out.contains(hostile), "{arguments:?}: {:?}", ended.out);
        assert!(!ended.out.contains('\x1b') && !ended.err.contains(hostile), "{arguments:?}: {ended:?}");
    }
}

#[test]
fn weights_that_are_no_numbers_end_with_3_and_name_tensor_and_element() {
    for (value, index) in [(f32::NAN, 777usize), (f32::INFINITY, 0), (f32::NEG_INFINITY, 1023)] {
        let mut weights = normals(1024, 7);
        weights[index] = value;
        let bad = |name: &str| dense().tensor(name, &[256, 4], DType::F32, f32_bytes(&weights));
        let going = folder(&bad("blk.1.ffn_up.weight"));
        for method in ["exact", "absmean", "refit", "twn", "max", "lossless"] {
            let arguments = [&QUANTIZE[..], &["--method", method, "--ternary", "blk.1.ffn_up.weight"]].concat();
            if method == "lossless" {
                // Refuses the first tensor already: its blocks are not ternary.
                refuses(going.path(), &arguments, 3, &["blk.0.ffn_up.weight"]);
            } else {
                refuses(going.path(), &arguments, 3, &["blk.1.ffn_up.weight", &index.to_string()]);
            }
        }
        // In a tensor that stays, it is copied and reported.
        let staying = folder(&bad("blk.1.attn_rel_b.weight"));
        let ended = run(staying.path(), &QUANTIZE);
        assert_eq!(ended.code, Some(0), "{ended:?}");
        assert!(ended.err.contains("attn_rel_b") && ended.err.contains("non-finite"), "{ended:?}");
        assert_eq!(names(staying.path()), ["model.gguf", "out.gguf"]);
    }
}

#[test]
fn the_source_is_never_written_to() {
    let folder = folder(&dense());
    let source = folder.path().join("model.gguf");
    let before = std::fs::read(&source).unwrap();
    symlink("model.gguf", folder.path().join("symlink.gguf")).unwrap();
    std::fs::hard_link(&source, folder.path().join("hardlink.gguf")).unwrap();
    for out in ["model.gguf", "./model.gguf", "symlink.gguf", "hardlink.gguf"] {
        for force in [&[][..], &["--force"]] {
            let arguments = [&["quantize", "model.gguf", "-o", out, "--layers", "all"][..], force].concat();
            refuses(folder.path(), &arguments, 2, &["is the source itself"]);
        }
    }
    // Opened through a link, too.
    refuses(
        folder.path(),
        &["quantize", "symlink.gguf", "-o", "model.gguf", "--layers", "all", "--force"],
        2,
        &["is the source itself"],
    );
    assert_eq!(std::fs::read(&source).unwrap(), before);
}

#[test]
fn outputs_that_cannot_be_are_refused() {
    let folder = folder(&dense());
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("out.gguf"), "mine").unwrap();
    refuses(folder.path(), &QUANTIZE, 2, &["out.gguf exists", "--force"]);
    assert_eq!(std::fs::read(path("out.gguf")).unwrap(), b"mine");
    std::fs::remove_file(path("out.gguf")).unwrap();
    std::fs::create_dir(path("out.gguf")).unwrap();
    refuses(folder.path(), &[&QUANTIZE[..], &["--force"]].concat(), 2, &["out.gguf"]);
    std::fs::remove_dir(path("out.gguf")).unwrap();
    symlink("nowhere.gguf", path("out.gguf")).unwrap();
    refuses(folder.path(), &QUANTIZE, 2, &["out.gguf"]);
    std::fs::remove_file(path("out.gguf")).unwrap();
    refuses(folder.path(), &["quantize", "model.gguf", "-o", "none/out.gguf", "--layers", "all"], 4, &["none"]);
    refuses(folder.path(), &["quantize", "model.gguf", "-o", "..", "--layers", "all"], 2, &[".."]);
    refuses(folder.path(), &["quantize", "model.gguf", "-o", "/dev/null", "--layers", "all"], 2, &["/dev/null"]);
}

#[test]
fn wrong_usage_and_nothing_to_do_end_with_2() {
    let folder = folder(&dense());
    // No experts in it, which the default mask wants.
    refuses(folder.path(), &["quantize", "model.gguf", "-o", "out.gguf"], 2, &["nothing to do"]);
    refuses(folder.path(), &["quantize", "model.gguf", "-o", "out.gguf", "--format", "q9"], 2, &["q9"]);
    refuses(folder.path(), &["quantize", "model.gguf"], 2, &["--output"]);
    refuses(
        folder.path(),
        &["quantize", "model.gguf", "-o", "out.gguf", "--ternary", "re:("],
        2,
        &["bad regex '(': unclosed group"],
    );
    refuses(folder.path(), &["quantize", "model.gguf", "-o", "out.gguf", "--recipe", "none.toml"], 4, &["none.toml"]);
    std::fs::create_dir(folder.path().join("empty")).unwrap();
    refuses(folder.path(), &["inspect", "empty"], 2, &["empty", "no model"]);
    std::fs::remove_dir(folder.path().join("empty")).unwrap();
    refuses(folder.path(), &["inspect", "none.gguf"], 4, &["none.gguf"]);
    refuses(folder.path(), &["inspect", "/dev/zero"], 2, &["no regular file"]);
    assert_eq!(shell(folder.path(), "mkfifo pipe").code, Some(0));
    refuses(folder.path(), &["inspect", "pipe"], 2, &["no regular file"]);
    // Rows of 16 fit no ternary block at all.
    let odd = support::moe();
    let folder = self::folder(&odd);
    refuses(folder.path(), &["quantize", "model.gguf", "-o", "out.gguf", "--strict"], 1, &["ffn_gate_exps"]);
}

/// Runs a line of shell in a folder.
fn shell(folder: &Path, line: &str) -> Ended {
    let output = Command::new("sh").current_dir(folder).env("PROGRAM", PROGRAM).args(["-c", line]).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ended { code: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) }
}

#[test]
fn a_file_that_may_not_grow_ends_with_4_and_nothing_left() {
    let folder = folder(&dense());
    let export = format!("exec \"$PROGRAM\" {}", QUANTIZE.join(" "));
    let ended = shell(folder.path(), &format!("ulimit -f 8; {export}"));
    assert_eq!(ended.code, Some(4), "{ended:?}");
    assert!(ended.err.contains("out.gguf"), "{ended:?}");
    assert_eq!(names(folder.path()), ["model.gguf"]);
}

#[test]
fn a_full_disk_ends_with_4_and_nothing_left() {
    let folder = folder(&dense());
    std::fs::create_dir(folder.path().join("small")).unwrap();
    let mount = "mount -t tmpfs -o size=16k none small";
    if shell(folder.path(), &format!("unshare -rm sh -c '{mount}'")).code != Some(0) {
        println!("skipped: this system lets no file system be mounted here");
        return;
    }
    let export = "\"$PROGRAM\" quantize model.gguf -o small/out.gguf --layers all";
    let ended = shell(folder.path(), &format!("unshare -rm sh -c '{mount} && {export}; echo code $?; ls -A small'"));
    assert_eq!(ended.out, "code 4\n", "{ended:?}");
    assert!(ended.err.contains("not enough space") && ended.err.contains("16384"), "{ended:?}");
    assert!(ended.err.contains("small/out.gguf"), "{ended:?}");
}

/// A model whose export takes long enough to be interrupted, and its export under way: the partial file is there.
fn under_way(folder: &Path) -> (Child, PathBuf) {
    let mut tiny = Tiny::default();
    for layer in 0..6 {
        tiny = tiny.normal(&format!("blk.{layer}.ffn_up.weight"), &[4096, 512], layer + 1);
    }
    tiny.write(folder);
    let arguments = [&QUANTIZE[..], &["--threads", "1", "--verify", "full"]].concat();
    let mut child = Command::new(PROGRAM)
        .current_dir(folder)
        .args(arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let partial = folder.join("out.gguf.partial");
    let begin = Instant::now();
    while !partial.exists() {
        assert!(child.try_wait().unwrap().is_none(), "the export ended before it could be interrupted");
        assert!(begin.elapsed() < Duration::from_secs(30), "the export did not begin");
        std::thread::yield_now();
    }
    (child, partial)
}

#[test]
fn a_killed_export_leaves_no_output_and_can_be_repeated() {
    let folder = tempfile::tempdir().unwrap();
    let (mut child, partial) = under_way(folder.path());
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(partial.exists() && !folder.path().join("out.gguf").exists());
    refuses(folder.path(), &QUANTIZE, 2, &["out.gguf.partial", "--force"]);
    let again = run(folder.path(), &[&QUANTIZE[..], &["--force"]].concat());
    assert_eq!(again.code, Some(0), "{again:?}");
    assert_eq!(names(folder.path()), ["model.gguf", "out.gguf"]);
}

#[test]
fn a_second_export_to_the_same_place_does_not_disturb_the_first() {
    let folder = tempfile::tempdir().unwrap();
    let (mut child, _) = under_way(folder.path());
    // It waits meanwhile: it may be quicker than the second begins.
    let signal = |name: &str| shell(folder.path(), &format!("kill -{name} {}", child.id())).code;
    assert_eq!(signal("STOP"), Some(0));
    refuses(folder.path(), &[&QUANTIZE[..], &["--force"]].concat(), 2, &["being written by another run"]);
    assert_eq!(signal("CONT"), Some(0));
    assert!(child.wait().unwrap().success());
    assert_eq!(names(folder.path()), ["model.gguf", "out.gguf"]);
}

#[test]
fn signals_cancel_and_leave_nothing() {
    for (signal, code) in [("INT", 130), ("TERM", 143), ("HUP", 129)] {
        let folder = tempfile::tempdir().unwrap();
        let (mut child, _) = under_way(folder.path());
        let begin = Instant::now();
        assert_eq!(shell(folder.path(), &format!("kill -{signal} {}", child.id())).code, Some(0));
        assert_eq!(child.wait().unwrap().code(), Some(code), "SIG{signal}");
        assert!(begin.elapsed() < Duration::from_secs(2), "SIG{signal} took {:?}", begin.elapsed());
        assert_eq!(names(folder.path()), ["model.gguf"], "SIG{signal}");
    }
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let folder = folder(&moe());
    let ended = shell(folder.path(), "(\"$PROGRAM\" inspect model.gguf; echo code $? >&2) | head -n 1 >/dev/null");
    assert!(ended.err.contains("code 0"), "{ended:?}");
    assert!(!ended.err.contains("panicked"), "{ended:?}");
}
