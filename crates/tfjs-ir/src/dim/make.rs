//! Construction of expressions: the rewrites and the limits.

use super::poly::Poly;
use super::{Atom, Dim, Dims, Entry, MAX_ALL_TERMS, MAX_DEPTH, MAX_SIZE, Pair, Relation};
use tfjs_manifest::{Error, Result};

impl Dims {
    pub(super) fn push(&mut self, entry: Entry) -> Dim {
        let d = Dim::at(self.entries.len());
        self.by_poly.insert(entry.poly.clone(), d);
        self.by_atom.extend(entry.atom.map(|atom| (atom, d)));
        self.entries.push(entry);
        d
    }

    /// The dimension of a polynomial.
    pub(super) fn intern(&mut self, poly: Poly) -> Result<Dim> {
        if let Some(&d) = self.by_poly.get(&poly) {
            return Ok(d);
        }
        self.terms += poly.terms().len();
        if self.terms > MAX_ALL_TERMS {
            let limit = MAX_ALL_TERMS;
            return Err(Error::limit(format!(
                "the dimension expressions of the model exceed the limit of {limit} terms"
            )));
        }
        let factors = poly.terms().iter().flat_map(|(monomial, _)| monomial.factors());
        let terms = poly.terms().len() as u32; // at most `MAX_TERMS`
        let (depth, size) = self.extent(factors.copied(), 0, terms)?;
        let least = self.least(&poly);
        Ok(self.push(Entry { poly, atom: None, least, depth, size }))
    }

    /// The dimension of an atom that cannot be rewritten.
    fn atom(&mut self, atom: Atom) -> Result<Dim> {
        if let Some(&d) = self.by_atom.get(&atom) {
            return Ok(d);
        }
        let least = |d: Dim| self.entry(d).least;
        let (operands, least) = match atom {
            Atom::Symbol(_) => return Err(Error::bug("a dimension's symbol is not in its table")),
            Atom::Floor(x, n) => ([x, x], least(x).map(|least| least.div_euclid(i128::from(n)))),
            Atom::Pair(pair, a, b) => {
                let least = match (pair, least(a), least(b)) {
                    (Pair::Max, a, b) => a.max(b), // `None` is less than all bounds
                    (Pair::Broadcast, Some(a), Some(b)) if a >= 1 && b >= 1 => Some(a.max(b)),
                    (Pair::Min | Pair::Broadcast, a, b) => a.min(b),
                };
                ([a, b], least)
            }
        };
        let operands = operands.into_iter().take(if matches!(atom, Atom::Floor(..)) { 1 } else { 2 });
        let (depth, size) = self.extent(operands, 1, 1)?;
        let d = Dim::at(self.entries.len());
        Ok(self.push(Entry { poly: Poly::atom(d), atom: Some(atom), least, depth, size }))
    }

    /// Depth and size of an expression: those of its parts plus its own `levels` and `words`.
    fn extent(&self, parts: impl Iterator<Item = Dim>, levels: u32, words: u32) -> Result<(u32, u32)> {
        // No overflow: at most 64 * 16 parts of at most 1024.
        let (depth, size) = parts.fold((0, words), |(depth, size), part| {
            let entry = self.entry(part);
            (entry.depth.max(depth), entry.size + size)
        });
        let depth = depth + levels;
        for (what, found, limit) in [("levels", depth, MAX_DEPTH), ("parts", size, MAX_SIZE)] {
            if found > limit {
                return Err(Error::limit(format!(
                    "a dimension expression of {found} {what} exceeds the limit of {limit}"
                )));
            }
        }
        Ok((depth, size))
    }

    /// `poly / n`, rounded up.
    pub(super) fn ceil(&mut self, poly: &Poly, n: u64) -> Result<Poly> {
        // The whole part is split off first: `poly + n - 1` may overflow when the quotient does not.
        let (whole, rest) = poly.divided_with_rest(n.max(1));
        let rest = rest.plus(1, &Poly::number(i128::from(n.max(1)) - 1))?;
        whole.plus(1, &self.floor(&rest, n)?)
    }

    /// `poly / n`, rounded down.
    pub(super) fn floor(&mut self, poly: &Poly, n: u64) -> Result<Poly> {
        if n == 0 {
            return Err(Error::malformed("a dimension is divided by 0"));
        }
        let (whole, rest) = poly.divided_with_rest(n);
        if rest.constant().is_some() {
            return Ok(whole); // a constant rest is less than `n`
        }
        // The divisor is less than `n`, because every coefficient of the rest is.
        let divisor = rest.common_divisor(n);
        let (rest, _) = rest.divided_with_rest(divisor);
        let n = n / divisor;
        if let Some((inner, all)) = self.inner_division(&rest, n) {
            return whole.plus(1, &self.floor(&inner, all)?);
        }
        let rest = self.intern(rest)?;
        let floor = self.atom(Atom::Floor(rest, n))?;
        whole.plus(1, &self.entry(floor).poly)
    }

    /// Rewrites `(floor(x/m) + c) / n` to the dividend and divisor of `(x + c*m) / (m*n)`.
    fn inner_division(&self, dividend: &Poly, n: u64) -> Option<(Poly, u64)> {
        let (atom, constant) = dividend.atom_and_constant()?;
        let Some(Atom::Floor(x, m)) = self.entry(atom).atom else { return None };
        let shift = Poly::number(constant).times(&Poly::number(i128::from(m))).ok()?;
        Some((self.entry(x).poly.plus(1, &shift).ok()?, m.checked_mul(n)?))
    }

    /// `max`, `min` or `broadcast` of two dimensions.
    pub(super) fn pair(&mut self, pair: Pair, a: Dim, b: Dim) -> Result<Dim> {
        let same_as_one = match pair {
            _ if a == b => Some(a),
            Pair::Max if self.exceeds(a, b, 0) => Some(a),
            Pair::Max if self.exceeds(b, a, 0) => Some(b),
            Pair::Min if self.exceeds(a, b, 0) => Some(b),
            Pair::Min if self.exceeds(b, a, 0) => Some(a),
            Pair::Max | Pair::Min => None,
            Pair::Broadcast => match (self.relation(a, Dim::ONE), self.relation(b, Dim::ONE)) {
                (Relation::Same, _) => Some(b),
                (_, Relation::Same) => Some(a),
                (Relation::Differ, Relation::Differ) if self.relation(a, b) == Relation::Differ => {
                    let (a, b) = (self.display(a), self.display(b));
                    return Err(Error::malformed(format!("axes of {a} and {b} do not broadcast")));
                }
                (Relation::Differ, Relation::Differ) => Some(self.simpler(a, b)),
                // An axis that is not 1 is not stretched, so the other one is stretched to it.
                (Relation::Differ, Relation::Unknown) => Some(a),
                (Relation::Unknown, Relation::Differ) => Some(b),
                (Relation::Unknown, Relation::Unknown) => None,
            },
        };
        if let Some(d) = same_as_one {
            return Ok(d);
        }
        for (d, other) in [(a, b), (b, a)] {
            if matches!(self.entry(d).atom, Some(Atom::Pair(p, x, y)) if p == pair && (x == other || y == other)) {
                return Ok(d);
            }
        }
        self.atom(Atom::Pair(pair, a.min(b), a.max(b)))
    }
}
