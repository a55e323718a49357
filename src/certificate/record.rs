//! A certificate to keep: what was claimed of which point of which problem, and
//! the check of such a record against them.
//!
//! A record holds digests of the problem, the point and the witness, and the
//! claims, each with the theorems it rests on. [`Record::verify`] believes none of
//! it: the parts are digested again and every claim is computed again from
//! (problem, point, witness). Digests are 64-bit FNV-1a: they name the part that
//! was changed by accident; against a forger it is the recomputation that counts.

use std::borrow::Cow;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Certificate, Certified, CertifyError, Options, Verdict, Witness, certify_observed};
use crate::atoms::Factorization;
use crate::linalg::{Datapoints, Matrix};
use crate::num::max;
use crate::observer::{Observer, Stop};
use crate::problem::Problem;
use crate::trusted::{BoundKind, Curvature, Goal, Part, exact, local};

/// Version of the record: raised when a field changes its meaning or goes away.
pub const SCHEMA_VERSION: u32 = 1;

/// Relative difference at which a recomputed number contradicts a claim. Another
/// machine may order the same sums differently, which moves the last digits; ten
/// times less leaves no room for long sums.
const SAME: f64 = 1e-9;

/// Relative difference of two numbers in a reason. Reasons are written with two digits or
/// more, the last of which another machine may round otherwise.
const SAME_IN_WORDS: f64 = 0.05;

/// The reason of a local proof that a limit ended before it was complete: what the whole
/// proof finds was not claimed.
pub const STOPPED: &str = "stopped before the proof was complete";

/// Which problem a record is about.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProblemDigest {
    /// Number of datapoints.
    pub points: usize,
    /// Dimension of the data.
    pub dim: usize,
    /// λ.
    pub lambda: f64,
    /// γ.
    pub gamma: f64,
    /// Whether the center is a variable.
    pub centered: bool,
    /// Digest of the bits of the data.
    pub data: String,
    /// Digest of the bits of the normalized weights.
    pub weights: String,
}

/// Which point a record is about.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PointDigest {
    /// Number of atoms.
    pub atoms: usize,
    /// Number of nonzero codes.
    pub nonzero_codes: usize,
    /// Digest of the bits of the dictionary.
    pub dictionary: String,
    /// Digest of the places and bits of the codes.
    pub codes: String,
    /// Digest of the bits of the center; that of nothing where there is none.
    pub center: String,
}

/// What the bound was proved from beside the point itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WitnessDigest {
    /// Digests of its matrices by their keys; null where the witness lacks one.
    #[serde(flatten)]
    pub parts: BTreeMap<String, Option<String>>,
    /// The estimate of the smallest eigenvalue below which the proof of a local minimum
    /// was tried; a number, so it is stored as it is and need not be handed over again.
    #[serde(default)]
    pub smallest_eigenvalue: Option<f64>,
}

/// What was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Asked {
    /// Relative gap at or below which a point is called a global optimum.
    pub tolerance: f64,
    /// Relative stationarity above which a point is refuted.
    pub stationarity: f64,
    /// How the run that made the factorization ended, if one did.
    pub stop: Option<Stop>,
    /// Whether lower bounds were computed.
    pub bounds: bool,
    /// Whether the point was tested as a local optimum of its width.
    pub local: bool,
    /// Whether the polar was computed exactly, with the default limits.
    pub exact: bool,
    /// What was to be proved of a number of atoms where the data lie in a plane.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub planar: Option<Goal>,
}

/// One number that is claimed, and why it holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Claim {
    /// What is claimed.
    pub name: String,
    /// The number.
    pub value: f64,
    /// Slugs of the theorems it rests on.
    pub theorems: Vec<String>,
}

/// A certificate as it is saved.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Version of this layout.
    pub schema_version: u32,
    /// The problem.
    pub problem: ProblemDigest,
    /// The point.
    pub point: PointDigest,
    /// The witness.
    pub witness: WitnessDigest,
    /// What was asked for.
    pub asked: Asked,
    /// The verdict, with its reason.
    pub verdict: Verdict,
    /// What is claimed.
    pub claims: Vec<Claim>,
}

