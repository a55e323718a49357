//! The tables of a diagnosis as CSV.

use std::path::Path;

use serde::Serialize;

use super::super::{AtomRow, Diagnosis, HullAtom};
use crate::io::{FileError, FileProblem, replace};

/// The fields of every table, in their order.
const FIELDS: [(&str, &[&str]); 14] = [
    (
        "atoms.csv",
        &[
            "atom",
            "density",
            "given_density",
            "mass",
            "reached",
            "violation",
            "turn",
            "pressure",
            "split_gain",
            "nearest",
            "nearest_cosine",
            "opposite",
            "opposite_cosine",
        ],
    ),
    ("points.csv", &["point", "objective", "excess", "residual", "l0", "amortisation_gap", "given_gap"]),
    ("moves.csv", &["atom", "violation", "mean_length", "turn", "gain", "towards", "towards_cosine"]),
    (
        "nested.csv",
        &[
            "child",
            "parent",
            "child_uses",
            "parent_uses",
            "together",
            "share",
            "child_solo",
            "parent_solo",
            "cosine",
            "slack",
            "gain",
        ],
    ),
    ("absorbed.csv", &["child", "parent", "child_uses", "parent_uses", "cosine", "together", "would_fire"]),
    ("splitting.csv", &["atom", "uses", "pressure", "relative", "gain", "opening"]),
    ("clusters.csv", &["cluster", "atom"]),
    ("hull.csv", &["atom", "distance", "certified_lower", "always_on"]),
    ("windows.csv", &["off", "other", "cosine", "low", "high", "outside"]),
    (
        "antipodal.csv",
        &[
            "first",
            "second",
            "cosine",
            "density_first",
            "density_second",
            "together",
            "peak_first",
            "peak_second",
            "given_up",
        ],
    ),
    ("dead.csv", &["atom", "reached", "short_by", "point", "given_uses"]),
    ("spectra.csv", &["spectrum", "rank", "eigenvalue"]),
    ("uses.csv", &["atom", "uses", "mean", "most"]),
    ("matching.csv", &["left", "right", "cosine"]),
];

/// An atom without what is nested.
#[derive(Serialize)]
struct FlatAtom {
    atom: usize,
    density: f64,
    given_density: Option<f64>,
    mass: f64,
    reached: Option<f64>,
    violation: Option<f64>,
    turn: Option<f64>,
    pressure: Option<f64>,
    split_gain: Option<f64>,
    nearest: Option<usize>,
    nearest_cosine: Option<f64>,
    opposite: Option<usize>,
    opposite_cosine: Option<f64>,
}

impl From<&AtomRow> for FlatAtom {
    fn from(row: &AtomRow) -> Self {
        Self {
            atom: row.atom,
            density: row.density,
            given_density: row.given_density,
            mass: row.mass,
            reached: row.reached,
            violation: row.violation,
            turn: row.turn,
            pressure: row.pressure,
            split_gain: row.split_gain,
            nearest: row.nearest.map(|n| n.atom),
            nearest_cosine: row.nearest.map(|n| n.cosine),
            opposite: row.opposite.map(|n| n.atom),
            opposite_cosine: row.opposite.map(|n| n.cosine),
        }
    }
}

/// Where an atom would move.
#[derive(Serialize)]
struct Move {
    atom: usize,
    violation: f64,
    mean_length: f64,
    turn: f64,
    gain: f64,
    towards: Option<usize>,
    towards_cosine: Option<f64>,
}

#[derive(Serialize)]
struct Eigenvalue {
    spectrum: &'static str,
    rank: usize,
    eigenvalue: f64,
}

/// Without the lists, which a row cannot have.
#[derive(Serialize)]
struct FlatHull {
    atom: usize,
    distance: f64,
    certified_lower: f64,
    always_on: bool,
}

impl From<&HullAtom> for FlatHull {
    fn from(found: &HullAtom) -> Self {
        let HullAtom { atom, distance, certified_lower, always_on, .. } = *found;
        Self { atom, distance, certified_lower, always_on }
    }
}

#[derive(Serialize)]
struct Member {
    cluster: usize,
    atom: usize,
}

