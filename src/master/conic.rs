//! The conic master: codes over a fixed dictionary by clarabel, an interior-point
//! method, as a quadratic program with second-order cones.
//!
//! The conic master reaches the same optimum as the first-order master by other means: codes by
//! interior points, then atoms and codes together by Newton's method (`newton.rs`). Both masters
//! share the exact step on directions for given codes. `clarabel/lower.rs` writes the program. `clarabel/status.rs` judges how a run of clarabel
//! ended. `clarabel/lift.rs` turns the answer into codes and a dual point, which the certificate
//! checks like those of any other method.
//!
//! # Accuracy
//! On data of ordinary size the certified gap of the codes for their dictionary
//! ([`Coding`](crate::trusted::Coding)) is 1e-8 or less of the objective. What
//! limits it is the conditioning of the program: weights, or λ and γ, many decades
//! apart, nearly equal atoms, and in general the square root of the rounding unit
//! that a factorized quasi-definite system resolves. Whatever is left shows in the
//! gap, which is computed from the iterate.

use std::ops::ControlFlow;

use super::{Coded, Effort, Master, newton, sweep_once};
use crate::atoms::Dictionary;
use crate::clarabel::layout::ProgramLayout;
use crate::clarabel::program::{Accuracy, Factors, check_size};
use crate::clarabel::{lift, location, lower};
use crate::iterate::{Atom, Iterate, Moves};
use crate::linalg::{Matrix, Row, correlate};
use crate::num::{max, min};
use crate::observer::{Interrupt, Observer, Stop};
use crate::problem::Data;
use crate::problem::Problem;
use crate::solution::SolveError;
use crate::wide::Location;

/// Relative improvement of an alternation below which a descent stops even when the caller asks for
/// less. It is the accuracy of a conic solve.
const RESOLUTION: f64 = 1e-13;

/// Most conic solves in one descent. The atoms move between them. With three a run makes fewer
/// rounds in the same time.
const SOLVES: usize = 2;

/// Accuracy of the conic solves in a descent, as a share of the decrease that the descent asks for.
/// At 1 the solves would end as early as the descent may. At 0.01 they take a few more iterations.
const ACCURACY_SHARE: f64 = 0.03;

/// Largest tolerance of a conic solve in a descent.
const COARSE: f64 = 1e-5;

/// Most codes of a program that is solved whole, which takes some tenths of a second. Larger
/// programs leave out codes that end at 0.
const WHOLE: usize = 400;

/// Most programs of one solve in parts. On data four to eight suffice.
const SIFTS: usize = 20;

/// Most codes that a datapoint gains between two programs. Twice as many make programs
/// larger than necessary, half as many make more of them.
const ADMITTED: usize = 12;

/// Relative slack of a stationarity condition. Ten times less admits codes for the
/// solver's rounding, ten times more leaves gaps above 1e-8.
const STATIONARY: f64 = 1e-9;

/// Sweeps over the directions between two conic solves. They are cheap, and ten settle the
/// directions for the codes at hand.
const TURNS: usize = 10;

/// Most Newton steps on atoms and codes between two conic solves, of which one takes as long as
/// three to ten steps. Ten do as well on forty digits; without any they stand at a gap of 6e-4 after
/// a minute.
const STEPS: usize = 20;

/// The conic master and its limits.
///
/// # Examples
/// ```
/// use widedict::trusted::Coding;
/// use widedict::master::Conic;
/// use widedict::{Dictionary, Matrix, Problem};
/// let x = Matrix::from_columns(2, &[[1.0, 0.1], [0.9, 0.0], [0.0, 1.0]]);
/// let problem = Problem::builder(x).lambda(0.2).gamma(0.1).build()?;
/// let (dictionary, _) = Dictionary::normalize(Matrix::from_columns(2, &[[1.0, 0.0], [0.0, 1.0]]))?;
/// let coded = Conic::default().codes(&problem, &dictionary, &())?;
/// let proved = Coding::new(&problem, &coded.factorization, coded.dual.as_ref())?;
/// assert!(proved.relative_gap() <= 1e-8);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Conic {
    /// Accuracy asked of clarabel, relative to ½‖X̃‖². It stops where it gets no
    /// further, so asking for too much costs a few iterations and nothing else.
    pub gap_tolerance: f64,
    /// Most interior-point iterations of one solve.
    pub max_iterations: u32,
    /// Most memory, by estimate, that the factorization of one program may take.
    /// It also keeps an iteration, which cannot be interrupted, to some seconds.
    pub max_mib: u64,
}

