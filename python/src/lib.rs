//! The library for Python: arrays in, answers out. What is computed is
//! [`widedict::answer`]'s, as it is for the command; here arrays are converted, threads
//! followed, and errors named as Python names them.

mod answers;
mod arrays;
mod errors;
mod follow;
mod functions;
mod saes;

use pyo3::prelude::*;

#[pymodule]
fn _widedict(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add("BOUNDS", widedict::Bounding::ALL.iter().map(|b| b.as_str()).collect::<Vec<_>>())?;
    module.add_class::<answers::Solution>()?;
    module.add_class::<answers::Improved>()?;
    module.add_class::<answers::Encoding>()?;
    module.add_class::<answers::Wide>()?;
    module.add_class::<answers::Grid>()?;
    module.add_class::<answers::Diagnosis>()?;
    module.add_class::<saes::Sae>()?;
    module.add_function(wrap_pyfunction!(functions::solve, module)?)?;
    module.add_function(wrap_pyfunction!(functions::encode, module)?)?;
    module.add_function(wrap_pyfunction!(functions::certify, module)?)?;
    module.add_function(wrap_pyfunction!(functions::wide, module)?)?;
    module.add_function(wrap_pyfunction!(functions::path, module)?)?;
    module.add_function(wrap_pyfunction!(functions::diagnose, module)?)?;
    module.add_function(wrap_pyfunction!(functions::verify, module)?)?;
    module.add_function(wrap_pyfunction!(functions::load, module)?)?;
    module.add_function(wrap_pyfunction!(functions::description, module)?)?;
    module.add_function(wrap_pyfunction!(functions::digits, module)?)?;
    module.add_function(wrap_pyfunction!(functions::lambda_from_sklearn, module)?)?;
    module.add_function(wrap_pyfunction!(saes::load_sae, module)?)
}
