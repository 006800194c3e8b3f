//! Polynomials with integer coefficients over atoms: the canonical form of a dimension expression.
//!
//! This module handles atoms as opaque [`Dim`]s.

use super::Dim;
use std::cmp::Ordering;
use std::sync::Arc;
use tfjs_manifest::{Error, Result};

/// The most terms of a polynomial.
pub(super) const MAX_TERMS: usize = 64;
/// The most factors of a term.
pub(super) const MAX_DEGREE: usize = 16;
/// The largest absolute value of a coefficient.
const MAX_COEFFICIENT: u128 = u64::MAX as u128;

/// A product of atoms in ascending order, repeated for powers; empty for the constant term.
///
/// Monomials are ordered by degree, then by their atoms. Multiplying two monomials by a third one keeps their
/// order, which [`Poly::divided_by`] relies on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Monomial(Box<[Dim]>);

impl Monomial {
    pub(super) fn factors(&self) -> &[Dim] {
        &self.0
    }

    pub(super) fn degree(&self) -> usize {
        self.0.len()
    }

    fn times(&self, other: &Monomial) -> Result<Monomial> {
        let degree = self.degree() + other.degree();
        if degree > MAX_DEGREE {
            return Err(Error::limit(format!(
                "a dimension expression of degree {degree} exceeds the limit of {MAX_DEGREE}"
            )));
        }
        let mut factors = [self.factors(), other.factors()].concat();
        factors.sort_unstable();
        Ok(Monomial(factors.into()))
    }

    /// The monomial that, multiplied by `divisor`, is `self`.
    fn divided_by(&self, divisor: &Monomial) -> Option<Monomial> {
        let mut rest = divisor.factors();
        // SIZE: degrees are lengths of lists of factors.
        let mut quotient = Vec::with_capacity(self.degree().saturating_sub(divisor.degree()));
        for &factor in self.factors() {
            match rest.split_first() {
                Some((&first, others)) if first == factor => rest = others,
                _ => quotient.push(factor),
            }
        }
        rest.is_empty().then(|| Monomial(quotient.into()))
    }
}

impl Ord for Monomial {
    fn cmp(&self, other: &Self) -> Ordering {
        self.degree().cmp(&other.degree()).then_with(|| self.0.cmp(&other.0))
    }
}

impl PartialOrd for Monomial {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// A monomial and its coefficient, which is never zero.
pub(super) type Term = (Monomial, i128);

/// A sum of terms with distinct monomials, in ascending order; empty for zero. Clones share the terms.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Poly(Arc<[Term]>);

impl Poly {
    /// A constant polynomial. `u64` is always in range; a parser or a division gives nothing larger.
    pub(super) fn number(n: i128) -> Poly {
        debug_assert!(n.unsigned_abs() <= MAX_COEFFICIENT);
        Poly(if n == 0 { Arc::new([]) } else { Arc::new([(Monomial::default(), n)]) })
    }

    /// An atom as a polynomial.
    pub(super) fn atom(atom: Dim) -> Poly {
        Poly(Arc::new([(Monomial([atom].into()), 1)]))
    }

    /// The sum of terms, whose monomials may be in any order and repeated.
    fn from_terms(mut terms: Vec<Term>) -> Result<Poly> {
        terms.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        let mut sum: Vec<Term> = Vec::with_capacity(terms.len());
        for (monomial, coefficient) in terms {
            match sum.last_mut() {
                Some((last, total)) if *last == monomial => {
                    *total = total.checked_add(coefficient).ok_or_else(overflow)?;
                }
                _ => sum.push((monomial, coefficient)),
            }
        }
        sum.retain(|&(_, coefficient)| coefficient != 0);
        if sum.len() > MAX_TERMS {
            let terms = sum.len();
            return Err(Error::limit(format!(
                "a dimension expression of {terms} terms exceeds the limit of {MAX_TERMS}"
            )));
        }
        if sum.iter().any(|(_, coefficient)| coefficient.unsigned_abs() > MAX_COEFFICIENT) {
            return Err(overflow());
        }
        Ok(Poly(sum.into()))
    }

    pub(super) fn terms(&self) -> &[Term] {
        &self.0
    }

    /// The value of a constant polynomial.
    pub(super) fn constant(&self) -> Option<i128> {
        match self.terms() {
            [] => Some(0),
            [(monomial, n)] if monomial.degree() == 0 => Some(*n),
            _ => None,
        }
    }

    /// The atom and the constant, if the polynomial is the sum of the two.
    pub(super) fn atom_and_constant(&self) -> Option<(Dim, i128)> {
        let (constant, (monomial, coefficient)) = match self.terms() {
            [term] => (0, term),
            [(first, constant), term] if first.degree() == 0 => (*constant, term),
            _ => return None,
        };
        match monomial.factors() {
            [atom] if *coefficient == 1 => Some((*atom, constant)),
            _ => None,
        }
    }

    /// `self + factor * other`.
    pub(super) fn plus(&self, factor: i128, other: &Poly) -> Result<Poly> {
        let mut terms = self.0.to_vec();
        for (monomial, coefficient) in other.terms() {
            terms.push((monomial.clone(), coefficient.checked_mul(factor).ok_or_else(overflow)?));
        }
        Poly::from_terms(terms)
    }

    /// `self * other`.
    pub(super) fn times(&self, other: &Poly) -> Result<Poly> {
        let mut terms = Vec::with_capacity(self.0.len() * other.0.len());
        for (a, m) in self.terms() {
            for (b, n) in other.terms() {
                terms.push((a.times(b)?, m.checked_mul(*n).ok_or_else(overflow)?));
            }
        }
        Poly::from_terms(terms)
    }

    /// The polynomial that, multiplied by `divisor`, is `self`; `None` if there is none or it exceeds the limits.
    pub(super) fn divided_by(&self, divisor: &Poly) -> Option<Poly> {
        let (lead, by) = divisor.0.last()?;
        let mut rest = self.clone();
        let mut quotient = Vec::new();
        // The leading term of a product is the product of the leading terms, so each step finds one term.
        while let Some((monomial, coefficient)) = rest.0.last() {
            if coefficient % by != 0 || quotient.len() == MAX_TERMS {
                return None;
            }
            let term = (monomial.divided_by(lead)?, coefficient / by);
            quotient.push(term.clone());
            rest = rest.plus(-1, &Poly(Arc::new([term])).times(divisor).ok()?).ok()?;
        }
        Poly::from_terms(quotient).ok()
    }

    /// `q` and `r` with `self = n * q + r`, where every coefficient of `r` is in `0..n`.
    pub(super) fn divided_with_rest(&self, n: u64) -> (Poly, Poly) {
        let n = i128::from(n);
        let part = |of: fn(i128, i128) -> i128| {
            let terms = self.0.iter().map(|(monomial, coefficient)| (monomial.clone(), of(*coefficient, n)));
            Poly(terms.filter(|&(_, coefficient)| coefficient != 0).collect())
        };
        (part(i128::div_euclid), part(i128::rem_euclid))
    }

    /// The greatest common divisor of `n` and the coefficients of all terms but the constant one.
    pub(super) fn common_divisor(&self, n: u64) -> u64 {
        let coefficients = self.0.iter().filter(|(monomial, _)| monomial.degree() > 0);
        // A coefficient is at most `u64::MAX` in absolute value, see `from_terms`.
        coefficients
            .fold(n, |divisor, (_, coefficient)| greatest_common_divisor(divisor, coefficient.unsigned_abs() as u64))
    }
}

fn greatest_common_divisor(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

#[cold]
pub(super) fn overflow() -> Error {
    Error::limit("a dimension does not fit 64 bits")
}
