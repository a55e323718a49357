//! Numbers of atoms as a file has them, where some were left out.

use super::Diagnosis;

impl Diagnosis {
    /// Gives every atom the number `numbers` has at its place: an autoencoder's own, where
    /// atoms of length 0 were left out of what was diagnosed.
    ///
    /// # Panics
    /// If there are fewer numbers than atoms.
    #[must_use]
    pub fn renumbered(mut self, numbers: &[usize]) -> Self {
        let name = |atom: &mut usize| *atom = numbers[*atom];
        self.codes.dead.iter_mut().for_each(|d| name(&mut d.atom));
        self.codes.all.iter_mut().flat_map(|all| &mut all.atoms).for_each(|usage| name(&mut usage.atom));
        for state in &mut self.dictionary.atoms {
            name(&mut state.atom);
            if let Some((towards, _)) = &mut state.towards {
                name(towards);
            }
        }
        for pair in &mut self.hierarchy.nested {
            name(&mut pair.child);
            name(&mut pair.parent);
        }
        for pair in &mut self.hierarchy.absorbed {
            name(&mut pair.child);
            name(&mut pair.parent);
        }
        self.splitting.atoms.iter_mut().for_each(|split| name(&mut split.atom));
        self.splitting.clusters.iter_mut().flatten().for_each(name);
        for pair in &mut self.antipodal {
            name(&mut pair.first);
            name(&mut pair.second);
            name(&mut pair.given_up);
        }
        self.revival.iter_mut().flat_map(|revival| &mut revival.atoms).for_each(|r| name(&mut r.atom));
        if let Some(hull) = &mut self.hull {
            for found in &mut hull.atoms {
                name(&mut found.atom);
                found.with.iter_mut().for_each(name);
            }
            for window in &mut hull.windows {
                name(&mut window.off);
                name(&mut window.other);
            }
        }
        if let Some(pair) = &mut self.most_antipodal {
            name(&mut pair.first);
            name(&mut pair.second);
        }
        for row in &mut self.atom_rows {
            name(&mut row.atom);
            for neighbor in [&mut row.nearest, &mut row.opposite].into_iter().flatten() {
                name(&mut neighbor.atom);
            }
        }
        if let Some(comparison) = &mut self.comparison {
            comparison.pairs.iter_mut().for_each(|pair| name(&mut pair.left));
        }
        self
    }
}
