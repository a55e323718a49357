//! The answers of `solve` and `certify` in words.

use std::fmt::Write as _;

use super::row::{Participation, RunSummary, stop_name};
use crate::atoms::Rescaled;
use crate::num::{at_most, max};
use crate::{Bounding, Certificate, Problem, Verdict};

/// What was asked, in a line.
fn subject(problem: &Problem) -> String {
    format!(
        "{} points of dimension {}, lambda {}, gamma {}{}\n",
        problem.total(),
        problem.dim(),
        problem.lambda(),
        problem.gamma(),
        if problem.centered() { ", with a center" } else { "" },
    )
}

/// The certificate, with the bounds that are no part of it.
pub fn proved(
    problem: &Problem,
    run: &RunSummary,
    bounding: Bounding,
    certificate: &Certificate,
    participation: Option<&Participation>,
) -> String {
    let width = width_bound(problem, run, bounding, certificate);
    let (common, both) =
        participation.map_or_else(Default::default, |common| (bound(common), both(run, certificate, common)));
    format!("{certificate}\n{width}{common}{both}")
}

/// What holds for dictionaries of the width whose atoms are common: the larger of two bounds, where
/// there are two.
fn both(run: &RunSummary, certificate: &Certificate, common: &Participation) -> String {
    let of_width = run.width.and_then(|width| Some((width, certificate.width_bound(width)?.get())));
    of_width.map_or_else(String::new, |(width, bound)| {
        let larger = at_most(max(bound, common.lower_bound), 9);
        format!(
            "bound for both       {larger}  (dictionaries of {width} unit atoms with such participations)\n"
        )
    })
}

/// The answer of a solver.
pub fn solved(
    problem: &Problem,
    run: &RunSummary,
    bounding: Bounding,
    certificate: &Certificate,
    participation: Option<&Participation>,
) -> String {
    format!(
        "{}{} (seed {}): {} after {:.2} s, {:.2} s to certify\n\n{}",
        subject(problem),
        run.method,
        run.seed,
        stop_name(run.stop),
        run.solving.as_secs_f64(),
        run.certifying.as_secs_f64(),
        proved(problem, run, bounding, certificate, participation),
    )
}

/// What to make of an answer that is no dictionary: nothing is active, or every datapoint has an
/// atom of its own.
pub fn trivial(problem: &Problem, run: &RunSummary, certificate: &Certificate) -> String {
    if certificate.statistics().atoms == 0 {
        let lengths = problem.data().datapoints().columns().map(|x| crate::linalg::norm(&x));
        let longest = lengths.max_by(f64::total_cmp).unwrap_or(0.0);
        if longest == 0.0 {
            return "\nnothing is active    every datapoint is 0, and so is every code\n".into();
        }
        return format!(
            "\nnothing is active    at lambda {} and gamma {} no atom pays for itself: every code is 0. Smaller \
             ones give a dictionary{}\n",
            problem.lambda(),
            problem.gamma(),
            if problem.centered() {
                String::new()
            } else {
                format!(" (the longest datapoint has length {longest:.4}: lambda must be below it)")
            }
        );
    }
    if problem.gamma() > 0.0 || run.width.is_some() {
        return String::new();
    }
    format!(
        "\nthis is the wide limit    at gamma 0 without a width the best has an atom for each active datapoint \
         ({} here): no dictionary to share. --width M finds one of M atoms, --gamma G above 0 one of the size \
         that pays\n",
        certificate.statistics().atoms
    )
}

/// The answer of an audit.
pub fn audited(
    problem: &Problem,
    run: &RunSummary,
    bounding: Bounding,
    certificate: &Certificate,
    participation: Option<&Participation>,
    rescaled: Option<Rescaled>,
) -> String {
    let mut text = format!(
        "{}{:.2} s to certify\n\n{}",
        subject(problem),
        run.certifying.as_secs_f64(),
        proved(problem, run, bounding, certificate, participation),
    );
    if let Some(Rescaled { atoms, shortest, longest }) = rescaled {
        let _ = writeln!(
            text,
            "rescaled {atoms} atoms of length {shortest:.6} to {longest:.6} to length 1, and their codes"
        );
    }
    text
}

/// The answer for files that hold no point of the problem.
pub fn rejected(verdict: &Verdict) -> String {
    format!("verdict              {verdict}\n")
}

/// What no dictionary of the width can do better, or why nothing is said of it beyond the bound
/// of every width. Nothing where no bound was asked for.
fn width_bound(problem: &Problem, run: &RunSummary, bounding: Bounding, certificate: &Certificate) -> String {
    let Some(width) = run.width else { return String::new() };
    let said = match certificate.width_bound(width) {
        // The certificate's own lines say it.
        Some(_) if certificate.planar().is_some() => return String::new(),
        Some(bound) => {
            let gap = 100.0 * (1.0 - bound.get() / certificate.objective());
            let bound = at_most(bound.get(), 9);
            format!("{bound}  (no dictionary of {width} unit atoms does better; {gap:.2} % below this one)")
        }
        None if bounding == Bounding::None => return String::new(),
        None if problem.gamma() > 0.0 => "none  (there are some for gamma = 0 only)".to_owned(),
        None if problem.centered() => "none  (there are some for a fixed center only)".to_owned(),
        None if !bounding.bounds_width(problem) => {
            format!("not searched for  (--bound {bounding}, {} points)", problem.total())
        }
        None if *certificate.verdict() == Verdict::Global => {
            "not needed  (optimal for every width within the tolerance)".to_owned()
        }
        None => "none was found above the bound of every width".to_owned(),
    };
    format!("width bound          {said}\n")
}

fn bound(participation: &Participation) -> String {
    if !participation.beats_wide_limit {
        return format!(
            "participation bound  {}  (that of all dictionaries: nothing above it was found for participations of at least {:.4e})\n",
            at_most(participation.lower_bound, 9),
            participation.p
        );
    }
    format!(
        "participation bound  {}  (any dictionary whose atoms have participations at least {:.4e}; lambda' {:.6}, gamma {:.6}, {})\n",
        at_most(participation.lower_bound, 9),
        participation.p,
        participation.lambda,
        participation.gamma,
        participation.bound_kind
    )
}