/// What in a record does not match the problem, the point or the witness.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Mismatch {
    /// A record of another layout.
    #[error("schema version: expected {SCHEMA_VERSION}, found {found}")]
    Schema {
        /// Version found.
        found: u32,
    },
    /// A part that is not the one certified.
    #[error("{part}: not what the certificate was made for")]
    Part {
        /// Name of the part.
        part: &'static str,
    },
    /// A part of the witness that the record names and that was not handed in, so
    /// that the claim cannot be proved again.
    #[error("{part}: the certificate rests on it and it is missing")]
    Missing {
        /// Name of the part.
        part: &'static str,
    },
    /// A number that is not what the point has.
    #[error("{claim}: claimed {claimed:e}, recomputed {found:e}")]
    Claim {
        /// Name of the claim.
        claim: String,
        /// The number claimed.
        claimed: f64,
        /// The number computed again.
        found: f64,
    },
    /// A claim that the recomputed certificate does not make, or one left out.
    #[error("{claim}: {what}")]
    Unsupported {
        /// Name of the claim.
        claim: String,
        /// What is wrong.
        what: &'static str,
    },
    /// Another verdict.
    #[error("verdict: claimed {claimed}, recomputed {found}")]
    Verdict {
        /// The verdict claimed.
        claimed: &'static str,
        /// The verdict of the recomputed certificate.
        found: &'static str,
    },
    /// The point or the witness does not fit the problem.
    #[error(transparent)]
    Certify(#[from] CertifyError),
}

impl From<Mismatch> for Verdict {
    /// A record that does not match is rejected.
    fn from(mismatch: Mismatch) -> Self {
        Self::Rejected { reason: mismatch.to_string() }
    }
}

impl Record {
    /// The record of a certified point, made with `witness` and `options`. O(nN + nM + N²).
    #[must_use]
    pub fn new(problem: &Problem, certified: &Certified, witness: &Witness, options: &Options) -> Self {
        Self {
            schema_version: SCHEMA_VERSION,
            problem: ProblemDigest::of(problem),
            point: PointDigest::of(certified.solution()),
            witness: WitnessDigest::of(witness),
            asked: Asked {
                tolerance: options.gap_tolerance,
                stationarity: options.stationarity_tolerance,
                stop: options.stop,
                bounds: options.bounds,
                // What a stopped run left out is not claimed.
                local: certified.certificate().local().is_some(),
                exact: certified.certificate().tried_exact(),
                planar: certified.certificate().planar().map(|bound| bound.goal),
            },
            verdict: certified.certificate().verdict().clone(),
            claims: claims(problem, certified.certificate()),
        }
    }

    /// Checks every part and computes every claim again.
    ///
    /// The certificate that comes back is the recomputed one. A recorded bound holds only
    /// where the recomputed one is at least as strong, to the last bit. A weaker one holds:
    /// the search that a limit ended may have proved less than the checker does now. A
    /// verdict may be weaker for the same reason.
    ///
    /// # Errors
    /// [`Mismatch`], naming the first part or claim that does not hold.
    pub fn verify(
        &self,
        problem: &Problem,
        factorization: Factorization,
        witness: &Witness,
        observer: &dyn Observer,
    ) -> Result<Certified, Mismatch> {
        for checked in self.parts(problem, &factorization, witness) {
            checked.outcome?;
        }
        let certified =
            certify_observed(problem, factorization, &self.evidence(witness), &self.options(), observer)?;
        for checked in self.statements(problem, certified.certificate()) {
            checked.outcome?;
        }
        Ok(certified)
    }

    /// [`Record::verify`] that goes on after a failure and reports every part and every
    /// claim; the certificate is `None` where the factorization does not fit the problem.
    #[must_use]
    pub fn audit(
        &self,
        problem: &Problem,
        factorization: Factorization,
        witness: &Witness,
        observer: &dyn Observer,
    ) -> (Vec<Checked>, Option<Certified>) {
        let mut checked = self.parts(problem, &factorization, witness);
        match certify_observed(problem, factorization, &self.evidence(witness), &self.options(), observer) {
            Ok(certified) => {
                checked.extend(self.statements(problem, certified.certificate()));
                (checked, Some(certified))
            }
            Err(error) => {
                checked.push(Checked { claim: "certificate".to_owned(), outcome: Err(error.into()) });
                (checked, None)
            }
        }
    }

    /// What the checker was asked.
    #[must_use]
    pub fn options(&self) -> Options {
        Options {
            gap_tolerance: self.asked.tolerance,
            stationarity_tolerance: self.asked.stationarity,
            stop: self.asked.stop,
            bounds: self.asked.bounds,
            local: self.asked.local.then(local::Limits::default),
            exact: self.asked.exact.then(exact::Limits::default),
            planar: self.asked.planar,
        }
    }

