//! Codes over a fixed dictionary as a conic program.
//!
//! In units of the data's size σ = ‖X̃‖ (X̃/σ, Z̃/σ, λ/σ, γ/σ, value/σ²), with
//! variables `z_i ∈ R^M` a datapoint, `t ∈ R^M` for γ > 0, and the center b where one
//! is learnt:
//!
//! ```math
//! \min\ \tfrac12\lVert\tilde X-ba^\top-D\tilde Z\rVert^2+\sum_kt_k
//! \quad\text{subject to}\quad\tilde Z\ge0,\quad
//! (t_k,\ \lambda a^\top\tilde z_k,\ \gamma\tilde z_k)\in\mathrm{SOC}.
//! ```
//!
//! Codes that are not variables of the program are 0 (`allowed`), which is how a large
//! one is solved in parts. γ = 0 has no t and no cone but the orthant: its price `λ aᵀz̃_k` is linear. λ = 0
//! leaves the middle entry out. The fit is quadratic in P: by `G = DᵀD`, N blocks of
//! M × M, where M ≤ n (M the most atoms a datapoint may use) and no center is learnt; else over the residual,
//! `R̃ + ba^T + DZ̃ = X̃` as nN equations, which keeps blocks of n × n.

use clarabel::solver::SupportedConeT;

use super::program::{Columns, Program};
use crate::linalg::{Matrix, norm_sq};
use crate::num::max;
use crate::problem::Problem;

/// Which codes are variables, and where the parts of the program are.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Layout {
    /// n, N, M.
    pub(crate) dim: usize,
    pub(crate) len: usize,
    pub(crate) atoms: usize,
    /// Whether the residual is a variable.
    pub(crate) residual: bool,
    /// Whether there are cones: γ > 0.
    pub(crate) priced: bool,
    /// Whether λ > 0.
    pub(crate) massed: bool,
    /// Whether b is a variable.
    pub(crate) centered: bool,
    /// The atoms each datapoint may use, ascending; other codes are 0.
    pub(crate) allowed: Vec<Vec<usize>>,
    /// First variable of each datapoint, and their number.
    first: Vec<usize>,
    /// First row of each atom's cone within the cones, and their end.
    cones: Vec<usize>,
}

impl Layout {
    /// The program over the codes that are `allowed`.
    pub(crate) fn new(problem: &Problem, atoms: usize, allowed: Vec<Vec<usize>>) -> Self {
        let (dim, centered) = (problem.dim(), problem.centered());
        let (priced, massed) = (problem.gamma() > 0.0, problem.lambda() > 0.0);
        let mut first = vec![0];
        let mut sizes = vec![0; atoms];
        for list in &allowed {
            first.push(first[first.len() - 1] + list.len());
            list.iter().for_each(|&k| sizes[k] += 1);
        }
        let head = 1 + usize::from(massed);
        let mut cones = vec![0];
        for size in sizes {
            let rows = if priced && size > 0 { head + size } else { 0 };
            cones.push(cones[cones.len() - 1] + rows);
        }
        let most = allowed.iter().map(Vec::len).max().unwrap_or(0);
        let residual = centered || most > dim;
        Self { dim, len: problem.len(), atoms, residual, priced, massed, centered, allowed, first, cones }
    }

    /// Codes that are variables.
    pub(crate) fn codes(&self) -> usize {
        self.first[self.len]
    }

    /// The variable of the first code of datapoint `i`.
    pub(crate) fn first(&self, i: usize) -> usize {
        self.first[i]
    }

    /// Atoms that some datapoint may use: those with a cone, where there are cones.
    fn has_cone(&self, k: usize) -> bool {
        self.cones[k + 1] > self.cones[k]
    }

    fn prices(&self) -> usize {
        (0..self.atoms).filter(|&k| self.has_cone(k)).count()
    }

    /// First variable of the residual; those of the prices t come before.
    pub(crate) fn residuals(&self) -> usize {
        self.codes() + self.prices()
    }

