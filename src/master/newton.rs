//! Newton's method on atoms and codes together.
//!
//! Codes for given atoms and atoms for given codes, in turn, converge slowly: each is optimal for
//! where the other was. A Newton step moves both. It does not change which codes are 0, but for
//! those that fall there: the conic program that follows does.
//!
//! # The model
//! In whitened variables, with `δ_k ⊥ d_k` the move of an atom, `ζ_k` that of its codes in use, `q_k`
//! the gradient of the gauge g at `z_k` and `E = Σ_k (d_kζ_kᵀ + δ_kz_kᵀ)`, to second order the
//! objective changes by
//!
//! ```math
//! -\langle\tilde R,E\rangle+\sum_kq_k^\top\zeta_k+\tfrac12\lVert E\rVert^2
//! +\sum_k\Big(\tfrac12d_k^\top\tilde Rz_k\lVert\delta_k\rVert^2-\delta_k^\top\tilde R\zeta_k
//! +\frac{\lambda^2(a^\top\zeta_k)^2+\gamma^2\lVert\zeta_k\rVert^2-(q_k^\top\zeta_k)^2}{2g(z_k)}\Big).
//! ```
//!
//! The middle term is the curvature of the sphere. With a learnt center, which follows, E is
//! without its weighted mean. The model is minimized by conjugate gradients. Where it has no minimum it is
//! damped.

use std::ops::Range;

use crate::iterate::{Iterate, to_unit};
use crate::linalg::{Columns, Matrix, Row, axpy, dot, norm_sq};
use crate::num::max;
use crate::observer::Observer;

/// Most products of a step, which takes no more than it has entries either. Of forty digits it takes
/// 20 to 300.
const PRODUCTS: usize = 300;

/// Share of the gradient (in the norm of the preconditioner) at which the conjugate gradients stop.
/// A larger one makes more and shorter steps.
const FORCING: f64 = 0.05;

/// Dampings of the directions that are tried, one after another, where the model has no minimum: far
/// from the optimum an atom may want to become two. Without any, forty digits take a third longer to
/// a gap of 1e-4; a first one of 1 makes steps too short.
const DAMPINGS: [f64; 3] = [0.1, 1.0, 10.0];

/// Most halvings of a step that does not lower the objective.
const HALVINGS: i32 = 8;

/// Makes one step on atoms and codes, and returns whether it lowered the objective. On `false` the
/// iterate is as before. O(n) a code in use and product.
pub(super) fn step(iterate: &mut Iterate<'_>, observer: &dyn Observer) -> bool {
    let objective = iterate.objective();
    let mut model = Model::new(iterate);
    let mut minimum = model.minimum(observer);
    for damping in DAMPINGS {
        if !minimum.indefinite {
            break;
        }
        model.damping = damping;
        minimum = model.minimum(observer);
    }
    let before = iterate.snapshot();
    for halvings in 0..HALVINGS {
        model.walk(iterate, 0.5_f64.powi(halvings), &minimum.step);
        if iterate.objective() < objective {
            return true;
        }
    }
    iterate.restore(&before);
    false
}

/// What conjugate gradients end with.
struct Minimum {
    step: Vec<f64>,
    /// Whether they met a direction of no curvature.
    indefinite: bool,
}

/// The objective to second order about an iterate. Moves are vectors: those of the directions, then
/// those of the codes in use.
struct Model {
    directions: Matrix,
    rows: Vec<Row>,
    residual: Matrix,
    gauges: Vec<f64>,
    /// Gradients of the gauges, where codes are in use.
    slopes: Vec<Vec<f64>>,
    /// `d_kᵀR̃z_k`.
    bends: Vec<f64>,
    /// Square roots of the weights.
    a: Vec<f64>,
    lambda_sq: f64,
    gamma_sq: f64,
    /// `Σ aᵢ²` where the center follows.
    total: Option<f64>,
    /// First code of each atom in a move, and the length of a move.
    first: Vec<usize>,
    /// Minus the gradient.
    descent: Vec<f64>,
    /// What is added to the second derivative by a direction, as a share of its own.
    damping: f64,
}

