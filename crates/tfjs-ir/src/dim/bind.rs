//! Evaluates dimensions once the symbols have values.

use super::{Atom, Dim, Dims, Entry, Pair};
use tfjs_manifest::{Error, Result};

/// The value of every dimension of a [`Dims`] at the time of [`Dims::bind`].
#[derive(Clone, Debug)]
pub struct Bound {
    values: Box<[Value]>,
    /// The symbols without a value, with their names.
    unbound: Vec<(Dim, String)>,
}

type Value = Result<i128, Fault>;

/// Why an expression has no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    Unbound(Dim),
    Overflow,
    /// Two axes are not equal and neither is 1.
    Broadcast(i128, i128),
}

impl Bound {
    /// The value of a dimension.
    ///
    /// # Errors
    /// - [`Kind::Malformed`](tfjs_manifest::Kind::Malformed) if it is negative or broadcasts two incompatible axes;
    /// - [`Kind::Limit`](tfjs_manifest::Kind::Limit) if it overflows;
    /// - [`Kind::Misuse`](tfjs_manifest::Kind::Misuse) if it depends on a symbol that has no value, or was made after
    ///   the binding.
    pub fn get(&self, d: Dim) -> Result<usize> {
        let value = self.values.get(d.index());
        match *value.ok_or_else(|| Error::misuse("a dimension is newer than the binding it is read from"))? {
            Ok(n) if n < 0 => Err(Error::malformed(format!("a dimension would be {n}"))),
            Ok(n) => usize::try_from(n).map_err(|_| Error::limit(format!("a dimension of {n} is too large"))),
            Err(Fault::Overflow) => Err(super::poly::overflow()),
            Err(Fault::Broadcast(a, b)) => Err(Error::malformed(format!("axes of {a} and {b} do not broadcast"))),
            Err(Fault::Unbound(symbol)) => {
                let name = self.unbound.iter().find(|(unbound, _)| *unbound == symbol).map_or("?", |(_, name)| name);
                Err(Error::misuse(format!("a dimension depends on `{name}`, which has no value")))
            }
        }
    }
}

impl Dims {
    /// Evaluates every expression for the given values of the symbols. An expression without a value causes an error
    /// only in [`Bound::get`].
    ///
    /// # Errors
    /// - [`Kind::Misuse`](tfjs_manifest::Kind::Misuse) if a dimension of `symbols` is not a symbol;
    /// - [`Kind::Mismatch`](tfjs_manifest::Kind::Mismatch) if a symbol is given two values.
    pub fn bind(&self, symbols: &[(Dim, u64)]) -> Result<Bound> {
        let mut given = vec![None; self.entries.len()];
        for &(symbol, n) in symbols {
            if !matches!(self.entry(symbol).atom, Some(Atom::Symbol(_))) {
                return Err(Error::misuse(format!("`{}` is not a symbol and cannot be bound", self.describe(symbol))));
            }
            if let Some(other) = given[symbol.index()].replace(n).filter(|&other| other != n) {
                let name = self.describe(symbol);
                return Err(Error::mismatch(format!("dimension `{name}` is both {other} and {n}")));
            }
        }
        // Operands and factors are older than the expressions they occur in, so one pass in order is enough.
        let mut values: Vec<Value> = Vec::with_capacity(self.entries.len());
        for (i, (entry, given)) in self.entries.iter().zip(given).enumerate() {
            let value = match given {
                Some(n) => Ok(i128::from(n)),
                None => evaluate(entry, Dim::at(i), &values),
            };
            values.push(value);
        }
        let unbound = self.symbols().filter(|(_, symbol)| values[symbol.index()].is_err());
        let unbound = unbound.map(|(name, symbol)| (symbol, name.to_owned())).collect();
        Ok(Bound { values: values.into(), unbound })
    }
}

/// The value of an expression, given the values of all older ones.
fn evaluate(entry: &Entry, itself: Dim, values: &[Value]) -> Value {
    let value = |d: Dim| values[d.index()];
    match entry.atom {
        Some(Atom::Symbol(_)) => Err(Fault::Unbound(itself)),
        Some(Atom::Floor(x, n)) => Ok(value(x)?.div_euclid(i128::from(n))),
        Some(Atom::Pair(pair, a, b)) => match (pair, value(a)?, value(b)?) {
            (Pair::Max, a, b) => Ok(a.max(b)),
            (Pair::Min, a, b) => Ok(a.min(b)),
            (Pair::Broadcast, 1, b) => Ok(b),
            (Pair::Broadcast, a, b) if b == a || b == 1 => Ok(a),
            (Pair::Broadcast, a, b) => Err(Fault::Broadcast(a, b)),
        },
        None => entry.poly.terms().iter().try_fold(0i128, |sum, (monomial, coefficient)| {
            let term = monomial.factors().iter().try_fold(*coefficient, |product, &factor| {
                product.checked_mul(value(factor)?).ok_or(Fault::Overflow)
            })?;
            sum.checked_add(term).ok_or(Fault::Overflow)
        }),
    }
}
