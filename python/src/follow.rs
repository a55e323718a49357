//! Runs on threads of their own, followed from the thread that called.
//!
//! The interpreter is left while a run goes on: the calling thread waits, looks for signals,
//! and calls back. Threads of the run never touch Python. Each run has its own pool, and nothing
//! of the library runs outside of one, so that a process that was forked after a run has what it
//! needs for the next.

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};
use widedict::answer::Follow;
use widedict::{Interrupt, Observer, Progress, Stop, TimeLimit};

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
    /// Called with a dictionary for what there is to tell.
    callback: Option<Py<PyAny>>,
    /// Gets the answer: what is returned is lost where a signal comes first.
    answers: Py<PyList>,
}

/// What the callback is told.
#[derive(Clone, Copy)]
enum Event {
    Progress(Progress),
    /// Rows read, of how many, and the phase it is in.
    Rows(usize, usize, &'static str),
    Phase(&'static str),
}

/// What waits for the calling thread.
struct Mail {
    pending: VecDeque<Event>,
    notes: Vec<String>,
    phase: &'static str,
    over: bool,
}

impl Mail {
    /// Progress that nobody has heard of yet is replaced by the newest; phases are few.
    fn push(&mut self, event: Event) {
        while self.pending.back().is_some_and(|last| !matches!(last, Event::Phase(_))) {
            self.pending.pop_back();
        }
        if self.pending.len() >= PHASES {
            self.pending.pop_front();
        }
        self.pending.push_back(event);
    }
}

/// Phases that wait for a slow callback at most.
const PHASES: usize = 8;

/// The observer of a run.
pub(crate) struct Watch {
    started: Instant,
    limit: Option<TimeLimit>,
    cancelled: AtomicBool,
    /// What stopped the run.
    stopped: OnceLock<Interrupt>,
    /// Whether anybody is called back.
    heard: bool,
    mail: Mutex<Mail>,
    told: Condvar,
}

impl Watch {
    fn new(args: &RunArgs) -> Self {
        let limit = args.max_seconds.map(|seconds| TimeLimit::new(Duration::from_secs_f64(seconds)));
        let mail = Mail { pending: VecDeque::new(), notes: Vec::new(), phase: "", over: false };
        Self {
            started: Instant::now(),
            limit,
            cancelled: AtomicBool::new(false),
            stopped: OnceLock::new(),
            heard: args.callback.is_some(),
            mail: Mutex::new(mail),
            told: Condvar::new(),
        }
    }

    fn mail(&self) -> MutexGuard<'_, Mail> {
        self.mail.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, change: impl FnOnce(&mut Mail)) {
        change(&mut self.mail());
        self.told.notify_all();
    }

    /// The next event and whether the run is over, after a while at most. Of a run that is over
    /// the newest event is the last.
    fn next(&self) -> (Option<Event>, bool) {
        let mail = self.mail();
        let waits = |mail: &mut Mail| mail.pending.is_empty() && !mail.over;
        let waited = self.told.wait_timeout_while(mail, LOOK_EVERY, waits);
        let (mut mail, _) = waited.unwrap_or_else(PoisonError::into_inner);
        if mail.over { (mail.pending.pop_back(), true) } else { (mail.pending.pop_front(), false) }
    }

    fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
    }
}

impl Observer for Watch {
    fn poll(&self) -> ControlFlow<Interrupt> {
        let polled = if self.cancelled.load(Ordering::Relaxed) {
            ControlFlow::Break(Interrupt::Cancelled)
        } else {
            self.limit.map_or(ControlFlow::Continue(()), |limit| limit.poll())
        };
        if let ControlFlow::Break(interrupt) = polled {
            let _ = self.stopped.set(interrupt);
        }
        polled
    }

    fn progress(&self, progress: &Progress) {
        if self.heard {
            self.tell(|mail| mail.push(Event::Progress(*progress)));
        }
    }

    fn rows(&self, read: usize, of: usize) {
        if self.heard {
            self.tell(|mail| mail.push(Event::Rows(read, of, mail.phase)));
        }
    }
}

impl Follow for Watch {
    fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    fn phase(&self, name: &'static str) {
        if self.heard {
            self.tell(|mail| {
                mail.phase = name;
                mail.push(Event::Phase(name));
            });
        }
    }

    fn note(&self, text: &str) {
        self.tell(|mail| mail.notes.push(errors::spoken(text)));
    }
}

/// The answer of a run, the exception that ended it early if one did, its notes, and why it
/// ended.
pub(crate) struct Followed<T> {
    answer: T,
    interrupt: Option<PyErr>,
    notes: Vec<String>,
    stop: &'static str,
}

impl<T> Followed<T> {
    /// For Python: the answer, the exception or none, the notes and why it ended.
    pub(crate) fn give<'py>(self, py: Python<'py>, args: &RunArgs) -> PyResult<()>
    where
        T: IntoPyObject<'py>,
    {
        let raised = self.interrupt.map(|error| error.into_value(py).into_any());
        args.answers.bind(py).append((self.answer, raised, self.notes, self.stop))
    }
}

