//! Safetensors files, sound and broken, written without the crate that reads them.

use std::path::{Path, PathBuf};

/// A tensor: name, type, shape (last dimension fastest), bytes.
#[derive(Debug, Clone)]
pub struct Piece {
    pub name: String,
    pub dtype: String,
    pub shape: Vec<u64>,
    pub data: Vec<u8>,
    /// Offsets to announce instead of where the data is.
    pub offsets: Option<[u64; 2]>,
}

/// A file in the making.
#[derive(Debug, Clone, Default)]
pub struct Safe {
    pub pieces: Vec<Piece>,
    pub metadata: Vec<(String, String)>,
    /// Header length to announce instead.
    pub header_len: Option<u64>,
}

impl Safe {
    /// Adds a tensor.
    pub fn tensor(mut self, name: &str, dtype: &str, shape: &[u64], data: Vec<u8>) -> Self {
        let (name, dtype, shape) = (name.to_owned(), dtype.to_owned(), shape.to_vec());
        self.pieces.push(Piece { name, dtype, shape, data, offsets: None });
        self
    }

    /// Adds a tensor of normal weights in F32.
    pub fn normal(self, name: &str, shape: &[u64], seed: u64) -> Self {
        let weights = super::normals(shape.iter().product::<u64>() as usize, seed);
        self.tensor(name, "F32", shape, super::f32_bytes(&weights))
    }

    /// Adds an entry of `__metadata__`.
    pub fn about(mut self, key: &str, value: &str) -> Self {
        self.metadata.push((key.to_owned(), value.to_owned()));
        self
    }

    /// Changes the last tensor that was added.
    pub fn last(mut self, change: impl FnOnce(&mut Piece)) -> Self {
        self.pieces.last_mut().map(change);
        self
    }

    /// The header as JSON.
    pub fn header(&self) -> String {
        let quoted = |text: &str| serde_json::Value::from(text).to_string();
        let mut entries = Vec::new();
        if !self.metadata.is_empty() {
            let pairs: Vec<String> =
                self.metadata.iter().map(|(k, v)| format!("{}:{}", quoted(k), quoted(v))).collect();
            entries.push(format!("\"__metadata__\":{{{}}}", pairs.join(",")));
        }
        let mut at = 0u64;
        for piece in &self.pieces {
            let [begin, end] = piece.offsets.unwrap_or([at, at + piece.data.len() as u64]);
            at += piece.data.len() as u64;
            entries.push(format!(
                "{}:{{\"dtype\":\"{}\",\"shape\":{:?},\"data_offsets\":[{begin},{end}]}}",
                quoted(&piece.name),
                piece.dtype,
                piece.shape
            ));
        }
        format!("{{{}}}", entries.join(","))
    }

    /// The file's bytes.
    pub fn bytes(&self) -> Vec<u8> {
        let data: Vec<u8> = self.pieces.iter().flat_map(|p| p.data.clone()).collect();
        with_header(&self.header(), self.header_len, &data)
    }

    /// Writes it under this name into a folder.
    pub fn write(&self, folder: &Path, name: &str) -> PathBuf {
        let path = folder.join(name);
        std::fs::write(&path, self.bytes()).expect("a folder for tests can be written to");
        path
    }
}

/// A file with any text as its header.
pub fn with_header(header: &str, announced: Option<u64>, data: &[u8]) -> Vec<u8> {
    let len = announced.unwrap_or(header.len() as u64);
    [&len.to_le_bytes(), header.as_bytes(), data].concat()
}
