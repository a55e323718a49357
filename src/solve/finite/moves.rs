//! Moves at γ = 0 that leave poor local minima. Each is tried, evaluated with
//! exact codes and undone unless it lowers the objective.

use super::descent::{DescentLimits, descend};
use super::lasso_iterate::{LassoIterate, Rows};
use crate::linalg::{axpy, combine_all, correlate, dot, norm, norm_sq};
use crate::num::max;
use crate::observer::Observer;
use crate::reduce::Share;
use crate::trusted::Subject;
use crate::trusted::nesting::{self, NestedPair};

/// Most residuals from which an ascent for a new direction starts, the worst first. The worst few
/// usually find the same direction. Ten times as many rarely find a better one.
const STARTS: usize = 8;

/// Most steps of one ascent, and the relative gain below which the ascent stops. A good direction
/// is enough, because descent refines it.
const ASCENT_STEPS: usize = 20;
const ASCENT_GAIN: f64 = 1e-3;

/// A datapoint counts as unserved if its residual exceeds λ by more than this share of λ. Residuals
/// of optimal codes on one atom have length λ up to rounding.
const SATURATED: f64 = 1e-9;

/// Most rounds of the two-means of a split. The two-means settle in 3 to 6 rounds.
const SPLIT_ROUNDS: usize = 12;

/// Most atoms that one round of exchanges may replace, as a share of all. More exchanges at once
/// disturb one another; fewer need more rounds.
const EXCHANGE_SHARE: f64 = 0.05;

/// Limits of the descent that follows a round of exchanges, before the round is judged.
const TRIAL: DescentLimits =
    DescentLimits { stationarity_tolerance: 0.0, decrease_tolerance: 1e-5, max_iterations: 30 };

/// An offered atom with its codes, and a lower bound of its gain.
struct Offer {
    direction: Vec<f64>,
    gain: f64,
    /// The atom whose points it shares (a split), if any, with its new direction.
    split: Option<(usize, Vec<f64>)>,
}

/// Brings dead atoms back at the worst residuals (theorem `wide-limit`: an atom
/// along `rᵢ` gains if `‖rᵢ‖ > λ`). Returns whether any came back; codes are exact after.
/// Once the observer breaks, the other dead atoms stay dead.
pub(super) fn revive(iterate: &mut LassoIterate<'_>, observer: &dyn Observer) -> bool {
    let rows = iterate.rows();
    let uses = iterate.uses(&rows);
    let dead: Vec<usize> = (0..rows.len()).filter(|&k| uses[k] == 0.0).collect();
    let mut revived = false;
    for k in dead {
        let Some(offer) = new_direction(iterate, observer) else { break };
        iterate.atoms.col_mut(k).copy_from_slice(&offer.direction);
        serve(iterate, &offer.direction);
        revived = true;
    }
    if revived {
        iterate.encode(observer);
    }
    revived
}

/// Adds atoms at the worst residuals up to `width`, while they gain and the observer does
/// not break; codes are exact after.
pub(super) fn grow(iterate: &mut LassoIterate<'_>, width: usize, observer: &dyn Observer) {
    let before = iterate.atoms.ncols();
    while iterate.atoms.ncols() < width {
        let Some(offer) = new_direction(iterate, observer) else { break };
        iterate.atoms.push_column(&offer.direction);
        serve(iterate, &offer.direction);
    }
    if iterate.atoms.ncols() > before {
        iterate.encode(observer);
    }
}

/// Subtracts from the residuals what a new atom would serve, with the other codes fixed.
fn serve(iterate: &mut LassoIterate<'_>, direction: &[f64]) {
    let lambda = iterate.problem.lambda();
    for i in 0..iterate.residual.ncols() {
        let r = iterate.residual.col_mut(i);
        let code = dot(r, direction) - lambda;
        if code > 0.0 {
            axpy(-code, direction, r);
        }
    }
}

