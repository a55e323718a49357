//! A lower bound for a given number of atoms: the search for its evidence (theorem
//! `width-bound`).

use std::ops::ControlFlow;

use rayon::prelude::*;

use crate::atoms::Factorization;
use crate::bounding::MOST_WIDTH_DATAPOINTS;
use crate::certificate::{Certified, Verdict, Witness};
use crate::gauge::Moments;
use crate::linalg::{Columns, Matrix};
use crate::num::{max, min};
use crate::observer::{Interrupt, Observer, Progress};
use crate::problem::Problem;
use crate::search::relaxation::width::Prospect;
use crate::solution::{Run, SolveError};
use crate::solve::column_generation::ColumnGeneration;
use crate::trusted::{Subject, WidthSplit, bounds, width};

/// How far the dual point is pulled from the convex problem's residuals towards λx/‖x‖, where
/// the datapoint gains nothing.
const PULLS: [f64; 5] = [0.1, 0.05, 0.0, 0.2, 0.4];

/// Angles from which multiples of the datapoints are seen that are tried as dual points in few
/// dimensions, and by how much they fall; and how many more about the best.
const ANGLES: usize = 24;
const ANGLE_FALLS: f64 = 0.84;
const REFINED: usize = 3;

/// Datapoints in whose direction an atom is tried: so many, and fewer where there are many, as each
/// looks at all of them.
const SAMPLED: usize = 400;
const SAMPLED_PAIRS: usize = 100_000;

/// Most datapoints for which cones are fine enough that no split is searched for beside them.
const CONES_SUFFICE: usize = 400;

/// Where nothing is promised for the number of atoms asked for, the search is made for so many times
/// as many, and then with multiples of the datapoints that atoms within these angles see.
const MORE_ATOMS: [usize; 2] = [4, 16];
const RADIAL_ANGLES: [f64; 3] = [0.3, 0.6, 0.9];

/// First atom price tried, as a part of λ, and by how much the next ones fall (or rise, where
/// the first is too small).
const FIRST_PRICE: f64 = 0.1;
const FALL: f64 = 0.5;

/// The rule is met to this logarithm: the bound is flat there.
const NEAR: f64 = 0.15;

/// A price that is interpolated lies between these parts of the last one: beyond, the rule is
/// not a power law, and closer, nothing changes.
const FARTHEST: f64 = 0.3;
const NEAREST: f64 = 0.9;

/// Most prices tried.
const MOST_PRICES: usize = 12;

/// The search for evidence of theorem `width-bound`.
///
/// The dual point comes from the convex problem at (λ, γ): its residuals are longer than λ
/// where atoms are shared. γ is taken where an atom more would pay for itself,
///
/// ```math
/// \sum_k\frac{q_k}{g(z_k)}=\frac{M\bar u}{\lambda},\qquad q_k=\sum_iw_iz_{ki}^2 ,
/// ```
///
/// with ū the mean of what an atom can take from a datapoint. The split is
/// [`Prospect::split`]'s; where those residuals promise nothing, others and multiples of the
/// datapoints are tried. In at most four dimensions the checker cuts cones as well: for up to 400
/// datapoints alone, and for up to `whole` beside a split. For them residuals at all prices on the
/// way, and multiples of the datapoints, are compared by [`width::takings`].
///
/// # Guarantees
/// What is found is evidence: [`width::line`] proves the bound
/// ([`width-bound`](crate::proofs::width_bound)). Not claimed: that it is the best.
///
/// # Cost
/// Runs of column generation at falling prices, then O(N³) a step of the search for a split,
/// O(N²) memory; with parts of r datapoints O(r²N) a step and O(rN) memory; no N × N matrix for up
/// to 400 datapoints in at most four dimensions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WidthBound {
    /// How the convex problems are solved: roughly, as they only propose a dual point.
    pub column_generation: ColumnGeneration,
    /// Most datapoints that one split holds together. More are cut into parts.
    pub whole: usize,
    /// Most datapoints of a part; fewer where all parts together would hold more numbers than one
    /// split of `whole` datapoints does.
    pub part: usize,
    /// Largest N accepted.
    pub max_datapoints: usize,
}