impl Model {
    fn new(iterate: &mut Iterate<'_>) -> Self {
        let problem = iterate.problem;
        let (n, a) = (problem.dim(), problem.data().sqrt_weights());
        let lambda_sq = problem.lambda() * problem.lambda();
        let gamma_sq = problem.gamma() * problem.gamma();
        let directions: Vec<&[f64]> = iterate.atoms.iter().map(|t| t.direction.as_slice()).collect();
        let directions = Matrix::from_columns(n, &directions);
        let rows: Vec<Row> = iterate.atoms.iter().map(|t| (*t.row).clone()).collect();
        let gauges: Vec<f64> = iterate.atoms.iter().map(|t| t.gauge).collect();
        let residual = iterate.residual().to_matrix();
        let mut first = vec![n * rows.len()];
        rows.iter().for_each(|row| first.push(first[first.len() - 1] + row.len()));
        let mut descent = vec![0.0; first[rows.len()]];
        let (mut slopes, mut bends) = (Vec::new(), Vec::new());
        for (k, row) in rows.iter().enumerate() {
            let direction = directions.col(k);
            let mass: f64 = row.iter().map(|(i, z)| a[i] * z).sum();
            let slope: Vec<f64> =
                row.iter().map(|(i, z)| (lambda_sq * mass * a[i] + gamma_sq * z) / gauges[k]).collect();
            let (head, codes) = descent.split_at_mut(first[k]);
            let turn = &mut head[k * n..(k + 1) * n];
            for (((i, z), slope), code) in row.iter().zip(&slope).zip(codes) {
                axpy(z, residual.col(i), turn);
                *code = dot(direction, residual.col(i)) - slope;
            }
            bends.push(dot(direction, turn));
            axpy(-bends[k], direction, turn);
            slopes.push(slope);
        }
        let total = (problem.centered() && !iterate.holds_center()).then(|| problem.data().total_weight());
        let a = a.to_vec();
        Self {
            directions,
            rows,
            residual,
            gauges,
            slopes,
            bends,
            a,
            lambda_sq,
            gamma_sq,
            total,
            first,
            descent,
            damping: 0.0,
        }
    }

    /// Where the move of an atom's direction is in a move.
    fn turn(&self, k: usize) -> Range<usize> {
        k * self.directions.nrows()..(k + 1) * self.directions.nrows()
    }

    /// Where the moves of an atom's codes are.
    fn codes(&self, k: usize) -> Range<usize> {
        self.first[k]..self.first[k + 1]
    }

    /// What an atom's direction adds to the diagonal of the second derivative, without the part that
    /// may be negative.
    fn stiffness(&self, k: usize) -> f64 {
        norm_sq(&self.rows[k].values) + max(self.bends[k], 0.0)
    }

    /// E.
    fn image(&self, step: &[f64]) -> Matrix {
        let mut image = Matrix::zeros(self.residual.nrows(), self.residual.ncols());
        for (k, row) in self.rows.iter().enumerate() {
            for ((i, z), code) in row.iter().zip(&step[self.codes(k)]) {
                axpy(*code, self.directions.col(k), image.col_mut(i));
                axpy(z, &step[self.turn(k)], image.col_mut(i));
            }
        }
        if let Some(total) = self.total {
            let mut mean = vec![0.0; image.nrows()];
            self.a.iter().enumerate().for_each(|(i, a)| axpy(*a / total, image.col(i), &mut mean));
            self.a.iter().enumerate().for_each(|(i, a)| axpy(-a, &mean, image.col_mut(i)));
        }
        image
    }

    /// The second derivative times a move.
    fn product(&self, step: &[f64]) -> Vec<f64> {
        let image = self.image(step);
        let mut out = vec![0.0; step.len()];
        for (k, row) in self.rows.iter().enumerate() {
            let direction = self.directions.col(k);
            let (turn, codes) = (&step[self.turn(k)], &step[self.codes(k)]);
            let mass: f64 = row.indices.iter().zip(codes).map(|(&i, c)| self.a[i] * c).sum();
            let along = dot(&self.slopes[k], codes);
            let (head, out_codes) = out.split_at_mut(self.first[k]);
            let out_turn = &mut head[self.turn(k)];
            axpy(self.bends[k] + self.damping * self.stiffness(k), turn, out_turn);
            for (at, (i, z)) in row.iter().enumerate() {
                let (residual, image) = (self.residual.col(i), image.col(i));
                axpy(z, image, out_turn);
                axpy(-codes[at], residual, out_turn);
                let bend = self.lambda_sq * self.a[i] * mass + self.gamma_sq * codes[at]
                    - self.slopes[k][at] * along;
                out_codes[at] = dot(direction, image) - dot(turn, residual) + bend / self.gauges[k];
            }
            axpy(-dot(direction, out_turn), direction, out_turn);
        }
        out
    }

    /// The diagonal of the second derivative, an atom's direction as a whole, without what may be
    /// negative.
    fn diagonal(&self) -> Vec<f64> {
        let mut out = vec![1.0; self.descent.len()];
        for (k, row) in self.rows.iter().enumerate().filter(|(_, row)| !row.is_empty()) {
            out[self.turn(k)].fill((1.0 + self.damping) * self.stiffness(k));
            for ((at, i), slope) in self.codes(k).zip(&row.indices).zip(&self.slopes[k]) {
                let price = self.lambda_sq * self.a[*i] * self.a[*i] + self.gamma_sq - slope * slope;
                out[at] = 1.0 + max(price, 0.0) / self.gauges[k];
            }
        }
        out
    }

