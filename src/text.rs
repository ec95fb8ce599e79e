//! Words and numbers as both faces show them: sizes, shapes, shares, decibels, elision, escaping.
//!
//! Nothing here knows a screen or a model; functions take numbers and give strings.

pub mod table;

use std::borrow::Cow;
use std::cell::Cell;

use unicode_segmentation::UnicodeSegmentation as _;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Bytes in binary units with three significant digits: `512 B`, `1.50 KiB`, `291 MiB`.
pub fn bytes(n: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if n < 1024 {
        return format!("{n} B");
    }
    let mut value = n as f64 / 1024.0;
    let mut unit = 0;
    while value >= 999.5 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    let decimals = if value >= 99.95 {
        0
    } else if value >= 9.995 {
        1
    } else {
        2
    };
    format!("{value:.decimals$} {}", UNITS[unit])
}

/// A count with a decimal suffix: `640`, `1.34M`, `268M`, `7.24B`.
pub fn count(n: u64) -> String {
    const UNITS: [&str; 5] = ["K", "M", "B", "T", "Q"];
    if n < 1000 {
        return n.to_string();
    }
    let mut value = n as f64 / 1000.0;
    let mut unit = 0;
    while value >= 999.5 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    let decimals = if value >= 99.95 {
        0
    } else if value >= 9.995 {
        1
    } else {
        2
    };
    format!("{value:.decimals$}{}", UNITS[unit])
}

/// So many of something: `1 tensor`, `2 tensors`.
pub fn counted(n: impl std::fmt::Display, what: &str) -> String {
    let n = n.to_string();
    let s = if n == "1" { "" } else { "s" };
    format!("{n} {what}{s}")
}

/// A shape in GGUF order, row length first: `640×2048`. A scalar is `1`.
pub fn shape(dims: &[u64]) -> String {
    if dims.is_empty() {
        return "1".to_owned();
    }
    dims.iter().map(u64::to_string).collect::<Vec<_>>().join("×")
}

/// A share in per cent with one decimal: `46.3 %`. Not a number is `–`.
pub fn percent(share: f64) -> String {
    if share.is_finite() { format!("{:.1} %", share * 100.0) } else { "–".to_owned() }
}

/// Decibels with two decimals; infinite (no error at all) is `∞`.
pub fn decibels(db: f64) -> String {
    if db.is_nan() {
        "–".to_owned()
    } else if db.is_infinite() {
        if db > 0.0 { "∞".to_owned() } else { "-∞".to_owned() }
    } else {
        format!("{db:.2}")
    }
}

/// A number with four significant digits, scientific where it is very small or large.
pub fn number(x: f64) -> String {
    if x == 0.0 {
        "0".to_owned()
    } else if !x.is_finite() {
        x.to_string()
    } else if (1e-3..1e5).contains(&x.abs()) {
        let decimals = (3 - x.abs().log10().floor() as i32).clamp(0, 6) as usize;
        format!("{x:.decimals$}")
    } else {
        format!("{x:.3e}")
    }
}

/// Seconds as a person reads them: `0.42 s`, `12 s`, `3:07`, `1:02:03`.
pub fn seconds(s: f64) -> String {
    if !s.is_finite() || s < 0.0 {
        return "–".to_owned();
    }
    if s < 10.0 {
        return format!("{s:.2} s");
    }
    let whole = s.round() as u64;
    match (whole / 3600, whole / 60 % 60, whole % 60) {
        (0, 0, sec) => format!("{sec} s"),
        (0, min, sec) => format!("{min}:{sec:02}"),
        (hours, min, sec) => format!("{hours}:{min:02}:{sec:02}"),
    }
}

/// What a screen in ASCII has for characters beyond it.
#[derive(Debug, Clone, Copy)]
pub struct AsciiSigns {
    /// Whether it has anything for a character.
    pub has: fn(char) -> bool,
    /// What it spells out, since one cell says too little: `inf` for ∞.
    pub spelled: fn(char) -> Option<&'static str>,
}

thread_local! {
    /// Set while a frame is drawn in ASCII.
    static SIGNS: Cell<Option<AsciiSigns>> = const { Cell::new(None) };
}

