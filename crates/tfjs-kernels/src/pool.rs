//! A small fork-join thread pool for borrowed closures. It never queues work: a call that finds the pool busy runs
//! its work on the calling thread.

use std::any::Any;
use std::cell::UnsafeCell;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;

/// Threads that wait to share loops.
///
/// Workers spin for a moment after each loop, because the next usually follows at once, then sleep.
pub struct ThreadPool {
    shared: Arc<Shared>,
    workers: Vec<JoinHandle<()>>,
}

impl ThreadPool {
    /// A pool of `threads` threads, including the calling one: `1` (or `0`) starts none. If the operating system
    /// cannot start a thread, the pool has fewer.
    pub fn new(threads: usize) -> Self {
        let shared = Arc::new(Shared::default());
        let workers = (1..threads)
            .map_while(|i| {
                let shared = Arc::clone(&shared);
                std::thread::Builder::new().name(format!("tfjs-kernels-{i}")).spawn(move || shared.work()).ok()
            })
            .collect();
        ThreadPool { shared, workers }
    }

    /// The number of threads that share a loop, including the calling one.
    pub fn threads(&self) -> usize {
        self.workers.len() + 1
    }

    /// Calls `job(i)` once for each `i` below `jobs`, on all threads, and returns when all are done.
    ///
    /// The order is not defined. If the pool is busy with a loop of another caller, or with one that contains this
    /// call, all jobs run on the calling thread.
    ///
    /// # Panics
    /// A panic of a job is resumed on the calling thread after all threads have left the loop; jobs that had not
    /// started may not run.
    pub fn parallel<F: Fn(usize) + Sync>(&self, jobs: usize, job: F) {
        if jobs <= 1 || self.workers.is_empty() || self.shared.busy.swap(true, Ordering::Acquire) {
            return (0..jobs).for_each(job);
        }
        let task = Task { job: &job, jobs, next: AtomicUsize::new(0), panic: Mutex::new(None) };
        self.shared.run(&task);
        self.shared.busy.store(false, Ordering::Release);
        let panic = task.panic.into_inner().unwrap_or_else(PoisonError::into_inner);
        if let Some(payload) = panic {
            resume_unwind(payload);
        }
    }
}

impl Drop for ThreadPool {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        self.shared.wake_all();
        for worker in self.workers.drain(..) {
            // A worker catches the panics of jobs, so there is nothing to report here.
            let _ = worker.join();
        }
    }
}

impl fmt::Debug for ThreadPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ThreadPool").field("threads", &self.threads()).finish_non_exhaustive()
    }
}

/// Set in [`Shared::gate`] while workers may join the loop.
const OPEN: u64 = 1 << 63;
/// One loop, counted in the gate's middle bits so that a worker joins each loop once.
const ROUND: u64 = 1 << 32;
/// The gate's low bits: the number of workers inside.
const INSIDE: u64 = ROUND - 1;

/// How often a thread polls before it sleeps: about ten microseconds.
const SPINS: usize = 4000;

#[derive(Default)]
struct Shared {
    busy: AtomicBool,
    gate: AtomicU64,
    /// Written by the thread that holds `busy` while the gate is closed and no worker is inside; read by workers
    /// inside.
    task: TaskCell,
    stop: AtomicBool,
    sleepers: AtomicUsize,
    sleep: Mutex<()>,
    wake: Condvar,
}

#[derive(Default)]
struct TaskCell(UnsafeCell<Option<*const Task<'static>>>);

// SAFETY: the pointer is written only while the gate is closed and no worker is inside, and read only inside;
// its target is `Sync` (see `Task`).
unsafe impl Sync for TaskCell {}
// SAFETY: as above; the cell owns nothing tied to a thread.
unsafe impl Send for TaskCell {}

struct Task<'a> {
    job: &'a (dyn Fn(usize) + Sync),
    jobs: usize,
    next: AtomicUsize,
    panic: Mutex<Option<Box<dyn Any + Send>>>,
}

impl Task<'_> {
    fn help(&self) {
        let result = catch_unwind(AssertUnwindSafe(|| {
            loop {
                let i = self.next.fetch_add(1, Ordering::Relaxed);
                if i >= self.jobs {
                    return;
                }
                (self.job)(i);
            }
        }));
        if let Err(payload) = result {
            // No thread starts another job.
            self.next.store(self.jobs, Ordering::Relaxed);
            let mut first = self.panic.lock().unwrap_or_else(PoisonError::into_inner);
            first.get_or_insert(payload);
        }
    }
}

