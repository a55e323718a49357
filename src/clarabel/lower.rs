//! Codes over a fixed dictionary as a conic program.
//!
//! In units of the data's size σ = ‖X̃‖ (X̃/σ, Z̃/σ, λ/σ, γ/σ, value/σ²), with
//! variables `z_i ∈ R^M` a datapoint, prices `η ∈ R^M` and their shares p, q for γ > 0, and the
//! center b where one is learnt:
//!
//! ```math
//! \min\ \tfrac12\lVert\tilde X-ba^\top-D\tilde Z\rVert^2
//! +\tfrac12\sum_k\Big(\eta_k+p_k+\sum_iq_{ki}\Big)
//! \quad\text{subject to}\quad\tilde Z\ge0,\quad
//! \eta_kp_k\ge(\lambda a^\top\tilde z_k)^2,\quad\eta_kq_{ki}\ge(\gamma\tilde z_{ki})^2.
//! ```
//!
//! For given codes the least price is `½ min_η (η + g(z̃_k)²/η) = g(z̃_k)`. `ηp ≥ u²` is the cone
//! `η + p ≥ ‖(η − p, 2u)‖` of three rows.
//!
//! A large program is solved in parts: only the codes in [`ProgramLayout::allowed`] are
//! variables, the others are 0. At γ = 0 there are no η, p, q and no cone but the orthant, since
//! the price `λ aᵀz̃_k` is linear. At λ = 0 there is no p.
//!
//! The fit is the quadratic term P. Where no center is learnt and no datapoint may use
//! more than n atoms, P is `G = DᵀD`, a block a datapoint. Else the residual is a variable
//! with `R̃ + ba^T + DZ̃ = X̃` as nN equations, which keeps the blocks n × n.
//!
//! # Elimination
//!
//! A code belongs to the block of its datapoint and to the cones of its atom. Blocks eliminated
//! first leave a dense system of order 2M (and n for the center). Cones eliminated first
//! couple all codes. Clarabel's ordering takes what touches fewest variables first, and where atoms are
//! more than datapoints those are the cones: 40 datapoints with 50 of 80 atoms each had a factor of
//! 1.2 million entries instead of 0.2. So zeros are written where the atoms' prices and
//! masses and the center would be coupled in the end ([`ProgramLayout::tied`]). They change no number,
//! cost no room, and the ordering leaves these variables to the end.

use std::ops::Range;

use clarabel::solver::SupportedConeT;

use super::layout::ProgramLayout;
use super::program::{Columns, Program};
use crate::linalg::{Matrix, norm_sq};
use crate::num::max;
use crate::problem::Problem;

/// The program, in units of `scale` = σ > 0.
pub(crate) fn program(problem: &Problem, directions: &Matrix, layout: &ProgramLayout, scale: f64) -> Program {
    let ProgramLayout { dim, len, .. } = *layout;
    let mut whitened = problem.data().whitened();
    whitened.as_mut_slice().iter_mut().for_each(|v| *v /= scale);
    let weights = problem.data().sqrt_weights();
    let mut parts = Parts::new(layout, weights, problem.lambda() / scale);
    parts.codes(directions, &whitened, problem.gamma() / scale);
    parts.shares();
    parts.prices();
    if layout.residual {
        parts.residuals();
    }
    if layout.centered {
        parts.center();
    }
    let mut offsets = vec![0.0; layout.rows()];
    let mut cones = Vec::with_capacity(layout.cones() + 2);
    if layout.residual {
        offsets[..dim * len].copy_from_slice(whitened.as_slice());
        cones.push(SupportedConeT::ZeroConeT(dim * len));
    }
    cones.push(SupportedConeT::NonnegativeConeT(layout.codes()));
    cones.extend(std::iter::repeat_n(SupportedConeT::SecondOrderConeT(3), layout.cones()));
    let Parts { quadratic, linear, constraints, .. } = parts;
    Program {
        quadratic: quadratic.finish(linear.len()),
        linear,
        constraints: constraints.finish(layout.rows()),
        offsets,
        cones,
    }
}

