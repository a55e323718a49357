//! A conic program as clarabel takes it, and one run of clarabel on it.
//!
//! ```math
//! \min_x\ \tfrac12x^\top Px+q^\top x\quad\text{subject to}\quad Ax+s=b,\ s\in\mathcal K .
//! ```

use std::ops::ControlFlow;
use std::sync::mpsc;
use std::sync::{Mutex, PoisonError};

use clarabel::algebra::CscMatrix;
use clarabel::solver::{DefaultSettings, DefaultSolver, IPSolver, SolverStatus, SupportedConeT};

use crate::observer::{Interrupt, Observer, Stop};
use crate::solution::SolveError;

use super::status;

/// MiB as bytes.
const MIB: f64 = 1_048_576.0;

/// Refuses a program by its estimated size, before it is built.
///
/// # Errors
/// [`SolveError::TooLarge`], which names what to use `instead`.
#[expect(clippy::cast_precision_loss, reason = "an estimate")]
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an estimate; casts saturate")]
pub(crate) fn check_size(
    max_mib: u64,
    bytes: f64,
    program: &'static str,
    instead: &'static str,
) -> Result<(), SolveError> {
    let needed = (bytes / MIB).ceil();
    if needed <= max_mib as f64 {
        return Ok(());
    }
    Err(SolveError::TooLarge { program, needed_mib: needed as u64, limit_mib: max_mib, instead })
}

/// A sparse matrix under construction, a column after another.
#[derive(Clone, Debug, Default)]
pub(crate) struct Columns {
    starts: Vec<usize>,
    rows: Vec<usize>,
    values: Vec<f64>,
}

impl Columns {
    pub(crate) fn new() -> Self {
        Self { starts: vec![0], rows: Vec::new(), values: Vec::new() }
    }

    /// Adds an entry to the current column; rows must ascend. Zeros are left out.
    pub(crate) fn push(&mut self, row: usize, value: f64) {
        if value != 0.0 {
            self.rows.push(row);
            self.values.push(value);
        }
    }

    /// Adds an entry that is 0 to the current column: for the ordering there is something there.
    pub(crate) fn zero(&mut self, row: usize) {
        self.rows.push(row);
        self.values.push(0.0);
    }

    /// Ends the current column.
    pub(crate) fn end(&mut self) {
        self.starts.push(self.rows.len());
    }

    /// The matrix with that many rows.
    pub(crate) fn finish(self, rows: usize) -> CscMatrix<f64> {
        CscMatrix::new(rows, self.starts.len() - 1, self.starts, self.rows, self.values)
    }
}

/// A conic program.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    /// P, upper triangle.
    pub(crate) quadratic: CscMatrix<f64>,
    /// q.
    pub(crate) linear: Vec<f64>,
    /// A.
    pub(crate) constraints: CscMatrix<f64>,
    /// b.
    pub(crate) offsets: Vec<f64>,
    /// The factors of K in the order of the rows.
    pub(crate) cones: Vec<SupportedConeT<f64>>,
}

/// When clarabel stops by itself.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Accuracy {
    /// Gap and feasibility, absolute and relative, for programs of size 1.
    pub(crate) gap_tolerance: f64,
    /// Most interior-point iterations.
    pub(crate) max_iterations: u32,
    /// How clarabel factors its systems.
    pub(crate) factors: Factors,
}

/// How a system is factored. Named, never chosen by clarabel: what it chooses depends
/// on what it was built with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Factors {
    /// Entry by entry: best for sparse factors.
    Sparse,
    /// By dense blocks.
    #[cfg(feature = "sdp")]
    Blocked,
}

impl Factors {
    fn name(self) -> &'static str {
        match self {
            Self::Sparse => "qdldl",
            #[cfg(feature = "sdp")]
            Self::Blocked => "faer",
        }
    }
}