impl Default for WidthBound {
    fn default() -> Self {
        Self {
            column_generation: ColumnGeneration { gap_tolerance: 2e-2, ..ColumnGeneration::default() },
            whole: 4000,
            part: 1000,
            max_datapoints: MOST_WIDTH_DATAPOINTS,
        }
    }
}

/// Tells that another problem is being solved. Its numbers bound nothing that was asked about.
struct Renamed<'a>(&'a dyn Observer);

impl Observer for Renamed<'_> {
    fn poll(&self) -> ControlFlow<Interrupt> {
        self.0.poll()
    }

    fn progress(&self, progress: &Progress) {
        let nothing = f64::NAN;
        self.0.progress(&Progress {
            phase: "atoms priced for the width's bound",
            objective: nothing,
            lower_bound: nothing,
            estimated_lower_bound: nothing,
            ..*progress
        });
    }
}

/// Hears of the end, and tells nothing: what is said of a part is not of the whole.
struct Quiet<'a>(&'a dyn Observer);

impl Observer for Quiet<'_> {
    fn poll(&self) -> ControlFlow<Interrupt> {
        self.0.poll()
    }
}

impl WidthBound {
    /// Whether the theorem speaks of the problem, and the search takes its size.
    #[must_use]
    pub fn applies(&self, problem: &Problem) -> bool {
        problem.gamma() == 0.0
            && problem.lambda() > 0.0
            && !problem.centered()
            && problem.len() <= self.max_datapoints
    }

    /// Adds the bound of dictionaries of `width` atoms to a certified factorization and its
    /// witness. Both come back as they were where the theorem does not apply, where there are as
    /// many atoms as datapoints, where the observer has broken, where nothing is found above the
    /// bound of every width, and, in more than four dimensions, where the factorization is proved
    /// optimal among all widths.
    ///
    /// # Errors
    /// Those of [`WidthBound::search`].
    pub fn extend(
        &self,
        problem: &Problem,
        (certified, witness): (Certified, Witness),
        width: usize,
        run: &Run<'_>,
    ) -> Result<(Certified, Witness), SolveError> {
        // In few dimensions it is cheap, and closer than the tolerance of a proof of optimality.
        let global = *certified.certificate().verdict() == Verdict::Global;
        let enough = global && !width::cuts_cones(problem.dim());
        if enough || width >= problem.len() || run.observer.poll().is_break() {
            return Ok((certified, witness));
        }
        let split = self.search(problem, width, run)?;
        // What was found when the observer broke promises something, and is proved: a second or two at
        // 2000 datapoints.
        let proved = split.and_then(|split| Some((width::line(problem, &split)?, split)));
        // Evidence of nothing more than the bound of every width is not kept.
        let every = certified.certificate().lower_bound();
        Ok(match proved.filter(|(line, _)| line.at(width) > every) {
            Some((line, split)) => (certified.with_width(line), Witness { width: Some(split), ..witness }),
            None => (certified, witness),
        })
    }

    /// Evidence for dictionaries of `target` atoms, of parts of the datapoints where there are more
    /// than `whole`. `None` where the theorem does not apply, no datapoint gains anything, or the gain
    /// is not expected to pay for so many atoms.
    ///
    /// # Errors
    /// Those of [`ColumnGeneration::solve`].
    pub fn search(
        &self,
        problem: &Problem,
        target: usize,
        run: &Run<'_>,
    ) -> Result<Option<WidthSplit>, SolveError> {
        if !self.applies(problem) {
            return Ok(None);
        }
        let cones = width::cuts_cones(problem.dim());
        if cones && problem.len() <= CONES_SUFFICE {
            let visited = self.convex(problem, target, run)?;
            return by_cones(problem, &visited, target, run);
        }
        if problem.len() > self.whole {
            return self.in_parts(problem, target, run);
        }
        let (split, visited) = self.by_split(problem, target, run)?;
        if !cones || run.observer.poll().is_break() {
            return Ok(split);
        }
        // With many datapoints cones stay coarse: whichever proves more.
        let found = [split, by_cones(problem, &visited, target, run)?].into_iter().flatten();
        let proved = found.filter_map(|split| Some((width::line(problem, &split)?.at(target).get(), split)));
        Ok(proved.max_by(|one, two| one.0.total_cmp(&two.0)).map(|(_, split)| split))
    }

