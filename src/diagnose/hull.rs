//! Whether dictionary and codes can be a stationary point at all (theorem `hull-condition`):
//! told from the codes and the decoder's cosines alone.

use rayon::prelude::*;
use serde::Serialize;

use crate::atoms::Codes;
use crate::num::{at_most_e, max};
use crate::observer::Observer;
use crate::search::hull::{Limits, Nearest, nearest};
use crate::trusted::hull::Demands;

/// How far [`hull`] goes, and what counts as what.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HullOptions {
    /// Limits of the search for one atom.
    pub limits: Limits,
    /// Numbers that may be touched for all atoms together: no atom is begun beyond it.
    pub max_work: usize,
    /// Certified distance above which an atom counts as refuted. That of a point that is
    /// stationary to rounding is above 0 too.
    pub tolerance: f64,
    /// Atoms that are looked at, at most: the first of those that would be.
    pub max_atoms: usize,
    /// Most live atoms of which every other one is a coordinate. Beyond it, they are those that
    /// fire with the atom, and those of windows that do not hold.
    pub max_coordinates: usize,
    /// Atoms and datapoints that an atom's row names, at most.
    pub max_named: usize,
    /// Windows that are kept, at most.
    pub max_windows: usize,
}

impl Default for HullOptions {
    /// The search's defaults, 2·10⁹ numbers (a few seconds), 1e-4, every atom, 512, 5, 1000.
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            max_work: 2_000_000_000,
            tolerance: 1e-4,
            max_atoms: usize::MAX,
            max_coordinates: 512,
            max_named: 5,
            max_windows: 1000,
        }
    }
}

/// How far an atom is from being part of a stationary point.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct HullAtom {
    /// The atom.
    pub atom: usize,
    /// Distance of what it demands from the hull, or the cone, of the codes where it is off, in
    /// units of `‖s‖`, as computed, over the coordinates that were looked at.
    pub distance: f64,
    /// A proved lower end of the distance.
    pub certified_lower: f64,
    /// Whether it is never off where the center is a variable. No point allows that; the distance
    /// is infinite, and 1 is what stands here.
    pub always_on: bool,
    /// Atoms that weigh most in the separating vector.
    pub with: Vec<usize>,
    /// Datapoints that the nearest point is a mean of, those of the largest weights.
    pub points: Vec<usize>,
}

/// A pair whose cosine is at an end of its window, or beyond it; the center is a variable.
///
/// With γ = 0, `1 − max z_k/s_k ≤ d_jᵀd_k ≤ 1 − min z_k/s_k`, both over the datapoints at which j
/// is off.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Window {
    /// The atom j that is off.
    pub off: usize,
    /// The atom k whose codes there are looked at.
    pub other: usize,
    /// `d_jᵀd_k`.
    pub cosine: f64,
    /// The least cosine that the codes allow.
    pub low: f64,
    /// The largest.
    pub high: f64,
    /// How far the cosine is beyond its window; 0 at its edge.
    pub outside: f64,
}

/// What [`hull`] finds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct HullReport {
    /// Whether the center is a variable: a hull, not a cone.
    pub centered: bool,
    /// Atoms in use.
    pub live: usize,
    /// Those that were looked at.
    pub checked: usize,
    /// Those whose certified distance is above `tolerance`. Where there is one, no data set makes
    /// dictionary and codes a stationary point.
    pub refuted: usize,
    /// What counts as refuted.
    pub tolerance: f64,
    /// The largest distance.
    pub worst: f64,
    /// The largest certified one.
    pub worst_certified: f64,
    /// The atoms looked at, the worst first.
    pub atoms: Vec<HullAtom>,
    /// Windows that do not hold.
    pub windows_outside: usize,
    /// Windows that hold with nothing to spare.
    pub windows_at_edge: usize,
    /// Both, the worst first.
    pub windows: Vec<Window>,
}

impl HullReport {
    /// Gives datapoints other numbers.
    pub fn name_points(&mut self, name: impl Fn(usize) -> usize) {
        self.atoms.iter_mut().flat_map(|atom| &mut atom.points).for_each(|point| *point = name(*point));
    }

    /// The same with the worst atoms alone, so many of them.
    #[must_use]
    pub fn listing(mut self, count: usize) -> Self {
        self.atoms.truncate(count);
        self.windows.truncate(count);
        self
    }

