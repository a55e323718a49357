//! Runs on threads of their own, followed from the thread that called.
//!
//! The interpreter is left while a run goes on: the calling thread waits, looks for signals,
//! and calls back. Threads of the run never touch Python. Each run has its own pool, so that a
//! process that was forked after one has what it needs for the next.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use widedict::answer::Follow;
use widedict::{Interrupt, Observer, Progress, TimeLimit};

use crate::errors;

/// Between two looks for signals: a tenth of what a person notices, and far above what a look
/// costs.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// How a run is followed and limited.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub(crate) struct RunArgs {
    max_seconds: Option<f64>,
    threads: Option<usize>,
    /// Called with a dictionary for every event.
    callback: Option<Py<PyAny>>,
}

/// What the calling thread is told.
enum Event {
    Progress(Progress),
    Rows(usize, usize),
    Phase(&'static str),
    Note(String),
    /// The run is over.
    Over,
}

/// The observer of a run.
pub(crate) struct Watch {
    started: Instant,
    limit: Option<TimeLimit>,
    cancelled: AtomicBool,
    /// Whether anybody is called back.
    heard: bool,
    events: Mutex<Sender<Event>>,
}

impl Watch {
    fn tell(&self, event: Event) {
        let events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        // Nobody listens any more after a second Ctrl-C.
        let _ = events.send(event);
    }
}

impl Observer for Watch {
    fn poll(&self) -> ControlFlow<Interrupt> {
        if self.cancelled.load(Ordering::Relaxed) {
            ControlFlow::Break(Interrupt::Cancelled)
        } else {
            self.limit.map_or(ControlFlow::Continue(()), |limit| limit.poll())
        }
    }

    fn progress(&self, progress: &Progress) {
        if self.heard {
            self.tell(Event::Progress(*progress));
        }
    }

    fn rows(&self, read: usize, of: usize) {
        if self.heard {
            self.tell(Event::Rows(read, of));
        }
    }
}

impl Follow for Watch {
    fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    fn phase(&self, name: &'static str) {
        if self.heard {
            self.tell(Event::Phase(name));
        }
    }

    fn note(&self, text: &str) {
        self.tell(Event::Note(text.to_owned()));
    }
}

/// The answer of a run, the exception that ended it early if one did, and its notes.
pub(crate) struct Followed<T> {
    pub(crate) answer: T,
    pub(crate) interrupt: Option<PyErr>,
    pub(crate) notes: Vec<String>,
}

impl<T> Followed<T> {
    /// For Python: the answer, the exception or none, and the notes.
    pub(crate) fn out(self, py: Python<'_>) -> (T, Option<Py<PyAny>>, Vec<String>) {
        let raised = self.interrupt.map(|error| error.into_value(py).into_any());
        (self.answer, raised, self.notes)
    }
}

/// Runs `work`, and waits for it.
///
/// An exception that a signal's handler raises (Ctrl-C) or the callback cancels the run; its
/// answer, the best so far, comes with the exception. A second one is raised at once, while
/// the run ends by itself. Where a callback returns true the run is cancelled without one.
pub(crate) fn run<T: Send + 'static, E: Send + 'static>(
    py: Python<'_>,
    args: &RunArgs,
    work: impl FnOnce(&Watch) -> Result<T, E> + Send + 'static,
    raise: impl FnOnce(E) -> PyErr,
) -> PyResult<Followed<T>> {
    let mut pool = rayon::ThreadPoolBuilder::new();
    if let Some(threads) = args.threads {
        pool = pool.num_threads(threads);
    }
    let pool = pool.build().map_err(errors::value)?;
    let (sender, receiver) = channel();
    let limit = args.max_seconds.map(|seconds| TimeLimit::new(Duration::from_secs_f64(seconds)));
    let watch = Arc::new(Watch {
        started: Instant::now(),
        limit,
        cancelled: AtomicBool::new(false),
        heard: args.callback.is_some(),
        events: Mutex::new(sender),
    });
    let followed = Arc::clone(&watch);
    let thread = std::thread::Builder::new().name("widedict".to_owned()).spawn(move || {
        // Told when the work is over, or has panicked.
        let over = Over(&followed);
        let answer = pool.install(|| work(over.0));
        drop(over);
        answer
    });
    let thread = thread.map_err(errors::value)?;
    let (interrupt, notes) = wait(py, args.callback.as_ref(), &watch, &Mutex::new(receiver))?;
    match py.detach(|| thread.join()) {
        Ok(Ok(answer)) => Ok(Followed { answer, interrupt, notes }),
        // A run that was cancelled and has nothing to show raises what cancelled it.
        Ok(Err(error)) => Err(interrupt.unwrap_or_else(|| raise(error))),
        Err(_) => Err(PyRuntimeError::new_err("widedict: a thread panicked, which is a bug")),
    }
}

/// Tells that a run is over when it is dropped.
struct Over<'a>(&'a Watch);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.tell(Event::Over);
    }
}

/// Waits for the end of a run: the exception that cancelled it, and its notes.
fn wait(
    py: Python<'_>,
    callback: Option<&Py<PyAny>>,
    watch: &Watch,
    events: &Mutex<Receiver<Event>>,
) -> PyResult<(Option<PyErr>, Vec<String>)> {
    let (mut interrupt, mut notes) = (None, Vec::new());
    let mut looked = Instant::now();
    loop {
        let event = py.detach(|| {
            let events = events.lock().unwrap_or_else(PoisonError::into_inner);
            events.recv_timeout(LOOK_EVERY)
        });
        let told = match event {
            Ok(Event::Over) | Err(RecvTimeoutError::Disconnected) => return Ok((interrupt, notes)),
            Ok(Event::Note(text)) => {
                notes.push(text);
                Ok(false)
            }
            Ok(event) => match callback.filter(|_| interrupt.is_none()) {
                Some(callback) => call(py, callback, &event, watch),
                None => Ok(false),
            },
            Err(RecvTimeoutError::Timeout) => Ok(false),
        };
        let told = match told {
            Ok(cancel) if looked.elapsed() >= LOOK_EVERY => {
                looked = Instant::now();
                py.check_signals().map(|()| cancel)
            }
            told => told,
        };
        match told {
            Ok(true) => watch.cancelled.store(true, Ordering::Relaxed),
            Ok(false) => {}
            Err(error) => {
                watch.cancelled.store(true, Ordering::Relaxed);
                if interrupt.is_some() {
                    return Err(error);
                }
                interrupt = Some(error);
            }
        }
    }
}

/// Calls back; whether the run is to be cancelled.
fn call(py: Python<'_>, callback: &Py<PyAny>, event: &Event, watch: &Watch) -> PyResult<bool> {
    let fields = PyDict::new(py);
    fields.set_item("seconds", watch.started.elapsed().as_secs_f64())?;
    match event {
        Event::Progress(progress) => {
            fields.set_item("phase", progress.phase)?;
            fields.set_item("iteration", progress.iteration)?;
            fields.set_item("objective", progress.objective)?;
            fields.set_item("lower_bound", progress.lower_bound)?;
            fields.set_item("estimated_lower_bound", progress.estimated_lower_bound)?;
            fields.set_item("atoms", progress.atoms)?;
        }
        Event::Rows(read, of) => {
            fields.set_item("rows", read)?;
            fields.set_item("of", of)?;
        }
        Event::Phase(name) => fields.set_item("phase", name)?,
        Event::Note(_) | Event::Over => return Ok(false),
    }
    callback.bind(py).call1((fields,))?.is_truthy()
}