/// Threads of the library's work alone.
fn pool(threads: Option<usize>) -> PyResult<rayon::ThreadPool> {
    let mut pool = rayon::ThreadPoolBuilder::new();
    if let Some(threads) = threads {
        pool = pool.num_threads(threads);
    }
    pool.build().map_err(errors::value)
}

/// Work that nobody follows, such as reading and writing: without the interpreter, on threads of
/// its own.
pub(crate) fn apart<T: Send>(py: Python<'_>, work: impl FnOnce() -> PyResult<T> + Send) -> PyResult<T> {
    let pool = pool(None)?;
    py.detach(|| pool.install(work))
}

/// Runs `work`, and waits for it.
///
/// An exception that a signal's handler raises (Ctrl-C) or the callback cancels the run; its
/// answer, the best so far, comes with the exception. A second one is raised at once, while
/// the run ends by itself. Where a callback returns true the run is cancelled without one.
pub(crate) fn run<T: Send + 'static>(
    py: Python<'_>,
    args: &RunArgs,
    work: impl FnOnce(&Watch) -> PyResult<T> + Send + 'static,
) -> PyResult<Followed<T>> {
    let pool = pool(args.threads)?;
    let watch = Arc::new(Watch::new(args));
    let followed = Arc::clone(&watch);
    let thread = std::thread::Builder::new().name("widedict".to_owned()).spawn(move || {
        // Told when the work is over, or has panicked.
        let over = Over(&followed);
        let answer = pool.install(|| work(over.0));
        drop(over);
        answer
    });
    let thread = thread.map_err(errors::value)?;
    let interrupt = wait(py, args.callback.as_ref(), &watch)?;
    match py.detach(|| thread.join()) {
        Ok(Ok(answer)) => {
            let notes = std::mem::take(&mut watch.mail().notes);
            let stop = watch.stopped.get().map_or(Stop::ToleranceMet, |interrupt| Stop::from(*interrupt));
            Ok(Followed { answer, interrupt, notes, stop: stop.as_str() })
        }
        // A run that was cancelled and has nothing to show raises what cancelled it.
        Ok(Err(error)) => Err(interrupt.unwrap_or(error)),
        Err(_) => Err(PyRuntimeError::new_err("widedict: a thread panicked, which is a bug")),
    }
}

/// Tells that a run is over when it is dropped.
struct Over<'a>(&'a Watch);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.tell(|mail| mail.over = true);
    }
}

/// Waits for the end of a run: the exception that cancelled it.
fn wait(py: Python<'_>, callback: Option<&Py<PyAny>>, watch: &Watch) -> PyResult<Option<PyErr>> {
    let mut interrupt = None;
    let mut looked = Instant::now();
    loop {
        let (event, over) = py.detach(|| watch.next());
        let told = match (callback.filter(|_| interrupt.is_none()), event) {
            (Some(callback), Some(event)) => call(py, callback, event, watch),
            _ => Ok(false),
        };
        let told = match told {
            // A signal that came with the end is noticed too.
            Ok(cancel) if over || looked.elapsed() >= LOOK_EVERY => {
                looked = Instant::now();
                py.check_signals().map(|()| cancel)
            }
            told => told,
        };
        match told {
            Ok(true) => watch.cancel(),
            Ok(false) => {}
            Err(error) => {
                watch.cancel();
                if interrupt.is_some() {
                    return Err(error);
                }
                interrupt = Some(error);
            }
        }
        if over {
            return Ok(interrupt);
        }
    }
}

/// Calls back; whether the run is to be cancelled. Every event has every key: None for what it
/// does not tell, and for numbers that are not known.
fn call(py: Python<'_>, callback: &Py<PyAny>, event: Event, watch: &Watch) -> PyResult<bool> {
    let number = |value: f64| value.is_finite().then_some(value);
    let (phase, progress, rows) = match event {
        Event::Progress(told) => (told.phase, Some(told), None),
        Event::Rows(read, of, name) => (name, None, Some((read, of))),
        Event::Phase(name) => (name, None, None),
    };
    let fields = PyDict::new(py);
    fields.set_item("seconds", watch.started.elapsed().as_secs_f64())?;
    fields.set_item("phase", Some(phase).filter(|name| !name.is_empty()))?;
    fields.set_item("iteration", progress.map(|told| told.iteration))?;
    fields.set_item("objective", progress.and_then(|told| number(told.objective)))?;
    fields.set_item("lower_bound", progress.and_then(|told| number(told.lower_bound)))?;
    let estimated = progress.and_then(|told| number(told.estimated_lower_bound));
    fields.set_item("estimated_lower_bound", estimated)?;
    fields.set_item("atoms", progress.map(|told| told.atoms))?;
    fields.set_item("rows", rows.map(|(read, _)| read))?;
    fields.set_item("of", rows.map(|(_, of)| of))?;
    callback.bind(py).call1((fields,))?.is_truthy()
}
