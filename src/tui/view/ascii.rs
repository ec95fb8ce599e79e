//! A frame in ASCII: every sign becomes one of the same width that any terminal and any font has.
//!
//! It is a pass over the finished buffer, so that no pane has to know. What belongs to the drawing has a counterpart
//! that says the same; what comes from a file and is not ASCII was escaped before ([`crate::text::in_ascii`]), and is `?`
//! where it was not.

use ratatui::buffer::Buffer;

use crate::text;

/// Signs and their counterparts. Those that stand for states stay apart from each other.
const SIGNS: [(&str, char); 17] = [
    // Gauges are drawn heavy on a light track.
    ("━═╸╺╼╾", '='),
    ("─╌┄╴╶–—−‐‑―‾⎯", '-'),
    ("│┃╎┆┊║‖╵╷╹╻╽╿▏▕⎮", '|'),
    ("╭╮╰╯┌┐└┘├┤┬┴┼┏┓┗┛┣┫┳┻╋╔╗╚╝╠╣╦╩╬┝┥┠┨✚", '+'),
    ("→▸▶▷›»⇒⟶▹", '>'),
    ("←◂◀◁‹«⇐⟵◃", '<'),
    ("↑▴▲△⇧˄", '^'),
    ("↓▾▼▽⇩˅", 'v'),
    ("●◆★✱⬤", '*'),
    ("■", '#'),
    ("○◇☆◯", 'o'),
    ("□", '_'),
    ("◐◑◒◓◍◖◗", '%'),
    ("×✗✘✕╳", 'x'),
    ("·•…∙⋅․┈", '.'),
    ("≈∼～╍", '~'),
    ("⚠❗", '!'),
];

/// Signs that need more thought than a list.
fn counterpart(c: char) -> Option<char> {
    /// Blocks by how much of the cell they fill.
    const DENSITY: [char; 8] = ['.', ':', '-', '=', '+', '*', '%', '#'];
    let by_share = |part: u32, of: u32| DENSITY[((part * 8).div_ceil(of).clamp(1, 8) - 1) as usize];
    Some(match c {
        '▁'..='█' => DENSITY[(c as usize - '▁' as usize).min(7)],
        '▉'..='▎' => by_share(7 - (c as u32 - '▉' as u32), 8),
        '▀' => '"',
        '▐' => '|',
        '░' => ':',
        '▒' => '+',
        '▓' => '#',
        '▔' => '"',
        '▖'..='▟' => '+',
        // Spinners and dot plots: by the number of dots.
        '\u{2800}' => ' ',
        '\u{2801}'..='\u{28ff}' => by_share((c as u32 - 0x2800).count_ones(), 8),
        // Sextants, in the order of their six bits.
        '\u{1fb00}'..='\u{1fb3b}' => by_share((c as u32 - 0x1fb00 + 1).count_ones(), 6),
        '✓' | '✔' => 'Y',
        '±' => '+',
        '≤' => '<',
        '≥' => '>',
        '≠' => '!',
        '∞' => '8',
        '↺' | '⟳' | '↻' => '@',
        '⏎' | '↵' => '<',
        '⏸' => '"',
        'Σ' => 'S',
        'µ' | 'μ' => 'u',
        'σ' => 's',
        '²' => '2',
        '³' => '3',
        '½' => '2',
        'ŵ' => 'w',
        '’' | '‘' => '\'',
        '“' | '”' => '"',
        '\u{a0}' => ' ',
        _ => SIGNS.iter().find(|(signs, _)| signs.contains(c))?.1,
    })
}

/// Whether a character has a counterpart.
pub(super) fn has_sign(c: char) -> bool {
    counterpart(c).is_some()
}

/// Makes every cell ASCII. The other half of a wide character stays as wide as it was.
pub(super) fn pass(buf: &mut Buffer) {
    let area = buf.area;
    for y in area.top()..area.bottom() {
        let mut x = area.left();
        while x < area.right() {
            let Some(cell) = buf.cell((x, y)) else { break };
            let symbol = cell.symbol();
            let columns = (text::width(symbol).max(1) as u16).min(area.right() - x);
            if symbol.is_ascii() {
                x += 1;
                continue;
            }
            let sign = symbol.chars().next().and_then(counterpart).filter(|_| symbol.chars().count() == 1);
            for column in x..x + columns {
                if let Some(cell) = buf.cell_mut((column, y)) {
                    cell.set_char(sign.unwrap_or('?'));
                }
            }
            x += columns;
        }
    }
}

#[cfg(test)]
mod tests {
    use ratatui::layout::Rect;
    use ratatui::style::Style;

    use super::*;

    #[test]
    fn every_cell_is_ascii_and_nothing_moves() {
        let mut buf = Buffer::empty(Rect::new(0, 0, 12, 2));
        buf.set_string(0, 0, "│●日本é▶x…|", Style::new());
        buf.set_string(0, 1, "e\u{301}a●○◐×!P=", Style::new());
        pass(&mut buf);
        let row = |y| (0..12).map(|x| buf[(x, y)].symbol().to_owned()).collect::<String>();
        assert_eq!(row(0), "|*?????>x.| ");
        assert_eq!(row(1), "?a*o%x!P=   ");
    }

    #[test]
    fn higher_blocks_are_denser() {
        let rows: String = "▁▂▃▄▅▆▇█".chars().filter_map(counterpart).collect();
        assert_eq!(rows, ".:-=+*%#");
    }
}