impl Default for Conic {
    /// 1e-10 is near what the factorization resolves; most solves take 10 to 30
    /// iterations. 512 MiB are some thousand datapoints with fifty atoms.
    fn default() -> Self {
        Self { gap_tolerance: 1e-10, max_iterations: 100, max_mib: 512 }
    }
}

/// The result of one solve, except the codes, which stay in the iterate.
struct Recoded {
    dual: Option<Matrix>,
    stop: Stop,
    iterations: usize,
}

impl Conic {
    /// Optimal codes (and center) over a dictionary that stays as it is.
    ///
    /// # Errors
    /// [`SolveError::Setting`], [`SolveError::TooLarge`] before anything is built,
    /// [`SolveError::Conic`] where clarabel leaves nothing, [`SolveError::Breakdown`]
    /// where the dictionary does not fit the problem.
    pub fn codes(
        &self,
        problem: &Problem,
        dictionary: &Dictionary,
        observer: &dyn Observer,
    ) -> Result<Coded, SolveError> {
        let mut iterate = Iterate::with_dictionary(problem, dictionary)?;
        let recoded = self.recode(&mut iterate, self.gap_tolerance, SIFTS, observer)?;
        Ok(Coded {
            factorization: iterate.factorization()?,
            dual: recoded.dual,
            stop: recoded.stop,
            iterations: recoded.iterations,
        })
    }

    /// Minimizes `Σ wᵢ h_λ(‖xᵢ − b‖)` over b, λ > 0, by clarabel.
    ///
    /// Value and dual point are computed from the center: the certificate proves how
    /// close they are.
    ///
    /// # Errors
    /// [`SolveError::Setting`] unless λ > 0, [`SolveError::TooLarge`] and
    /// [`SolveError::Conic`] as [`Conic::codes`].
    pub fn location(
        &self,
        data: &Data,
        lambda: f64,
        observer: &dyn Observer,
    ) -> Result<Location, SolveError> {
        self.check()?;
        // The value is off by the square of what the center is: ask for more.
        let accuracy = Accuracy {
            gap_tolerance: 0.1 * self.gap_tolerance,
            max_iterations: self.max_iterations,
            factors: Factors::Sparse,
        };
        location::location(data, lambda, accuracy, self.max_mib, observer)
    }

    /// Refuses settings out of range.
    pub(crate) fn check(&self) -> Result<(), SolveError> {
        if self.gap_tolerance.is_finite() && self.gap_tolerance > 0.0 {
            return Ok(());
        }
        Err(SolveError::Setting {
            name: "the conic tolerance",
            needs: "a positive number",
            value: self.gap_tolerance,
        })
    }

