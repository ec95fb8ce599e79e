//! Looks: what the pane in sight shows of one tensor beside its figures. A grid, a block, trits; on the latency lane.

use std::sync::Arc;

use super::JobEvent;
use super::lane::{Beside, Task};
use crate::engine::error::Result;
use crate::engine::forensics::look::{TritsLook, look};
use crate::engine::model::Model;
use crate::engine::preview::{BlockLook, Experts, Grid, GridAsk, Window, experts, grid, look_at_block};
use crate::engine::progress::Cancel;
use crate::engine::ternary::{Format, Method};

/// What of a tensor is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Subject {
    /// A window of its blocks.
    Grid(Format, Method, Window),
    /// Its matrices.
    Experts(Format, Method),
    /// The block at this row and place in the row.
    Block(Format, Method, (u64, u64)),
    /// The codes that it has.
    Trits,
}

/// What a look is of: the key of its cache, against which a report that comes back is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LookKey {
    /// Index of the tensor in the model.
    pub tensor: usize,
    /// What of it.
    pub subject: Subject,
    /// Everything, or a sample.
    pub exact: bool,
}

/// What was seen.
#[derive(Debug, Clone)]
pub enum Seen {
    /// A window of blocks.
    Grid(Arc<Grid>),
    /// The matrices.
    Experts(Arc<Experts>),
    /// A block.
    Block(Arc<BlockLook>),
    /// Codes.
    Trits(Arc<TritsLook>),
}

impl LookKey {
    /// Looks. `base` is the model that ternary weights are compared with. Errors: as those of the engine's calls.
    pub fn look(
        &self,
        model: &Model,
        imatrix: Option<&crate::engine::imatrix::Imatrix>,
        base: Option<&Model>,
        cancel: &Cancel,
    ) -> Result<Seen> {
        let (tensor, exact) = (self.tensor, self.exact);
        let ask = |format, method| GridAsk { tensor, format, method, exact, imatrix };
        Ok(match self.subject {
            Subject::Grid(format, method, window) => {
                Seen::Grid(Arc::new(grid(model, &ask(format, method), window, cancel)?))
            }
            Subject::Experts(format, method) => Seen::Experts(Arc::new(experts(model, &ask(format, method), cancel)?)),
            Subject::Block(format, method, at) => {
                Seen::Block(Arc::new(look_at_block(model, &ask(format, method), at, cancel)?))
            }
            Subject::Trits => Seen::Trits(Arc::new(look(model, tensor, base, exact, cancel)?)),
        })
    }
}

impl Task for LookKey {
    type Key = Self;

    fn key(&self) -> Self {
        *self
    }

    fn run(&self, model: &Arc<Model>, beside: &Beside, cancel: &Cancel) -> Result<JobEvent> {
        let seen = self.look(model, beside.imatrix.as_deref(), beside.base.as_deref(), cancel)?;
        Ok(JobEvent::Look { model: Arc::clone(model), key: *self, seen: Ok(seen) })
    }

    fn failed(&self, model: &Arc<Model>, message: String) -> JobEvent {
        JobEvent::Look { model: Arc::clone(model), key: *self, seen: Err(message) }
    }
}