/// The columns of a program under construction, a group of variables after another.
struct Parts<'a> {
    layout: &'a ProgramLayout,
    /// Square roots of the weights.
    weights: &'a [f64],
    /// λ/σ.
    lambda: f64,
    quadratic: Columns,
    linear: Vec<f64>,
    constraints: Columns,
}

impl<'a> Parts<'a> {
    fn new(layout: &'a ProgramLayout, weights: &'a [f64], lambda: f64) -> Self {
        let linear = Vec::with_capacity(layout.center() + layout.dim);
        Self { layout, weights, lambda, quadratic: Columns::new(), linear, constraints: Columns::new() }
    }

    /// Ends the column of a variable with this coefficient in the objective.
    fn end(&mut self, linear: f64) {
        self.quadratic.end();
        self.constraints.end();
        self.linear.push(linear);
    }

    /// The codes, datapoint by datapoint.
    fn codes(&mut self, directions: &Matrix, whitened: &Matrix, gamma: f64) {
        let layout = self.layout;
        let gram = (!layout.residual).then(|| directions.transpose_times(directions));
        let images = (!layout.residual).then(|| directions.transpose_times(whitened));
        for (i, (&weight, allowed)) in self.weights.iter().zip(&layout.allowed).enumerate() {
            let first = layout.first(i);
            for (at, &k) in allowed.iter().enumerate() {
                if let Some(gram) = &gram {
                    for (before, &j) in allowed[..=at].iter().enumerate() {
                        self.quadratic.push(first + before, gram.get(j, k));
                    }
                }
                if layout.residual {
                    for (j, &d) in directions.col(k).iter().enumerate() {
                        self.constraints.push(i * layout.dim + j, d);
                    }
                }
                self.constraints.push(layout.signs() + first + at, -1.0);
                if let Some(place) = layout.place(k) {
                    self.constraints.push(layout.cone(first + at) + 2, -2.0 * gamma);
                    if layout.massed {
                        self.constraints
                            .push(layout.cone(layout.codes() + place) + 2, -2.0 * self.lambda * weight);
                    }
                }
                let reward = images.as_ref().map_or(0.0, |images| images.get(k, i));
                self.end(if layout.priced { -reward } else { self.lambda * weight - reward });
            }
        }
    }

    /// The shares q of the codes, then p of the masses: one a cone.
    fn shares(&mut self) {
        for cone in 0..self.layout.cones() {
            self.constraints.push(self.layout.cone(cone), -1.0);
            self.constraints.push(self.layout.cone(cone) + 1, 1.0);
            self.end(0.5);
        }
    }

    /// The prices η of the atoms that some datapoint may use.
    fn prices(&mut self) {
        let layout = self.layout;
        let mut codes = vec![Vec::new(); layout.prices()];
        for (i, allowed) in layout.allowed.iter().enumerate() {
            for (at, &k) in allowed.iter().enumerate() {
                if let Some(place) = layout.place(k) {
                    codes[place].push(layout.first(i) + at);
                }
            }
        }
        for (place, codes) in codes.iter().enumerate() {
            self.tie(layout.first_price()..layout.first_price() + place + 1);
            for &cone in codes {
                self.constraints.push(layout.cone(cone), -1.0);
                self.constraints.push(layout.cone(cone) + 1, -1.0);
            }
            self.masses(Some(place));
            self.end(0.5);
        }
    }

    /// The rows of the masses' cones in the column of the price at `place`, or of the center.
    fn masses(&mut self, place: Option<usize>) {
        let layout = self.layout;
        for (other, cone) in (layout.codes()..layout.cones()).enumerate() {
            if Some(other) == place {
                self.constraints.push(layout.cone(cone), -1.0);
                self.constraints.push(layout.cone(cone) + 1, -1.0);
            }
            if layout.tied() {
                self.constraints.zero(layout.cone(cone) + 2);
            }
        }
    }