    /// The witness with the recorded estimate of the smallest eigenvalue, where it comes
    /// without one.
    fn evidence<'w>(&self, witness: &'w Witness) -> Cow<'w, Witness> {
        match self.witness.smallest_eigenvalue {
            Some(smallest) if witness.curvature.is_none() => {
                let curvature = Some(Curvature { smallest, better: None });
                Cow::Owned(Witness { curvature, ..witness.clone() })
            }
            _ => Cow::Borrowed(witness),
        }
    }

    /// Whether the parts are those the record was made for.
    fn parts(&self, problem: &Problem, factorization: &Factorization, witness: &Witness) -> Vec<Checked> {
        let found = self.schema_version;
        let schema = if found == SCHEMA_VERSION { Ok(()) } else { Err(Mismatch::Schema { found }) };
        let mut checked = vec![Checked { claim: "schema version".to_owned(), outcome: schema }];
        let same = self.problem.compare(&ProblemDigest::of(problem));
        let same = same.into_iter().chain(self.point.compare(&PointDigest::of(factorization)));
        checked.extend(same.map(|(part, same)| Checked {
            claim: part.to_owned(),
            outcome: if same { Ok(()) } else { Err(Mismatch::Part { part }) },
        }));
        checked.extend(self.witness.compare(&WitnessDigest::of(witness)));
        checked
    }

    /// Whether the claims and the verdict are those of a recomputed certificate.
    fn statements(&self, problem: &Problem, certificate: &Certificate) -> Vec<Checked> {
        let recomputed = claims(problem, certificate);
        let claimed = self.claims.iter().enumerate();
        let mut checked: Vec<Checked> = claimed
            .map(|(place, claim)| {
                let twice = self.claims[..place].iter().any(|earlier| earlier.name == claim.name);
                let (name, what) = (claim.name.clone(), "is claimed twice");
                let outcome = if twice {
                    Err(Mismatch::Unsupported { claim: name, what })
                } else {
                    claim.check(&recomputed)
                };
                Checked { claim: claim.name.clone(), outcome }
            })
            .collect();
        let made = |name: &str| self.claims.iter().any(|claim| claim.name == name);
        // A proof of a local minimum that was stopped before its end is no claim.
        let unproved = self.verdict != Verdict::Local && !made(EIGENVALUE) && !made(RADIUS);
        let optional = |name: &str| unproved && [EIGENVALUE, RADIUS].contains(&name);
        let left = recomputed.iter().filter(|r| !made(&r.name) && !optional(&r.name));
        checked.extend(left.map(|left| {
            let (claim, what) = (left.name.clone(), "is left out of the record");
            Checked { claim: claim.clone(), outcome: Err(Mismatch::Unsupported { claim, what }) }
        }));
        checked.push(Checked { claim: "verdict".to_owned(), outcome: self.supported(certificate) });
        checked
    }

    /// Whether a recomputed certificate says what the verdict says, or more.
    fn supported(&self, certificate: &Certificate) -> Result<(), Mismatch> {
        let found = certificate.verdict();
        match (&self.verdict, found) {
            (Verdict::Undecided { .. }, Verdict::Global | Verdict::GlobalWidth | Verdict::Local) => Ok(()),
            (Verdict::Undecided { reason }, Verdict::Undecided { .. }) if reason == STOPPED => Ok(()),
            (Verdict::Local, Verdict::Global | Verdict::GlobalWidth)
                if certificate.local().is_some_and(|l| l.certified) =>
            {
                Ok(())
            }
            (claimed, found) if claimed.as_str() != found.as_str() => {
                Err(Mismatch::Verdict { claimed: claimed.as_str(), found: found.as_str() })
            }
            (claimed, found) => {
                // The gap of a weaker bound is larger, also where a reason quotes it.
                let weaker =
                    self.claims.iter().any(|c| c.name == GAP && c.value > certificate.relative_gap());
                let room = if weaker { f64::INFINITY } else { SAME_IN_WORDS };
                let same = match (claimed.reason(), found.reason()) {
                    (Some(claimed), Some(found)) => alike(claimed, found, room),
                    _ => true,
                };
                let (claim, what) = ("verdict reason".to_owned(), "not the reason found now");
                if same { Ok(()) } else { Err(Mismatch::Unsupported { claim, what }) }
            }
        }
    }
}

