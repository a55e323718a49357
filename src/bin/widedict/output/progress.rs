//! Follows a run: the clock, signals, and what is shown meanwhile.

use std::io::IsTerminal;
use std::ops::ControlFlow;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use widedict::answer::Follow;
use widedict::reduce::Agreed;
use widedict::{Interrupt, Observer, Progress, TimeLimit};

use super::say;
use crate::signals;

/// Time between two lines where standard error is not a terminal.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// Time between two frames of the bar.
const FRAME: Duration = Duration::from_millis(120);

/// The observer of a run.
pub(crate) struct Watch {
    started: Instant,
    limit: Option<TimeLimit>,
    display: Display,
    /// When a pass over the rows began.
    pass: Mutex<Option<Instant>>,
}

enum Display {
    Quiet,
    Bar(ProgressBar),
    /// When the last line was printed.
    Lines(Mutex<Instant>),
}

impl Watch {
    /// Starts the clock, once the input is read. From here the first Ctrl-C asks the run to
    /// end with what it has, the second ends the process.
    pub(crate) fn start(max_seconds: Option<f64>, quiet: bool) -> Self {
        signals::run_begins();
        let display = if quiet || !crate::ranks::is_root() {
            Display::Quiet
        } else if std::io::stderr().is_terminal() {
            let bar = ProgressBar::new_spinner();
            bar.set_style(
                ProgressStyle::with_template("{spinner} {elapsed} {msg}").expect("a valid template"),
            );
            bar.enable_steady_tick(FRAME);
            Display::Bar(bar)
        } else {
            Display::Lines(Mutex::new(Instant::now()))
        };
        let limit = max_seconds.map(|seconds| TimeLimit::new(Duration::from_secs_f64(seconds)));
        Self { started: Instant::now(), limit, display, pass: Mutex::new(None) }
    }

    /// How long it has been.
    pub(crate) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// Names what is done while no progress is told.
    pub(crate) fn phase(&self, name: &'static str) {
        if let Display::Bar(bar) = &self.display {
            bar.set_message(name);
        }
    }

    /// Says something on standard error, unless the run is quiet.
    pub(crate) fn note(&self, text: &str) {
        if !matches!(self.display, Display::Quiet) {
            say(&format!("note: {text}"));
        }
    }

    /// Shows a line: in the bar at once, else from time to time.
    fn show(&self, line: impl FnOnce() -> String) {
        match &self.display {
            Display::Quiet => {}
            Display::Bar(bar) => bar.set_message(line()),
            Display::Lines(last) => {
                let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
                if last.elapsed() >= LINE_EVERY {
                    *last = Instant::now();
                    say(&format!("{:7.1} s  {}", self.started.elapsed().as_secs_f64(), line()));
                }
            }
        }
    }

    /// Takes the bar away.
    pub(crate) fn finish(&self) {
        if let Display::Bar(bar) = &self.display {
            bar.finish_and_clear();
        }
    }
}

impl Follow for Watch {
    fn elapsed(&self) -> Duration {
        Self::elapsed(self)
    }

    fn phase(&self, name: &'static str) {
        Self::phase(self, name);
    }

    fn note(&self, text: &str) {
        Self::note(self, text);
    }
}

/// What follows a job of several processes: clocks and signals by agreement.
pub(crate) struct Together<'w> {
    pub(crate) agreed: Agreed<'w>,
    pub(crate) watch: &'w Watch,
}

impl Follow for Together<'_> {
    fn elapsed(&self) -> Duration {
        self.watch.elapsed()
    }

    fn phase(&self, name: &'static str) {
        self.watch.phase(name);
    }

    fn note(&self, text: &str) {
        self.watch.note(text);
    }
}

impl Observer for Together<'_> {
    fn poll(&self) -> ControlFlow<Interrupt> {
        self.agreed.poll()
    }

    fn progress(&self, progress: &Progress) {
        self.agreed.progress(progress);
    }

    fn rows(&self, read: usize, of: usize) {
        self.agreed.rows(read, of);
    }
}

impl Observer for Watch {
    fn poll(&self) -> ControlFlow<Interrupt> {
        if signals::asked_to_end() {
            ControlFlow::Break(Interrupt::Cancelled)
        } else {
            self.limit.map_or(ControlFlow::Continue(()), |limit| limit.poll())
        }
    }

    fn progress(&self, progress: &Progress) {
        self.show(|| line(progress));
    }

    fn rows(&self, read: usize, of: usize) {
        let mut pass = self.pass.lock().unwrap_or_else(PoisonError::into_inner);
        let began = match *pass {
            Some(began) if read > 0 => began,
            _ => *pass.insert(Instant::now()),
        };
        self.show(|| rows_line(read, of, began.elapsed().as_secs_f64()));
    }
}

/// How far a pass over the rows is, how fast it goes, and how long the rest takes at that
/// speed.
#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
fn rows_line(read: usize, of: usize, seconds: f64) -> String {
    let line = format!("{read} of {of} rows");
    let rate = read as f64 / seconds;
    if read == 0 || !rate.is_finite() {
        return line;
    }
    format!("{line}, {rate:.0} a second, about {:.0} s left", (of - read) as f64 / rate)
}

/// What is known, in one line; what is not known is NaN and left out.
fn line(p: &Progress) -> String {
    let mut line = format!("{} {}: objective {:.6}", p.phase, p.iteration, p.objective);
    for (name, value) in [("certified bound", p.lower_bound), ("estimated", p.estimated_lower_bound)] {
        if value.is_finite() {
            line.push_str(&format!(", {name} {value:.6}"));
        }
    }
    line.push_str(&format!(", {} atoms", p.atoms));
    line
}

#[cfg(test)]
mod tests {
    use super::rows_line;

    #[test]
    fn what_is_left_takes_as_long_as_what_was_read() {
        assert_eq!(rows_line(0, 10, 0.0), "0 of 10 rows");
        assert_eq!(rows_line(2048, 8192, 2.0), "2048 of 8192 rows, 1024 a second, about 6 s left");
        assert_eq!(rows_line(10, 10, 5.0), "10 of 10 rows, 2 a second, about 0 s left");
    }
}