impl Shared {
    /// The caller's part: opens the gate, helps, closes it and waits until all workers have left.
    fn run(&self, task: &Task<'_>) {
        let task: *const Task<'_> = task;
        // SAFETY: the caller holds `busy` and the last loop ended with the gate closed and no worker inside, so
        // no other thread reads the cell. The lifetime is erased only until this function returns.
        unsafe { *self.task.0.get() = Some(task.cast()) };
        let shut = self.gate.load(Ordering::Relaxed) & !OPEN;
        self.gate.store((shut + ROUND) & !OPEN | OPEN, Ordering::SeqCst);
        if self.sleepers.load(Ordering::SeqCst) > 0 {
            self.wake_all();
        }
        // SAFETY: the pointer was made from a reference that outlives this function.
        unsafe { &*task }.help();
        self.gate.fetch_and(!OPEN, Ordering::AcqRel);
        let mut spins = 0;
        while self.gate.load(Ordering::Acquire) & INSIDE != 0 {
            spins += 1;
            if spins < SPINS {
                std::hint::spin_loop();
            } else {
                std::thread::yield_now();
            }
        }
    }

    /// The loop of a worker thread.
    fn work(&self) {
        let mut last = 0;
        while let Some(round) = self.wait(last) {
            last = round;
            // SAFETY: this thread has entered through the open gate, so the caller that wrote the cell is
            // waiting in `run` until it has left, and the task is alive.
            let task = unsafe { (*self.task.0.get()).map(|task| &*task) };
            if let Some(task) = task {
                task.help();
            }
            self.gate.fetch_sub(1, Ordering::Release);
        }
    }

    /// Waits for a loop after round `last` and enters it; `None` when the pool stops.
    fn wait(&self, last: u64) -> Option<u64> {
        loop {
            for _ in 0..SPINS {
                if self.stop.load(Ordering::Relaxed) {
                    return None;
                }
                if let Some(round) = self.enter(last) {
                    return Some(round);
                }
                std::hint::spin_loop();
            }
            let mut guard = self.sleep.lock().unwrap_or_else(PoisonError::into_inner);
            self.sleepers.fetch_add(1, Ordering::SeqCst);
            // A thread that opens the gate after this check sees the sleeper and wakes it: both sides write first,
            // then read, sequentially consistently. The lock is held from here to the wait, so the wake-up is not lost.
            while !self.stop.load(Ordering::SeqCst) && !self.is_open(last) {
                guard = self.wake.wait(guard).unwrap_or_else(PoisonError::into_inner);
            }
            self.sleepers.fetch_sub(1, Ordering::SeqCst);
        }
    }

    fn is_open(&self, last: u64) -> bool {
        let gate = self.gate.load(Ordering::SeqCst);
        gate & OPEN != 0 && (gate & !OPEN) / ROUND != last
    }

    fn enter(&self, last: u64) -> Option<u64> {
        let gate = self.gate.load(Ordering::Relaxed);
        let round = (gate & !OPEN) / ROUND;
        if gate & OPEN == 0 || round == last {
            return None;
        }
        self.gate.compare_exchange(gate, gate + 1, Ordering::Acquire, Ordering::Relaxed).is_ok().then_some(round)
    }

    fn wake_all(&self) {
        drop(self.sleep.lock().unwrap_or_else(PoisonError::into_inner));
        self.wake.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn every_job_runs_once() {
        for threads in [0, 1, 2, 3, 5] {
            let pool = ThreadPool::new(threads);
            for jobs in [0, 1, 2, 7, 1000] {
                let counts: Vec<_> = (0..jobs).map(|_| AtomicUsize::new(0)).collect();
                pool.parallel(jobs, |i| {
                    counts[i].fetch_add(1, Ordering::Relaxed);
                });
                assert!(counts.iter().all(|c| c.load(Ordering::Relaxed) == 1), "{threads} threads, {jobs} jobs");
            }
        }
    }

    #[test]
    fn many_short_loops_neither_hang_nor_lose_jobs() {
        let pool = ThreadPool::new(3);
        let total = AtomicUsize::new(0);
        for round in 0..3000 {
            pool.parallel(4, |_| {
                total.fetch_add(1, Ordering::Relaxed);
            });
            if round % 500 == 0 {
                // Long enough for the workers to go to sleep.
                std::thread::sleep(Duration::from_millis(3));
            }
        }
        assert_eq!(total.into_inner(), 12_000);
    }

    #[test]
    fn callers_at_once_and_calls_within_jobs_do_not_deadlock() {
        let pool = ThreadPool::new(2);
        let total = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..200 {
                        pool.parallel(3, |_| {
                            pool.parallel(2, |_| {
                                total.fetch_add(1, Ordering::Relaxed);
                            });
                        });
                    }
                });
            }
        });
        assert_eq!(total.into_inner(), 4 * 200 * 3 * 2);
    }

    #[test]
    fn a_panic_reaches_the_caller_and_the_pool_goes_on() {
        for threads in [1, 3] {
            let pool = ThreadPool::new(threads);
            let caught = catch_unwind(AssertUnwindSafe(|| {
                pool.parallel(8, |i| {
                    if i == 5 {
                        std::panic::panic_any("job five");
                    }
                });
            }));
            assert_eq!(caught.unwrap_err().downcast_ref::<&str>(), Some(&"job five"));
            let total = AtomicUsize::new(0);
            pool.parallel(8, |i| {
                total.fetch_add(i, Ordering::Relaxed);
            });
            assert_eq!(total.into_inner(), 28);
        }
    }
}
