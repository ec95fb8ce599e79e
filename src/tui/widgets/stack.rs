//! Shares of a whole as one bar of a line: each part has a sign of its own, so that it is read without colours.

use ratatui::style::Style;
use ratatui::text::Span;

/// A bar of `width` cells in which every part has cells as it has a share. Nothing where there is nothing to share.
pub fn bar<const N: usize>(width: usize, parts: [u64; N], signs: [char; N], styles: [Style; N]) -> Vec<Span<'static>> {
    let cells = shares(width, parts);
    let span = |i: usize| Span::styled(signs[i].to_string().repeat(cells[i]), styles[i]);
    (0..N).filter(|i| cells[*i] > 0).map(span).collect()
}

/// Cells of each part: whole ones first, those that are left to the greatest remainders.
fn shares<const N: usize>(width: usize, parts: [u64; N]) -> [usize; N] {
    let total: u128 = parts.iter().map(|p| u128::from(*p)).sum();
    let mut cells = [0; N];
    if total == 0 {
        return cells;
    }
    let mut rests = [(0u128, 0usize); N];
    for (i, part) in parts.iter().enumerate() {
        let scaled = u128::from(*part) * width as u128;
        cells[i] = (scaled / total) as usize;
        rests[i] = (scaled % total, i);
    }
    rests.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
    let left = width - cells.iter().sum::<usize>();
    for (_, i) in rests.iter().take(left) {
        cells[*i] += 1;
    }
    cells
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cells_of_all_parts_are_the_bar() {
        for parts in [[1, 1, 1, 1], [0, 0, 0, 1], [1000, 1, 0, 3], [u64::MAX; 4], [5, 0, 7, 9]] {
            for width in 0..20 {
                assert_eq!(shares(width, parts).iter().sum::<usize>(), width, "{parts:?}");
            }
        }
        assert_eq!(shares(8, [0; 4]), [0; 4]);
        assert_eq!(shares(8, [3, 0, 1, 0]), [6, 0, 2, 0]);
    }
}
