use widedict::trusted::planar::{Goal, prove};
use widedict::{Finite, Matrix, Problem};
fn main() {
    let mut seed = 12345u64;
    let mut rnd = move || { seed ^= seed << 13; seed ^= seed >> 7; seed ^= seed << 17; (seed >> 11) as f64 / (1u64 << 53) as f64 };
    for (n, m, acc) in [(8, 1, 1e-6), (8, 2, 1e-6), (8, 3, 1e-6), (8,4,1e-6), (30, 3, 1e-6), (30, 4, 5e-3), (30,4,1e-6), (100, 4, 1e-6), (200, 4, 1e-6), (200,6,1e-6), (200,10,1e-5)] {
        let x = Matrix::from_fn(2, n, |_, _| 2.0 * rnd() - 1.0 + rnd() - 0.5);
        let problem = Problem::builder(x).lambda(0.2).build().unwrap();
        let t = std::time::Instant::now();
        let sol = Finite { restarts: 12, stationarity_tolerance: 1e-9, local: None, ..Finite::new(m) }.solve(&problem).unwrap();
        let u = sol.certified.certificate().objective();
        let t1 = t.elapsed(); let t = std::time::Instant::now();
        let b = prove(&problem, &Goal::new(m, u * (1.0 - acc)), &()).unwrap();
        println!("n {n} m {m} U {u:.9} lower {:.9} gap {:.2e} levels {} arcs {} better {} ; finite {t1:?} prove {:?}", b.lower.get(), 1.0 - b.lower.get()/u, b.levels, b.arcs.len(), b.better.is_some(), t.elapsed());
    }
}