    /// First row of `Z̃ ≥ 0`; the equations come before.
    pub(crate) fn signs(&self) -> usize {
        if self.residual { self.dim * self.len } else { 0 }
    }

    /// First row of the cone of atom `k`.
    fn cone(&self, k: usize) -> usize {
        self.signs() + self.codes() + self.cones[k]
    }

    fn rows(&self) -> usize {
        self.cone(self.atoms)
    }

    /// Estimated memory of clarabel's factorization, in bytes.
    ///
    /// A datapoint's variables eliminate to a dense block, of its number of codes or
    /// of n over the residual, and the cones and the center couple the datapoints
    /// through a border of some three columns an atom and one a coordinate. Where
    /// datapoints are fewer than the order of a block, the ordering couples all codes
    /// instead.
    #[expect(clippy::cast_precision_loss, reason = "an estimate")]
    pub(crate) fn bytes(&self) -> f64 {
        let (n, len, codes) = (self.dim as f64, self.len as f64, self.codes() as f64);
        let border = 3.0 * self.prices() as f64 + if self.centered { n } else { 0.0 };
        let mean = codes / len;
        let (fit, block) = if self.residual { (n * mean + 2.0 * n, n) } else { (0.5 * mean * mean, mean) };
        let local = len * (fit + 0.5 * block * block + block * border + 4.0 * mean) + 0.5 * border * border;
        let factor = if self.priced && block >= len { max(local, 0.5 * codes * codes) } else { local };
        FACTOR_BYTES * factor + ENTRY_BYTES * len * (fit + 4.0 * mean)
    }
}

/// Bytes of an entry of the factor: a number and an index.
const FACTOR_BYTES: f64 = 16.0;

/// Bytes of an entry of the program over its copies: ours, clarabel's, the
/// assembled system's and its permutation, and the maps between them.
const ENTRY_BYTES: f64 = 96.0;

/// The program, in units of `scale` = σ > 0.
pub(crate) fn program(problem: &Problem, directions: &Matrix, layout: &Layout, scale: f64) -> Program {
    let Layout { dim, len, atoms, .. } = *layout;
    let a = problem.data().sqrt_weights();
    let (lambda, gamma) = (problem.lambda() / scale, problem.gamma() / scale);
    let mut whitened = problem.data().whitened();
    whitened.as_mut_slice().iter_mut().for_each(|v| *v /= scale);

    let mut quadratic = Columns::new();
    let mut linear = Vec::with_capacity(layout.residuals() + dim);
    let mut constraints = Columns::new();
    let gram = (!layout.residual).then(|| directions.transpose_times(directions));
    let images = (!layout.residual).then(|| directions.transpose_times(&whitened));
    // The row of an atom's cone that its next code takes.
    let head = 1 + usize::from(layout.massed);
    let mut next: Vec<usize> = (0..atoms).map(|k| layout.cone(k) + head).collect();
    for (i, (&weight, allowed)) in a.iter().zip(&layout.allowed).enumerate() {
        let first = layout.first(i);
        for (at, &k) in allowed.iter().enumerate() {
            if let Some(gram) = &gram {
                for (before, &j) in allowed[..=at].iter().enumerate() {
                    quadratic.push(first + before, gram.get(j, k));
                }
            }
            quadratic.end();
            let reward = images.as_ref().map_or(0.0, |images| images.get(k, i));
            linear.push(if layout.priced { -reward } else { lambda * weight - reward });
            if layout.residual {
                for (j, &d) in directions.col(k).iter().enumerate() {
                    constraints.push(i * dim + j, d);
                }
            }
            constraints.push(layout.signs() + first + at, -1.0);
            if layout.priced {
                if layout.massed {
                    constraints.push(layout.cone(k) + 1, -lambda * weight);
                }
                constraints.push(next[k], -gamma);
                next[k] += 1;
            }
            constraints.end();
        }
    }
    for k in (0..atoms).filter(|&k| layout.has_cone(k)) {
        quadratic.end();
        linear.push(1.0);
        constraints.push(layout.cone(k), -1.0);
        constraints.end();
    }
    if layout.residual {
        for row in 0..dim * len {
            quadratic.push(layout.residuals() + row, 1.0);
            quadratic.end();
            linear.push(0.0);
            constraints.push(row, 1.0);
            constraints.end();
        }
    }
    if layout.centered {
        for j in 0..dim {
            quadratic.end();
            linear.push(0.0);
            for (i, &weight) in a.iter().enumerate() {
                constraints.push(i * dim + j, weight);
            }
            constraints.end();
        }
    }
    let mut offsets = vec![0.0; layout.rows()];
    let mut cones = Vec::with_capacity(atoms + 2);
    if layout.residual {
        offsets[..dim * len].copy_from_slice(whitened.as_slice());
        cones.push(SupportedConeT::ZeroConeT(dim * len));
    }
    cones.push(SupportedConeT::NonnegativeConeT(layout.codes()));
    for k in (0..atoms).filter(|&k| layout.has_cone(k)) {
        cones.push(SupportedConeT::SecondOrderConeT(layout.cone(k + 1) - layout.cone(k)));
    }
    let columns = linear.len();
    Program {
        quadratic: quadratic.finish(columns),
        linear,
        constraints: constraints.finish(layout.rows()),
        offsets,
        cones,
    }
}