/// One part or claim of a record, checked again.
#[derive(Clone, Debug, PartialEq)]
pub struct Checked {
    /// Its name.
    pub claim: String,
    /// Whether it holds, or why not.
    pub outcome: Result<(), Mismatch>,
}

impl Claim {
    /// Looks for the same claim among the recomputed ones.
    fn check(&self, recomputed: &[Self]) -> Result<(), Mismatch> {
        let unsupported = |what| Err(Mismatch::Unsupported { claim: self.name.clone(), what });
        let Some(found) = recomputed.iter().find(|found| found.name == self.name) else {
            return unsupported("the recomputed certificate does not make this claim");
        };
        let name = self.name.as_str();
        let size = max(self.value.abs(), found.value.abs());
        let room = SAME * if STATIONARITY.contains(&name) { max(size, 1.0) } else { size };
        // A bound that is stronger than what was proved again is not proved.
        let holds = match name {
            LOWER_BOUND | EIGENVALUE | WIDTH_BASE | PLANAR => self.value <= found.value,
            UPPER_BOUND | GAP | RADIUS | WIDTH_PRICE => self.value >= found.value,
            _ => (self.value - found.value).abs() <= room,
        };
        if !holds {
            return Err(Mismatch::Claim {
                claim: self.name.clone(),
                claimed: self.value,
                found: found.value,
            });
        }
        if self.theorems != found.theorems && !self.is_weaker_bound(found) {
            return unsupported("rests on other theorems than the recomputed one");
        }
        Ok(())
    }

    /// Whether this is a bound of another kind than the recomputed one, and weaker.
    fn is_weaker_bound(&self, found: &Self) -> bool {
        let of_a_kind = KINDS.into_iter().any(|kind| {
            let theorems = self.theorems.strip_suffix(&["centre".to_owned()]).unwrap_or(&self.theorems);
            theorems == kind.theorems()
        });
        let weaker = match self.name.as_str() {
            LOWER_BOUND => self.value < found.value,
            GAP => self.value > found.value,
            _ => false,
        };
        weaker && of_a_kind
    }
}

/// Whether two reasons say the same: equal words, and numbers that are equal but for the
/// last digits of their print or what rounding makes of a 0.
#[must_use]
pub fn same_words(claimed: &str, found: &str) -> bool {
    alike(claimed, found, SAME_IN_WORDS)
}

/// Equal words, and numbers that differ by at most a share `room` of the larger.
fn alike(claimed: &str, found: &str, room: f64) -> bool {
    let core = |word: &'_ str| word.trim_matches(['(', ')', ',', ';', ':']).to_owned();
    let around = |word: &str| word.replacen(&core(word), "", 1);
    let close = |claimed: &str, found: &str| match (core(claimed).parse::<f64>(), core(found).parse::<f64>())
    {
        (Ok(a), Ok(b)) => (a - b).abs() <= max(room * max(a.abs(), b.abs()), SAME),
        _ => false,
    };
    let (claimed, found): (Vec<&str>, Vec<&str>) = (claimed.split(' ').collect(), found.split(' ').collect());
    claimed.len() == found.len()
        && claimed.iter().zip(&found).all(|(claimed, found)| {
            claimed == found || (around(claimed) == around(found) && close(claimed, found))
        })
}

/// What a lower bound may have been proved by.
const KINDS: [BoundKind; 9] = [
    BoundKind::ClosedForm,
    BoundKind::WideLimit,
    BoundKind::Fast,
    BoundKind::Nuclear,
    BoundKind::Quartic,
    BoundKind::Squares,
    BoundKind::Relaxation,
    BoundKind::Sdp,
    BoundKind::Exact,
];

const LOWER_BOUND: &str = "lower_bound";
const UPPER_BOUND: &str = "upper_bound";
const GAP: &str = "relative_gap";
const EIGENVALUE: &str = "eigenvalue_lower";
const RADIUS: &str = "radius";
/// The line of the bound that knows the number of atoms: at none, and what an atom saves.
const WIDTH_BASE: &str = "width_base";
const WIDTH_PRICE: &str = "width_price";
/// The bound of the number of atoms that was asked about, data in a plane.
const PLANAR: &str = "planar_bound";
const STATIONARITY: [&str; 3] =
    ["stationarity of codes", "stationarity of dictionary", "stationarity of center"];

