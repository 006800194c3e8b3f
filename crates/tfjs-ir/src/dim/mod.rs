//! Dimensions that may depend on the inputs: hash-consed expressions over symbols.
//!
//! An expression is a polynomial with integer coefficients over *atoms*: symbols, `floor(x/n)`, `max`, `min` and
//! `broadcast`. The polynomial is canonical, so two expressions that are provably equal by the rewrites below share
//! one [`Dim`], and equality is a comparison of two numbers.
//!
//! The rewrites, all of which are identities of integers:
//! - constants are folded, like terms collected, `ceil(x/n)` is `floor((x+n-1)/n)`;
//! - `floor((n*q + r)/n) = q + floor(r/n)`, `floor((g*x + c)/(g*n)) = floor((x + floor(c/g))/n)` and
//!   `floor((floor(x/m) + c)/n) = floor((x + c*m)/(m*n))`, so a chain of strides stays one division;
//! - `max` and `min` of operands whose order is certain, given that symbols are at least 0;
//! - `broadcast` of an axis that is certainly 1, or certainly not 1;
//! - `max`, `min` and `broadcast` of an expression and one of its own operands, or of itself.
//!
//! This module does not prove inequalities such as `2*floor(h/2) <= h`; the builder records a guard instead.

mod bind;
mod make;
mod poly;
mod query;
mod text;

pub use bind::Bound;

use poly::Poly;
use std::collections::{BTreeMap, HashMap};
use tfjs_manifest::Result;

/// The most levels of nested atoms. It bounds every recursion over an expression.
const MAX_DEPTH: u32 = 128;
/// The most symbols, numbers and functions of an expression as written out, where a shared part counts once for each
/// use. It bounds every traversal of an expression.
const MAX_SIZE: u32 = 1024;
/// The most terms of all expressions of a table.
const MAX_ALL_TERMS: usize = 1 << 19;

/// A dimension of a value: an index into its program's [`Dims`].
///
/// It must be used with that table only; methods of another table may panic.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Dim(u32);

impl Dim {
    /// The number 0, in every table.
    pub const ZERO: Dim = Dim(0);
    /// The number 1, in every table.
    pub const ONE: Dim = Dim(1);

    fn at(index: usize) -> Dim {
        Dim(u32::try_from(index).expect("2^32 expressions do not fit the memory"))
    }

    /// The index in the table.
    pub(crate) fn number(self) -> u32 {
        self.0
    }

    fn index(self) -> usize {
        self.0 as usize
    }
}

/// How two dimensions compare before the symbols have values. The three cases are complete.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Relation {
    /// Equal for all values of the symbols.
    Same,
    /// Different for all values of the symbols.
    Differ,
    /// Not provable either way.
    Unknown,
}

/// The dimension expressions of one program, hash-consed: two equal expressions have one [`Dim`].
#[derive(Clone, Debug)]
pub struct Dims {
    /// In the order of construction: an expression comes after its operands and factors.
    entries: Vec<Entry>,
    by_poly: HashMap<Poly, Dim>,
    by_atom: HashMap<Atom, Dim>,
    symbols: Vec<(String, Dim)>,
    by_name: HashMap<String, Dim>,
    bounds: BTreeMap<Dim, Dim>,
    /// The terms of all expressions, see [`MAX_ALL_TERMS`].
    terms: usize,
    /// Products and quotients that were computed before: shapes of one model repeat.
    products: HashMap<Box<[Dim]>, Dim>,
    quotients: HashMap<(Dim, Dim), Option<Dim>>,
}

/// One expression and what is known about it.
#[derive(Clone, Debug)]
struct Entry {
    /// The canonical form. The polynomial of an atom is the atom itself.
    poly: Poly,
    atom: Option<Atom>,
    /// A lower bound, if one is known.
    least: Option<i128>,
    /// Levels of atoms, see [`MAX_DEPTH`].
    depth: u32,
    /// Parts when written out, see [`MAX_SIZE`].
    size: u32,
}

/// An expression that a polynomial treats as a variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Atom {
    /// An index into [`Dims::symbols`].
    Symbol(usize),
    /// The largest integer that is at most the quotient. The divisor is at least 2.
    Floor(Dim, u64),
    /// Operands in ascending order.
    Pair(Pair, Dim, Dim),
}

/// A function of two operands for which order and repetition do not matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Pair {
    Max,
    Min,
    Broadcast,
}

impl Pair {
    const ALL: [Pair; 3] = [Pair::Max, Pair::Min, Pair::Broadcast];