    /// A split of all datapoints, and the convex solutions at falling prices.
    fn by_split(
        &self,
        problem: &Problem,
        target: usize,
        run: &Run<'_>,
    ) -> Result<(Option<WidthSplit>, Vec<Factorization>), SolveError> {
        let visited = self.convex(problem, target, run)?;
        let mut prospect = by_residuals(problem, visited.last(), target, run)?;
        // What holds for more atoms holds for fewer.
        for more in MORE_ATOMS {
            let more = target.saturating_mul(more);
            if prospect.is_some() || more >= problem.len() || run.observer.poll().is_break() {
                break;
            }
            let visited = self.convex(problem, more, run)?;
            prospect = by_residuals(problem, visited.last(), target, run)?;
        }
        let prospect = prospect.or_else(|| {
            let radial = RADIAL_ANGLES.iter().map(|&angle| (radial(problem, angle), Vec::new()));
            best_of(problem, radial, target, run)
        });
        Ok((prospect.and_then(|prospect| prospect.split(problem, target, run.observer)), visited))
    }

    /// Every `p`-th datapoint is a part, for `p` parts of alike size: a dictionary costs each of them
    /// at least what the best one of as many atoms does. A part whose search found nothing, or was
    /// not begun when the observer broke, gains and pays nothing.
    fn in_parts(
        &self,
        problem: &Problem,
        target: usize,
        run: &Run<'_>,
    ) -> Result<Option<WidthSplit>, SolveError> {
        let len = problem.len();
        let most = self.part.min(self.whole).min(self.whole * self.whole / len).max(1);
        let rows = len.div_ceil(len.div_ceil(most));
        let parts = WidthSplit::parts(len, rows);
        let mut dual = Matrix::zeros(problem.dim(), len);
        let mut slack = Matrix::zeros(rows, len);
        // As many atoms as datapoints cost what every width does.
        if target >= rows {
            return Ok(None);
        }
        let (mut any, mut bound) = (false, bounds::wide_limit(problem).lower.get());
        for part in 0..parts {
            if run.observer.poll().is_break() {
                break;
            }
            let members: Vec<usize> = (part..len).step_by(parts).collect();
            let Ok(alone) = problem.part(&members).build() else { continue };
            let quiet = Quiet(run.observer);
            let run = Run { observer: &quiet, ..Run::default() };
            let (found, _) = self.by_split(&alone, target, &run)?;
            // What every width costs the part, and more where the line says so. Its weights are
            // normalized: neither the dual point nor T₀ depends on that.
            let wide = bounds::wide_limit(&alone).lower.get();
            let share: f64 = members.iter().map(|&i| problem.data().weights()[i]).sum();
            let gained = found.filter(|split| {
                let above = width::line(&alone, split).map_or(0.0, |line| line.at(target).get() - wide);
                bound += share * max(above, 0.0);
                above > 0.0
            });
            quiet.0.progress(&Progress {
                phase: "bound of the width, part",
                iteration: part + 1,
                objective: f64::NAN,
                lower_bound: f64::NAN,
                estimated_lower_bound: bound,
                atoms: target,
            });
            let Some(WidthSplit { dual: points, slack: Some(pairs) }) = gained else { continue };
            any = true;
            for (k, &i) in members.iter().enumerate() {
                dual.col_mut(i).copy_from_slice(points.col(k));
                slack.col_mut(i)[..members.len()].copy_from_slice(pairs.col(k));
            }
        }
        Ok(any.then_some(WidthSplit { dual, slack: Some(slack) }))
    }

