//! A diagnosis on one screen.

use std::fmt;

use super::super::{Diagnosis, Similarity};

/// Entries shown of a list.
const SHOWN: usize = 2;

impl fmt::Display for Diagnosis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fmt_header(f)?;
        self.fmt_codes(f)?;
        self.fmt_dictionary(f)?;
        self.fmt_hierarchy(f)?;
        self.fmt_splitting(f)?;
        self.fmt_hull(f)?;
        self.fmt_antipodal(f)?;
        self.fmt_residuals(f)?;
        self.fmt_residual_law(f)?;
        self.fmt_comparison(f)?;
        if !self.unfinished.is_empty() {
            writeln!(f, "\nnot finished         {}", self.unfinished.join(", "))?;
        }
        writeln!(f, "\nnot claimed: that gains add up, or that nothing else is to be gained")
    }
}

impl Diagnosis {
    /// What was diagnosed.
    fn fmt_header(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} points of dimension {}, {} atoms, lambda {}{}",
            self.points,
            self.dim,
            self.atoms,
            self.lambda,
            if self.centered { ", the center a variable" } else { "" }
        )
    }

    /// How far the codes are from the best ones.
    fn fmt_codes(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let variance = |share: Option<f64>| share.map_or_else(|| "none".into(), |v| format!("{v:.3}"));
        writeln!(f, "\ncodes                objective   L0        explained   duality gap       atoms used")?;
        for (name, c) in
            self.codes.given.iter().map(|c| ("  given", c)).chain([("  exact", &self.codes.exact)])
        {
            writeln!(
                f,
                "{name:<20} {:<11.4} {:<9.2} {:<11} {:<17.3e} {}",
                c.objective,
                c.mean_l0,
                variance(c.explained_variance),
                c.gap,
                c.atoms_used
            )?;
        }
        if let Some(all) = &self.codes.all {
            let explained = all.explained_variance.map_or_else(|| "none".into(), |v| format!("{v:.3}"));
            writeln!(
                f,
                "  all, given         {:<11.4} {:<9.2} {explained:<11} {:<17} {}",
                all.objective, all.mean_l0, "", all.atoms_used
            )?;
            let (read, rows) = (all.rows_read, all.rows);
            let part = if all.stopped.is_some() { ": the run ended before" } else { "" };
            writeln!(f, "                     {} points in {read} of {rows} rows{part}", all.points)?;
        }
        if let (Some(gap), Some(relative)) =
            (self.codes.amortisation_gap, self.codes.relative_amortisation_gap)
        {
            writeln!(f, "  amortisation gap   {gap:.4} ({:.2} % of the objective)", 100.0 * relative)?;
        }
        if let Some(r) = &self.codes.refit {
            writeln!(
                f,
                "  of that            values {:.4}, supports {:.4}; refitted: L0 {:.2}, explained {}, at lambda 0 {}",
                r.value_gap,
                r.support_gap,
                r.mean_l0,
                variance(r.explained_variance),
                variance(r.least_squares_explained_variance)
            )?;
        }
        match self.codes.dead.first() {
            None => writeln!(f, "  dead atoms         none")?,
            Some(d) => writeln!(
                f,
                "  dead atoms         {}; the nearest, {}, falls short of lambda by {:.4} (polar-polytope)",
                self.codes.dead.len(),
                d.atom,
                d.short_by
            )?,
        }
        if let Some(revival) = &self.revival {
            writeln!(
                f,
                "  turned             {} of them to the worst served datapoints: the objective falls by {:.4}{} (no-dead-atoms)",
                revival.atoms.len(),
                revival.gain,
                if revival.proved { ", proved" } else { "" }
            )?;
        }
        Ok(())
    }

    /// How far the dictionary is from optimal.
    fn fmt_dictionary(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let d = &self.dictionary;
        writeln!(f, "\ndictionary           (stationarity)")?;
        writeln!(
            f,
            "  violation          median {:.3}, largest {:.3} of lambda; an atom would turn by {:.2} degrees (median)",
            d.median_violation, d.largest_violation, d.median_turn
        )?;
        for a in d.atoms.iter().take(SHOWN) {
            let towards =
                a.towards.map_or_else(String::new, |(l, c)| format!(", towards atom {l} (cosine {c:.2})"));
            writeln!(
                f,
                "  atom {:<13} turning by {:.2} degrees would gain {:.2e}{towards}",
                a.atom, a.turn, a.gain
            )?;
        }
        writeln!(
            f,
            "  wide limit         {:.4}; excess {:.4}; certified bound {:.4} ({}), relative gap {:.3}",
            d.wide_limit,
            d.excess,
            d.lower_bound.get(),
            d.bound_kind,
            d.relative_gap
        )?;
        Ok(())
    }

    /// Nested and absorbed atoms.
    fn fmt_hierarchy(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let t = &self.thresholds;
        let h = &self.hierarchy;
        let given = h.exactly_nested_given.map_or_else(String::new, |n| format!(" ({n} in the codes given)"));
        writeln!(f, "\nhierarchy            (no-nesting; atoms used at least {} times)", t.min_uses)?;
        writeln!(
            f,
            "  nested             {} exactly{given}, {} at a share of {} or more; {} absorbed at cosine {} or more",
            h.exactly_nested,
            h.nested.len(),
            t.nested,
            h.absorbed.len(),
            t.absorption
        )?;
        for n in h.nested.iter().take(SHOWN) {
            writeln!(
                f,
                "  child {:<12} within parent {} at {}/{} points, cosine {:.2}; un-nesting gains {:.2e}",
                n.child, n.parent, n.together, n.child_uses, n.cosine, n.gain
            )?;
        }
        for a in h.absorbed.iter().take(SHOWN) {
            writeln!(
                f,
                "  child {:<12} absorbs parent {} at {:.0} % of {} points, cosine {:.2}",
                a.child,
                a.parent,
                100.0 * a.would_fire,
                a.child_uses,
                a.cosine
            )?;
        }
        Ok(())
    }

    /// What splitting atoms would gain.
    fn fmt_splitting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let t = &self.thresholds;
        let s = &self.splitting;
        writeln!(f, "\nsplitting            (splitting-pressure)")?;
        writeln!(
            f,
            "  pressure           {:.3} of the penalty; {} groups of near-duplicates at cosine {} or more",
            s.mean_relative,
            s.clusters.len(),
            t.duplicate
        )?;
        for a in s.atoms.iter().take(SHOWN) {
            writeln!(
                f,
                "  atom {:<13} split in two gains {:.2e}; pressure {:.3}, {} uses",
                a.atom, a.gain, a.relative, a.uses
            )?;
        }
        Ok(())
    }

    /// Whether a stationary point can have these codes.
    fn fmt_hull(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(hull) = &self.hull else { return Ok(()) };
        let codes = if self.hull_of_given { "codes given" } else { "exact codes" };
        let of = if self.codes.all.is_some() { " of the sample" } else { "" };
        writeln!(f, "\nstationary at all    (hull-condition, from atoms and {codes}{of} alone)")?;
        hull.text().lines().try_for_each(|line| writeln!(f, "  {line}"))?;
        for w in hull.windows.iter().filter(|w| w.outside > 0.0).take(SHOWN) {
            writeln!(
                f,
                "  {:<18} cosine {:.3}, and the codes of {} where {} is off allow {:.3} to {:.3}",
                format!("{} and {}", w.off, w.other),
                w.cosine,
                w.other,
                w.off,
                w.low,
                w.high
            )?;
        }
        Ok(())
    }

    /// Opposite atoms.
    fn fmt_antipodal(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let t = &self.thresholds;
        writeln!(f, "\nantipodal pairs      (antipodal-pairs)")?;
        match self.most_antipodal {
            None => writeln!(f, "  none: there is one atom")?,
            Some(p) => writeln!(
                f,
                "  most opposite      {} and {}, cosine {:.3}; {} pairs at {} or less",
                p.first,
                p.second,
                p.cosine,
                self.antipodal.len(),
                t.antipodal
            )?,
        }
        for p in self.antipodal.iter().take(SHOWN) {
            writeln!(
                f,
                "  {:<18} densities {:.4} and {:.4}, together at {} points, peaks {:.2} and {:.2}{}; a center shift instead {} {:.2e}",
                format!("{} and {}", p.first, p.second),
                p.density_first,
                p.density_second,
                p.together,
                p.peak_first,
                p.peak_second,
                if self.centered { format!(" of {:.2}", 1.0 - p.cosine) } else { String::new() },
                if p.shift_excess > 0.0 { "costs" } else { "gains" },
                p.shift_excess.abs()
            )?;
        }
        Ok(())
    }

    /// What is left of the data.
    fn fmt_residuals(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let r = &self.residuals;
        writeln!(f, "\nresiduals            (polar-polytope, stationarity)")?;
        for (name, i) in r.given.iter().map(|i| ("  given", i)).chain([("  exact", &r.exact)]) {
            writeln!(
                f,
                "{name:<20} beyond the polytope {}, complementarity {:.1e}, energy {:.1e}, center {:.1e}",
                i.polytope.map_or_else(|| "unknown".into(), |p| format!("{p:.1e}")),
                i.complementarity,
                i.energy,
                i.center
            )?;
        }
        if let (Some(all), Some(beyond)) = (&r.spectrum, &r.beyond_ball) {
            writeln!(
                f,
                "  spectrum           effective rank {:.1} of {}; beyond the lambda-ball {:.3} of {:.3} in rank {:.1}",
                all.effective_rank, self.dim, beyond.total, all.total, beyond.effective_rank
            )?;
        }
        Ok(())
    }

    /// What a linear map predicts of the residuals.
    fn fmt_residual_law(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let laws = [("  given", self.residual_law.given), ("  exact", self.residual_law.exact)];
        if laws.iter().all(|(_, law)| law.is_none()) {
            return Ok(());
        }
        writeln!(
            f,
            "\nresidual law         from codes: by law, directly; from activations: by law, directly; what remains"
        )?;
        for (name, law) in laws.into_iter().filter_map(|(name, law)| Some((name, law?))) {
            writeln!(
                f,
                "{name:<20} {:.4}  {:.4};   {:.4}  {:.4};   {:.4}",
                law.from_codes,
                law.from_codes_direct,
                law.from_activations,
                law.from_activations_direct,
                law.remains
            )?;
        }
        Ok(())
    }

    /// The comparison, where there is one.
    fn fmt_comparison(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(c) = &self.comparison {
            writeln!(
                f,
                "\ncomparison           {} pairs, {} mean {:.3}, median {:.3}; {} at {} or more",
                c.pairs.len(),
                match c.by {
                    Similarity::Cosine => "cosine",
                    Similarity::AbsoluteCosine => "|cosine|",
                },
                c.mean_cosine,
                c.median_cosine,
                c.recovered,
                c.threshold
            )?;
        }
        Ok(())
    }
}
