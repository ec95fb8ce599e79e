//! Numbers as they are typed: `7`, `0.25`, `1e-3`, `10M`, `4..12`, `..3,8`.

/// A number with an optional K, M, G or T: powers of 1024 for bytes, of 1000 for counts.
pub(super) fn parse(word: &str, bytes: bool) -> Result<f64, String> {
    let none = || format!("'{word}' is no number");
    let lower = word.to_ascii_lowercase();
    let digits = lower.strip_suffix("ib").or_else(|| lower.strip_suffix('b')).filter(|_| bytes).unwrap_or(&lower);
    let power = match digits.chars().next_back() {
        Some('k') => 1,
        Some('m') => 2,
        Some('g') => 3,
        Some('t') => 4,
        _ => 0,
    };
    let digits = &digits[..digits.len() - usize::from(power > 0)];
    // Rust also reads `inf` and `nan`.
    if !digits.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c)) || digits.contains(['n', 'i']) {
        return Err(none());
    }
    let number: f64 = digits.parse().map_err(|_| none())?;
    let unit: f64 = if bytes { 1024.0 } else { 1000.0 };
    let number = number * unit.powi(power);
    if number.is_finite() { Ok(number) } else { Err(none()) }
}

/// Numbers and ranges with commas between them, both ends included.
pub(super) fn ranges(word: &str, bytes: bool) -> Result<Vec<(f64, f64)>, String> {
    let mut all = Vec::new();
    for part in word.split(',') {
        if part.is_empty() && !all.is_empty() {
            continue;
        }
        let Some((low, high)) = part.split_once("..").or_else(|| around_dash(part, bytes)) else {
            let number = parse(part, bytes)?;
            all.push((number, number));
            continue;
        };
        let end = |text: &str, open: f64| if text.is_empty() { Ok(open) } else { parse(text, bytes) };
        let (low, high) = (end(low, f64::NEG_INFINITY)?, end(high, f64::INFINITY)?);
        if low > high {
            return Err(format!("{part} is empty: the first is the greater one"));
        }
        all.push((low, high));
    }
    Ok(all)
}

/// The ends of `4-12`; nothing where it is a number as it stands, or has no end on either side of the dash.
fn around_dash(part: &str, bytes: bool) -> Option<(&str, &str)> {
    let at = part.find('-').filter(|at| *at > 0 && at + 1 < part.len())?;
    parse(part, bytes).is_err().then(|| (&part[..at], &part[at + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suffixes_are_binary_for_bytes_and_decimal_for_counts() {
        assert_eq!(parse("10M", true), Ok(10.0 * 1024.0 * 1024.0));
        assert_eq!(parse("10MiB", true), parse("10mb", true));
        assert_eq!(parse("1.5k", false), Ok(1500.0));
        assert_eq!(parse("1e-3", false), Ok(1e-3));
        for wrong in ["", "x", "inf", "nan", "-inf", "1..", "k", "1e999", "5b"] {
            assert!(parse(wrong, false).is_err(), "{wrong}");
        }
    }

    #[test]
    fn ranges_may_be_open_and_never_backwards() {
        assert_eq!(ranges("4..12", false), Ok(vec![(4.0, 12.0)]));
        assert_eq!(ranges("..3,8", false), Ok(vec![(f64::NEG_INFINITY, 3.0), (8.0, 8.0)]));
        assert!(ranges("12..4", false).unwrap_err().contains("greater"));
        assert_eq!(ranges("4-12,20", false), Ok(vec![(4.0, 12.0), (20.0, 20.0)]));
        assert_eq!(ranges("1e-3", false), Ok(vec![(1e-3, 1e-3)]));
        assert!(ranges("12-4", false).unwrap_err().contains("greater"));
        assert!(ranges("4-x", false).unwrap_err().contains("no number"));
        assert_eq!(ranges("-3..-1", false), Ok(vec![(-3.0, -1.0)]));
    }
}