    /// The minimizer of the model to [`FORCING`], by preconditioned conjugate gradients. Where they
    /// meet a direction of no curvature, what they have so far.
    fn minimum(&self, observer: &dyn Observer) -> Minimum {
        let diagonal = self.diagonal();
        let scaled = |r: &[f64]| -> Vec<f64> { r.iter().zip(&diagonal).map(|(r, d)| r / d).collect() };
        let mut step = vec![0.0; self.descent.len()];
        let mut residual = self.descent.clone();
        let mut along = scaled(&residual);
        let mut size = dot(&residual, &along);
        let enough = FORCING * FORCING * size;
        for made in 0..PRODUCTS.min(step.len()) {
            let product = self.product(&along);
            let curvature = dot(&along, &product);
            if !(curvature > 0.0) {
                if made == 0 {
                    step = along;
                }
                return Minimum { step, indefinite: true };
            }
            axpy(size / curvature, &along, &mut step);
            axpy(-size / curvature, &product, &mut residual);
            let next = scaled(&residual);
            let shorter = dot(&residual, &next);
            if !(shorter > enough) || observer.poll().is_break() {
                break;
            }
            along.iter_mut().zip(&next).for_each(|(p, z)| *p = z + shorter / size * *p);
            size = shorter;
        }
        Minimum { step, indefinite: false }
    }

    /// Puts the iterate `length` times the step from where the model was made. Codes stay
    /// nonnegative, directions unit.
    fn walk(&self, iterate: &mut Iterate<'_>, length: f64, step: &[f64]) {
        let mut rows = Vec::with_capacity(self.rows.len());
        for (k, row) in self.rows.iter().enumerate() {
            let mut direction = self.directions.col(k).to_vec();
            axpy(length, &step[self.turn(k)], &mut direction);
            if to_unit(&mut direction) {
                iterate.atoms[k].direction = direction;
            }
            let moved = row.iter().zip(&step[self.codes(k)]).map(|((i, z), c)| (i, z + length * c));
            let (indices, values) = moved.filter(|(_, z)| *z > 0.0).unzip();
            rows.push(Row { indices, values });
        }
        iterate.set_rows(rows);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problem::Problem;

    /// Three atoms in use and one that is not, codes far from 0.
    fn iterate(problem: &Problem) -> Iterate<'_> {
        let dictionary = Matrix::from_fn(4, 4, |i, k| [1.0, -0.4, 0.7, 0.2, 0.9][(i + 2 * k) % 5]);
        let (dictionary, _) = crate::Dictionary::normalize(dictionary).unwrap();
        let mut iterate = Iterate::with_dictionary(problem, &dictionary).unwrap();
        let row = |k: usize| Row {
            indices: (k..6).step_by(2).collect(),
            values: (k..6).step_by(2).map(|i| [0.5, 0.8, 0.3][(i + k) % 3]).collect(),
        };
        iterate.set_rows(vec![row(0), row(1), Row::default(), row(2)]);
        iterate
    }

    fn problem(centered: bool, gamma: f64) -> Problem {
        let x = Matrix::from_fn(4, 6, |i, j| [0.3, 1.2, -0.5, 0.8, 0.1, -0.9, 1.5][(i * 3 + j * 5) % 7]);
        Problem::builder(x).lambda(0.2).gamma(gamma).centered(centered).build().unwrap()
    }

    /// The model's derivatives are those of the objective along a step.
    #[test]
    fn the_model_is_the_objective_to_second_order() {
        for (centered, gamma) in [(false, 0.1), (true, 0.1), (false, 0.0)] {
            let problem = problem(centered, gamma);
            let mut iterate = iterate(&problem);
            let model = Model::new(&mut iterate);
            let mut step: Vec<f64> =
                (0..model.descent.len()).map(|at| [0.4, -0.7, 0.2, 0.9, -0.3][at % 5]).collect();
            for k in 0..4 {
                let along = dot(&step[model.turn(k)], model.directions.col(k));
                axpy(-along, model.directions.col(k), &mut step[model.turn(k)]);
            }
            let mut at = |length: f64| {
                model.walk(&mut iterate, length, &step);
                iterate.objective()
            };
            let h = 1e-4;
            let (less, here, more) = (at(-h), at(0.0), at(h));
            let (first, second) = ((more - less) / (2.0 * h), (more - 2.0 * here + less) / (h * h));
            assert!((first + dot(&model.descent, &step)).abs() <= 1e-6 * max(first.abs(), 1.0));
            let curvature = dot(&step, &model.product(&step));
            assert!((second - curvature).abs() <= 1e-5 * max(curvature.abs(), 1.0), "{second} {curvature}");
        }
    }

    /// Steps lower the objective until they end at a point that no gradient leaves.
    #[test]
    fn steps_end_at_a_stationary_point() {
        for centered in [false, true] {
            let problem = problem(centered, 0.1);
            let mut iterate = iterate(&problem);
            let start = iterate.objective();
            let made = (0..50).take_while(|_| step(&mut iterate, &())).count();
            let ended = iterate.objective();
            assert!(made >= 2 && ended < start, "{made} {start} {ended}");
            let descent = Model::new(&mut iterate).descent;
            assert!(norm_sq(&descent).sqrt() <= 1e-6, "{:e}", norm_sq(&descent).sqrt());
        }
    }
}