/// A unit direction with a large `½Σ wᵢ(dᵀrᵢ − λ)₊²`: what an atom along it
/// gains with the other codes fixed. Monotone ascent `d ∝ Σ wᵢ(dᵀrᵢ − λ)₊rᵢ`. `None` where
/// none gains, or the observer breaks.
fn new_direction(iterate: &LassoIterate<'_>, observer: &dyn Observer) -> Option<Offer> {
    let lambda = iterate.problem.lambda();
    let weights = iterate.problem.data().weights();
    let worst = iterate.residual.columns().zip(weights).enumerate().filter_map(|(i, (r, w))| {
        let s = norm(r) - lambda;
        (s > SATURATED * lambda).then_some((w * s * s, i))
    });
    let share = iterate.problem.share();
    let worst = share.foremost(worst.collect(), STARTS);
    let rows = iterate.residual.nrows();
    let starts = share.columns(|i| iterate.residual.col(i).into(), rows, &worst);
    let mut best: Option<Offer> = None;
    let mut correlations = vec![0.0; iterate.residual.ncols()];
    for start in starts.chunks_exact(rows) {
        if observer.poll().is_break() {
            return None;
        }
        let mut direction = start.to_vec();
        let mut gain = 0.0;
        for _ in 0..ASCENT_STEPS {
            let length = norm(&direction);
            if !(length > 0.0) {
                break;
            }
            direction.iter_mut().for_each(|v| *v /= length);
            correlate(&iterate.residual, &direction, &mut correlations);
            let [risen] = share.sums(|run| {
                let mut risen = 0.0;
                for (c, w) in correlations[run.clone()].iter_mut().zip(&weights[run]) {
                    let code = max(*c - lambda, 0.0);
                    risen += 0.5 * w * code * code;
                    *c = w * code;
                }
                [risen]
            });
            let settled = risen - gain <= ASCENT_GAIN * risen;
            gain = risen;
            if settled {
                break;
            }
            direction = combine_all(share, &iterate.residual, &correlations);
        }
        let length = norm(&direction);
        direction.iter_mut().for_each(|v| *v /= length);
        if gain > 0.0 && best.as_ref().is_none_or(|b| gain > b.gain) {
            best = Some(Offer { direction, gain, split: None });
        }
    }
    best
}

/// The longest vector of all ranks, the last of equals; `None` where no rank has one.
fn longest_of_all(share: &Share, longest: Option<Vec<f64>>) -> Option<Vec<f64>> {
    if share.size() == 1 {
        return longest;
    }
    let words = longest.map_or_else(Vec::new, |vector| vector.into_iter().map(f64::to_bits).collect());
    let vectors = share.gather(words).into_iter().filter(|words| !words.is_empty());
    let vectors = vectors.map(|words| words.into_iter().map(f64::from_bits).collect::<Vec<f64>>());
    let longest = vectors.max_by(|l, r| norm_sq(l).total_cmp(&norm_sq(r))).unwrap_or_default();
    let told = share.broadcast(longest.into_iter().map(f64::to_bits).collect());
    (!told.is_empty()).then(|| told.into_iter().map(f64::from_bits).collect())
}

