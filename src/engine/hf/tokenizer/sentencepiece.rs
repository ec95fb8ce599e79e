//! `tokenizer.model`: SentencePiece's `ModelProto`, as far as a GGUF needs it.
//!
//! A protocol buffer is a row of fields: a varint with number and wire type, then a varint (type 0), 8 bytes (1), a
//! length and as many bytes (2), or 4 bytes (5). Field numbers, types and defaults are those of
//! `sentencepiece_model.proto`:
//!
//! | message | number, name |
//! | --- | --- |
//! | `ModelProto` | 1 pieces, 2 trainer_spec, 3 normalizer_spec |
//! | `SentencePiece` | 1 piece (string), 2 score (float), 3 type |
//! | `TrainerSpec` | 3 model_type, 24 treat_whitespace_as_suffix, 40 to 43 unk_id, bos_id, eos_id, pad_id |
//! | `NormalizerSpec` | 1 name, 2 precompiled_charsmap, 3 add_dummy_prefix, 4 remove_extra_whitespaces |
//! | | 5 escape_whitespaces |
//!
//! Types of pieces are 1 normal, 2 unknown, 3 control, 4 user-defined, 5 unused, 6 byte; types of models are 1 unigram,
//! 2 BPE, 3 word, 4 char.

use super::MAX_ROWS;
use super::vocabulary::TokenType;

/// The model.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Model<'a> {
    /// Pieces by id.
    pub pieces: Vec<Piece<'a>>,
    /// How a text is normalized.
    pub normalizer: Normalizer,
    /// Whether spaces are shown otherwise than as U+2581 before a word.
    pub odd_spaces: bool,
    /// 1 unigram, 2 BPE, 3 word, 4 char.
    algorithm: u64,
    unk: i32,
    bos: i32,
    eos: i32,
    pad: i32,
}

/// What is done to a text first.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Normalizer {
    /// Name of the normalization.
    pub name: String,
    /// Whether it changes letters.
    pub maps_letters: bool,
    /// Whether a text gets a space in front.
    pub add_dummy_prefix: bool,
    /// Whether runs of spaces become one.
    pub remove_extra_whitespaces: bool,
}

/// One piece.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Piece<'a> {
    /// Its text.
    pub text: &'a str,
    /// Its score.
    pub score: f32,
    /// Its type.
    pub kind: TokenType,
}

impl Default for Model<'_> {
    fn default() -> Self {
        let normalizer = Normalizer {
            name: String::new(),
            maps_letters: false,
            add_dummy_prefix: true,
            remove_extra_whitespaces: true,
        };
        Self { pieces: Vec::new(), normalizer, odd_spaces: false, algorithm: 1, unk: 0, bos: 1, eos: 2, pad: -1 }
    }
}

impl<'a> Model<'a> {
    /// Reads the file; the error says what is wrong and where.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, String> {
        let mut model = Self::default();
        for field in Fields::new(bytes, 0) {
            let (number, value) = field?;
            match (number, value) {
                (1, Field::Bytes(bytes, at)) => {
                    let id = model.pieces.len() as u64;
                    if id >= MAX_ROWS {
                        return Err(format!("it has more than {MAX_ROWS} pieces"));
                    }
                    model.pieces.push(piece(bytes, at).map_err(|e| format!("piece {id}: {e}"))?);
                }
                (2, Field::Bytes(bytes, at)) => model.trainer(bytes, at)?,
                (3, Field::Bytes(bytes, at)) => model.normalization(bytes, at)?,
                _ => {}
            }
        }
        if model.pieces.is_empty() {
            return Err("it has no pieces".to_owned());
        }
        Ok(model)
    }

    /// Refuses models that llama.cpp's `llama` tokenizer, which joins pairs, does not tokenize as SentencePiece does.
    pub fn require_bpe(self) -> Result<Self, String> {
        match self.algorithm {
            2 => Ok(self),
            1 => Err("it is a unigram model, which is not supported".to_owned()),
            other => Err(format!("it is a model of type {other}, which is not supported; BPE is 2")),
        }
    }

    /// The id of `unk`, `bos`, `eos` or `pad` that the model itself names.
    pub fn id(&self, kind: &str) -> Option<u64> {
        let id = match kind {
            "unk" => self.unk,
            "bos" => self.bos,
            "eos" => self.eos,
            "pad" => self.pad,
            _ => return None,
        };
        u64::try_from(id).ok().filter(|id| *id < self.pieces.len() as u64)
    }

    fn trainer(&mut self, bytes: &[u8], at: usize) -> Result<(), String> {
        for field in Fields::new(bytes, at) {
            match field? {
                (3, Field::Varint(n)) => self.algorithm = n,
                (24, Field::Varint(n)) => self.odd_spaces |= n != 0,
                // Negative numbers are stored in 64 bits, so the low 32 are the number.
                (40, Field::Varint(n)) => self.unk = n as i32,
                (41, Field::Varint(n)) => self.bos = n as i32,
                (42, Field::Varint(n)) => self.eos = n as i32,
                (43, Field::Varint(n)) => self.pad = n as i32,
                _ => {}
            }
        }
        Ok(())
    }

    fn normalization(&mut self, bytes: &[u8], at: usize) -> Result<(), String> {
        for field in Fields::new(bytes, at) {
            match field? {
                (1, Field::Bytes(name, _)) => self.normalizer.name = String::from_utf8_lossy(name).into_owned(),
                (2, Field::Bytes(map, _)) => self.normalizer.maps_letters = !map.is_empty(),
                (3, Field::Varint(n)) => self.normalizer.add_dummy_prefix = n != 0,
                (4, Field::Varint(n)) => self.normalizer.remove_extra_whitespaces = n != 0,
                (5, Field::Varint(n)) => self.odd_spaces |= n == 0,
                _ => {}
            }
        }
        Ok(())
    }
}