/// Draws something for a screen that shows ASCII only: until it is drawn, [`escape`] also escapes what is not ASCII and has
/// no sign there, so that names that differ in it stay different, and columns are counted as they will be: what [`spelled`]
/// spells out counts with all its letters.
pub fn in_ascii<R>(signs: AsciiSigns, draw: impl FnOnce() -> R) -> R {
    struct Restore(Option<AsciiSigns>);
    impl Drop for Restore {
        fn drop(&mut self) {
            SIGNS.set(self.0);
        }
    }
    let _restore = Restore(SIGNS.replace(Some(signs)));
    draw()
}

/// Makes text from a file safe to print: control characters, including the C1 range, bidirectional overrides and what takes
/// no column of its own, such as a mark without a letter, become `\u{..}` escapes; inside [`in_ascii`] whatever such a
/// screen cannot show.
pub fn escape(text: &str) -> String {
    let signs = SIGNS.get();
    let hostile = |c: char| {
        c.is_control()
            || !c.is_ascii() && signs.is_some_and(|signs| !(signs.has)(c))
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
    };
    let safe = |text: &str| {
        if !text.contains(hostile) {
            return text.to_owned();
        }
        text.chars().flat_map(|c| if hostile(c) { c.escape_default().collect::<Vec<_>>() } else { vec![c] }).collect()
    };
    // Without such a character nothing but control characters takes no column.
    if text.is_ascii() || !text.contains(|c| UnicodeWidthChar::width(c) == Some(0)) {
        return safe(text);
    }
    let sign = |sign: &str| if drawn(sign) == 0 { sign.escape_default().to_string() } else { safe(sign) };
    text.graphemes(true).map(sign).collect()
}

/// Vowel signs that stand beside their letter and have a column of their own on many terminals, though tables say they have
/// none. The column is left free, so that nothing covers them.
const BESIDE: [char; 14] = [
    '\u{9be}', '\u{9d7}', '\u{b3e}', '\u{b57}', '\u{bbe}', '\u{bd7}', '\u{cc2}', '\u{cd5}', '\u{cd6}', '\u{d3e}',
    '\u{d57}', '\u{dcf}', '\u{ddf}', '\u{1b35}',
];

/// Columns that a sign fills where it is drawn.
fn drawn(sign: &str) -> usize {
    // Half-width voicing marks have a column of their own on screens.
    UnicodeWidthStr::width(sign) + sign.matches(['\u{ff9e}', '\u{ff9f}']).count()
}

/// Signs of a text and the columns of each, where one needs more than it fills; `None` where all is as it seems.
pub fn spaced(text: &str) -> Option<impl Iterator<Item = (&str, usize)>> {
    text.contains(BESIDE).then(|| text.graphemes(true).map(|sign| (sign, width(sign))))
}

/// The text as it is put on the screen: inside [`in_ascii`] with those signs spelled out that one cell cannot say.
pub fn spelled(text: &str) -> Cow<'_, str> {
    let Some(signs) = SIGNS.get().filter(|_| !text.is_ascii()) else { return Cow::Borrowed(text) };
    if !text.contains(|c| (signs.spelled)(c).is_some()) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match (signs.spelled)(c) {
            Some(words) => out.push_str(words),
            None => out.push(c),
        }
    }
    Cow::Owned(out)
}

/// Columns that `text` takes on a terminal: those of its signs, one after the other.
pub fn width(text: &str) -> usize {
    let text = &*spelled(text);
    // Nothing in these ranges is joined with what stands beside it.
    let alone = |c: char| {
        c < '\u{300}' || matches!(c, '\u{2010}'..='\u{2027}' | '\u{2190}'..='\u{22ff}' | '\u{2500}'..='\u{25ff}')
    };
    if text.chars().all(alone) {
        return UnicodeWidthStr::width(text);
    }
    let free = |sign: &str| sign.matches(BESIDE).count();
    text.graphemes(true).map(|sign| drawn(sign) + free(sign)).sum()
}

