//! Containers: how bytes on disk become an index of metadata and tensors, and back.
//!
//! [`source`] is where bytes come from, [`bytes`] the checked cursor, [`gguf`] and [`safetensors`] the containers,
//! [`locate`] finds the files of a model, [`cut_off`] tells those that end too early. Nothing here knows what a tensor is for or what its blocks mean beyond their
//! size.

pub mod bytes;
pub mod cut_off;
pub mod gguf;
pub mod locate;
pub mod safetensors;
pub mod source;