    /// Convex solutions at falling prices, the last at the one that the rule asks for.
    fn convex(
        &self,
        problem: &Problem,
        target: usize,
        run: &Run<'_>,
    ) -> Result<Vec<Factorization>, SolveError> {
        let mut price = FIRST_PRICE * problem.lambda();
        // Logarithms of a price and of the rule's two sides' ratio, where it is below 1.
        let mut above: Option<(f64, f64)> = None;
        let mut visited: Vec<Factorization> = Vec::new();
        let observer = Renamed(run.observer);
        for attempt in 0..MOST_PRICES {
            if attempt > 0 && run.observer.poll().is_break() {
                break;
            }
            let Ok(priced) = problem.with_penalty(problem.lambda(), price) else { break };
            let start = visited.last().or(run.start);
            let solution = self
                .column_generation
                .solve_with(&priced, &Run { start, observer: &observer, ..Run::default() })?;
            let found = solution.certified.solution().clone();
            let ratio = rule(problem, &priced, &found, target)?;
            visited.push(found);
            let Some(ratio) = ratio else {
                price *= FALL;
                continue;
            };
            let here = (price.ln(), ratio.ln());
            if ratio.ln().abs() < NEAR {
                break;
            }
            price = match above {
                _ if ratio < 1.0 => {
                    // The ratio grows about as the price's square falls.
                    let next = match above {
                        Some(last) if last.1 < here.1 => {
                            let slope = (here.1 - last.1) / (here.0 - last.0);
                            (here.0 - here.1 / slope).exp()
                        }
                        _ => price * FALL,
                    };
                    above = Some(here);
                    min(max(next, FARTHEST * price), NEAREST * price)
                }
                Some(last) => {
                    let slope = (here.1 - last.1) / (here.0 - last.0);
                    let next = (here.0 - here.1 / slope).exp();
                    if !(NEAREST * next > price) {
                        break;
                    }
                    next
                }
                None => price / FALL,
            };
        }
        Ok(visited)
    }
}

/// What the residuals of a convex solution promise most, pulled or not.
fn by_residuals(
    problem: &Problem,
    convex: Option<&Factorization>,
    target: usize,
    run: &Run<'_>,
) -> Result<Option<Prospect>, SolveError> {
    let Some(convex) = convex else { return Ok(None) };
    let residuals = residuals(problem, convex)?;
    let rows: Vec<Vec<(usize, f64)>> = convex.codes().rows().iter().map(|row| row.iter().collect()).collect();
    let pulled = PULLS.iter().map(|&pull| (pulled(problem, &residuals, pull), rows.clone()));
    Ok(best_of(problem, pulled, target, run))
}

/// The dual point, with codes that are used together, that promises most; `None` where none
/// promises anything for so many atoms.
fn best_of(
    problem: &Problem,
    duals: impl Iterator<Item = (Matrix, Vec<Vec<(usize, f64)>>)>,
    target: usize,
    run: &Run<'_>,
) -> Option<Prospect> {
    let mut best: Option<(f64, Prospect)> = None;
    for (tried, (dual, rows)) in duals.enumerate() {
        if tried > 0 && run.observer.poll().is_break() {
            break;
        }
        let Some(prospect) = Prospect::of(problem, dual, &rows, run.observer) else { continue };
        let promise = prospect.promise(target);
        if promise > best.as_ref().map_or(0.0, |(most, _)| *most) {
            best = Some((promise, prospect));
        }
    }
    best.map(|(_, prospect)| prospect)
}

/// The best dual point for cones: residuals of the visited solutions, pulled, or multiples of
/// the datapoints.
fn by_cones(
    problem: &Problem,
    visited: &[Factorization],
    target: usize,
    run: &Run<'_>,
) -> Result<Option<WidthSplit>, SolveError> {
    let directions = directions(problem, visited);
    let mut best: Option<(f64, Matrix)> = None;
    // What the dual point is worth; it is kept where that is the most so far.
    let mut worth = |dual: Matrix| {
        let (gross, most) = width::takings(problem, &dual, &directions)?;
        #[expect(clippy::cast_precision_loss, reason = "a count of atoms")]
        let value = gross - target as f64 * most;
        if value > best.as_ref().map_or(0.0, |(most, _)| *most) {
            best = Some((value, dual));
        }
        Some(value)
    };
    let mut highest = (0.0, std::f64::consts::FRAC_PI_2);
    let mut look = |angle: f64, highest: &mut (f64, f64)| {
        if run.observer.poll().is_continue() {
            let value = worth(radial(problem, angle)).unwrap_or(0.0);
            if value > highest.0 {
                *highest = (value, angle);
            }
        }
    };
    // A grid, then either side of its best, ever closer.
    let mut angle = highest.1;
    for _ in 0..ANGLES {
        angle *= ANGLE_FALLS;
        look(angle, &mut highest);
    }
    let mut factor = ANGLE_FALLS;
    for _ in 0..REFINED {
        factor = factor.sqrt();
        let angle = highest.1;
        look(angle * factor, &mut highest);
        look(angle / factor, &mut highest);
    }
    for solution in visited {
        let residuals = residuals(problem, solution)?;
        for pull in PULLS {
            if run.observer.poll().is_break() {
                break;
            }
            worth(pulled(problem, &residuals, pull));
        }
    }
    Ok(best.map(|(_, dual)| WidthSplit { dual, slack: None }))
}

