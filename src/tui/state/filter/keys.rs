//! The words of the filter language: keys with their spellings, states, and what each is good for.

/// A figure of a tensor that can be compared with a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Figure {
    /// SQNR in dB of what it is made into, or would be.
    Sqnr,
    /// Relative squared error of the same.
    RelMse,
    /// Bytes now.
    Size,
    /// Bytes in the output.
    NewSize,
    /// Elements.
    Params,
    /// Rows over all higher dimensions.
    Rows,
    /// Elements of a row.
    Cols,
    /// Dimensions that count.
    Dims,
    /// Number of the layer.
    Layer,
    /// Number of the one expert.
    Expert,
    /// Experts that are merged in it.
    Experts,
    /// Bits per weight now.
    Bpw,
    /// Bits per weight in the output.
    NewBpw,
}

impl Figure {
    /// Every figure with its spellings, the one that is written first.
    pub const ALL: [(Self, &'static [&'static str]); 13] = [
        (Self::Layer, &["layer"]),
        (Self::Sqnr, &["sqnr"]),
        (Self::RelMse, &["rel_mse", "err", "error", "mse"]),
        (Self::Size, &["size", "bytes"]),
        (Self::NewSize, &["new_size", "newsize"]),
        (Self::Params, &["params", "elements"]),
        (Self::Cols, &["cols", "columns", "row_len"]),
        (Self::Rows, &["rows"]),
        (Self::Dims, &["dims", "rank"]),
        (Self::Expert, &["expert"]),
        (Self::Experts, &["experts"]),
        (Self::Bpw, &["bpw"]),
        (Self::NewBpw, &["new_bpw"]),
    ];

    /// The figure of this name.
    pub fn named(name: &str) -> Option<Self> {
        let spelt = |spellings: &[&str]| spellings.iter().any(|s| s.eq_ignore_ascii_case(name));
        Self::ALL.iter().find(|(_, spellings)| spelt(spellings)).map(|(figure, _)| *figure)
    }

    /// How it is written.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(figure, _)| *figure == self).map_or("", |(_, spellings)| spellings[0])
    }

    /// Whether K, M and G are powers of 1024: sizes are shown so.
    pub fn is_bytes(self) -> bool {
        matches!(self, Self::Size | Self::NewSize)
    }

    /// Whether the bare word is more likely a part of a name than a comparison that is not finished.
    pub fn is_in_names(self) -> bool {
        matches!(self, Self::Layer | Self::Expert | Self::Experts)
    }

    /// A comparison to learn from.
    pub fn example(self) -> &'static str {
        match self {
            Self::Sqnr => "sqnr<7",
            Self::RelMse => "rel_mse>0.2",
            Self::Size => "size>10M",
            Self::NewSize => "new_size<4M",
            Self::Params => "params>1M",
            Self::Rows => "rows>=4096",
            Self::Cols => "cols%256!=0",
            Self::Dims => "dims=3",
            Self::Layer => "layer:4..12",
            Self::Expert => "expert:0..7",
            Self::Experts => "experts>8",
            Self::Bpw => "bpw>8",
            Self::NewBpw => "new_bpw<3",
        }
    }
}

/// A key that text stands behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TextKey {
    /// Type in the source or in the output.
    Type,
    /// Type in the source.
    From,
    /// Type in the output.
    To,
    /// Role or family of roles.
    Role,
    /// The name: a part, a glob, `re:` a regular expression.
    Name,
    /// Method of what goes ternary.
    Method,
    /// A state.
    Is,
}

impl TextKey {
    /// Every key with its spelling.
    pub const ALL: [(Self, &'static str); 7] = [
        (Self::Type, "type"),
        (Self::Role, "role"),
        (Self::Name, "name"),
        (Self::Is, "is"),
        (Self::From, "from"),
        (Self::To, "to"),
        (Self::Method, "method"),
    ];

    /// The key of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, spelling)| spelling.eq_ignore_ascii_case(name)).map(|(key, _)| *key)
    }

    /// How it is written.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(key, _)| *key == self).map_or("", |(_, spelling)| spelling)
    }
}

/// What may be said of a tensor with `is:`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Flag {
    /// Goes ternary.
    Ternary,
    /// Does not.
    Kept,
    /// Masks and globs pass over it.
    Protected,
    /// Goes ternary although protected.
    Overridden,
    /// Goes ternary in another format than was asked for.
    Fallback,
    /// Is ternary in the source.
    Already,
    /// Was asked for and cannot be done, or could not be measured.
    Failed,
    /// Its error is known, at least from a sample.
    Measured,
    /// Its error is known exactly.
    Exact,
    /// Leaves in another type than it came in.
    Changed,
    /// Becomes something else than by the recipe that the session began with.
    Edited,
}

impl Flag {
    /// Every state with its spelling.
    pub const ALL: [(Self, &'static str); 11] = [
        (Self::Ternary, "ternary"),
        (Self::Kept, "kept"),
        (Self::Protected, "protected"),
        (Self::Overridden, "overridden"),
        (Self::Fallback, "fallback"),
        (Self::Already, "already"),
        (Self::Failed, "failed"),
        (Self::Measured, "measured"),
        (Self::Exact, "exact"),
        (Self::Changed, "changed"),
        (Self::Edited, "edited"),
    ];

    /// The state of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, spelling)| spelling.eq_ignore_ascii_case(name)).map(|(flag, _)| *flag)
    }

    /// The state that this bare word stands for: those two are no part of any name.
    pub fn bare(word: &str) -> Option<Self> {
        Self::named(word).filter(|flag| matches!(flag, Self::Changed | Self::Edited))
    }

    /// How it is written.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(flag, _)| *flag == self).map_or("", |(_, spelling)| spelling)
    }
}

/// The operators between terms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Joint {
    /// Both.
    And,
    /// Either.
    Or,
    /// The opposite of what follows.
    Not,
}

impl Joint {
    /// The operator that a word is.
    pub fn named(word: &str) -> Option<Self> {
        match word {
            "&" | "&&" => Some(Self::And),
            "|" | "||" => Some(Self::Or),
            _ if word.eq_ignore_ascii_case("and") => Some(Self::And),
            _ if word.eq_ignore_ascii_case("or") => Some(Self::Or),
            _ if word.eq_ignore_ascii_case("not") => Some(Self::Not),
            _ => None,
        }
    }
}
