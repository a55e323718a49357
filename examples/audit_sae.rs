//! Audits the small autoencoder of `data/`: how far are its codes and its dictionary
//! from optimal, and which of the known phenomena does it show?
//!
//! ```sh
//! cargo run --release --features io --example audit_sae [folder for the page and its pictures]
//! ```

use std::error::Error;
use std::path::{Path, PathBuf};

use widedict::Problem;
use widedict::diagnose::{Thresholds, Trained, diagnose};
use widedict::io::sae::{Activations, Batch, Folded, ReadOptions};
use widedict::io::{Sae, read_points};
use widedict::problem::Lambda;

fn main() -> Result<(), Box<dyn Error>> {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("data");
    let points = read_points(&data.join("tokens_512.npy"))?;
    let options = ReadOptions { dim: Some(points.nrows()), atoms: None };
    let sae = Sae::read(&data.join("sae_tokens_128"), &options)?;

    // The form of the joint problem: unit atoms, the decoder bias a center, one system of units.
    let folded = sae.fold(Activations::of(points))?;
    println!("folded: {:?}\n", folded.folding);
    let codes = sae.encode(&folded, Batch::Inference)?;
    let Folded { points, dictionary, center, .. } = folded;

    // Its loss was mean ‖x − x̂‖² + 1.5 Σ f: λ is half of 1.5.
    let lambda = Lambda::from_saelens(1.5)?.get();
    let problem = Problem::builder(points).lambda(lambda).centered(true).build()?;
    let trained = Trained { dictionary: &dictionary, center: center.as_deref(), codes: Some(&codes) };
    let found = diagnose(&problem, &trained, &Thresholds::default(), &())?;
    println!("{found}");

    // The encoder's objective is the one its training reported (data/README.md) …
    let given = found.codes.given.as_ref().ok_or("there are codes")?;
    assert!((given.objective - 29.825_663).abs() < 1e-4);
    assert!((given.mean_l0 - 7.002).abs() < 1e-4);
    // … and within its duality gap of the best codes: amortisation costs little here,
    let gap = found.codes.amortisation_gap.ok_or("there are codes")?;
    assert!(0.0 < gap && gap <= given.gap && gap < 0.002 * given.objective);
    // what is lost is lost by having 128 atoms for 512 tokens: every one can be split,
    assert!(found.dictionary.excess > 0.7 * found.codes.exact.objective);
    assert!(found.splitting.atoms.iter().all(|split| split.gain > 0.0));
    // and no feature is nested in another.
    assert_eq!(found.hierarchy.exactly_nested, 0);
    // No dictionary of any width, with any center, goes below this.
    assert!(found.dictionary.lower_bound.get() <= found.codes.exact.objective);

    if let Some(folder) = std::env::args_os().nth(1).map(PathBuf::from) {
        std::fs::create_dir_all(&folder)?;
        std::fs::write(folder.join("audit.html"), found.html(&[]))?;
        std::fs::write(folder.join("audit-density.svg"), found.density_plot())?;
        std::fs::write(folder.join("audit-pressure.svg"), found.pressure_plot())?;
        std::fs::write(folder.join("audit-spectrum.svg"), found.spectrum_plot())?;
    }
    Ok(())
}