fn piece(bytes: &[u8], at: usize) -> Result<Piece<'_>, String> {
    let mut piece = Piece { text: "", score: 0.0, kind: TokenType::Normal };
    for field in Fields::new(bytes, at) {
        match field? {
            (1, Field::Bytes(text, _)) => {
                piece.text = std::str::from_utf8(text).map_err(|e| format!("its text is not UTF-8: {e}"))?;
            }
            (2, Field::Four(bits)) => piece.score = f32::from_bits(bits),
            (3, Field::Varint(n)) => {
                piece.kind = match n {
                    1 => TokenType::Normal,
                    2 => TokenType::Unknown,
                    3 => TokenType::Control,
                    4 => TokenType::UserDefined,
                    5 => TokenType::Unused,
                    6 => TokenType::Byte,
                    _ => return Err(format!("type {n}; types 1 to 6 exist")),
                };
            }
            _ => {}
        }
    }
    // NaN has no place in an order of merges.
    if piece.score.is_nan() { Err("its score is not a number".to_owned()) } else { Ok(piece) }
}

/// A field's value.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Field<'a> {
    Varint(u64),
    Four(u32),
    /// Bytes, and where in the file they begin.
    Bytes(&'a [u8], usize),
    /// Eight bytes, which no field that matters has.
    Eight,
}

/// The fields of a message, one after the other; ends after the first error.
struct Fields<'a> {
    bytes: &'a [u8],
    /// Offset of `bytes` in the file.
    at: usize,
}

impl<'a> Fields<'a> {
    fn new(bytes: &'a [u8], at: usize) -> Self {
        Self { bytes, at }
    }

