//! The metadata under construction: keys in order, with the architecture's name in front and llama.cpp's types.

use crate::engine::format::gguf::{Value, ValueType};

/// Collects keys and values. `None` adds nothing, so that numbers which were reported as missing need no cases.
#[derive(Debug)]
pub(super) struct Kvs {
    arch: &'static str,
    list: Vec<(String, Value)>,
}

impl Kvs {
    pub(super) fn new(arch: &'static str) -> Self {
        Self { arch, list: Vec::new() }
    }

    /// A key as it is.
    pub(super) fn plain(&mut self, key: &str, value: Value) {
        self.list.push((key.to_owned(), value));
    }

    /// A key of the architecture.
    pub(super) fn value(&mut self, key: &str, value: Option<Value>) {
        if let Some(value) = value {
            self.list.push((format!("{}.{key}", self.arch), value));
        }
    }

    pub(super) fn u32(&mut self, key: &str, number: Option<u32>) {
        self.value(key, number.map(Value::u32));
    }

    pub(super) fn f32(&mut self, key: &str, number: Option<f64>) {
        self.value(key, number.map(float));
    }

    pub(super) fn bool(&mut self, key: &str, flag: bool) {
        self.value(key, Some(Value::Bool(flag)));
    }

    pub(super) fn text(&mut self, key: &str, text: &str) {
        self.value(key, Some(Value::string(text)));
    }

    pub(super) fn finish(self) -> Vec<(String, Value)> {
        self.list
    }
}

/// An f32 value; rounded here, so that it equals what a reader of the file gets.
pub(super) fn float(number: f64) -> Value {
    Value::Float(f64::from(number as f32), ValueType::F32)
}