/// ‖X̃‖, the unit of the program; 0 for data that are all zero.
pub(crate) fn scale(problem: &Problem) -> f64 {
    let whitened = problem.data().whitened();
    let largest = whitened.as_slice().iter().fold(0.0, |m, v| max(m, v.abs()));
    if largest == 0.0 {
        return 0.0;
    }
    let scaled: Vec<f64> = whitened.as_slice().iter().map(|v| v / largest).collect();
    largest * norm_sq(&scaled).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(gamma: f64, lambda: f64, centered: bool) -> Problem {
        let x = Matrix::from_fn(3, 4, |i, j| f64::from(u8::try_from(i * 5 + j * 3).unwrap() % 7) - 2.0);
        Problem::builder(x).lambda(lambda).gamma(gamma).centered(centered).build().unwrap()
    }

    fn all(atoms: usize) -> Vec<Vec<usize>> {
        vec![(0..atoms).collect(); 4]
    }

    fn layout(gamma: f64, lambda: f64, centered: bool, atoms: usize) -> Layout {
        Layout::new(&problem(gamma, lambda, centered), atoms, all(atoms))
    }

    #[test]
    fn without_an_atom_price_there_is_no_cone() {
        let problem = problem(0.0, 0.3, false);
        let directions = Matrix::from_fn(3, 2, |i, k| f64::from(u8::from(i == k)));
        let built = program(&problem, &directions, &Layout::new(&problem, 2, all(2)), 1.0);
        assert_eq!(built.cones, [SupportedConeT::NonnegativeConeT(8)]);
        assert_eq!(built.linear.len(), 8);
        assert!(built.linear.iter().any(|q| *q > 0.0), "the price is linear");
    }

    #[test]
    fn the_form_follows_the_sizes() {
        assert!(!layout(0.1, 0.1, false, 3).residual && layout(0.1, 0.1, false, 4).residual);
        assert!(layout(0.1, 0.1, true, 1).residual);
        assert_eq!(layout(0.1, 0.1, false, 1).rows(), 4 + 6);
        assert_eq!(layout(0.1, 0.0, false, 1).rows(), 4 + 5);
        assert_eq!(layout(0.0, 0.1, false, 1).rows(), 4);
        // Codes that are not allowed take no room, nor do atoms that nobody may use.
        let some = vec![vec![0], vec![], vec![0, 2], vec![2]];
        let some = Layout::new(&problem(0.1, 0.1, false), 3, some);
        assert_eq!((some.codes(), some.residuals(), some.rows()), (4, 6, 4 + 4 + 4));
    }

    /// Both forms give the objective of the same feasible point.
    #[test]
    fn the_program_prices_a_point_as_the_objective_does() {
        for (gamma, lambda, centered) in
            [(0.2, 0.3, false), (0.2, 0.3, true), (0.0, 0.3, false), (0.0, 0.3, true), (0.2, 0.0, false)]
        {
            let problem = problem(gamma, lambda, centered);
            let a = problem.data().sqrt_weights().to_vec();
            let directions =
                Matrix::from_fn(3, 2, |i, k| if k == 0 { [0.6, 0.8, 0.0][i] } else { [0.0, 0.6, -0.8][i] });
            // The codes that are 0 are left out.
            let codes = |k: usize, i: usize| [0.5, 0.0, 1.5, 0.25][(i + k) % 4];
            let allowed: Vec<Vec<usize>> =
                (0..4).map(|i| (0..2).filter(|&k| codes(k, i) > 0.0).collect()).collect();
            let used: Vec<f64> = allowed
                .iter()
                .enumerate()
                .flat_map(|(i, list)| list.iter().map(move |&k| codes(k, i)))
                .collect();
            let center = if centered { [0.3, -0.2, 0.1] } else { [0.0; 3] };
            let whitened = problem.data().whitened();
            let residual = Matrix::from_fn(3, 4, |j, i| {
                whitened.get(j, i)
                    - center[j] * a[i]
                    - (0..2).map(|k| directions.get(j, k) * codes(k, i)).sum::<f64>()
            });
            let gauge = problem.gauge();
            let prices: Vec<f64> =
                (0..2).map(|k| gauge.value(&(0..4).map(|i| codes(k, i)).collect::<Vec<_>>())).collect();
            let expected = 0.5 * norm_sq(residual.as_slice()) + prices.iter().sum::<f64>();
            for residual_form in [false, true] {
                let layout = Layout::new(&problem, 2, allowed.clone());
                let layout = Layout { residual: residual_form || centered, ..layout };
                let built = program(&problem, &directions, &layout, 1.0);
                let mut x = used.clone();
                if layout.priced {
                    x.extend(&prices);
                }
                if layout.residual {
                    x.extend(residual.as_slice());
                }
                if centered {
                    x.extend(center);
                }
                assert_eq!(x.len(), built.linear.len());
                let image = |matrix: &clarabel::algebra::CscMatrix<f64>, symmetric: bool| {
                    let mut out = vec![0.0; matrix.m];
                    for j in 0..matrix.n {
                        for at in matrix.colptr[j]..matrix.colptr[j + 1] {
                            out[matrix.rowval[at]] += matrix.nzval[at] * x[j];
                            if symmetric && matrix.rowval[at] != j {
                                out[j] += matrix.nzval[at] * x[matrix.rowval[at]];
                            }
                        }
                    }
                    out
                };
                let dot = |u: &[f64], v: &[f64]| u.iter().zip(v).map(|(u, v)| u * v).sum::<f64>();
                let quadratic = 0.5 * dot(&x, &image(&built.quadratic, true));
                let constant = if layout.residual { 0.0 } else { 0.5 * norm_sq(whitened.as_slice()) };
                let value = quadratic + dot(&x, &built.linear) + constant;
                assert!((value - expected).abs() < 1e-12, "{value} {expected}");
                // And they are feasible, on the boundary of its cones.
                let rows = image(&built.constraints, false);
                let slack: Vec<f64> = built.offsets.iter().zip(&rows).map(|(b, r)| b - r).collect();
                assert!(slack[..layout.signs()].iter().all(|s| s.abs() < 1e-12));
                assert!(slack[layout.signs()..layout.signs() + used.len()].iter().all(|s| *s >= 0.0));
                for k in 0..if layout.priced { 2 } else { 0 } {
                    let cone = &slack[layout.cone(k)..layout.cone(k + 1)];
                    assert!((cone[0] - norm_sq(&cone[1..]).sqrt()).abs() < 1e-12);
                }
            }
        }
    }
}