    /// In words, a few lines.
    #[must_use]
    pub fn text(&self) -> String {
        let (what, Self { live, checked, refuted, worst, worst_certified, .. }) =
            (if self.centered { "hull" } else { "cone" }, self);
        let told = match (refuted, self.atoms.first()) {
            (0, _) => String::from("none is refuted"),
            (count, first) => format!(
                "{count} refuted, first atom {}: no data set makes this dictionary with these codes a stationary point",
                first.map_or(0, |first| first.atom)
            ),
        };
        let few =
            if checked < live { format!(", {checked} of {live} atoms looked at") } else { String::new() };
        format!(
            "{what} of the codes    largest distance {worst:.2e}, certified {} of |s|{few}\n\
             \x20                    {told}\n",
            at_most_e(*worst_certified)
        )
    }
}

/// Distance to the edge of a window that counts as being at it.
const EDGE: f64 = 1e-6;

/// Distance outside a window that is rounding.
const ROUNDING: f64 = 1e-9;

/// Atoms that are looked at between two questions whether to go on.
const AT_ONCE: usize = 64;

/// Measures how far every live atom is from what a stationary point demands, those of the worst
/// windows first. `None` where the observer stops it before an atom was looked at; where it stops
/// later, [`checked`](HullReport::checked) is below [`live`](HullReport::live).
///
/// The test knows no data. It has little power where datapoints are many: the hull is then large
/// (12 atoms on the 1797 digits pass with every atom turned by 0.1). It bites on hierarchies,
/// always-on features, antipodal pairs and features that fire together, and where datapoints are
/// few.
///
/// Windows are for γ = 0 and a center that is a variable; both as computed.
///
/// # Cost
/// O(Σᵢ|Sᵢ|²) for the windows, and for an atom what [`nearest`] takes; O(N) memory a thread.
///
/// # Guarantees
/// [`certified_lower`](HullAtom::certified_lower) is at most the true distance, and where it is
/// above 0 the point is stationary for no data:
/// [`hull-condition`](crate::proofs::hull_condition).
#[must_use]
pub fn hull(
    demands: &Demands<'_>,
    codes: &Codes,
    options: &HullOptions,
    observer: &dyn Observer,
) -> Option<HullReport> {
    let live: Vec<usize> = (0..demands.atoms()).filter(|k| demands.mass_of(*k) > 0.0).collect();
    let windows = windows(demands, codes, &live, observer);
    let mut suspicion = vec![0.0; demands.atoms()];
    for window in &windows {
        suspicion[window.off] = max(suspicion[window.off], window.outside);
    }
    let mut order = live.clone();
    order.sort_by(|a, b| suspicion[*b].total_cmp(&suspicion[*a]).then(a.cmp(b)));
    let (mut atoms, mut work) = (Vec::new(), 0);
    order.truncate(options.max_atoms);
    for some in order.chunks(AT_ONCE) {
        if work >= options.max_work || observer.poll().is_break() {
            break;
        }
        let found: Option<Vec<(HullAtom, usize)>> = some
            .par_iter()
            .map(|&j| {
                let coordinates = coordinates(demands, codes, &live, &windows, j, options);
                atom(demands, j, &coordinates, options, observer)
            })
            .collect();
        let Some(found) = found else { break };
        work += found.iter().map(|(_, work)| work).sum::<usize>();
        atoms.extend(found.into_iter().map(|(atom, _)| atom));
    }
    if atoms.is_empty() && !live.is_empty() {
        return None;
    }
    let by = |a: &HullAtom, b: &HullAtom| {
        let certified = b.certified_lower.total_cmp(&a.certified_lower);
        certified.then(b.distance.total_cmp(&a.distance)).then(a.atom.cmp(&b.atom))
    };
    atoms.sort_by(by);
    let outside = windows.iter().filter(|window| window.outside > 0.0).count();
    Some(HullReport {
        centered: demands.centered(),
        live: live.len(),
        checked: atoms.len(),
        refuted: atoms.iter().filter(|atom| atom.certified_lower > options.tolerance).count(),
        tolerance: options.tolerance,
        worst: atoms.iter().map(|atom| atom.distance).fold(0.0, max),
        worst_certified: atoms.iter().map(|atom| atom.certified_lower).fold(0.0, max),
        atoms,
        windows_outside: outside,
        windows_at_edge: windows.len() - outside,
        windows: windows.into_iter().take(options.max_windows).collect(),
    })
}

/// One atom, and what it cost; `None` where the observer breaks.
fn atom(
    demands: &Demands<'_>,
    j: usize,
    coordinates: &[usize],
    options: &HullOptions,
    observer: &dyn Observer,
) -> Option<(HullAtom, usize)> {
    if demands.centered() && demands.row(j).len() == demands.datapoints() {
        let certified_lower = demands.distance(j, &[]).get();
        let found = HullAtom {
            atom: j,
            distance: 1.0,
            certified_lower,
            always_on: true,
            with: Vec::new(),
            points: Vec::new(),
        };
        return Some((found, 1));
    }
    let Nearest { distance, mut direction, mut points, work } =
        nearest(demands, j, coordinates, &options.limits, observer)?;
    let certified_lower = demands.distance(j, &direction).get();
    direction.sort_by(|a, b| b.1.abs().total_cmp(&a.1.abs()).then(a.0.cmp(&b.0)));
    points.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    let first =
        |pairs: Vec<(usize, f64)>| pairs.into_iter().take(options.max_named).map(|(at, _)| at).collect();
    let found = HullAtom {
        atom: j,
        distance,
        certified_lower,
        always_on: false,
        with: first(direction),
        points: first(points),
    };
    Some((found, work))
}

