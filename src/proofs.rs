//! The theorems the code leans on, with their proofs: a page each.
//!
//! A page gives setting, statement, full proof, where floating point enters, and
//! how sharp the statement is. Part of the theorems are also checked by machine
//! (`proofs/rocq`); each file in `proofs/` says which, and which code and tests
//! lean on it.

/// The header of a file opens no element of its own: an HTML comment hides it,
/// which its last line closes.
macro_rules! pages {
    ($($(#[$title:meta])* $module:ident = $slug:literal,)*) => {$(
        $(#[$title])*
        ///
        /// <!--
        #[doc = include_str!(concat!("../proofs/", $slug, ".md"))]
        pub mod $module {}
    )*};
}

pages! {
    /// Enough atoms make the joint problem convex.
    lift_exact = "lift-exact",
    /// The dual of the convex problem, and what a dual point proves.
    copositive_duality = "copositive-duality",
    /// The doubly nonnegative bound, and when it is exact.
    dnn_bound = "dnn-bound",
    /// A polar bound from one eigenvalue.
    split_certificate = "split-certificate",
    /// The best of those bounds, for any number of datapoints.
    nuclear_bound = "nuclear-bound",
    /// A bound from a quartic form, in few dimensions.
    quartic_bound = "quartic-bound",
    /// Splits made of squares, for any number of datapoints.
    square_split = "square-split",
    /// Without an atom price, an atom per datapoint.
    wide_limit = "wide-limit",
    /// Up to which atom price one atom per datapoint stays optimal.
    regime_boundary = "regime-boundary",
    /// Minimizing over the center.
    centre = "centre",
    /// Polar and proximal map of the price of a code row.
    gauge_calculus = "gauge-calculus",
    /// When a factorization is globally optimal, and column generation.
    global_criterion = "global-criterion",
    /// A polar bound to any accuracy in small dimension.
    cone_branching = "cone-branching",
    /// Codes are projections on a polytope.
    polar_polytope = "polar-polytope",
    /// Duality gap of a code.
    coding_gap = "coding-gap",
    /// Gap-safe screening.
    screening = "screening",
    /// What a finite width costs over the wide limit.
    excess_law = "excess-law",
    /// First-order conditions at any optimum.
    stationarity = "stationarity",
    /// Nested features and the exchange that removes them.
    no_nesting = "no-nesting",
    /// What the atoms of a stationary point demand of its codes.
    hull_condition = "hull-condition",
    /// What is linearly predictable of the residuals of a stationary dictionary.
    residual_law = "residual-law",
    /// Why no global optimum has a dead atom.
    no_dead_atoms = "no-dead-atoms",
    /// When a dictionary and codes are stationary for some data.
    inverse_problem = "inverse-problem",
    /// Second-order certificate of a local optimum.
    local_second_order = "local-second-order",
    /// Second-order certificate with an atom price and a center.
    second_order_gauge = "second-order-gauge",
    /// A local minimum within a proved distance.
    local_radius = "local-radius",
    /// What splitting an atom gains.
    splitting_pressure = "splitting-pressure",
    /// Antipodal pairs and data on a line.
    antipodal_pairs = "antipodal-pairs",
    /// Two features with a common cause.
    two_feature = "two-feature",
    /// A bound for all dictionaries whose features are common.
    participation_bound = "participation-bound",
    /// What a residual beyond the ball gains, and what each atom takes.
    lens_bound = "lens-bound",
    /// A lower bound that uses the number of atoms.
    width_bound = "width-bound",
    /// The least that a number of atoms costs in the plane.
    planar_optimum = "planar-optimum",
    /// A-priori error bounds behind certified numbers.
    rounding = "rounding",
}
