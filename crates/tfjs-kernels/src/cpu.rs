//! What kernels run on: an instruction set and a thread pool. It holds no data of any model.

use std::num::NonZero;
use std::sync::Arc;

use crate::{Isa, ThreadPool};

/// An instruction set and the threads to use it with; cheap to clone, shared by all kernels of a model.
#[derive(Clone, Debug)]
pub struct Cpu {
    isa: Isa,
    pool: Arc<ThreadPool>,
}

impl Cpu {
    /// The machine's best instruction set with this many threads, the calling one included; 0 means as
    /// many as the machine runs at once.
    pub fn new(threads: usize) -> Self {
        Self::with_isa(Isa::detect(), threads)
    }

    /// A chosen instruction set with this many threads, as [`Cpu::new`] counts them.
    pub fn with_isa(isa: Isa, threads: usize) -> Self {
        let threads = match threads {
            0 => std::thread::available_parallelism().map_or(1, NonZero::get),
            n => n,
        };
        Self::with_pool(isa, Arc::new(ThreadPool::new(threads)))
    }

    /// A chosen instruction set on a pool shared with others.
    pub fn with_pool(isa: Isa, pool: Arc<ThreadPool>) -> Self {
        Cpu { isa, pool }
    }

    /// The instruction set; weights are packed for it.
    pub fn isa(&self) -> Isa {
        self.isa
    }

    /// The threads.
    pub fn pool(&self) -> &ThreadPool {
        &self.pool
    }
}