/// What splitting atom `k` gains with all codes fixed (theorem `splitting-pressure`):
/// its points go to two atoms `d± ∝ y± = Σ± wᵢz_ki(rᵢ + z_kid_k)`, the best for
/// their side, and the gain is `‖y₊‖ + ‖y₋‖ − d_kᵀ(y₊ + y₋)`. Sides and atoms
/// alternate from the direction of largest pressure.
fn split(iterate: &LassoIterate<'_>, k: usize, row: &[(usize, f64)]) -> Option<Offer> {
    let atom = iterate.atoms.col(k);
    let weights = iterate.problem.data().weights();
    // What the atom's points ask for, less the common part.
    let share = iterate.problem.share();
    let asked: Vec<(usize, Vec<f64>)> = row
        .iter()
        .map(|&(i, z)| {
            let mut e: Vec<f64> = iterate.residual.col(i).to_vec();
            axpy(z, atom, &mut e);
            e.iter_mut().for_each(|v| *v *= weights[i] * z);
            (i, e)
        })
        .collect();
    let aside = |e: &[f64]| -> Vec<f64> {
        let along = dot(atom, e);
        e.iter().zip(atom).map(|(v, d)| v - along * d).collect()
    };
    let longest = asked.iter().map(|(_, e)| aside(e)).max_by(|l, r| norm_sq(l).total_cmp(&norm_sq(r)));
    let mut axis = longest_of_all(share, longest)?;
    let mut found: Option<(Vec<f64>, Vec<f64>, f64)> = None;
    for _ in 0..SPLIT_ROUNDS {
        let n = axis.len();
        let mut plus = share.sum(2 * n, usize::MAX, |run| {
            let mut sides = vec![0.0; 2 * n];
            let (plus, minus) = sides.split_at_mut(n);
            let from = asked.partition_point(|(i, _)| *i < run.start);
            for (_, e) in asked[from..].iter().take_while(|(i, _)| *i < run.end) {
                axpy(1.0, e, if dot(&axis, e) > 0.0 { &mut *plus } else { &mut *minus });
            }
            sides
        });
        let mut minus = plus.split_off(n);
        let (p, m) = (norm(&plus), norm(&minus));
        if !(p > 0.0 && m > 0.0) {
            break;
        }
        let gain = p + m - dot(atom, &plus) - dot(atom, &minus);
        if found.as_ref().is_some_and(|f| gain <= f.2) {
            break;
        }
        plus.iter_mut().for_each(|v| *v /= p);
        minus.iter_mut().for_each(|v| *v /= m);
        // A point goes to the atom it correlates with more.
        axis = plus.iter().zip(&minus).map(|(p, m)| p - m).collect();
        found = Some((plus, minus, gain));
    }
    found.map(|(direction, other, gain)| Offer { direction, gain, split: Some((k, other)) })
}

/// Replaces the atoms that are worth least by new directions or by the second halves of split
/// atoms, while the promised gain exceeds the loss. Then descends briefly and keeps the result if
/// its objective is lower. Duplicates are worth nothing, so an exchange merges them too. Returns
/// whether the iterate changed.
pub(super) fn exchange(iterate: &mut LassoIterate<'_>, observer: &dyn Observer) -> bool {
    if observer.poll().is_break() {
        return false;
    }
    let before = iterate.snapshot();
    let objective = iterate.objective;
    let rows = iterate.rows();
    let swaps = swaps(iterate, &rows, observer);
    if swaps.is_empty() || observer.poll().is_break() {
        iterate.restore(&before);
        return false;
    }
    for Swap { leaving, offer } in swaps {
        for &(i, _) in &rows[leaving] {
            iterate.codes[i].retain(|(k, _)| *k != leaving);
        }
        iterate.atoms.col_mut(leaving).copy_from_slice(&offer.direction);
        if let Some((k, other)) = offer.split {
            iterate.atoms.col_mut(k).copy_from_slice(&other);
        }
    }
    iterate.encode(observer);
    descend(iterate, TRIAL, observer);
    if iterate.objective < objective {
        return true;
    }
    iterate.restore(&before);
    false
}

/// An atom that leaves, and the atom that replaces it.
struct Swap {
    leaving: usize,
    offer: Offer,
}

/// The swaps worth trying, each with a gain promised above the loss. What they serve is
/// taken off the residuals of `iterate`, which the caller restores.
fn swaps(iterate: &mut LassoIterate<'_>, rows: &Rows, observer: &dyn Observer) -> Vec<Swap> {
    let costs = iterate.removal_costs(observer);
    let mut order: Vec<usize> = (0..costs.len()).collect();
    order.sort_by(|&k, &l| costs[k].total_cmp(&costs[l]).then(k.cmp(&l)));
    let mut splits: Vec<Offer> = Vec::new();
    for (k, row) in rows.iter().enumerate() {
        if observer.poll().is_break() {
            return Vec::new();
        }
        splits.extend(split(iterate, k, row));
    }
    splits.sort_by(|l, r| l.gain.total_cmp(&r.gain));

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a share of a count"
    )]
    let most = (EXCHANGE_SHARE * costs.len() as f64).ceil() as usize;
    let share = iterate.problem.share();
    let mut apart = Apart::new(rows, share);
    let mut swaps: Vec<Swap> = Vec::new();
    let mut order = order.into_iter();
    let mut fresh = new_direction(iterate, observer);
    while swaps.len() < most {
        let Some(leaving) = order.find(|&k| apart.is_free(k)) else { break };
        while splits.last().is_some_and(|offer| {
            offer.split.as_ref().is_some_and(|&(k, _)| k == leaving || !apart.is_free(k))
        }) {
            splits.pop();
        }
        let fresh_gain = fresh.as_ref().map_or(0.0, |offer| offer.gain);
        let split_gain = splits.last().map_or(0.0, |offer| offer.gain);
        // A cost that is 0 may be computed below 0, where nothing gains.
        if !(max(fresh_gain, split_gain) > max(costs[leaving], 0.0)) {
            break;
        }
        apart.take(leaving);
        if split_gain >= fresh_gain {
            let offer = splits.pop().expect("a split gains");
            if let Some((k, _)) = offer.split {
                apart.take(k);
            }
            swaps.push(Swap { leaving, offer });
        } else {
            let offer = fresh.take().expect("a direction gains");
            serve(iterate, &offer.direction);
            swaps.push(Swap { leaving, offer });
            fresh = new_direction(iterate, observer);
        }
    }
    swaps
}

