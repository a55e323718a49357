//! What is streamed is what a diagnosis of the same data in memory says, whatever the
//! blocks, shards and threads.

use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::Value;
use tempfile::TempDir;
use widedict::certificate::Concentration;
use widedict::diagnose::{
    AllCodes, Estimate, Pass, StreamError, Streaming, Thresholds, Trained, diagnose, stream, stream_from,
};
use widedict::io::sae::{Activations, Batch, FoldError, Folded, Kind, ReadOptions};
use widedict::io::{Masking, RowStream, Rows, Sae, Surveyed, read_json, read_points, write_atoms};
use widedict::problem::DataError;
use widedict::reduce::{Alone, Reduce, Share};
use widedict::testing::ranks::on_ranks;
use widedict::{Interrupt, Matrix, Observer, Problem, Stop};

const LAMBDA: f64 = 0.25;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).into()
}

/// Writes rows as shards of so many.
fn shards(points: &Matrix, rows: usize) -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (shard, first) in (0..points.ncols()).step_by(rows).enumerate() {
        let taken: Vec<usize> = (first..(first + rows).min(points.ncols())).collect();
        let path = folder.path().join(format!("x{shard}.npy"));
        write_atoms(&path, &points.select_columns(&taken)).expect("written");
    }
    folder
}

/// An autoencoder with its data in files.
struct Case {
    sae: Sae,
    stream: RowStream,
    kept: Surveyed,
    /// Of a transcoder.
    inputs: Option<RowStream>,
}

impl Case {
    fn new(sae: Sae, folder: &Path, masking: &Masking<'_>) -> Self {
        let stream = RowStream::open(folder, None).expect("shards");
        let kept = stream.survey(masking).expect("rows are left");
        Self { sae, stream, kept, inputs: None }
    }

    fn with_inputs(self, folder: &Path) -> Self {
        Self { inputs: Some(RowStream::open(folder, None).expect("shards")), ..self }
    }

    fn read(&self, rows: &Rows) -> Activations {
        let take = |stream: &RowStream| stream.take(rows).expect("rows").into_matrix();
        Activations { points: take(&self.stream), inputs: self.inputs.as_ref().map(take) }
    }

    fn fold(&self, rows: &Rows) -> Folded {
        self.sae.fold_part(self.read(rows), Some(self.kept.mean_norm)).expect("one system of units")
    }

    /// Streams, the first part being a small sample.
    fn streamed(&self, block_rows: usize, observer: &dyn Observer) -> Result<AllCodes, StreamError> {
        self.streamed_by(Batch::Inference, block_rows, observer)
    }

    fn streamed_by(
        &self,
        batch: Batch,
        block_rows: usize,
        observer: &dyn Observer,
    ) -> Result<AllCodes, StreamError> {
        stream(&self.streaming(batch, block_rows), &mut self.folded(), observer)
    }

    fn streaming(&self, batch: Batch, block_rows: usize) -> Streaming<'_> {
        Streaming {
            stream: &self.stream,
            kept: &self.kept,
            inputs: self.inputs.as_ref(),
            sae: &self.sae,
            batch,
            lambda: LAMBDA,
            block_rows,
            share: None,
        }
    }

    /// Folded with a small sample.
    fn folded(&self) -> Folded {
        self.fold(&self.kept.rows.sample(3, 1))
    }
}

fn near(found: f64, expected: f64, what: &str) {
    assert!((found - expected).abs() <= 1e-12 * expected.abs(), "{what}: {found} for {expected}");
}