    fn name(self) -> &'static str {
        match self {
            Pair::Max => "max",
            Pair::Min => "min",
            Pair::Broadcast => "broadcast",
        }
    }
}

impl Default for Dims {
    fn default() -> Self {
        Dims::new()
    }
}

impl Dims {
    /// A table that holds [`Dim::ZERO`] and [`Dim::ONE`].
    pub fn new() -> Self {
        let mut dims = Dims {
            entries: Vec::new(),
            by_poly: HashMap::new(),
            by_atom: HashMap::new(),
            symbols: Vec::new(),
            by_name: HashMap::new(),
            bounds: BTreeMap::new(),
            terms: 0,
            products: HashMap::new(),
            quotients: HashMap::new(),
        };
        let constants = (dims.number(0), dims.number(1));
        debug_assert_eq!(constants, (Dim::ZERO, Dim::ONE));
        dims
    }

    /// The number of expressions.
    #[expect(clippy::len_without_is_empty, reason = "a table is never empty")]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// A constant dimension.
    pub fn number(&mut self, n: u64) -> Dim {
        let poly = Poly::number(i128::from(n));
        match self.by_poly.get(&poly) {
            Some(&d) => d,
            None => self.push(Entry { poly, atom: None, least: Some(i128::from(n)), depth: 0, size: 1 }),
        }
    }

    /// Returns the symbol of this name, and adds it if it is new. Its value is at least 0.
    pub fn symbol(&mut self, name: &str) -> Dim {
        if let Some(&d) = self.by_name.get(name) {
            return d;
        }
        let atom = Atom::Symbol(self.symbols.len());
        let d = Dim::at(self.entries.len());
        self.push(Entry { poly: Poly::atom(d), atom: Some(atom), least: Some(0), depth: 1, size: 1 });
        self.symbols.push((name.to_owned(), d));
        self.by_name.insert(name.to_owned(), d);
        d
    }

    /// The symbols and their names, in the order of their construction.
    pub fn symbols(&self) -> impl Iterator<Item = (&str, Dim)> {
        self.symbols.iter().map(|(name, d)| (name.as_str(), *d))
    }

    /// Declares the largest value of a symbol or another expression, for memory planning. It does not affect
    /// comparisons and is not checked by [`bind`](Dims::bind).
    pub fn set_bound(&mut self, d: Dim, bound: Dim) {
        self.bounds.insert(d, bound);
    }

    /// The largest value of a symbol or another expression, if it was declared.
    pub fn bound(&self, d: Dim) -> Option<Dim> {
        self.bounds.get(&d).copied()
    }
}

/// Arithmetic. A result is too large if it has too many terms, factors or levels, or a constant beyond 64 bits.
impl Dims {
    /// `a + b`.
    ///
    /// # Errors
    /// [`Kind::Limit`](tfjs_manifest::Kind::Limit) if the result is too large.
    pub fn add(&mut self, a: Dim, b: Dim) -> Result<Dim> {
        let sum = self.entry(a).poly.plus(1, &self.entry(b).poly)?;
        self.intern(sum)
    }

    /// `a - b`. A difference may be negative; then it has no value as a dimension, but a sum that contains it may have
    /// one.
    ///
    /// # Errors
    /// [`Kind::Limit`](tfjs_manifest::Kind::Limit) if the result is too large.
    pub fn sub(&mut self, a: Dim, b: Dim) -> Result<Dim> {
        let difference = self.difference(a, b)?;
        self.intern(difference)
    }

    /// `a * b`.
    ///
    /// # Errors
    /// [`Kind::Limit`](tfjs_manifest::Kind::Limit) if the result is too large.
    pub fn mul(&mut self, a: Dim, b: Dim) -> Result<Dim> {
        let product = self.entry(a).poly.times(&self.entry(b).poly)?;
        self.intern(product)
    }

    /// The product of dimensions; 1 if there are none.
    ///
    /// # Errors
    /// [`Kind::Limit`](tfjs_manifest::Kind::Limit) if the result is too large.
    pub fn product(&mut self, dims: &[Dim]) -> Result<Dim> {
        if let Some(&known) = self.products.get(dims) {
            return Ok(known);
        }
        let one = self.entry(Dim::ONE).poly.clone();
        let product = dims.iter().try_fold(one, |product, &d| product.times(&self.entry(d).poly))?;
        let product = self.intern(product)?;
        self.products.insert(dims.into(), product);
        Ok(product)
    }

