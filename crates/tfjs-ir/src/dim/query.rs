//! Facts that hold for every value of the symbols.

use super::poly::Poly;
use super::{Atom, Dim, Dims, Relation};
use tfjs_manifest::Result;

impl Dims {
    /// The value of a constant dimension.
    pub fn known(&self, d: Dim) -> Option<u64> {
        self.constant(d).and_then(|n| u64::try_from(n).ok())
    }

    /// How two dimensions compare.
    pub fn relation(&self, a: Dim, b: Dim) -> Relation {
        if a == b {
            Relation::Same
        } else if self.exceeds(a, b, 1) || self.exceeds(b, a, 1) {
            Relation::Differ
        } else {
            Relation::Unknown
        }
    }

    /// A lower bound of the dimension, given that symbols are at least 0.
    pub fn at_least(&self, d: Dim) -> u64 {
        // Only a non-negative value is a valid dimension.
        let least = self.entry(d).least.unwrap_or(0).max(0);
        u64::try_from(least).unwrap_or(u64::MAX)
    }

    /// The simpler of two dimensions. A number comes before a symbol, then fewer terms, then the shorter text, then the
    /// older expression.
    pub fn simpler(&self, a: Dim, b: Dim) -> Dim {
        let rank = |d: Dim| {
            let entry = self.entry(d);
            let class = match entry.atom {
                _ if entry.poly.constant().is_some() => 0,
                Some(Atom::Symbol(_)) => 1,
                _ => 2,
            };
            (class, entry.poly.terms().len(), entry.size, d)
        };
        if rank(b) < rank(a) { b } else { a }
    }

    /// Whether the dimension certainly never shrinks when the symbol grows. Memory planned for the bound of the symbol
    /// then suffices for all smaller values.
    pub fn is_monotone(&self, d: Dim, symbol: Dim) -> bool {
        match self.entry(d).atom {
            Some(Atom::Symbol(_)) => true,
            Some(Atom::Floor(x, _)) => self.is_monotone(x, symbol),
            // Of two axes that broadcast, one is 1 or both are equal, so growing either cannot lower the result.
            Some(Atom::Pair(_, a, b)) => self.is_monotone(a, symbol) && self.is_monotone(b, symbol),
            None => self.entry(d).poly.terms().iter().all(|(monomial, coefficient)| {
                let factors = monomial.factors();
                !factors.iter().any(|&f| self.depends_on(f, symbol))
                    || *coefficient > 0
                        && factors.iter().all(|&f| self.never_negative(f) && self.is_monotone(f, symbol))
            }),
        }
    }

    fn depends_on(&self, d: Dim, symbol: Dim) -> bool {
        match self.entry(d).atom {
            Some(Atom::Symbol(_)) => d == symbol,
            Some(Atom::Floor(x, _)) => self.depends_on(x, symbol),
            Some(Atom::Pair(_, a, b)) => self.depends_on(a, symbol) || self.depends_on(b, symbol),
            None => {
                let mut factors = self.entry(d).poly.terms().iter().flat_map(|(monomial, _)| monomial.factors());
                factors.any(|&factor| self.depends_on(factor, symbol))
            }
        }
    }

    fn never_negative(&self, d: Dim) -> bool {
        self.entry(d).least.is_some_and(|least| least >= 0)
    }

    /// Whether `a >= b + by` for all values of the symbols. `false` means that it is not certain.
    pub(super) fn exceeds(&self, a: Dim, b: Dim, by: i128) -> bool {
        let difference = self.difference(a, b).ok();
        difference.and_then(|difference| self.least(&difference)).is_some_and(|least| least >= by)
    }

    pub(super) fn difference(&self, a: Dim, b: Dim) -> Result<Poly> {
        self.entry(a).poly.plus(-1, &self.entry(b).poly)
    }

    /// A lower bound of a polynomial, if its terms give one.
    pub(super) fn least(&self, poly: &Poly) -> Option<i128> {
        poly.terms().iter().try_fold(0i128, |sum, (monomial, coefficient)| {
            if monomial.degree() > 0 && *coefficient < 0 {
                return None;
            }
            let least = monomial.factors().iter().try_fold(*coefficient, |product, &factor| {
                self.entry(factor).least.filter(|&least| least >= 0)?.checked_mul(product)
            });
            sum.checked_add(least?)
        })
    }
}