/// Every number against the diagnosis of all datapoints in memory, by another road.
fn is_in_memory(case: &Case, found: &AllCodes, what: &str) {
    let folded = case.sae.fold(case.read(&case.kept.rows));
    let folded = folded.expect("one system of units");
    let codes = case.sae.encode(&folded, Batch::Inference).expect("codes");
    let mut builder =
        Problem::builder(folded.points.clone()).lambda(LAMBDA).centered(folded.center.is_some());
    if let Some(weights) = &case.kept.weights {
        builder = builder.weights(weights.clone());
    }
    let problem = builder.build().expect("a problem");
    let trained =
        Trained { dictionary: &folded.dictionary, center: folded.center.as_deref(), codes: Some(&codes) };
    let whole = diagnose(&problem, &trained, &Thresholds::default(), &()).expect("a diagnosis");
    let given = whole.codes.given.expect("codes were given");
    assert_eq!((found.points, found.rows), (problem.len(), case.stream.len()), "{what}");
    assert_eq!((found.rows_read, found.stopped), (found.rows, None), "{what}");
    near(found.objective, given.objective, what);
    near(found.fit, given.fit, what);
    near(found.penalty, given.penalty, what);
    near(found.mean_l0, given.mean_l0, what);
    let (left, expected) = (found.explained_variance.unwrap(), given.explained_variance.unwrap());
    // What is compared to 1e-12 is the part that is left, of which 1 is taken.
    assert!((left - expected).abs() <= 1e-12 * (1.0 - expected).abs(), "{what}: {left} for {expected}");
    assert_eq!(found.atoms_used, given.atoms_used, "{what}");
    assert_eq!(found.atoms_unused, codes.atoms() - given.atoms_used, "{what}");
    let weights = problem.data().weights();
    let part = |i: usize| {
        let row = &whole.point_rows[i];
        weights[i] * (row.objective + row.amortisation_gap.unwrap())
    };
    let top = Concentration::of((0..problem.len()).map(part).collect()).expect("an objective");
    let share = found.objective_share_of_top_percent.expect("an objective");
    assert!((share - top.share).abs() <= 1e-9 * top.share, "{what}: {share} for {}", top.share);
    for (k, row) in codes.rows().iter().enumerate() {
        let usage = &found.atoms[k];
        assert_eq!((usage.atom, usage.uses), (k, row.len()), "{what}");
        let sum = |f: &dyn Fn(usize, f64) -> f64| row.iter().map(|(i, z)| f(i, z)).sum::<f64>();
        let (weight, mass) = (sum(&|i, _| weights[i]), sum(&|i, z| weights[i] * z));
        let most = row.iter().map(|(_, z)| z).fold(0.0, widedict::num::max);
        if row.is_empty() {
            assert_eq!((usage.mean, usage.most), (None, None), "{what}");
        } else {
            near(usage.mean.unwrap(), mass / weight, what);
            assert!((usage.most.unwrap() - most).abs() <= 1e-12 * most, "{what}");
        }
    }
}

/// Every kind of encoder and of units that a part of the data can be coded by.
#[test]
fn every_encoder_streams_as_in_memory() {
    let fixtures = root().join("tests/sae/fixtures");
    let expected: Value = read_json(&fixtures.join("expected.json")).expect("expected numbers");
    let (mut streamed, mut refused, mut transcoded) = (0, 0, 0);
    for (name, case) in expected["cases"].as_object().expect("cases") {
        let sae = Sae::read(&fixtures.join(name), &ReadOptions::default()).expect("readable");
        let matrix = |key: &str| {
            let rows: Vec<Vec<f64>> = serde_json::from_value(case[key].clone()).expect("rows of numbers");
            Matrix::from_columns(rows[0].len(), &rows)
        };
        let transcodes = sae.kind() == Kind::Transcoder;
        let folder = shards(&matrix("x"), 5);
        let inputs = transcodes.then(|| shards(&matrix("inputs"), 7));
        let mut case = Case::new(sae, folder.path(), &Masking::default());
        if let Some(inputs) = &inputs {
            case = case.with_inputs(inputs.path());
            transcoded += 1;
        }
        for block in [1, 3, 64] {
            let found = case.streamed(block, &()).unwrap_or_else(|error| panic!("{name}: {error}"));
            is_in_memory(&case, &found, &format!("{name}, blocks of {block}"));
            streamed += 1;
        }
        // One batch of training is all of the data.
        let whole = case.sae.selects_among_datapoints(Batch::Whole);
        match case.streamed_by(Batch::Whole, 3, &()) {
            Err(StreamError::Whole) if whole => refused += 1,
            found => assert!(!whole && found.is_ok(), "{name}: {found:?}"),
        }
    }
    assert!(streamed >= 45 && refused >= 4 && transcoded >= 4, "{streamed}, {refused}, {transcoded}");
}

fn tokens() -> (Sae, Matrix) {
    let sae = Sae::read(&root().join("data/sae_tokens_128"), &ReadOptions::default()).expect("readable");
    (sae, read_points(&root().join("data/tokens_512.npy")).expect("activations"))
}

/// The numbers, without what tells of blocks.
fn numbers(mut all: AllCodes) -> AllCodes {
    all.most_held = 0;
    all
}