    /// `a / n`, rounded down.
    ///
    /// # Errors
    /// - [`Kind::Malformed`](tfjs_manifest::Kind::Malformed) if `n` is 0;
    /// - [`Kind::Limit`](tfjs_manifest::Kind::Limit) if the result is too large.
    pub fn div_floor(&mut self, a: Dim, n: u64) -> Result<Dim> {
        let quotient = self.floor(&self.entry(a).poly.clone(), n)?;
        self.intern(quotient)
    }

    /// `a / n`, rounded up.
    ///
    /// # Errors
    /// - [`Kind::Malformed`](tfjs_manifest::Kind::Malformed) if `n` is 0;
    /// - [`Kind::Limit`](tfjs_manifest::Kind::Limit) if the result is too large.
    pub fn div_ceil(&mut self, a: Dim, n: u64) -> Result<Dim> {
        let quotient = self.ceil(&self.entry(a).poly.clone(), n)?;
        self.intern(quotient)
    }

    /// The expression that, multiplied by `b`, is `a`, if there is one: `batch*h*8` divided by `batch*2` is `h*4`.
    ///
    /// Symbols are cancelled on the assumption that they are not 0.
    pub fn div_exact(&mut self, a: Dim, b: Dim) -> Option<Dim> {
        if let Some(&known) = self.quotients.get(&(a, b)) {
            return known;
        }
        let quotient = self.entry(a).poly.divided_by(&self.entry(b).poly);
        let quotient = quotient.and_then(|quotient| self.intern(quotient).ok());
        self.quotients.insert((a, b), quotient);
        quotient
    }

    /// The larger of two dimensions.
    ///
    /// # Errors
    /// [`Kind::Limit`](tfjs_manifest::Kind::Limit) if the result is too large.
    pub fn max(&mut self, a: Dim, b: Dim) -> Result<Dim> {
        self.pair(Pair::Max, a, b)
    }

    /// The smaller of two dimensions.
    ///
    /// # Errors
    /// [`Kind::Limit`](tfjs_manifest::Kind::Limit) if the result is too large.
    pub fn min(&mut self, a: Dim, b: Dim) -> Result<Dim> {
        self.pair(Pair::Min, a, b)
    }

    /// The length of the axis that two axes broadcast to: an axis of 1 is stretched, as in NumPy.
    ///
    /// The result is right only if the two are equal or one of them is 1. Where
    /// [`relation`](Dims::relation) is [`Unknown`](Relation::Unknown), the caller records that as a guard.
    ///
    /// # Errors
    /// - [`Kind::Malformed`](tfjs_manifest::Kind::Malformed) if the two are certainly incompatible;
    /// - [`Kind::Limit`](tfjs_manifest::Kind::Limit) if the result is too large.
    pub fn broadcast(&mut self, a: Dim, b: Dim) -> Result<Dim> {
        self.pair(Pair::Broadcast, a, b)
    }

    /// Rebuilds an expression of this table in `into`, with its symbols replaced. It serves the inlining of programs.
    ///
    /// A symbol that is not in `map` becomes the symbol of the same name. Bounds are not carried over.
    ///
    /// # Errors
    /// As the operations that the expression consists of.
    pub fn substitute(&self, into: &mut Dims, map: &HashMap<Dim, Dim>, d: Dim) -> Result<Dim> {
        match self.entry(d).atom {
            Some(Atom::Symbol(i)) => Ok(map.get(&d).copied().unwrap_or_else(|| into.symbol(self.symbol_name(i)))),
            Some(Atom::Floor(x, n)) => {
                let x = self.substitute(into, map, x)?;
                into.div_floor(x, n)
            }
            Some(Atom::Pair(pair, a, b)) => {
                let (a, b) = (self.substitute(into, map, a)?, self.substitute(into, map, b)?);
                into.pair(pair, a, b)
            }
            None => {
                let mut sum = Poly::default();
                for (monomial, coefficient) in self.entry(d).poly.terms() {
                    let mut term = Poly::number(*coefficient);
                    for &factor in monomial.factors() {
                        let factor = self.substitute(into, map, factor)?;
                        term = term.times(&into.entry(factor).poly)?;
                    }
                    sum = sum.plus(1, &term)?;
                }
                into.intern(sum)
            }
        }
    }
}

impl Dims {
    pub(crate) fn constant(&self, d: Dim) -> Option<i128> {
        self.entry(d).poly.constant()
    }

    fn symbol_name(&self, symbol: usize) -> &str {
        &self.symbols[symbol].0
    }

    fn entry(&self, d: Dim) -> &Entry {
        &self.entries[d.index()]
    }
}

#[cfg(test)]
mod tests;