/// The atoms that are looked at for atom j.
fn coordinates(
    demands: &Demands<'_>,
    codes: &Codes,
    live: &[usize],
    windows: &[Window],
    j: usize,
    options: &HullOptions,
) -> Vec<usize> {
    if live.len() <= options.max_coordinates {
        return live.iter().copied().filter(|k| *k != j).collect();
    }
    let mut wanted: Vec<usize> =
        windows.iter().filter(|w| w.off == j && w.outside > 0.0).map(|w| w.other).collect();
    for &i in &demands.row(j).indices {
        wanted.extend(codes.column(i).indices().iter().copied().filter(|k| *k != j));
    }
    wanted.sort_unstable();
    wanted.dedup();
    wanted.retain(|k| demands.mass_of(*k) > 0.0);
    wanted
}

/// Pairs beyond their windows or at their edges, the worst first. Empty for a fixed center and
/// for γ > 0.
fn windows(demands: &Demands<'_>, codes: &Codes, live: &[usize], observer: &dyn Observer) -> Vec<Window> {
    if !demands.centered() || demands.priced() {
        return Vec::new();
    }
    // Codes of an atom, the largest first: the first one at which another is off is soon found.
    let sorted: Vec<Vec<(usize, f64)>> = (0..demands.atoms())
        .into_par_iter()
        .map(|k| {
            let mut row: Vec<(usize, f64)> = demands.row(k).iter().collect();
            row.sort_by(|a, b| b.1.total_cmp(&a.1));
            row
        })
        .collect();
    // Only codes that stay below 2s bound a cosine where the other atom is off or on.
    let flat: Vec<usize> =
        live.iter().copied().filter(|&k| sorted[k][0].1 < 2.0 * demands.mass_of(k)).collect();
    // So do those of atoms that are on wherever the other is off: as many codes are needed at least.
    let mut longest = live.to_vec();
    longest.sort_by_key(|k| std::cmp::Reverse(sorted[*k].len()));
    let of = |&j: &usize| {
        if observer.poll().is_break() {
            return Vec::new();
        }
        let row = demands.row(j);
        let off = demands.datapoints() - row.len();
        if off == 0 {
            return Vec::new();
        }
        let mut on = vec![false; demands.datapoints()];
        row.indices.iter().for_each(|&i| on[i] = true);
        let mut others = flat.clone();
        others.extend(longest.iter().take_while(|k| sorted[**k].len() >= off));
        row.indices.iter().for_each(|&i| others.extend_from_slice(codes.column(i).indices()));
        others.sort_unstable();
        others.dedup();
        others.retain(|k| *k != j && demands.mass_of(*k) > 0.0);
        let ends = |k: usize| {
            let mut there = sorted[k].iter().filter(|(i, _)| !on[*i]).map(|(_, z)| *z);
            let most = there.next().unwrap_or(0.0);
            // The least is 0 unless k is on wherever j is off.
            let everywhere =
                sorted[k].len() >= off && sorted[k].iter().filter(|(i, _)| !on[*i]).count() == off;
            let least = if everywhere { there.next_back().unwrap_or(most) } else { 0.0 };
            let mass = demands.mass_of(k);
            (1.0 - most / mass, 1.0 - least / mass)
        };
        let window = |k: usize| {
            let (low, high) = ends(k);
            if low <= -1.0 && high >= 1.0 {
                return None;
            }
            let cosine = demands.cosine(j, k);
            let cosine = 0.5 * (cosine.lo + cosine.hi);
            let outside = max(low - cosine, cosine - high);
            let outside = if outside > ROUNDING { outside } else { 0.0 };
            let near = (cosine - low).abs() <= EDGE || (cosine - high).abs() <= EDGE && high < 1.0;
            (outside > 0.0 || near).then_some(Window { off: j, other: k, cosine, low, high, outside })
        };
        others.into_iter().filter_map(window).collect::<Vec<Window>>()
    };
    let mut found: Vec<Window> = live.par_iter().flat_map_iter(of).collect();
    found.sort_by(|a, b| b.outside.total_cmp(&a.outside).then((a.off, a.other).cmp(&(b.off, b.other))));
    found
}