#[test]
fn blocks_shards_and_threads_do_not_matter() {
    let (sae, points) = tokens();
    let (one, many) = (shards(&points, 512), shards(&points, 37));
    let whole = Case::new(sae.clone(), one.path(), &Masking::default());
    let expected = whole.streamed(512, &()).expect("streamed");
    is_in_memory(&whole, &expected, "one block");
    let cut = Case::new(sae, many.path(), &Masking::default());
    for block in [1, 100, 128, 511] {
        let found = cut.streamed(block, &()).expect("streamed");
        assert_eq!(found.most_held, block * 384, "no more than a block is held");
        is_in_memory(&cut, &found, &format!("blocks of {block}"));
        near(found.objective, expected.objective, "objective");
    }
    for threads in [1, 2, 7] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
        let found = pool.install(|| cut.streamed(128, &()).expect("streamed"));
        assert_eq!(numbers(found), numbers(expected.clone()), "{threads} threads");
    }
}

/// Masks and weights are those of the data in memory; a scale is that of what they leave.
#[test]
fn masked_rows_are_not_streamed() {
    let (_, mut points) = tokens();
    let config = fs::read_to_string(root().join("data/sae_tokens_128/cfg.json")).expect("a configuration");
    let estimated = config.replace(
        "\"normalize_activations\": \"none\"",
        "\"normalize_activations\": \"expected_average_only_in\"",
    );
    assert_ne!(config, estimated);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let weights_file = root().join("data/sae_tokens_128/sae_weights.safetensors");
    fs::copy(weights_file, folder.path().join("sae_weights.safetensors")).expect("copied");
    fs::write(folder.path().join("cfg.json"), estimated).expect("written");
    let sae = Sae::read(folder.path(), &ReadOptions::default()).expect("readable");

    points.col_mut(3)[7] = f64::NAN;
    points.col_mut(511)[0] = f64::INFINITY;
    points.col_mut(100).iter_mut().for_each(|v| *v *= 1e4);
    let weights: Vec<f64> = (0..512_u32).map(|i| f64::from(i % 5) * 1e300).collect();
    let masking = Masking { weights: Some(&weights), skip_nonfinite: true, max_norm_multiple: Some(20.0) };
    let files = shards(&points, 50);
    let case = Case::new(sae, files.path(), &masking);
    let memory = widedict::io::Activations::read(files.path(), &widedict::io::Reading::default());
    let memory = memory.expect("readable").mask(&masking).expect("rows are left");
    assert_eq!((&case.kept.rows, case.kept.masked), (&memory.rows, memory.masked));
    assert_eq!(case.kept.weights, memory.weights);
    assert_eq!(case.stream.take(&case.kept.rows).expect("rows"), memory.points);
    assert!(case.kept.masked.weight > 0 && case.kept.masked.nonfinite > 0);
    for block in [7, 128, 1000] {
        let found = case.streamed(block, &()).expect("streamed");
        is_in_memory(&case, &found, &format!("blocks of {block}"));
    }
}

/// Stops after so many questions, and hears how far the pass is.
struct After(usize, AtomicUsize, Mutex<Vec<(usize, usize)>>);

impl Observer for After {
    fn poll(&self) -> ControlFlow<Interrupt> {
        if self.1.fetch_add(1, Ordering::Relaxed) + 1 >= self.0 {
            return ControlFlow::Break(Interrupt::TimeLimit);
        }
        ControlFlow::Continue(())
    }

    fn rows(&self, read: usize, of: usize) {
        self.2.lock().expect("heard").push((read, of));
    }
}

#[test]
fn a_stopped_pass_is_that_of_the_rows_it_read() {
    let (sae, points) = tokens();
    let files = shards(&points, 60);
    let case = Case::new(sae.clone(), files.path(), &Masking::default());
    let observer = After(2, AtomicUsize::new(0), Mutex::default());
    let found = case.streamed(100, &observer).expect("streamed");
    assert_eq!(
        (found.stopped, found.rows_read, found.points, found.rows),
        (Some(Stop::TimeLimit), 200, 200, 512)
    );
    assert_eq!(*observer.2.lock().expect("heard"), [(0, 512), (100, 512), (200, 512)]);
    let first: Vec<usize> = (0..200).collect();
    let files = shards(&points.select_columns(&first), 60);
    let part = Case::new(sae, files.path(), &Masking::default()).streamed(100, &()).expect("streamed");
    let found = AllCodes { stopped: None, rows_read: 200, rows: 200, ..found };
    assert_eq!(numbers(found), numbers(part));
}

