//! Previews: figures of a tensor by several methods, on the latency lane.

use std::sync::Arc;

use super::lane::{Beside, Task};
use super::{JobEvent, PreviewKey, Want};
use crate::engine::error::Result;
use crate::engine::model::Model;
use crate::engine::preview::{Ask, measure_weighted};
use crate::engine::progress::Cancel;

impl Task for Want {
    type Key = PreviewKey;

    fn key(&self) -> PreviewKey {
        self.key
    }

    fn run(&self, model: &Arc<Model>, beside: &Beside, cancel: &Cancel) -> Result<JobEvent> {
        let PreviewKey { tensor, format, depth } = self.key;
        let imatrix = beside.imatrix.as_deref();
        let ask = Ask { tensor, format, methods: &self.methods, depth, imatrix, blind: self.blind, weights: true };
        let report = Arc::new(measure_weighted(model, &ask, cancel)?);
        Ok(JobEvent::Preview { model: Arc::clone(model), key: self.key, report })
    }

    fn failed(&self, model: &Arc<Model>, message: String) -> JobEvent {
        JobEvent::PreviewFailed { model: Arc::clone(model), key: self.key, message }
    }
}