/// Every number a certificate claims. The estimated bound is not among them.
fn claims(problem: &Problem, certificate: &Certificate) -> Vec<Claim> {
    let claim = |name: &str, value: f64, theorems: &[&str]| Claim {
        name: name.to_owned(),
        value,
        theorems: theorems.iter().map(|t| (*t).to_owned()).collect(),
    };
    let kkt = certificate.kkt();
    let mut bound = certificate.bound_kind().theorems().to_vec();
    if problem.centered() && !bound.is_empty() {
        bound.push("centre");
    }
    let mut claims = vec![
        claim("objective", certificate.objective(), &["rounding"]),
        claim(UPPER_BOUND, certificate.upper().get(), &["lift-exact", "rounding"]),
        claim(LOWER_BOUND, certificate.lower_bound().get(), &bound),
        claim(GAP, certificate.relative_gap(), &bound),
        claim(STATIONARITY[0], kkt.codes.relative(), &["stationarity"]),
        claim(STATIONARITY[1], kkt.dictionary.relative(), &["stationarity"]),
        claim(STATIONARITY[2], kkt.center.relative(), &["stationarity"]),
    ];
    if let Some(line) = certificate.width_line() {
        claims.push(claim(WIDTH_BASE, line.base.get(), &["lens-bound", "width-bound", "rounding"]));
        claims.push(claim(WIDTH_PRICE, line.price.get(), &["lens-bound", "width-bound", "rounding"]));
    }
    if let Some(bound) = certificate.planar() {
        claims.push(claim(PLANAR, bound.lower.get(), &["planar-optimum", "rounding"]));
    }
    if let Some(local) = certificate.local() {
        #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
        claims.push(claim("nested_pairs", local.nested_pairs as f64, &["no-nesting"]));
        if let Some(lower) = local.eigenvalue_lower {
            claims.push(claim(EIGENVALUE, lower, &["local-radius", "rounding"]));
        }
        if let Some(radius) = local.radius {
            claims.push(claim(RADIUS, radius, &["local-radius", "rounding"]));
        }
    }
    claims
}

impl ProblemDigest {
    fn of(problem: &Problem) -> Self {
        Self {
            points: problem.len(),
            dim: problem.dim(),
            lambda: problem.lambda(),
            gamma: problem.gamma(),
            centered: problem.centered(),
            data: digest_of_datapoints(problem.data().datapoints()),
            weights: digest(problem.data().weights()),
        }
    }

    fn compare(&self, found: &Self) -> Vec<(&'static str, bool)> {
        let same = |a: f64, b: f64| a.to_bits() == b.to_bits();
        vec![
            ("number of datapoints", self.points == found.points),
            ("dimension", self.dim == found.dim),
            ("lambda", same(self.lambda, found.lambda)),
            ("gamma", same(self.gamma, found.gamma)),
            ("whether the center is a variable", self.centered == found.centered),
            ("data", self.data == found.data),
            ("weights", self.weights == found.weights),
        ]
    }
}

impl PointDigest {
    fn of(point: &Factorization) -> Self {
        let mut codes = Digest::new();
        for i in 0..point.codes().datapoints() {
            let column = point.codes().column(i);
            codes.word(column.nnz() as u64);
            for (k, z) in column.iter() {
                codes.word(k as u64);
                codes.word(z.to_bits());
            }
        }
        Self {
            atoms: point.width(),
            nonzero_codes: point.codes().nnz(),
            dictionary: digest(point.dictionary().matrix().as_slice()),
            codes: codes.text(),
            center: digest(point.center().unwrap_or_default()),
        }
    }

    fn compare(&self, found: &Self) -> Vec<(&'static str, bool)> {
        vec![
            ("number of atoms", self.atoms == found.atoms),
            ("dictionary", self.dictionary == found.dictionary),
            ("codes", self.codes == found.codes && self.nonzero_codes == found.nonzero_codes),
            ("center", self.center == found.center),
        ]
    }
}

impl WitnessDigest {
    fn of(witness: &Witness) -> Self {
        let text = |matrix: &Matrix| digest(matrix.as_slice());
        let parts = Part::ALL.map(|part| (part.key().to_owned(), witness.part(part).map(text)));
        Self {
            parts: parts.into(),
            smallest_eigenvalue: witness.curvature.as_ref().map(|found| found.smallest),
        }
    }