/// A pass that stopped, was written and read, and went on says what one without a stop says.
#[test]
fn a_pass_that_goes_on_is_one_without_a_stop() {
    let (sae, points) = tokens();
    let files = shards(&points, 60);
    let weights: Vec<f64> = (0..512_u32).map(|i| f64::from(i % 7)).collect();
    let masking = Masking { weights: Some(&weights), ..Masking::default() };
    let case = Case::new(sae, files.path(), &masking);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let place = folder.path().join("pass.safetensors");
    // One grain, and grains that end within and between blocks.
    let grains = [4096, 120, 25].map(|grain| Share::with_grain(Arc::new(Alone), 438, grain));
    for (share, blocks) in grains.iter().flat_map(|share| (1..=9).map(move |blocks| (share, blocks))) {
        let streaming = Streaming { share: Some(share), ..case.streaming(Batch::Inference, 50) };
        let whole = stream(&streaming, &mut case.folded(), &()).expect("streamed");
        let observer = After(blocks, AtomicUsize::new(0), Mutex::default());
        let (mut kept, mut ended) = (Vec::new(), 0);
        let mut keep = |pass: &Pass, ends: bool| {
            kept.push(pass.points());
            if ends {
                ended += 1;
                pass.save(&place).expect("written");
            }
        };
        stream_from(&streaming, &mut case.folded(), None, &mut keep, &observer).expect("streamed");
        // 438 datapoints: eight whole blocks and one more.
        assert_eq!(kept, (1..=blocks).map(|b| (50 * b).min(438)).collect::<Vec<_>>());
        assert_eq!(ended, 1);
        let from = Pass::load(&place).expect("read");
        let on =
            stream_from(&streaming, &mut case.folded(), Some(from.clone()), &mut |_, _| {}, &()).unwrap();
        assert_eq!(numbers(on), numbers(whole), "after {blocks} blocks, {share:?}");

        // Another λ, other rows a block, another dictionary, other data: not this pass.
        let refuses = |streaming: &Streaming<'_>, folded: &mut Folded| {
            let error = stream_from(streaming, folded, Some(from.clone()), &mut |_, _| {}, &()).unwrap_err();
            assert!(matches!(error, StreamError::OtherPass { .. }), "{error}");
        };
        refuses(&Streaming { lambda: 0.3, ..streaming }, &mut case.folded());
        refuses(&Streaming { block_rows: 49, ..streaming }, &mut case.folded());
        let other = Share::with_grain(Arc::new(Alone), 438, 121);
        refuses(&Streaming { share: Some(&other), ..streaming }, &mut case.folded());
        let mut turned = case.sae.fold(case.read(&case.kept.rows.sample(3, 1))).expect("one system of units");
        turned.center = turned.center.map(|b| b.iter().map(|v| v + 1e-9).collect());
        refuses(&streaming, &mut turned);
        let mut kept = case.kept.clone();
        kept.mean_norm *= 1.0 + f64::EPSILON;
        refuses(&Streaming { kept: &kept, ..streaming }, &mut case.folded());
        let mut kept = case.kept.clone();
        kept.weights.as_mut().expect("weights")[3] += 1.0;
        refuses(&Streaming { kept: &kept, ..streaming }, &mut case.folded());
        // Beyond the block that is measured again too: a weight, and rows of the same lengths.
        if blocks > 1 {
            let mut kept = case.kept.clone();
            let weights = kept.weights.as_mut().expect("weights");
            weights.swap(51, 52);
            refuses(&Streaming { kept: &kept, ..streaming }, &mut case.folded());
            let opposite = Matrix::from_fn(points.nrows(), points.ncols(), |j, i| {
                let sign = if (80..100).contains(&i) { -1.0 } else { 1.0 };
                sign * points.col(i)[j]
            });
            let files = shards(&opposite, 60);
            let other = RowStream::open(files.path(), None).expect("shards");
            refuses(&Streaming { stream: &other, ..streaming }, &mut case.folded());
        }
    }
}