    /// Computes optimal codes and center for the atoms of the iterate, and keeps them if the
    /// objective does not rise. A program with many codes, most of them 0, is solved in parts. A
    /// part holds the codes in use and those whose stationarity condition fails. Parts are solved
    /// until no condition fails, `parts` at most.
    fn recode(
        &self,
        iterate: &mut Iterate<'_>,
        tolerance: f64,
        parts: usize,
        observer: &dyn Observer,
    ) -> Result<Recoded, SolveError> {
        self.check()?;
        let mut recoded = Recoded { dual: None, stop: Stop::ToleranceMet, iterations: 0 };
        if iterate.atoms.is_empty() || zero_is_optimal(iterate) {
            let rows = vec![Row::default(); iterate.atoms.len()];
            iterate.set_rows(rows);
            return Ok(recoded);
        }
        let (len, atoms) = (iterate.problem.len(), iterate.atoms.len());
        let scale = lower::scale(iterate.problem);
        let directions: Vec<&[f64]> = iterate.atoms.iter().map(|a| a.direction.as_slice()).collect();
        let directions = Matrix::from_columns(iterate.problem.dim(), &directions);
        let whole = len * atoms <= WHOLE;
        let mut allowed = if whole { vec![(0..atoms).collect(); len] } else { in_use(iterate) };
        for sift in 0..parts {
            if !whole && !admit(iterate, &mut allowed) && sift > 0 {
                break;
            }
            let layout = ProgramLayout::new(iterate.problem, atoms, allowed.clone());
            check_size(self.max_mib, layout.bytes(), "conic program", "proximal method")?;
            let program = lower::program(iterate.problem, &directions, &layout, scale);
            let accuracy = Accuracy {
                gap_tolerance: tolerance,
                max_iterations: self.max_iterations,
                factors: Factors::Sparse,
            };
            let raw = program.solve(accuracy, observer)?;
            let before = iterate.snapshot();
            let objective = iterate.objective();
            let codes = lift::codes(&raw, &layout, scale);
            lift::set_cleaned(iterate, &codes);
            // Clarabel's codes are accurate against the largest one of all; an exact step makes
            // each accurate against its own datapoint.
            let swept = sweep_once(iterate, Moves::Codes, observer);
            if !(iterate.objective() <= objective) {
                iterate.restore(&before);
            }
            recoded.dual = Some(lift::dual(iterate.problem, &directions, &raw, &layout, scale));
            recoded.stop = raw.stop;
            recoded.iterations += raw.iterations;
            if let ControlFlow::Break(interrupt) = swept {
                recoded.stop = interrupt.into();
            }
            if whole || matches!(recoded.stop, Stop::TimeLimit | Stop::Cancelled) {
                break;
            }
            if sift + 1 == parts && admit(iterate, &mut allowed) {
                recoded.stop = Stop::IterationLimit;
            }
        }
        Ok(recoded)
    }

    /// Codes by clarabel for the directions, then better directions, in turn, until a turn gains
    /// less than asked for.
    fn alternate(
        &self,
        iterate: &mut Iterate<'_>,
        effort: Effort,
        observer: &dyn Observer,
    ) -> Result<(usize, ControlFlow<Interrupt>), SolveError> {
        let mut last = f64::INFINITY;
        let scale = lower::scale(iterate.problem);
        let tolerance = max(self.gap_tolerance, ACCURACY_SHARE * effort.decrease_tolerance / scale / scale);
        let tolerance = if tolerance.is_finite() { min(tolerance, COARSE) } else { self.gap_tolerance };
        let solves = effort.max_sweeps.min(SOLVES);
        for made in 1..=solves {
            if let ControlFlow::Break(interrupt) = observer.poll() {
                return Ok((made - 1, ControlFlow::Break(interrupt)));
            }
            match self.recode(iterate, tolerance, 1, observer)?.stop {
                Stop::TimeLimit => return Ok((made, ControlFlow::Break(Interrupt::TimeLimit))),
                Stop::Cancelled => return Ok((made, ControlFlow::Break(Interrupt::Cancelled))),
                Stop::ToleranceMet | Stop::IterationLimit | Stop::Stalled => {}
            }
            let objective = iterate.objective();
            let enough = max(effort.decrease_tolerance, RESOLUTION * objective);
            if last - objective <= enough || made == solves {
                return Ok((made, ControlFlow::Continue(())));
            }
            last = objective;
            if let ControlFlow::Break(interrupt) = move_atoms(iterate, enough, observer) {
                return Ok((made, ControlFlow::Break(interrupt)));
            }
        }
        Ok((effort.max_sweeps, ControlFlow::Continue(())))
    }
}

/// Better directions for the codes, then Newton steps on both until one gains less than `enough`.
fn move_atoms(iterate: &mut Iterate<'_>, enough: f64, observer: &dyn Observer) -> ControlFlow<Interrupt> {
    for _ in 0..TURNS {
        sweep_once(iterate, Moves::Directions, observer)?;
    }
    iterate.refresh();
    let mut objective = iterate.objective();
    for _ in 0..STEPS {
        observer.poll()?;
        let moved = newton::step(iterate, observer);
        let next = iterate.objective();
        if !moved || objective - next <= enough {
            break;
        }
        objective = next;
    }
    ControlFlow::Continue(())
}