/// Shortens `text` to `columns`, dropping its middle: `blk.10.…_exps.weight`. Both ends carry the meaning of a name.
pub fn elide(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    if columns <= 1 {
        return "…".chars().take(columns).collect();
    }
    let keep = columns - 1;
    let tail_columns = keep * 3 / 5;
    format!("{}…{}", head(text, keep - tail_columns), tail(text, tail_columns))
}

/// As [`elide`], but where one of the others would look the same as `text`, what is dropped is moved until none does:
/// `att…_k_norm` beside `att…_q_norm`.
pub fn elide_apart(text: &str, others: &[&str], columns: usize) -> String {
    let plain = elide(text, columns);
    let keep = columns.saturating_sub(1);
    let alike = |other: &str, form: &str| other != text && width(other) > columns && elide(other, columns) == form;
    if width(text) <= columns || !others.iter().any(|other| alike(other, &plain)) {
        return plain;
    }
    let at = |name: &str, begin: usize| format!("{}…{}", head(name, begin), tail(name, keep - begin));
    let usual = keep - keep * 3 / 5;
    let mut begins: Vec<usize> = (0..=keep).collect();
    begins.sort_by_key(|begin| begin.abs_diff(usual));
    let apart = |form: &String, begin: usize| {
        let same = |other: &str| other != text && width(other) > columns && at(other, begin) == *form;
        !others.iter().any(|other| same(other) || alike(other, form))
    };
    begins
        .into_iter()
        .map(|begin| (at(text, begin), begin))
        .find(|(form, begin)| apart(form, *begin))
        .map_or(plain, |f| f.0)
}

/// Shortens `text` to `columns`, dropping its end.
pub fn clip(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    if columns == 0 {
        return String::new();
    }
    format!("{}…", head(text, columns - 1))
}

/// As much of the beginning of `text` as fits; what is one sign on the screen, such as a letter with its accents or a
/// family of emoji, stays whole.
pub fn head(text: &str, columns: usize) -> &str {
    let mut used = 0;
    for (at, cluster) in text.grapheme_indices(true) {
        used += width(cluster);
        if used > columns {
            return &text[..at];
        }
    }
    text
}

/// As much of the end of `text` as fits, in whole signs too.
pub fn tail(text: &str, columns: usize) -> &str {
    let mut used = 0;
    for (at, cluster) in text.grapheme_indices(true).rev() {
        used += width(cluster);
        if used > columns {
            return &text[at + cluster.len()..];
        }
    }
    text
}

