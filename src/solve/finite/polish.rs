//! Newton steps that end a descent at γ = 0 (theorem `local-radius`).
//!
//! The radius of a local certificate depends on first-order residuals, which block descent reduces
//! slowly. Near a minimum two moves reduce them fast. The first solves for the codes on their
//! supports. The second is a Newton step of atoms and center with the second-order form. A move is
//! kept where it lowers the residuals and does not raise the objective. Where a Newton step would
//! change supports, it is tried again with exact codes, and shorter.

use crate::atoms::Factorization;
use crate::linalg::{axpy, dot};
use crate::observer::Observer;
use crate::problem::Problem;
use crate::search::escape::Products;
use crate::trusted::local::{Form, Sets};
use crate::trusted::{Subject, first_order};

use super::lasso_iterate::LassoIterate;

/// Most Newton steps. From a stationarity of 1e-6 one step gives 1e-9, two give 1e-11; from 1e-5
/// among many atoms some steps come before that change supports.
const MAX_STEPS: usize = 12;

/// Lengths tried of a Newton step with exact codes: shorter ones gain less than another step.
const LENGTHS: [f64; 3] = [1.0, 0.5, 0.25];

/// Relative decrease of the objective for which a step with exact codes is kept even where it does
/// not lower the residuals: above the rounding of the objective.
const DECREASE: f64 = 1e-13;

/// Relative stationarity at which polishing ends, because only the rounding of residuals is left.
const POLISHED: f64 = 1e-13;

/// Most steps of conjugate gradients for one Newton step. The condition number of the form in its
/// metric is 10 to 1000, which takes 20 to 100 steps.
const MAX_PRODUCTS: usize = 100;

/// Relative residual at which conjugate gradients end. More accuracy would not improve the Newton
/// step.
const SOLVED: f64 = 1e-5;

/// The factorization after the moves that helped.
pub(super) fn polish(
    problem: &Problem,
    mut factorization: Factorization,
    observer: &dyn Observer,
) -> Factorization {
    for _ in 0..MAX_STEPS {
        let coded = moved(problem, &factorization, observer, |place| {
            let codes = coding(&place.products, place.form);
            let candidate = place.products.along(&vec![0.0; place.form.size()], &codes, 1.0)?;
            place.is_better(&candidate).then_some(candidate)
        });
        let helped = coded.is_some();
        factorization = coded.unwrap_or(factorization);
        if observer.poll().is_break() {
            break;
        }
        let turned = moved(problem, &factorization, observer, |place| place.turned(observer));
        if turned.is_none() && !helped {
            break;
        }
        factorization = turned.unwrap_or(factorization);
    }
    factorization
}

/// A factorization with what a move from it needs.
struct Place<'a> {
    subject: &'a Subject<'a>,
    form: &'a Form<'a>,
    products: Products<'a>,
    stationarity: f64,
}

/// The factorization after a move, if there is one that helps.
fn moved(
    problem: &Problem,
    factorization: &Factorization,
    observer: &dyn Observer,
    step: impl FnOnce(&Place<'_>) -> Option<Factorization>,
) -> Option<Factorization> {
    let subject = Subject::of(problem, factorization).ok()?;
    let stationarity = first_order::residuals(&subject).relative();
    if !(stationarity > POLISHED) {
        return None;
    }
    let form = Form::of(&subject);
    let products = Products::new(&form, Sets::Active, observer)?;
    step(&Place { subject: &subject, form: &form, products, stationarity })
}

impl Place<'_> {
    /// Whether a candidate lowers the residuals without a higher objective, or the objective by
    /// more than its rounding.
    fn is_better(&self, candidate: &Factorization) -> bool {
        let Ok(after) = Subject::of(self.subject.problem(), candidate) else { return false };
        let (now, before) = (after.primal().value(), self.subject.primal().value());
        now < before * (1.0 - DECREASE)
            || (now <= before && first_order::residuals(&after).relative() < self.stationarity)
    }

    /// A Newton step on the supports, or else one with exact codes.
    fn turned(&self, observer: &dyn Observer) -> Option<Factorization> {
        let (plain, codes) = newton(&self.products, self.form, observer)?;
        let candidate = |length: f64| self.products.along(&plain, &codes, length);
        if let Some(on_supports) = candidate(1.0).filter(|candidate| self.is_better(candidate)) {
            return Some(on_supports);
        }
        let recoded = |length: f64| {
            let start = candidate(length)?;
            LassoIterate::recoded(self.subject.problem(), &start, observer).factorization().ok()
        };
        LENGTHS
            .into_iter()
            .take_while(|_| observer.poll().is_continue())
            .filter_map(recoded)
            .find(|candidate| self.is_better(candidate))
    }
}

/// What brings the codes to their optimum on the supports.
fn coding(products: &Products<'_>, form: &Form<'_>) -> Vec<f64> {
    let pulls = form.codes.iter().enumerate().flat_map(|(i, code)| {
        let r = form.residuals.col(i);
        code.iter().map(move |&(p, z)| dot(form.atom(p), r) - form.slope(p, z))
    });
    products.answer(pulls.collect())
}

/// A Newton step of atoms and center with the codes' answer to it; `None` where the form is
/// not positive along a direction of conjugate gradients.
fn newton(products: &Products<'_>, form: &Form<'_>, observer: &dyn Observer) -> Option<(Vec<f64>, Vec<f64>)> {
    let mut left = pull(products, form);
    let mut step = vec![0.0; left.len()];
    let mut direction = left.clone();
    let mut square = dot(&left, &left);
    let target = SOLVED * SOLVED * square;
    for _ in 0..MAX_PRODUCTS {
        if !(square > target) || observer.poll().is_break() {
            break;
        }
        let image = products.apply(&direction);
        let bend = dot(&direction, &image);
        if !(bend > 0.0) {
            return None;
        }
        let length = square / bend;
        axpy(length, &direction, &mut step);
        axpy(-length, &image, &mut left);
        let next = dot(&left, &left);
        let ratio = next / square;
        direction.iter_mut().zip(&left).for_each(|(d, l)| *d = l + ratio * *d);
        square = next;
    }
    let plain = products.plain(&step);
    let codes = products.answer_to(&plain);
    Some((plain, codes))
}

/// Minus the gradient of the value function in the metric's variables: `e_k` and `e_b`.
fn pull(products: &Products<'_>, form: &Form<'_>) -> Vec<f64> {
    let mut pull: Vec<f64> = form.atoms.iter().flat_map(|atom| atom.pull.clone()).collect();
    if form.centered() {
        let mut sum = vec![0.0; form.dim()];
        form.residuals.columns().zip(form.weights()).for_each(|(r, &w)| axpy(w, r, &mut sum));
        pull.extend(sum);
    }
    let mut pull = products.plain(&pull);
    products.project(&mut pull);
    pull
}