impl Master for Conic {
    /// The conic solver may break down, or refuse the size.
    type Descended = Result<(usize, ControlFlow<Interrupt>), SolveError>;

    /// Codes by clarabel for the directions, then Newton steps on both, in turn.
    fn descend(&self, iterate: &mut Iterate<'_>, effort: Effort, observer: &dyn Observer) -> Self::Descended {
        self.alternate(iterate, effort, observer)
    }
}

/// The atoms each datapoint uses.
fn in_use(iterate: &Iterate<'_>) -> Vec<Vec<usize>> {
    let mut allowed = vec![Vec::new(); iterate.problem.len()];
    for (k, atom) in iterate.atoms.iter().enumerate() {
        atom.row.indices.iter().for_each(|&i| allowed[i].push(k));
    }
    allowed
}

/// Allows the codes that are 0 and whose stationarity condition (theorem `stationarity`) fails at
/// the residual of the iterate: `d_kᵀr̃ᵢ > λ²(aᵀz̃_k)aᵢ/g(z̃_k)`. For an unused atom, allows the
/// codes of the maximizer of its polar if that polar is above 1. Each datapoint gains only the
/// codes that fail by most. Returns whether any code was added.
fn admit(iterate: &mut Iterate<'_>, allowed: &mut [Vec<usize>]) -> bool {
    let (a, len) = (iterate.problem.data().sqrt_weights(), iterate.problem.len());
    let lambda_sq = iterate.problem.lambda() * iterate.problem.lambda();
    let gauge = iterate.gauge;
    let rows: Vec<(Vec<f64>, Row, f64)> =
        iterate.atoms.iter().map(|t| (t.direction.clone(), Row::clone(&t.row), t.gauge)).collect();
    let residual = iterate.residual();
    let (mut v, mut z) = (vec![0.0; len], vec![0.0; len]);
    let mut failing: Vec<Vec<(f64, usize)>> = vec![Vec::new(); len];
    for (k, (direction, row, value)) in rows.iter().enumerate() {
        correlate(residual, direction, &mut v);
        let (price, used) = if row.is_empty() {
            let polar = gauge.polar(&v, 0.0, &mut z);
            (polar.tau, polar.value > 1.0 + STATIONARY)
        } else {
            let mass: f64 = row.iter().map(|(i, z)| a[i] * z).sum();
            (lambda_sq * mass / value, true)
        };
        if !used {
            continue;
        }
        for (i, (v, a)) in v.iter().zip(a).enumerate() {
            // By how much a unit of code would gain.
            let excess = v - price * a;
            let counts = if row.is_empty() { excess >= 0.0 } else { excess > STATIONARY * v.abs() };
            if counts && *v > 0.0 && allowed[i].binary_search(&k).is_err() {
                failing[i].push((excess, k));
            }
        }
    }
    let mut any = false;
    for (list, mut failing) in allowed.iter_mut().zip(failing) {
        failing.sort_by(|l, r| r.0.total_cmp(&l.0));
        failing.truncate(ADMITTED);
        any |= !failing.is_empty();
        list.extend(failing.into_iter().map(|(_, k)| k));
        list.sort_unstable();
    }
    any
}

/// Whether no code at all is optimal: `g°(R̃ᵀd_k) ≤ 1` at the residual of Z = 0.
fn zero_is_optimal(iterate: &mut Iterate<'_>) -> bool {
    let mut bare = Iterate::new(iterate.problem);
    let residual = bare.residual();
    let mut v = vec![0.0; iterate.problem.len()];
    let mut z = v.clone();
    iterate.atoms.iter().all(|Atom { direction, .. }| {
        correlate(residual, direction, &mut v);
        iterate.gauge.polar(&v, 0.0, &mut z).value <= 1.0
    })
}