/// Directions in which an atom may take much: of some datapoints, and the visited solutions'
/// atoms.
fn directions(problem: &Problem, visited: &[Factorization]) -> Matrix {
    let data = problem.data();
    let count = data.len().min(SAMPLED).min((SAMPLED_PAIRS / data.len()).max(1));
    let sampled = (0..count).map(|k| data.datapoint(k * data.len() / count).into_owned());
    let atoms = visited.iter().flat_map(|found| found.dictionary().atoms()).map(<[f64]>::to_vec);
    let units: Vec<Vec<f64>> = sampled
        .chain(atoms)
        .map(|v| (crate::linalg::norm(&v), v))
        .filter(|(length, _)| *length > 0.0)
        .map(|(length, v)| v.iter().map(|x| x / length).collect())
        .collect();
    let columns: Vec<&[f64]> = units.iter().map(Vec::as_slice).collect();
    Matrix::from_columns(problem.dim(), &columns)
}

/// `λx/(‖x‖cos φ)`, which atoms within the angle φ of x see; no longer than x.
fn radial(problem: &Problem, angle: f64) -> Matrix {
    let length = problem.lambda() / angle.cos();
    let mut dual = problem.data().datapoints().to_matrix();
    for i in 0..dual.ncols() {
        let size = crate::linalg::norm(dual.col(i));
        if size > length {
            dual.col_mut(i).iter_mut().for_each(|r| *r *= length / size);
        }
    }
    dual
}

fn residuals(problem: &Problem, found: &Factorization) -> Result<Matrix, SolveError> {
    Ok(Subject::of(problem, found)?.residuals().to_matrix())
}

/// `Σ_k q_k/g(z_k)` over `Mū/λ`; `None` without an atom or a datapoint that gains.
fn rule(
    problem: &Problem,
    priced: &Problem,
    found: &Factorization,
    target: usize,
) -> Result<Option<f64>, SolveError> {
    let subject = Subject::of(priced, found)?;
    let weights = problem.data().weights();
    let sum: f64 = found
        .codes()
        .rows()
        .iter()
        .map(|row| Moments::of(weights, row))
        .filter(|moments| moments.energy > 0.0)
        .map(|moments| moments.energy / priced.penalty().price(moments))
        .sum();
    let residuals = subject.residuals();
    let reaches: Vec<(f64, f64)> = (0..problem.len())
        .into_par_iter()
        .filter_map(|i| width::gain(problem, i, &residuals.column(i)).map(|(_, reach)| (weights[i], reach)))
        .collect();
    let total: f64 = reaches.iter().map(|(w, _)| w).sum();
    let mean = reaches.iter().map(|(w, u)| w * u).sum::<f64>() / total;
    #[expect(clippy::cast_precision_loss, reason = "a count of atoms")]
    let side = target as f64 * mean / problem.lambda();
    Ok((side > 0.0 && sum > 0.0).then(|| sum / side))
}

/// `rᵢ` moved a share of the way to `λxᵢ/‖xᵢ‖`.
fn pulled(problem: &Problem, residuals: &Matrix, share: f64) -> Matrix {
    let lambda = problem.lambda();
    let mut dual = residuals.clone();
    for i in 0..dual.ncols() {
        let x = problem.data().datapoint(i);
        let length = crate::linalg::norm(&x);
        let scale = if length > lambda { lambda / length } else { 1.0 };
        dual.col_mut(i).iter_mut().zip(&*x).for_each(|(r, x)| *r += share * (scale * x - *r));
    }
    dual
}
