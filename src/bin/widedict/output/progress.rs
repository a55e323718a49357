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
    /// How long the run may take.
    budget: Option<Duration>,
    /// The relative gap at which the run stops.
    tolerance: Option<f64>,
    display: Display,
    /// When a pass over the rows began.
    pass: Mutex<Option<Instant>>,
    /// Which part of the job is done, of how many, from 1.
    part: Mutex<Option<(usize, usize)>>,
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
        let budget = max_seconds.map(Duration::from_secs_f64);
        Self {
            started: Instant::now(),
            limit: budget.map(TimeLimit::new),
            budget,
            tolerance: None,
            display,
            pass: Mutex::new(None),
            part: Mutex::new(None),
        }
    }

    /// The same, for a run that stops at this relative gap.
    #[must_use]
    pub(crate) fn toward(self, tolerance: f64) -> Self {
        Self { tolerance: Some(tolerance), ..self }
    }

    /// How long it has been.
    pub(crate) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// Names what is done while no progress is told.
    pub(crate) fn phase(&self, name: &'static str) {
        self.show(|| name.to_owned());
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
            Display::Bar(bar) => bar.set_message(self.placed(&line())),
            Display::Lines(last) => {
                let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
                if last.elapsed() >= LINE_EVERY {
                    *last = Instant::now();
                    let line = self.placed(&line());
                    say(&format!("{:7.1} s  {line}", self.started.elapsed().as_secs_f64()));
                }
            }
        }
    }

    /// A line with the part it belongs to, and what is left of the clock.
    fn placed(&self, line: &str) -> String {
        let part = *self.part.lock().unwrap_or_else(PoisonError::into_inner);
        let left = self.budget.map(|budget| budget.saturating_sub(self.started.elapsed()));
        placed(line, part, left)
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

    fn part(&self, which: usize, of: usize) {
        *self.part.lock().unwrap_or_else(PoisonError::into_inner) = Some((which, of));
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
        self.show(|| line(progress, self.tolerance));
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

/// The row of a grid before a line, the rest of the clock behind it.
fn placed(line: &str, part: Option<(usize, usize)>, left: Option<Duration>) -> String {
    let part = part.map_or_else(String::new, |(which, of)| format!("row {which} of {of}, "));
    let left = left.map_or_else(String::new, |left| format!(" [at most {:.0} s more]", left.as_secs_f64()));
    format!("{part}{line}{left}")
}

/// What is known, in one line; what is not known is NaN and left out.
fn line(p: &Progress, tolerance: Option<f64>) -> String {
    let mut line = format!("{} {}", p.phase, p.iteration);
    let mut separator = ':';
    let mut say = |text: String| {
        line.push(separator);
        line.push(' ');
        line.push_str(&text);
        separator = ',';
    };
    for (name, value) in [
        ("objective", p.objective),
        ("certified bound", p.lower_bound),
        ("estimated bound", p.estimated_lower_bound),
    ] {
        // A bound of 0 is none.
        if value.is_finite() && (value > 0.0 || name == "objective") {
            say(format!("{name} {value:.6}"));
        }
    }
    if let Some(gap) = gap(p) {
        let target = tolerance.map_or_else(String::new, |t| format!(" (stops at {t:.0e})"));
        say(format!("gap {gap:.1e}{target}"));
    }
    if p.atoms > 0 {
        say(format!("{} atoms", p.atoms));
    }
    line
}

/// The relative gap to the better of both bounds, where a bound is known.
fn gap(p: &Progress) -> Option<f64> {
    let known = [p.lower_bound, p.estimated_lower_bound].into_iter().filter(|bound| *bound > 0.0);
    let best = known.max_by(f64::total_cmp)?;
    let gap = (p.objective - best) / p.objective;
    // An estimate above the objective is wrong.
    gap.is_finite().then_some(if gap > 0.0 { gap } else { 0.0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_takes_as_long_as_what_was_read() {
        assert_eq!(rows_line(0, 10, 0.0), "0 of 10 rows");
        assert_eq!(rows_line(2048, 8192, 2.0), "2048 of 8192 rows, 1024 a second, about 6 s left");
        assert_eq!(rows_line(10, 10, 5.0), "10 of 10 rows, 2 a second, about 0 s left");
    }

    #[test]
    fn a_line_tells_the_gap_and_what_it_must_be() {
        let known = Progress {
            phase: "column generation",
            iteration: 12,
            objective: 2.0,
            lower_bound: 1.5,
            estimated_lower_bound: 1.9,
            atoms: 80,
        };
        assert_eq!(
            line(&known, Some(5e-3)),
            "column generation 12: objective 2.000000, certified bound 1.500000, estimated bound 1.900000, \
             gap 5.0e-2 (stops at 5e-3), 80 atoms"
        );
        let certified = Progress { estimated_lower_bound: f64::NAN, ..known };
        assert!(line(&certified, None).contains("gap 2.5e-1, 80 atoms"));
        let above = Progress { estimated_lower_bound: 2.5, ..known };
        assert!(line(&above, None).contains("gap 0.0e0,"));
        let bare = Progress { phase: "coding", iteration: 3, ..Progress::unknown() };
        assert_eq!(line(&bare, Some(1e-3)), "coding 3");
    }

    #[test]
    fn a_line_tells_its_row_and_the_rest_of_the_clock() {
        assert_eq!(placed("descent", None, None), "descent");
        let left = Some(Duration::from_millis(2600));
        assert_eq!(placed("descent", Some((2, 5)), left), "row 2 of 5, descent [at most 3 s more]");
    }
}