    fn take(&mut self, len: u64) -> Option<&'a [u8]> {
        let (head, tail) = self.bytes.split_at_checked(usize::try_from(len).ok()?)?;
        self.bytes = tail;
        self.at += head.len();
        Some(head)
    }

    fn varint(&mut self) -> Option<u64> {
        let mut n = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = *self.take(1)?.first()?;
            n |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(n);
            }
        }
        None
    }

    fn field(&mut self) -> Option<(u64, Field<'a>)> {
        let tag = self.varint()?;
        let value = match tag & 7 {
            0 => Field::Varint(self.varint()?),
            1 => self.take(8).map(|_| Field::Eight)?,
            2 => {
                let len = self.varint()?;
                let at = self.at;
                Field::Bytes(self.take(len)?, at)
            }
            5 => Field::Four(u32::from_le_bytes(self.take(4)?.try_into().ok()?)),
            _ => return None,
        };
        Some((tag >> 3, value))
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u64, Field<'a>), String>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.bytes.is_empty() {
            return None;
        }
        let at = self.at;
        let field = self.field();
        if field.is_none() {
            self.bytes = &[];
        }
        Some(field.ok_or_else(|| format!("no protocol buffer's field at offset {at}")))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub fn varint(mut n: u64, out: &mut Vec<u8>) {
        while n >= 0x80 {
            out.push(n as u8 | 0x80);
            n >>= 7;
        }
        out.push(n as u8);
    }

    pub fn message(number: u64, bytes: &[u8], out: &mut Vec<u8>) {
        varint(number << 3 | 2, out);
        varint(bytes.len() as u64, out);
        out.extend_from_slice(bytes);
    }

    pub fn number(field: u64, n: u64, out: &mut Vec<u8>) {
        varint(field << 3, out);
        varint(n, out);
    }

    /// A model of these pieces; `trainer` and `normalizer` are fields as [`number`] writes them.
    pub fn model(pieces: &[(&[u8], f32, u64)], trainer: &[u8], normalizer: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        for (text, score, kind) in pieces {
            let mut piece = Vec::new();
            message(1, text, &mut piece);
            varint(2 << 3 | 5, &mut piece);
            piece.extend_from_slice(&score.to_le_bytes());
            if *kind != 1 {
                number(3, *kind, &mut piece);
            }
            message(1, &piece, &mut out);
        }
        message(2, trainer, &mut out);
        message(3, normalizer, &mut out);
        out
    }

    fn fields(list: &[(u64, u64)]) -> Vec<u8> {
        let mut out = Vec::new();
        list.iter().for_each(|(field, n)| number(*field, *n, &mut out));
        out
    }

    #[test]
    fn pieces_ids_and_flags_are_read() {
        let trainer = fields(&[(3, 2), (40, 0), (41, 2), (42, u64::MAX), (43, 7)]);
        let bytes = model(&[(b"<unk>", 0.0, 2), ("▁a".as_bytes(), -0.5, 1)], &trainer, &fields(&[(3, 0), (99, 1)]));
        let model = Model::parse(&bytes).and_then(Model::require_bpe).unwrap();
        assert_eq!(model.pieces[1], Piece { text: "▁a", score: -0.5, kind: TokenType::Normal });
        assert_eq!(model.pieces[0].kind, TokenType::Unknown);
        let normalizer = &model.normalizer;
        assert!(!normalizer.add_dummy_prefix && normalizer.remove_extra_whitespaces && !normalizer.maps_letters);
        let ids = ["unk", "bos", "eos", "pad", "cls"].map(|kind| model.id(kind));
        // bos lies beyond the two pieces, eos is -1, pad beyond.
        assert_eq!(ids, [Some(0), None, None, None, None]);
    }

    #[test]
    fn unigram_is_refused_also_where_it_is_only_the_default() {
        let bytes = model(&[(b"a", 0.0, 1)], &[], &[]);
        assert!(Model::parse(&bytes).unwrap().require_bpe().unwrap_err().contains("unigram"));
        let bytes = model(&[(b"a", 0.0, 1)], &fields(&[(3, 4)]), &[]);
        assert!(Model::parse(&bytes).unwrap().require_bpe().unwrap_err().contains("type 4"));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let bad = [
            (model(&[(b"a", 0.0, 1), (b"\xff", 0.0, 1)], &[], &[]), "piece 1: its text is not UTF-8"),
            (model(&[(b"a", f32::NAN, 1)], &[], &[]), "piece 0: its score"),
            (model(&[(b"a", 0.0, 9)], &[], &[]), "piece 0: type 9"),
            (Vec::new(), "no pieces"),
            (b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01".to_vec(), "offset 0"),
            (b"\x0a\x80".to_vec(), "offset 0"),
            (b"\x0f".to_vec(), "offset 0"),
            ([&model(&[(b"a", 0.0, 1)], &[], &[])[..], b"\x03"].concat(), "offset 14"),
            (b"IQ== 0\nIg== 1\n".to_vec(), "no pieces"),
        ];
        for (bytes, part) in bad {
            let error = Model::parse(&bytes).unwrap_err();
            assert!(error.contains(part), "{error} should contain {part}");
        }
    }

    #[test]
    fn no_prefix_of_a_model_panics() {
        let bytes = model(&[(b"<unk>", 0.0, 2), (b"ab", -1.0, 1)], &fields(&[(3, 2), (41, 1)]), &fields(&[(3, 0)]));
        for end in 0..bytes.len() {
            let _ = Model::parse(&bytes[..end]);
        }
    }
}