#[test]
fn inputs_are_as_many_as_rows() {
    let fixtures = root().join("tests/sae/fixtures");
    let expected: Value = read_json(&fixtures.join("expected.json")).expect("expected numbers");
    let cases = expected["cases"].as_object().expect("cases");
    let sae = |name: &str| Sae::read(&fixtures.join(name), &ReadOptions::default()).expect("readable");
    let (name, case) = cases.iter().find(|(name, _)| sae(name).kind() == Kind::Transcoder).expect("one");
    let matrix = |key: &str| {
        let rows: Vec<Vec<f64>> = serde_json::from_value(case[key].clone()).expect("rows of numbers");
        Matrix::from_columns(rows[0].len(), &rows)
    };
    let (outputs, inputs) = (matrix("x"), matrix("inputs"));
    let few: Vec<usize> = (1..inputs.ncols()).collect();
    let (folder, other) = (shards(&outputs, 4), shards(&inputs.select_columns(&few), 4));
    let case = Case::new(sae(name), folder.path(), &Masking::default()).with_inputs(other.path());
    let mut folded = {
        let read = Activations { points: outputs.clone(), inputs: Some(inputs.clone()) };
        case.sae.fold(read).expect("one system of units")
    };
    let error = stream(&case.streaming(Batch::Inference, 3), &mut folded, &()).unwrap_err();
    let (expected, found) = (outputs.ncols(), outputs.ncols() - 1);
    assert_eq!(
        error.to_string(),
        format!("expected {expected} inputs, one a row of the data, found {found}")
    );

    // A number that is none is told by its datapoint.
    let mut spoilt = inputs;
    spoilt.col_mut(4)[1] = f64::NAN;
    let other = shards(&spoilt, 4);
    let case = Case::new(case.sae, folder.path(), &Masking::default()).with_inputs(other.path());
    let error = stream(&case.streaming(Batch::Inference, 3), &mut folded, &()).unwrap_err();
    assert!(matches!(error, StreamError::Data(DataError::NotFinite { datapoint: 4, .. })), "{error}");
}

#[test]
fn datapoints_of_errors_are_named_among_all() {
    let (_, points) = tokens();
    let fixture = root().join("tests/sae/fixtures/saelens-constant_norm_rescale");
    let sae = Sae::read(&fixture, &ReadOptions::default()).expect("readable");
    let rows: Vec<usize> = (0..40).collect();
    let mut few = Matrix::from_fn(sae.dim(), 40, |i, j| points.get(i, rows[j]));
    few.col_mut(33).fill(0.0);
    let files = shards(&few, 9);
    let case = Case::new(sae, files.path(), &Masking::default());
    // The sample must not hold it.
    let streamed = case.streamed(10, &()).expect_err("no direction");
    assert!(
        matches!(streamed, StreamError::Fold(FoldError::Normalization { datapoint: 33, .. })),
        "{streamed}"
    );
}

/// A sample is of the rows kept, of each with the same chance, and by the seed.
#[test]
fn samples_are_seeded_and_even() {
    let rows = Rows::without(50, &[0, 7, 49]);
    let mut drawn = [0_u32; 50];
    for seed in 0..4700 {
        let sample = rows.sample(5, seed);
        assert_eq!(sample, rows.sample(5, seed));
        assert_eq!((sample.len(), sample.of()), (5, 50));
        (0..5).for_each(|i| drawn[sample.row(i)] += 1);
    }
    assert_eq!((drawn[0], drawn[7], drawn[49]), (0, 0, 0));
    // 500 each, with a deviation of 21.
    assert!(drawn.iter().all(|count| *count == 0 || (390..610).contains(count)), "{drawn:?}");
    assert_eq!(rows.sample(1000, 3), rows);
    assert_ne!(rows.sample(5, 1), rows.sample(5, 2));
    assert_eq!((rows.point(8), rows.point(7), Rows::all(3).point(3)), (Some(6), None, None));
}