/// The atoms and datapoints that no swap has touched yet. Losses and gains add up only where swaps
/// share no atom and no datapoint.
struct Apart<'a> {
    rows: &'a Rows,
    /// Atoms taken.
    taken: Vec<bool>,
    /// Datapoints of atoms taken.
    touched: Vec<bool>,
    share: &'a Share,
}

impl<'a> Apart<'a> {
    fn new(rows: &'a Rows, share: &'a Share) -> Self {
        Self { rows, taken: vec![false; rows.len()], touched: vec![false; share.len()], share }
    }

    fn is_free(&self, k: usize) -> bool {
        if self.taken[k] {
            return false;
        }
        let touched = self.rows[k].iter().any(|&(i, _)| self.touched[i]);
        let [touched] = self.share.largest(|_| [f64::from(u8::from(touched))]);
        touched <= 0.0
    }

    fn take(&mut self, k: usize) {
        self.taken[k] = true;
        self.rows[k].iter().for_each(|&(i, _)| self.touched[i] = true);
    }
}

/// Least share of the objective that an exchange of nested atoms must gain. Nearly equal atoms may
/// share their codes in any proportion without a gain.
const NESTING_GAIN: f64 = 1e-12;

/// Theorem `no-nesting`: where every datapoint of atom `l` uses atom `j` too, the
/// two are exchanged for `d_l + εd_j` and `d_j`, which lowers the objective with
/// the reconstructions unchanged. Returns whether any pair was exchanged; codes
/// are exact after.
pub(super) fn unnest(iterate: &mut LassoIterate<'_>, observer: &dyn Observer) -> bool {
    // Pairs of supports are compared in one place.
    if observer.poll().is_break() || iterate.problem.share().is_spread() {
        return false;
    }
    let Ok(here) = iterate.factorization() else { return false };
    let Ok(subject) = Subject::of(iterate.problem, &here) else { return false };
    let Some(mut pairs) = nesting::pairs(&subject, observer) else { return false };
    pairs.sort_by(|l, r| l.change.total_cmp(&r.change));
    let rows = iterate.rows();
    // Pairs of different atoms do not disturb one another.
    let mut changed = vec![false; rows.len()];
    for NestedPair { inner, outer, slack, change } in pairs {
        if changed[inner] || changed[outer] || !(change < -NESTING_GAIN * iterate.objective) {
            continue;
        }
        let mut direction = iterate.atoms.col(inner).to_vec();
        axpy(slack, iterate.atoms.col(outer), &mut direction);
        let length = norm(&direction);
        if !(length > 0.0) {
            continue;
        }
        (changed[inner], changed[outer]) = (true, true);
        for &(i, z) in &rows[inner] {
            for (k, code) in &mut iterate.codes[i] {
                if *k == inner {
                    *code = length * z;
                } else if *k == outer {
                    *code = max(*code - slack * z, 0.0);
                }
            }
            iterate.codes[i].retain(|(_, z)| *z > 0.0);
        }
        direction.iter_mut().for_each(|v| *v /= length);
        iterate.atoms.col_mut(inner).copy_from_slice(&direction);
    }
    let any = changed.contains(&true);
    if any {
        iterate.encode(observer);
    }
    any
}