    /// Zeros in P that keep the current variable to the end of the elimination.
    fn tie(&mut self, others: Range<usize>) {
        if self.layout.tied() {
            others.for_each(|row| self.quadratic.zero(row));
        }
    }

    /// The residual `R̃`.
    fn residuals(&mut self) {
        for row in 0..self.layout.dim * self.layout.len {
            self.quadratic.push(self.layout.residuals() + row, 1.0);
            self.constraints.push(row, 1.0);
            self.end(0.0);
        }
    }

    /// The center b.
    fn center(&mut self) {
        let layout = self.layout;
        for j in 0..layout.dim {
            self.tie(layout.first_price()..layout.residuals());
            self.tie(layout.center()..layout.center() + j + 1);
            for (i, &weight) in self.weights.iter().enumerate() {
                self.constraints.push(i * layout.dim + j, weight);
            }
            self.masses(None);
            self.end(0.0);
        }
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

    fn layout(gamma: f64, lambda: f64, centered: bool, atoms: usize) -> ProgramLayout {
        ProgramLayout::new(&problem(gamma, lambda, centered), atoms, all(atoms))
    }

    #[test]
    fn without_an_atom_price_there_is_no_cone() {
        let problem = problem(0.0, 0.3, false);
        let directions = Matrix::from_fn(3, 2, |i, k| f64::from(u8::from(i == k)));
        let built = program(&problem, &directions, &ProgramLayout::new(&problem, 2, all(2)), 1.0);
        assert_eq!(built.cones, [SupportedConeT::NonnegativeConeT(8)]);
        assert_eq!(built.linear.len(), 8);
        assert!(built.linear.iter().any(|q| *q > 0.0), "the price is linear");
    }

    #[test]
    fn the_form_follows_the_sizes() {
        assert!(!layout(0.1, 0.1, false, 3).residual && layout(0.1, 0.1, false, 4).residual);
        assert!(layout(0.1, 0.1, true, 1).residual);
        assert_eq!(layout(0.1, 0.1, false, 1).rows(), 4 + 3 * 5);
        assert_eq!(layout(0.1, 0.0, false, 1).rows(), 4 + 3 * 4);
        assert_eq!(layout(0.0, 0.1, false, 1).rows(), 4);
        // What datapoints share is eliminated last where it is at most half of the codes.
        assert!(layout(0.1, 0.1, false, 2).tied() && !layout(0.1, 0.1, true, 2).tied());
        assert!(!layout(0.0, 0.1, false, 2).tied());
        // Codes that are not allowed take no room, nor do atoms that nobody may use.
        let some = vec![vec![0], vec![], vec![0, 2], vec![2]];
        let some = ProgramLayout::new(&problem(0.1, 0.1, false), 3, some);
        assert_eq!((some.codes(), some.residuals(), some.rows()), (4, 4 + 6 + 2, 4 + 3 * 6));
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
                let layout = ProgramLayout::new(&problem, 2, allowed.clone());
                let layout = ProgramLayout { residual: residual_form || centered, ..layout };
                let built = program(&problem, &directions, &layout, 1.0);
                let mut x = used.clone();
                if layout.priced {
                    for (i, list) in allowed.iter().enumerate() {
                        x.extend(list.iter().map(|&k| (0.2 * codes(k, i)).powi(2) / prices[k]));
                    }
                    if layout.massed {
                        let mass = |k: usize| (0..4).map(|i| a[i] * codes(k, i)).sum::<f64>();
                        x.extend((0..2).map(|k| (lambda * mass(k)).powi(2) / prices[k]));
                    }
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
                for cone in 0..layout.cones() {
                    let cone = &slack[layout.cone(cone)..layout.cone(cone + 1)];
                    assert!((cone[0] - norm_sq(&cone[1..]).sqrt()).abs() < 1e-12);
                }
            }
        }
    }
}