/// Nineteen intervals in twenty hold the mean they estimate, with weights and without.
#[test]
fn intervals_hold_the_mean_they_estimate() {
    let value = |i: usize| f64::from(u32::try_from(i * 7919 % 1009).expect("small")) / 100.0;
    for weighed in [false, true] {
        let weight =
            |i: usize| if weighed { 1.0 + f64::from(u32::try_from(i % 4).expect("small")) } else { 3.0 };
        let of = |rows: &Rows| {
            let taken: Vec<usize> = (0..rows.len()).map(|i| rows.row(i)).collect();
            let values: Vec<f64> = taken.iter().map(|i| value(*i)).collect();
            Estimate::of(&values, &taken.iter().map(|i| weight(*i)).collect::<Vec<_>>())
        };
        let all = Rows::all(20_000);
        let truth = of(&all).mean;
        let holds = |seed: u64| {
            let [low, high] = of(&all.sample(200, seed)).interval.expect("several");
            low <= truth && truth <= high
        };
        let held = (0..1000).filter(|seed| holds(*seed)).count();
        // 950 expected, with a deviation of 7.
        assert!((915..985).contains(&held), "{held} of 1000");
    }
    // The mean ± 1.96 s/√K by hand: 1, 2, 3, 4 have s² = 5/3.
    let found = Estimate::of(&[1.0, 2.0, 3.0, 4.0], &[0.25; 4]);
    let half = 1.96 * (5.0_f64 / 3.0 / 4.0).sqrt();
    let [low, high] = found.interval.expect("several");
    assert!((low - (2.5 - half)).abs() < 1e-12 && (high - (2.5 + half)).abs() < 1e-12, "{found:?}");
    assert_eq!(Estimate::of(&[2.0], &[1.0]).interval, None);
}

/// Datapoints of a grain and of a block where datapoints are spread: 512 rows are 8 grains.
const GRAIN: usize = 64;
const BLOCK: usize = 16;

impl Case {
    /// The pass of a rank of several.
    fn of_rank(&self, rank: Arc<dyn Reduce>, observer: &dyn Observer) -> Result<AllCodes, StreamError> {
        let share = Share::with_grain(rank, self.kept.rows.len(), GRAIN);
        let streaming = Streaming { share: Some(&share), ..self.streaming(Batch::Inference, BLOCK) };
        stream(&streaming, &mut self.folded(), observer)
    }
}

/// All ranks get the numbers of one process, for any number of ranks and threads: those of the data
/// in memory.
#[test]
fn a_pass_of_ranks_is_that_of_one_process() {
    let (sae, points) = tokens();
    let files = shards(&points, 37);
    let weights: Vec<f64> = (0..512_u32).map(|i| f64::from(i % 5)).collect();
    for weights in [None, Some(&weights[..])] {
        let case = Case::new(sae.clone(), files.path(), &Masking { weights, ..Masking::default() });
        let expected = case.of_rank(Arc::new(Alone), &()).expect("streamed");
        is_in_memory(&case, &expected, "grains");
        for (count, threads) in [(1, 1), (2, 1), (3, 2), (4, 3), (7, 1), (9, 1)] {
            let found = on_ranks(count, |rank| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
                pool.install(|| case.of_rank(rank, &()).expect("streamed"))
            });
            for found in found {
                assert_eq!(numbers(found), numbers(expected.clone()), "{count} ranks");
            }
        }
    }
}

/// What `docs/scale.md` says of a pass.
#[test]
fn messages_of_a_pass_are_those_of_the_model() {
    let (sae, points) = tokens();
    let files = shards(&points, 100);
    let case = Case::new(sae, files.path(), &Masking::default());
    let (n, atoms, len) = (case.sae.dim(), case.sae.atoms(), case.kept.rows.len());
    for count in [1, 2, 4, 8] {
        let sent = on_ranks(count, |rank| {
            case.of_rank(rank.clone(), &()).expect("streamed");
            rank.sent()
        });
        let (messages, words) = sent.iter().fold((0, 0), |all, one| (all.0 + one.0, all.1 + one.1));
        let (others, rounds) = (count - 1, len / BLOCK / count + 1);
        assert_eq!(messages, 2 * others * (rounds + 2), "{count} ranks");
        // A sum of w numbers: up a wish, a place and the numbers, down a wish and the numbers.
        let sum = |width: usize| others * (3 + 2 * width);
        let parts = (len - len / count) + 3 * others;
        assert_eq!(words, rounds * sum(3) + sum(n + 4 * atoms + 4) + parts, "{count} ranks");
    }
}

