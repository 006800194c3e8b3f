//! The execution resources of kernels: an instruction set and a thread pool. It holds no data of a model.

use std::num::NonZero;
use std::sync::Arc;
use std::time::Instant;

use crate::{Isa, ThreadPool};

/// An instruction set and a thread pool; cheap to clone, shared by all kernels of a model.
#[derive(Clone, Debug)]
pub struct Cpu {
    isa: Isa,
    pool: Arc<ThreadPool>,
    deadline: Option<Instant>,
}

impl Cpu {
    /// The machine's best instruction set with this many threads, including the calling one; 0 means one for each
    /// hardware thread.
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

    /// A chosen instruction set with a shared pool.
    pub fn with_pool(isa: Isa, pool: Arc<ThreadPool>) -> Self {
        Cpu { isa, pool, deadline: None }
    }

    /// The same threads, with a deadline after which work is abandoned.
    ///
    /// Kernels that are not done by then leave the rest of their output unchanged and return normally: the caller that
    /// set the deadline must check the clock before it uses the output.
    #[must_use]
    pub fn with_deadline(&self, deadline: Option<Instant>) -> Self {
        Cpu { deadline, ..self.clone() }
    }

    /// The instruction set, which weights must be packed for.
    pub fn isa(&self) -> Isa {
        self.isa
    }

    /// The thread pool.
    pub fn pool(&self) -> &ThreadPool {
        &self.pool
    }

    /// Whether the deadline has passed.
    pub(crate) fn is_late(&self) -> bool {
        self.deadline.is_some_and(|deadline| Instant::now() >= deadline)
    }

    /// Calls `job(i)` once for each `i` below `jobs`, on all threads; no job starts after the deadline.
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