/// Where a run ended. Nothing here is believed: whoever uses it computes his own
/// numbers from `x` and `dual`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Raw {
    /// The primal point.
    pub(crate) x: Vec<f64>,
    /// The dual point, in the dual cone: `Px + q + Aᵀ·dual = 0` up to its accuracy.
    pub(crate) dual: Vec<f64>,
    /// Why the run ended, from the status.
    pub(crate) stop: Stop,
    /// Interior-point iterations made.
    pub(crate) iterations: usize,
}

impl Program {
    /// Runs clarabel on its own thread, which asks the observer before every
    /// iteration whether to go on. One factorization is not interrupted: the limits
    /// on memory keep it short.
    ///
    /// # Errors
    /// [`SolveError::Conic`] where the status, or a point that is not finite, says
    /// that there is nothing to use.
    pub(crate) fn solve(&self, accuracy: Accuracy, observer: &dyn Observer) -> Result<Raw, SolveError> {
        let settings = DefaultSettings {
            verbose: false,
            max_iter: accuracy.max_iterations,
            tol_gap_abs: accuracy.gap_tolerance,
            tol_gap_rel: accuracy.gap_tolerance,
            tol_feas: accuracy.gap_tolerance,
            // Nothing is removed from the program.
            presolve_enable: false,
            direct_solve_method: accuracy.factors.name().to_owned(),
            // The same numbers for any number of threads.
            max_threads: 1,
            ..DefaultSettings::default()
        };
        self.solve_with(settings, observer)
    }

    /// [`Program::solve`] with any settings.
    pub(crate) fn solve_with(
        &self,
        settings: DefaultSettings<f64>,
        observer: &dyn Observer,
    ) -> Result<Raw, SolveError> {
        let broken = |status: &str| SolveError::Conic { status: status.to_owned() };
        let parts = [&self.quadratic.nzval, &self.linear, &self.constraints.nzval, &self.offsets];
        if !parts.into_iter().flatten().all(|v| v.is_finite()) {
            // Clarabel accepts NaN, and answers something.
            return Err(broken("numbers in the program that are not finite"));
        }
        // The callback must own what it uses, so it asks through a channel.
        let (ask, asked) = mpsc::channel::<()>();
        let (reply, replies) = mpsc::channel::<bool>();
        let mut interrupt: Option<Interrupt> = None;
        let ended = std::thread::scope(|scope| {
            let worker = scope.spawn(move || self.run(settings, ask, replies));
            while asked.recv().is_ok() {
                if let ControlFlow::Break(stop) = observer.poll() {
                    interrupt = Some(stop);
                }
                if reply.send(interrupt.is_some()).is_err() {
                    break;
                }
            }
            worker.join()
        });
        let (status, x, dual, iterations) =
            ended.map_err(|_| broken("a panic"))?.map_err(|error| broken(&error))?;
        let stop = status::outcome(status, interrupt).map_err(|status| broken(&status))?;
        if !x.iter().chain(&dual).all(|v| v.is_finite()) {
            return Err(broken(&format!("{status} with numbers that are not finite")));
        }
        Ok(Raw { x, dual, stop, iterations })
    }

    fn run(
        &self,
        settings: DefaultSettings<f64>,
        ask: mpsc::Sender<()>,
        replies: mpsc::Receiver<bool>,
    ) -> Result<(SolverStatus, Vec<f64>, Vec<f64>, usize), String> {
        let mut solver = DefaultSolver::new(
            &self.quadratic,
            &self.linear,
            &self.constraints,
            &self.offsets,
            &self.cones,
            settings,
        )
        .map_err(|error| error.to_string())?;
        let replies = Mutex::new(replies);
        solver.set_termination_callback(move |_: &clarabel::solver::DefaultInfo<f64>| {
            let heard = || replies.lock().unwrap_or_else(PoisonError::into_inner).recv();
            // A caller that is gone wants no more.
            ask.send(()).is_err() || heard().unwrap_or(true)
        });
        solver.solve();
        let iterations = usize::try_from(solver.solution.iterations).unwrap_or(usize::MAX);
        let solution = solver.solution;
        Ok((solution.status, solution.x, solution.z, iterations))
    }
}