/// What a rank cannot measure ends all, in its first block, in between, and after all others.
#[test]
fn a_rank_that_fails_ends_the_others() {
    let (_, points) = tokens();
    let fixture = root().join("tests/sae/fixtures/saelens-constant_norm_rescale");
    let sae = Sae::read(&fixture, &ReadOptions::default()).expect("readable");
    // Three ranks hold 128, 64 and 64 datapoints.
    for spoilt in [0, 127, 150, 191, 255] {
        let mut few = Matrix::from_fn(sae.dim(), 256, |i, j| 1.0 + points.get(i, j));
        few.col_mut(spoilt).fill(0.0);
        let files = shards(&few, 90);
        let case = Case::new(sae.clone(), files.path(), &Masking::default());
        assert!(case.kept.rows.sample(3, 1).point(spoilt).is_none(), "the sample must not hold it");
        let found = on_ranks(3, |rank| case.of_rank(rank, &()).expect_err("no direction"));
        let own = found.iter().filter(|error| {
            matches!(error, StreamError::Fold(FoldError::Normalization { datapoint, .. }) if *datapoint == spoilt)
        });
        let others = found.iter().filter(|error| matches!(error, StreamError::Elsewhere));
        assert_eq!((own.count(), others.count()), (1, 2), "{spoilt}: {found:?}");
    }
}

/// One rank that is asked to end suffices: all end after the same block.
#[test]
fn one_rank_that_stops_stops_all() {
    let (sae, points) = tokens();
    let files = shards(&points, 100);
    let case = Case::new(sae.clone(), files.path(), &Masking::default());
    let found = on_ranks(2, |rank| {
        let after = if rank.rank() == 1 { 1 } else { usize::MAX };
        case.of_rank(rank, &After(after, AtomicUsize::new(0), Mutex::default())).expect("streamed")
    });
    assert_eq!(found[0].stopped, Some(Stop::TimeLimit));
    assert_eq!(numbers(found[0].clone()), numbers(found[1].clone()));
    // The wish after the first block is heard with the second.
    assert_eq!((found[0].rows_read, found[0].points, found[0].rows), (4 * BLOCK, 4 * BLOCK, 512));
    let read: Vec<usize> = (0..2 * BLOCK).chain(256..256 + 2 * BLOCK).collect();
    let files = shards(&points.select_columns(&read), 100);
    let part = Case::new(sae, files.path(), &Masking::default());
    let expected = part.streamed(BLOCK, &()).expect("streamed");
    near(found[0].objective, expected.objective, "objective");
    let left = |all: &AllCodes| 1.0 - all.explained_variance.expect("data that vary");
    assert!((left(&found[0]) - left(&expected)).abs() <= 1e-12, "explained variance");
    assert_eq!(found[0].atoms_used, expected.atoms_used);
}

/// Which rows are datapoints, and their mean norm: by several ranks as by one.
#[test]
fn a_survey_of_ranks_is_that_of_one_process() {
    let (_, mut points) = tokens();
    points.col_mut(3)[7] = f64::NAN;
    points.col_mut(200)[0] = f64::INFINITY;
    points.col_mut(511)[2] = f64::NAN;
    let files = shards(&points, 50);
    let stream = RowStream::open(files.path(), None).expect("shards");
    let weights: Vec<f64> = (0..512_u32).map(|i| f64::from(i % 5)).collect();
    for (weights, skip_nonfinite) in [(None, true), (Some(&weights[..]), true), (None, false)] {
        let masking = Masking { weights, skip_nonfinite, ..Masking::default() };
        let surveyed = |rank: Arc<dyn Reduce>| {
            let share = Share::with_grain(rank, 512, GRAIN);
            let looked = stream.look(&masking, &share).expect("readable");
            stream.decide(looked, &share).map_err(|error| error.to_string())
        };
        let expected = surveyed(Arc::new(Alone));
        let whole = stream.survey(&masking).map_err(|error| error.to_string());
        match (&expected, whole) {
            (Ok(found), Ok(whole)) => {
                near(found.mean_norm, whole.mean_norm, "mean norm");
                assert_eq!(found.masked.nonfinite, if weights.is_none() { 3 } else { 2 });
                assert_eq!(Surveyed { mean_norm: whole.mean_norm, ..found.clone() }, whole);
            }
            (Err(found), Err(whole)) => assert_eq!(*found, whole),
            other => panic!("{other:?}"),
        }
        for count in [2, 3, 4, 7] {
            for found in on_ranks(count, |rank| surveyed(rank)) {
                assert_eq!(found, expected, "{count} ranks");
            }
        }
    }
}
