//! Metadata values: their types, and their decoding when somebody asks.
//!
//! The index keeps only where a value lies. [`Value`] is a decoded scalar, string or the first elements of an array;
//! [`encode`] writes one back.

use std::fmt;

use crate::engine::error::Result;
use crate::engine::format::bytes::Cursor;

use super::{MAX_ARRAY, MAX_STRING};

/// Type of a metadata value, with ggml's numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum ValueType {
    /// Unsigned byte.
    U8 = 0,
    /// Signed byte.
    I8 = 1,
    /// Unsigned 16 bits.
    U16 = 2,
    /// Signed 16 bits.
    I16 = 3,
    /// Unsigned 32 bits.
    U32 = 4,
    /// Signed 32 bits.
    I32 = 5,
    /// 32-bit float.
    F32 = 6,
    /// One byte, zero or not.
    Bool = 7,
    /// Length and bytes.
    String = 8,
    /// Element type, count, elements.
    Array = 9,
    /// Unsigned 64 bits.
    U64 = 10,
    /// Signed 64 bits.
    I64 = 11,
    /// 64-bit float.
    F64 = 12,
}

impl ValueType {
    const ALL: [(Self, &'static str, u64); 13] = [
        (Self::U8, "u8", 1),
        (Self::I8, "i8", 1),
        (Self::U16, "u16", 2),
        (Self::I16, "i16", 2),
        (Self::U32, "u32", 4),
        (Self::I32, "i32", 4),
        (Self::F32, "f32", 4),
        (Self::Bool, "bool", 1),
        (Self::String, "string", 0),
        (Self::Array, "array", 0),
        (Self::U64, "u64", 8),
        (Self::I64, "i64", 8),
        (Self::F64, "f64", 8),
    ];

    /// The type with this number.
    pub fn from_number(number: u32) -> Option<Self> {
        Self::ALL.get(number as usize).map(|(ty, _, _)| *ty)
    }

    /// Name as in `gguf-dump`: `u32`, `string`, …
    pub fn name(self) -> &'static str {
        Self::ALL[self as usize].1
    }

    /// Bytes of a value of fixed size; `None` for strings and arrays.
    pub fn size(self) -> Option<u64> {
        let size = Self::ALL[self as usize].2;
        (size > 0).then_some(size)
    }
}

/// A decoded metadata value.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Any unsigned integer, with the type it is stored as.
    Unsigned(u64, ValueType),
    /// Any signed integer, with the type it is stored as.
    Signed(i64, ValueType),
    /// Either float, with the type it is stored as.
    Float(f64, ValueType),
    /// A truth value.
    Bool(bool),
    /// A string; bytes that are not UTF-8 are replaced.
    String(String),
    /// An array: its first elements and how many there are.
    Array {
        /// Type of the elements.
        element: ValueType,
        /// Elements in the file.
        len: u64,
        /// The first of them, as many as were asked for.
        head: Vec<Value>,
    },
}

impl Value {
    /// The type it is stored as.
    pub fn value_type(&self) -> ValueType {
        match self {
            Self::Unsigned(_, ty) | Self::Signed(_, ty) | Self::Float(_, ty) => *ty,
            Self::Bool(_) => ValueType::Bool,
            Self::String(_) => ValueType::String,
            Self::Array { .. } => ValueType::Array,
        }
    }

    /// The number, if it is an integer that is not negative.
    pub fn as_u64(&self) -> Option<u64> {
        match self {
            Self::Unsigned(n, _) => Some(*n),
            Self::Signed(n, _) => u64::try_from(*n).ok(),
            _ => None,
        }
    }

    /// The text, if it is a string.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(s) => Some(s),
            _ => None,
        }
    }

    /// A `u32` value.
    pub fn u32(n: u32) -> Self {
        Self::Unsigned(u64::from(n), ValueType::U32)
    }

    /// A string value.
    pub fn string(s: impl Into<String>) -> Self {
        Self::String(s.into())
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unsigned(n, _) => write!(f, "{n}"),
            Self::Signed(n, _) => write!(f, "{n}"),
            // The shortest digits that give this float back, in the width that the file has.
            Self::Float(x, ValueType::F32) => write!(f, "{:?}", *x as f32),
            Self::Float(x, _) => write!(f, "{x:?}"),
            Self::Bool(b) => write!(f, "{b}"),
            Self::String(s) => write!(f, "{}", crate::text::escape(s)),
            Self::Array { element, len, head } => {
                write!(f, "[{} × {len}]", element.name())?;
                for (i, item) in head.iter().enumerate() {
                    write!(f, "{}{item}", if i == 0 { " " } else { ", " })?;
                }
                if (head.len() as u64) < *len && !head.is_empty() {
                    write!(f, ", …")?;
                }
                Ok(())
            }
        }
    }
}

