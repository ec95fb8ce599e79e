//! Text to the clipboard by OSC 52: the terminal that the user sits at takes it, over SSH too.

/// A program between this one and the terminal, which has to be told to pass things on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Multiplexer {
    /// tmux.
    Tmux,
    /// GNU screen.
    Screen,
}

impl Multiplexer {
    /// The one that these environment variables tell of.
    pub fn here(is_set: impl Fn(&str) -> bool) -> Option<Self> {
        match (is_set("TMUX"), is_set("STY")) {
            (true, _) => Some(Self::Tmux),
            (false, true) => Some(Self::Screen),
            _ => None,
        }
    }

    /// What it takes for a copy to get through, as far as that can be said.
    pub fn condition(self) -> &'static str {
        match self {
            Self::Tmux => "tmux: set -g set-clipboard on",
            Self::Screen => "screen: if the terminal takes OSC 52",
        }
    }
}

/// What screen takes in one of its sequences, with room for the wrapping.
const SCREEN_PIECE: usize = 500;

/// The sequence that puts a text into the clipboard.
pub fn copy(text: &str, multiplexer: Option<Multiplexer>) -> String {
    let plain = format!("\x1b]52;c;{}\x07", base64(text.as_bytes()));
    match multiplexer {
        None => plain,
        // tmux takes the plain sequence itself (set-clipboard); where it does not, it may pass on what is wrapped
        // (allow-passthrough). What it does not take it drops.
        Some(Multiplexer::Tmux) => format!("{plain}\x1bPtmux;{}\x1b\\", plain.replace('\x1b', "\x1b\x1b")),
        Some(Multiplexer::Screen) => {
            let mut wrapped = String::new();
            for piece in plain.as_bytes().chunks(SCREEN_PIECE) {
                wrapped = wrapped + "\x1bP" + &String::from_utf8_lossy(piece) + "\x1b\\";
            }
            wrapped
        }
    }
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let word = chunk.iter().enumerate().fold(0u32, |word, (i, b)| word | u32::from(*b) << (16 - 8 * i));
        for i in 0..4 {
            let digit = DIGITS[(word >> (18 - 6 * i)) as usize & 63];
            out.push(if i <= chunk.len() { char::from(digit) } else { '=' });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_that_of_rfc_4648() {
        let vectors =
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("foobar", "Zm9vYmFy")];
        for (plain, coded) in vectors {
            assert_eq!(base64(plain.as_bytes()), coded);
        }
    }

    #[test]
    fn tmux_gets_it_both_ways_and_screen_in_pieces() {
        assert_eq!(copy("foo", None), "\x1b]52;c;Zm9v\x07");
        let tmux = copy("foo", Some(Multiplexer::Tmux));
        assert_eq!(tmux, "\x1b]52;c;Zm9v\x07\x1bPtmux;\x1b\x1b]52;c;Zm9v\x07\x1b\\");
        let screen = copy(&"x".repeat(2000), Some(Multiplexer::Screen));
        assert!(screen.split("\x1b\\").all(|piece| piece.len() <= 512), "each piece fits");
        assert_eq!(screen.replace("\x1bP", "").replace("\x1b\\", ""), copy(&"x".repeat(2000), None));
    }
}
