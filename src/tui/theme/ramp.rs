//! Colours and signs of a heatmap: a share of 0 to 1 becomes a colour, or a sign that says the same without one.

use ratatui::style::Color;

/// How heatmaps are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ramp {
    colours: Colours,
    /// Two values in a character, as the colours of its halves. Without, a character is a sign as dense as its value is
    /// high, in its colour if there is one: for terminals without colours, and for those without such characters.
    pub halves: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Colours {
    None,
    Sixteen,
    Indexed,
    True,
}

/// Stops of matplotlib's viridis: even steps for the eye, and for those who see no red or green.
const VIRIDIS: [(u8, u8, u8); 10] = [
    (68, 1, 84),
    (72, 40, 120),
    (62, 74, 137),
    (49, 104, 142),
    (38, 130, 142),
    (31, 158, 137),
    (53, 183, 121),
    (109, 205, 89),
    (180, 222, 44),
    (253, 231, 37),
];
/// The same from the 256 colours.
const INDEXED: [u8; 14] = [53, 54, 60, 24, 31, 30, 36, 35, 71, 77, 113, 149, 185, 227];
/// And from the 16, darker ones first.
const SIXTEEN: [Color; 6] = [Color::Blue, Color::Magenta, Color::Cyan, Color::Green, Color::Yellow, Color::White];
/// Signs, the least dense first. All are ASCII.
const SIGNS: [char; 9] = ['.', ':', '-', '=', '+', '*', '#', '%', '@'];

impl Ramp {
    /// Signs only.
    pub const SIGNS: Self = Self { colours: Colours::None, halves: false };
    /// From the terminal's 16 colours.
    pub const SIXTEEN: Self = Self { colours: Colours::Sixteen, halves: true };
    /// From the 256 colours.
    pub const INDEXED: Self = Self { colours: Colours::Indexed, halves: true };
    /// From all colours.
    pub const TRUE: Self = Self { colours: Colours::True, halves: true };

    /// The same in signs.
    #[must_use]
    pub fn in_signs(self) -> Self {
        Self { halves: false, ..self }
    }

    /// The finest that a terminal has, by what it says of itself in `COLORTERM`. Fewer colours and none stay as they are.
    #[must_use]
    pub fn refined(self, colorterm: Option<&str>) -> Self {
        match (self.colours, colorterm) {
            (Colours::Indexed, Some("truecolor" | "24bit")) => Self { colours: Colours::True, ..self },
            _ => self,
        }
    }

    /// The colour of a share, if the ramp has colours.
    pub fn colour(self, share: f64) -> Option<Color> {
        let share = if share.is_finite() { share.clamp(0.0, 1.0) } else { 1.0 };
        let step = |n: usize| ((share * n as f64) as usize).min(n - 1);
        Some(match self.colours {
            Colours::None => return None,
            Colours::Sixteen => SIXTEEN[step(SIXTEEN.len())],
            Colours::Indexed => Color::Indexed(INDEXED[step(INDEXED.len())]),
            Colours::True => {
                let at = share * (VIRIDIS.len() - 1) as f64;
                let (a, b) = (VIRIDIS[at as usize], VIRIDIS[(at as usize + 1).min(VIRIDIS.len() - 1)]);
                let mix = |a: u8, b: u8| (f64::from(a) + (f64::from(b) - f64::from(a)) * at.fract()).round() as u8;
                Color::Rgb(mix(a.0, b.0), mix(a.1, b.1), mix(a.2, b.2))
            }
        })
    }

    /// The sign of a share.
    pub fn sign(share: f64) -> char {
        let share = if share.is_finite() { share.clamp(0.0, 1.0) } else { 1.0 };
        SIGNS[((share * SIGNS.len() as f64) as usize).min(SIGNS.len() - 1)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_are_ends_and_no_share_is_out_of_range() {
        for ramp in [Ramp::SIXTEEN, Ramp::INDEXED, Ramp::TRUE] {
            assert_ne!(ramp.colour(0.0), ramp.colour(1.0));
            for share in [-1.0, 2.0, f64::NAN, f64::INFINITY, 0.5] {
                assert!(ramp.colour(share).is_some());
            }
        }
        assert_eq!(Ramp::TRUE.colour(1.0), Some(Color::Rgb(253, 231, 37)));
        assert_eq!(Ramp::SIGNS.colour(0.5), None);
        assert_eq!((Ramp::sign(0.0), Ramp::sign(1.0), Ramp::sign(f64::NAN)), ('.', '@', '@'));
        assert_eq!(Ramp::INDEXED.refined(Some("truecolor")), Ramp::TRUE);
        assert_eq!(Ramp::INDEXED.refined(None), Ramp::INDEXED);
        assert_eq!(Ramp::SIGNS.refined(Some("truecolor")), Ramp::SIGNS);
    }
}