/// Decodes the value of type `ty` at the cursor; of an array at most `head` elements.
pub fn decode(cursor: &mut Cursor<'_>, ty: ValueType, head: u64) -> Result<Value> {
    let fixed = |bytes: &[u8]| bytes.iter().rev().fold(0u64, |n, b| n << 8 | u64::from(*b));
    Ok(match ty {
        ValueType::U8 | ValueType::U16 | ValueType::U32 | ValueType::U64 => {
            Value::Unsigned(fixed(cursor.take(ty.size().unwrap_or(8), "a value")?), ty)
        }
        ValueType::I8 => Value::Signed(i64::from(fixed(cursor.take(1, "a value")?) as i8), ty),
        ValueType::I16 => Value::Signed(i64::from(fixed(cursor.take(2, "a value")?) as i16), ty),
        ValueType::I32 => Value::Signed(i64::from(fixed(cursor.take(4, "a value")?) as i32), ty),
        ValueType::I64 => Value::Signed(fixed(cursor.take(8, "a value")?) as i64, ty),
        ValueType::F32 => Value::Float(f64::from(f32::from_bits(fixed(cursor.take(4, "a value")?) as u32)), ty),
        ValueType::F64 => Value::Float(f64::from_bits(fixed(cursor.take(8, "a value")?)), ty),
        ValueType::Bool => Value::Bool(fixed(cursor.take(1, "a value")?) != 0),
        ValueType::String => {
            Value::String(String::from_utf8_lossy(cursor.string(MAX_STRING, "a string")?).into_owned())
        }
        ValueType::Array => {
            let (element, len) = array_head(cursor)?;
            let mut items = Vec::new();
            for _ in 0..len.min(head) {
                items.push(decode(cursor, element, 0)?);
            }
            Value::Array { element, len, head: items }
        }
    })
}

/// Reads an array's element type and count, within llama.cpp's limits.
pub fn array_head(cursor: &mut Cursor<'_>) -> Result<(ValueType, u64)> {
    let number = cursor.u32("an array's element type")?;
    let element = ValueType::from_number(number)
        .ok_or_else(|| cursor.error(format!("unknown element type {number} of an array; types 0 to 12 exist")))?;
    if element == ValueType::Array {
        return Err(cursor.error("an array of arrays, which llama.cpp refuses"));
    }
    let len = cursor.u64("an array's length")?;
    if len > MAX_ARRAY {
        return Err(cursor.error(format!("an array of {len} elements, at most {MAX_ARRAY} are allowed")));
    }
    Ok((element, len))
}

/// Moves past a value without building it.
pub fn skip(cursor: &mut Cursor<'_>, ty: ValueType) -> Result<()> {
    match (ty, ty.size()) {
        (_, Some(size)) => cursor.skip(size, "a value"),
        (ValueType::String, None) => cursor.skip_string(MAX_STRING, "a string"),
        (_, None) => {
            let (element, len) = array_head(cursor)?;
            match element.size() {
                Some(size) => {
                    let bytes = len
                        .checked_mul(size)
                        .ok_or_else(|| cursor.error(format!("an array of {len} elements overflows")))?;
                    cursor.skip(bytes, "an array")
                }
                None => (0..len).try_for_each(|_| cursor.skip_string(MAX_STRING, "a string of an array")),
            }
        }
    }
}

/// Appends the value's bytes as they stand in a file behind their type number. Arrays must be whole.
pub fn encode(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Unsigned(n, ty) => out.extend_from_slice(&n.to_le_bytes()[..ty.size().unwrap_or(8) as usize]),
        Value::Signed(n, ty) => out.extend_from_slice(&n.to_le_bytes()[..ty.size().unwrap_or(8) as usize]),
        Value::Float(x, ValueType::F32) => out.extend_from_slice(&(*x as f32).to_le_bytes()),
        Value::Float(x, _) => out.extend_from_slice(&x.to_le_bytes()),
        Value::Bool(b) => out.push(u8::from(*b)),
        Value::String(s) => encode_string(s.as_bytes(), out),
        Value::Array { element, head, .. } => {
            out.extend_from_slice(&(*element as u32).to_le_bytes());
            out.extend_from_slice(&(head.len() as u64).to_le_bytes());
            head.iter().for_each(|item| encode(item, out));
        }
    }
}

/// Appends a string: length, then bytes.
pub fn encode_string(bytes: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
    out.extend_from_slice(bytes);
}
