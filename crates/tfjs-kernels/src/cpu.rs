//! What kernels run on: an instruction set and a thread pool. It holds no data of any model.

use std::num::NonZero;
use std::sync::Arc;
use std::time::Instant;

use crate::{Isa, ThreadPool};

/// An instruction set and the threads to use it with; cheap to clone, shared by all kernels of a model.
#[derive(Clone, Debug)]
pub struct Cpu {
    isa: Isa,
    pool: Arc<ThreadPool>,
    deadline: Option<Instant>,
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
        Cpu { isa, pool, deadline: None }
    }

    /// The same threads, for work that is given up at a moment.
    ///
    /// Kernels that are not done by then leave the rest of their output as it was and return as if they were: whoever
    /// set a deadline looks at the clock before the output is used.
    #[must_use]
    pub fn with_deadline(&self, deadline: Option<Instant>) -> Self {
        Cpu { deadline, ..self.clone() }
    }

    /// The instruction set; weights are packed for it.
    pub fn isa(&self) -> Isa {
        self.isa
    }

    /// The threads.
    pub fn pool(&self) -> &ThreadPool {
        &self.pool
    }

    /// Whether the deadline has passed.
    pub(crate) fn is_late(&self) -> bool {
        self.deadline.is_some_and(|deadline| Instant::now() >= deadline)
    }

    /// Calls `job(i)` once for each `i` below `jobs`, on all threads; none begins after the deadline.
    pub(crate) fn parallel(&self, jobs: usize, job: impl Fn(usize) + Sync) {
        match self.deadline {
            None => self.pool.parallel(jobs, job),
            Some(_) => self.pool.parallel(jobs, |i| {
                if !self.is_late() {
                    job(i);
                }
            }),
        }
    }
}
