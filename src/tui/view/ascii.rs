//! A frame in ASCII: every sign becomes one of the same width that any terminal and any font has.
//!
//! It is a pass over the finished buffer, so that no pane has to know. What belongs to the drawing has a counterpart
//! that says the same; what comes from a file and is not ASCII was escaped before ([`crate::text::in_ascii`]), and is `?`
//! where it was not. What one cell cannot say, such as ∞, was spelled out before the frame was laid out ([`text::spelled`]).

use ratatui::buffer::Buffer;

use crate::text::{self, AsciiSigns};

/// What a frame in ASCII has for other signs.
pub(super) const ASCII: AsciiSigns = AsciiSigns { has: |c| spelled(c).is_some() || counterpart(c).is_some(), spelled };

/// Signs that one cell cannot say, and what stands for them: a figure must not read as another one.
fn spelled(c: char) -> Option<&'static str> {
    Some(match c {
        '∞' => "inf",
        '±' => "+-",
        '≤' => "<=",
        '≥' => ">=",
        '≠' => "!=",
        '½' => "1/2",
        '²' => "^2",
        '³' => "^3",
        'ŵ' => "w'",
        'Σ' => "sum ",
        'σ' => "sigma",
        _ => return None,
    })
}

/// Signs and their counterparts. Those that stand for states stay apart from each other.
const SIGNS: [(&str, char); 17] = [
    // Gauges are drawn heavy on a light track.
    ("━═╸╺╼╾", '='),
    ("─┄╴╶–—−‐‑―‾⎯", '-'),
    ("│┃╎┆┊║‖╵╷╹╻╽╿▏▕⎮", '|'),
    ("╭╮╰╯┌┐└┘├┤┬┴┼┏┓┗┛┣┫┳┻╋╔╗╚╝╠╣╦╩╬┝┥┠┨✚", '+'),
    ("→▸▶▷›»⇒⟶▹", '>'),
    ("←◂◀◁‹«⇐⟵◃", '<'),
    ("↑▴▲△⇧˄", '^'),
    ("↓▾▼▽⇩˅", 'v'),
    // An ellipsis: a dot would be a part of the number or the name before it.
    ("●◆★✱⬤…", '*'),
    ("■", '#'),
    ("○◇☆◯", 'o'),
    ("□", '_'),
    ("◐◑◒◓◍◖◗", '%'),
    ("×✗✘✕╳", 'x'),
    ("·•∙⋅․┈", '.'),
    ("≈∼～╍╌", '~'),
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
        '⊘' => '!',
        '↺' | '⟳' | '↻' => '@',
        '⏎' | '↵' => '<',
        '⏸' => '"',
        'µ' | 'μ' => 'u',
        '’' | '‘' => '\'',
        '“' | '”' => '"',
        '\u{a0}' => ' ',
        _ => SIGNS.iter().find(|(signs, _)| signs.contains(c))?.1,
    })
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
        assert_eq!(row(0), "|*?????>x*| ");
        assert_eq!(row(1), "?a*o%x!P=   ");
    }

    #[test]
    fn what_one_cell_cannot_say_is_spelled_out() {
        let signs = [
            ("∞", "inf"),
            ("-∞", "-inf"),
            ("0.1 ± 0.2", "0.1 +- 0.2"),
            ("≤ 3", "<= 3"),
            ("≥3", ">=3"),
            ("a ≠ b", "a != b"),
            ("½", "1/2"),
            ("w − ŵ", "w - w'"),
            ("Σe²", "sum e^2"),
            ("4³", "4^3"),
            ("σ", "sigma"),
            ("rows 0–15", "rows 0-15"),
        ];
        text::in_ascii(ASCII, || {
            for (sign, words) in signs {
                assert_eq!(text::width(sign), words.len(), "{sign}");
                let mut buf = Buffer::empty(Rect::new(0, 0, words.len() as u16, 1));
                buf.set_string(0, 0, text::spelled(sign), Style::new());
                pass(&mut buf);
                assert_eq!(
                    buf.content().iter().map(ratatui::buffer::Cell::symbol).collect::<String>(),
                    words,
                    "{sign}"
                );
            }
        });
        assert_eq!((text::spelled("∞"), text::width("∞")), ("∞".into(), 1), "elsewhere signs stay");
    }

    #[test]
    fn what_the_page_of_runtimes_tells_apart_stays_apart() {
        let signs: String = "✓~✗⊘?".chars().map(|c| counterpart(c).unwrap_or(c)).collect();
        assert_eq!(signs, "Y~x!?");
    }

    #[test]
    fn higher_blocks_are_denser() {
        let rows: String = "▁▂▃▄▅▆▇█".chars().filter_map(counterpart).collect();
        assert_eq!(rows, ".:-=+*%#");
    }
}