    /// What proves nothing may be missing.
    fn compare(&self, found: &Self) -> Vec<Checked> {
        let of = |digest: &Self, part: Part| digest.parts.get(part.key()).cloned().flatten();
        Part::ALL
            .into_iter()
            .filter_map(|part| {
                let outcome = match (of(self, part), of(found, part)) {
                    _ if !self.parts.contains_key(part.key()) => {
                        Err(Mismatch::Missing { part: part.in_records() })
                    }
                    _ if !part.proves() => return None,
                    (None, None) => return None,
                    (Some(_), None) => Err(Mismatch::Missing { part: part.in_records() }),
                    (claimed, found) if claimed == found => Ok(()),
                    _ => Err(Mismatch::Part { part: part.in_records() }),
                };
                Some(Checked { claim: part.in_records().to_owned(), outcome })
            })
            .collect()
    }
}

/// 64-bit FNV-1a over little-endian bytes (Fowler, Noll & Vo): the same on every
/// machine and version.
pub(crate) struct Digest(u64);

impl Digest {
    /// Offset basis and prime of the published function.
    const BASIS: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0000_0100_0000_01b3;

    pub(crate) fn new() -> Self {
        Self(Self::BASIS)
    }

    /// Goes on from [`Digest::get`].
    #[cfg(feature = "io")]
    pub(crate) fn from(state: u64) -> Self {
        Self(state)
    }

    pub(crate) fn word(&mut self, word: u64) {
        for byte in word.to_le_bytes() {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(Self::PRIME);
        }
    }

    /// Where it stands.
    #[cfg(feature = "io")]
    pub(crate) fn get(&self) -> u64 {
        self.0
    }

    pub(crate) fn text(&self) -> String {
        format!("fnv1a64:{:016x}", self.0)
    }
}

fn digest(values: &[f64]) -> String {
    let mut digest = Digest::new();
    digest.word(values.len() as u64);
    values.iter().for_each(|v| digest.word(v.to_bits()));
    digest.text()
}

/// Of datapoints as doubles: the same whatever numbers hold them.
fn digest_of_datapoints(datapoints: &Datapoints) -> String {
    let mut digest = Digest::new();
    digest.word((datapoints.nrows() * datapoints.ncols()) as u64);
    datapoints.columns().for_each(|x| x.iter().for_each(|v| digest.word(v.to_bits())));
    digest.text()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_the_same_but_for_last_digits() {
        let reason = "codes violate theorem stationarity by 2.31e-1 of their scale (allowed 5.0e-2)";
        for (other, same) in [
            ("codes violate theorem stationarity by 2.32e-1 of their scale (allowed 5.0e-2)", true),
            ("codes violate theorem stationarity by 2.31e-2 of their scale (allowed 5.0e-2)", false),
            ("codes violate theorem stationarity by 2.31e-1 of their scale [allowed 5.0e-2)", false),
            ("atoms violate theorem stationarity by 2.31e-1 of their scale (allowed 5.0e-2)", false),
            ("codes violate theorem stationarity by 2.31e-1 of their scale (allowed 5.0e-2)x", false),
            ("codes violate theorem stationarity by 2.31e-1 of their scale", false),
            ("", false),
        ] {
            assert_eq!(same_words(other, reason), same, "{other}");
        }
        // What rounding makes of a 0.
        assert!(same_words("(Ritz value -1.2e-17)", "(Ritz value 3.4e-16)"));
    }

    #[test]
    fn the_digest_is_the_published_one() {
        // FNV-1a of "foobar" and two zero bytes, byte by byte.
        let mut expected = Digest::BASIS;
        for byte in *b"foobar\0\0" {
            expected = (expected ^ u64::from(byte)).wrapping_mul(Digest::PRIME);
        }
        let mut digest = Digest::new();
        digest.word(u64::from_le_bytes(*b"foobar\0\0"));
        assert_eq!(digest.0, expected);
        let published =
            b"foobar".iter().fold(Digest::BASIS, |h, b| (h ^ u64::from(*b)).wrapping_mul(Digest::PRIME));
        assert_eq!(published, 0x8594_4171_f739_67e8);
        assert_ne!(super::digest(&[0.0]), super::digest(&[-0.0]));
        assert_ne!(super::digest(&[]), super::digest(&[0.0]));
    }
}