/// Bytes of the first sign of `text`, and of its last.
pub fn ends(text: &str) -> (usize, usize) {
    let mut signs = text.graphemes(true);
    let first = signs.next().map_or(0, str::len);
    (first, signs.next_back().map_or(first, str::len))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn sizes_have_three_significant_digits() {
        assert_eq!(bytes(0), "0 B");
        assert_eq!(bytes(1023), "1023 B");
        assert_eq!(bytes(1536), "1.50 KiB");
        assert_eq!(bytes(1024 * 1024 - 1), "1.00 MiB");
        assert_eq!(bytes(305_135_616), "291 MiB");
        assert_eq!(count(640), "640");
        assert_eq!(count(268_098_176), "268M");
    }

    #[test]
    fn names_from_files_cannot_move_the_cursor() {
        assert_eq!(escape("blk.0"), "blk.0");
        assert_eq!(escape("a\x1b[2Jb"), "a\\u{1b}[2Jb");
        assert_eq!(escape("a\u{202e}b\n"), "a\\u{202e}b\\n");
    }

    #[test]
    fn what_takes_no_column_is_told_and_columns_are_those_of_the_signs() {
        assert_eq!(escape("\u{9be}"), "\\u{9be}");
        assert_eq!(escape("a\u{200b}b"), "a\\u{200b}b");
        assert_eq!(escape("ম\u{9be}.e\u{301}"), "ম\u{9be}.e\u{301}", "with a letter it is one sign");
        assert_eq!(width("لا"), 2, "two signs, though they may be written as one");
        for sign in ["ｶﾞ", "ﾟ", "日", "e\u{301}", "❤\u{fe0f}", "👩\u{200d}👧", "🇩🇪", "a"] {
            assert_eq!(
                width(sign),
                usize::from(ratatui::buffer::CellWidth::cell_width(sign)),
                "as it is drawn: {sign}"
            );
        }
        assert_eq!(width("ম\u{9be}ন"), 3, "a vowel sign beside its letter has room");
        assert_eq!(width("日本.e\u{301}…"), 7);
    }

    #[test]
    fn names_that_are_cut_are_told_apart() {
        let names =
            ["attn_k_norm", "attn_q_norm", "attn_norm", "attn_q", "ffn_gate_exps", "ffn_down_exps", "ffn_up_exps"];
        assert_eq!(elide(names[0], 8), elide(names[1], 8), "by themselves they look the same");
        for columns in [7, 8, 9, 10] {
            let cut: Vec<String> = names.iter().map(|name| elide_apart(name, &names, columns)).collect();
            let apart: std::collections::BTreeSet<&String> = cut.iter().collect();
            assert_eq!(apart.len(), names.len(), "{columns}: {cut:?}");
            assert!(cut.iter().all(|name| width(name) <= columns), "{columns}: {cut:?}");
        }
        let alone = elide_apart(names[0], &[names[4]], 8);
        assert_eq!(alone, elide(names[0], 8), "without need nothing moves");
        assert_eq!(elide_apart("aaaa", &["aaba"], 1), "…", "where there is no room, there is none");
    }

    #[test]
    fn elision_keeps_both_ends() {
        assert_eq!(elide("blk.10.ffn_gate_exps.weight", 15), "blk.10…s.weight");
        assert_eq!(width(&elide("blk.10.ffn_gate_exps.weight", 15)), 15);
        assert_eq!(elide("日本語日本語", 5), "日…語");
        assert_eq!(elide("e\u{301}tage.e\u{301}", 4), "e\u{301}t…e\u{301}");
    }

    /// Names as hostile files have them: wide, combining, joined, invisible, controlling.
    fn names() -> impl Strategy<Value = String> {
        let parts = [
            "a",
            "Z9",
            ".",
            " ",
            "日",
            "本語",
            "ｆ",
            "é",
            "e\u{301}",
            "\u{301}",
            "\u{301}\u{302}",
            "\u{200b}",
            "\u{200d}",
            "👩",
            "👩‍👩‍👧",
            "🇩🇪",
            "🇩",
            "❤\u{fe0f}",
            "\u{fe0f}",
            "हि",
            "न्दी",
            "ｶﾞ",
            "한",
            "\u{1112}\u{1161}",
            "\x1b[2J",
            "\x07",
            "\n",
            "\u{9b}",
            "\u{202e}",
        ];
        proptest::collection::vec(proptest::sample::select(parts.to_vec()), 0..24).prop_map(|parts| parts.concat())
    }

    proptest! {
        #[test]
        fn what_is_cut_fits_and_is_cut_between_signs(name in names(), columns in 0usize..30) {
            let name = escape(&name);
            prop_assert!(!name.chars().any(char::is_control), "nothing controls the terminal");
            prop_assert!(name.graphemes(true).all(|sign| width(sign) > 0), "every sign is seen");
            for cut in [elide(&name, columns), clip(&name, columns)] {
                prop_assert!(width(&cut) <= columns, "{cut:?} takes {} of {columns}", width(&cut));
                if width(&name) <= columns {
                    prop_assert_eq!(&cut, &name);
                } else if columns > 0 {
                    // What is left of the cut begins the name, what is right of it ends it, and no sign is torn.
                    let at = cut.find('…').unwrap_or(cut.len());
                    let (left, right) = (&cut[..at], &cut[at + '…'.len_utf8()..]);
                    prop_assert!(name.starts_with(left) && name.ends_with(right));
                    let bounds: Vec<usize> =
                        name.grapheme_indices(true).map(|(i, _)| i).chain([name.len()]).collect();
                    prop_assert!(bounds.contains(&left.len()) && bounds.contains(&(name.len() - right.len())));
                }
            }
            prop_assert!(width(head(&name, columns)) <= columns && width(tail(&name, columns)) <= columns);
        }
    }
}