impl Diagnosis {
    /// Writes the tables into a folder that exists and gives their names: `atoms.csv`,
    /// `points.csv`, `moves.csv`, `nested.csv`, `absorbed.csv`, `splitting.csv`,
    /// `clusters.csv`, `hull.csv`, `windows.csv`, `antipodal.csv`, `dead.csv`, `spectra.csv`, `uses.csv` where an
    /// encoder's codes of more data were measured, and, after a comparison, `matching.csv`. Indices count from 0; what does not apply is empty.
    ///
    /// # Errors
    /// [`FileError`] when a file cannot be written.
    pub fn write_tables(&self, folder: &Path) -> Result<Vec<&'static str>, FileError> {
        let moves = self.dictionary.atoms.iter().map(|a| Move {
            atom: a.atom,
            violation: a.violation,
            mean_length: a.mean_length,
            turn: a.turn,
            gain: a.gain,
            towards: a.towards.map(|(l, _)| l),
            towards_cosine: a.towards.map(|(_, c)| c),
        });
        let spectra = [
            ("residuals", &self.residuals.spectrum),
            ("beyond-ball", &self.residuals.beyond_ball),
            ("off-polytope", &self.residuals.off_polytope),
        ];
        let eigenvalues = spectra.into_iter().filter_map(|(name, s)| Some((name, s.as_ref()?))).flat_map(
            |(spectrum, s)| {
                s.eigenvalues.iter().enumerate().map(move |(rank, &eigenvalue)| Eigenvalue {
                    spectrum,
                    rank,
                    eigenvalue,
                })
            },
        );
        let members = self
            .splitting
            .clusters
            .iter()
            .enumerate()
            .flat_map(|(cluster, atoms)| atoms.iter().map(move |&atom| Member { cluster, atom }));
        let hull = || self.hull.iter();
        let mut names = vec![
            table(folder, "atoms.csv", self.atom_rows.iter().map(FlatAtom::from))?,
            table(folder, "points.csv", self.point_rows.iter())?,
            table(folder, "moves.csv", moves)?,
            table(folder, "nested.csv", self.hierarchy.nested.iter())?,
            table(folder, "absorbed.csv", self.hierarchy.absorbed.iter())?,
            table(folder, "splitting.csv", self.splitting.atoms.iter())?,
            table(folder, "clusters.csv", members)?,
            table(folder, "hull.csv", hull().flat_map(|hull| &hull.atoms).map(FlatHull::from))?,
            table(folder, "windows.csv", hull().flat_map(|hull| &hull.windows))?,
            table(folder, "antipodal.csv", self.antipodal.iter())?,
            table(folder, "dead.csv", self.codes.dead.iter())?,
            table(folder, "spectra.csv", eigenvalues)?,
        ];
        if let Some(all) = &self.codes.all {
            names.push(table(folder, "uses.csv", all.atoms.iter())?);
        }
        if let Some(comparison) = &self.comparison {
            names.push(table(folder, "matching.csv", comparison.pairs.iter())?);
        }
        Ok(names)
    }
}

/// The names that a row writes above itself.
fn names_of(row: &impl Serialize) -> Option<String> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.serialize(row).ok()?;
    let text = String::from_utf8(writer.into_inner().ok()?).ok()?;
    text.lines().next().map(str::to_owned)
}

/// Writes rows below the names of their fields, which an empty table has too.
fn table<T: Serialize>(
    folder: &Path,
    name: &'static str,
    rows: impl Iterator<Item = T>,
) -> Result<&'static str, FileError> {
    let (_, fields) = FIELDS.iter().find(|(known, _)| *known == name).expect("every table has its fields");
    replace(&folder.join(name), |file| {
        let mut writer = csv::Writer::from_writer(file);
        let mut rows = rows.peekable();
        // Rows write their names themselves.
        match rows.peek() {
            None => writer.write_record(*fields).map_err(|e| FileProblem::System(e.into()))?,
            Some(first) => {
                debug_assert!(names_of(first).is_none_or(|names| names == fields.join(",")), "{name}");
            }
        }
        for row in rows {
            writer.serialize(row).map_err(|e| FileProblem::System(e.into()))?;
        }
        writer.flush()?;
        Ok(())
    })?;
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whatever has rows names its fields as an empty table would.
    #[test]
    fn a_table_without_rows_has_its_header() {
        let folder = tempfile::tempdir().unwrap();
        let header = |rows: Vec<Member>| {
            table(folder.path(), "clusters.csv", rows.into_iter()).unwrap();
            let text = std::fs::read_to_string(folder.path().join("clusters.csv")).unwrap();
            text.lines().next().unwrap().to_owned()
        };
        assert_eq!(header(Vec::new()), "cluster,atom");
        assert_eq!(header(vec![Member { cluster: 1, atom: 2 }]), "cluster,atom");
    }
}
