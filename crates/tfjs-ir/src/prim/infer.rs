//! The context of type inference: dimensions, guards, and the program's tables.

use crate::array::Array;
use crate::dim::{Dim, Dims, Relation};
use crate::program::{Check, Guard, Input, OriginId, Slot, State};
use crate::ty::{ElementType, Type, shape_text};
use std::collections::HashSet;
use std::sync::Arc;
use tfjs_manifest::{Error, Kind, Result};

/// The context of a primitive's inference.
///
/// Two dimensions may be certainly equal, certainly different, or neither until the inputs are known. In the last case
/// inference continues with the simpler of the two and records a [`Guard`], which is checked when the inputs are known.
#[derive(Debug)]
pub struct Infer<'a> {
    /// The dimension expressions.
    pub dims: &'a mut Dims,
    /// The guards recorded so far.
    pub guards: &'a mut Vec<Guard>,
    /// The conditions of `guards`.
    pub guarded: &'a mut HashSet<Check>,
    /// The origin of the node.
    pub origin: OriginId,
    /// The program's inputs.
    pub inputs: &'a [Input],
    /// The program's weights.
    pub slots: &'a [Slot],
    /// The program's states.
    pub states: &'a [State],
    /// The program's constants.
    pub constants: &'a [Arc<Array>],
}

impl Infer<'_> {
    /// Records a condition that must hold when the dimensions are known. If it fails, the error names the first node
    /// that recorded it.
    pub fn guard(&mut self, check: Check) {
        if self.guarded.insert(check) {
            self.guards.push(Guard { check, origin: self.origin });
        }
    }

    /// The common dimension of two that must be equal; `None` if they certainly differ.
    pub fn same(&mut self, a: Dim, b: Dim) -> Option<Dim> {
        match self.dims.relation(a, b) {
            Relation::Same => Some(a),
            Relation::Differ => None,
            Relation::Unknown => {
                self.guard(Check::Equal(a, b));
                Some(self.dims.simpler(a, b))
            }
        }
    }

    /// Whether `a` can be at least `b`.
    pub fn at_least(&mut self, a: Dim, b: Dim) -> bool {
        // A constant may be negative here, because it is not a dimension of a shape yet.
        match (self.dims.constant(a), self.dims.constant(b)) {
            (Some(a), Some(b)) => a >= b,
            (None, Some(b)) if i128::from(self.dims.at_least(a)) >= b => true,
            _ => {
                self.guard(Check::AtLeast(a, b));
                true
            }
        }
    }

    /// Whether `a` can be a multiple of `b`.
    pub fn divisible(&mut self, a: Dim, b: Dim) -> bool {
        match (self.dims.known(a), self.dims.known(b)) {
            (Some(a), Some(b)) => a.checked_rem(b) == Some(0),
            _ => {
                if self.dims.div_exact(a, b).is_none() {
                    self.guard(Check::Divisible(a, b));
                }
                true
            }
        }
    }

    /// The dimension that two broadcast to by NumPy's rule; `None` if they are incompatible.
    ///
    /// # Errors
    /// [`Kind::Limit`] for an expression past the limits.
    pub fn broadcast(&mut self, a: Dim, b: Dim) -> Result<Option<Dim>> {
        match (self.dims.known(a), self.dims.known(b)) {
            _ if a == b => return Ok(Some(a)),
            (Some(1), _) => return Ok(Some(b)),
            (_, Some(1)) => return Ok(Some(a)),
            (Some(_), Some(_)) => return Ok(None),
            _ => {}
        }
        match self.dims.broadcast(a, b) {
            Ok(dim) => {
                self.guard(Check::Broadcast(a, b));
                Ok(Some(dim))
            }
            Err(e) if e.kind() == Kind::Malformed => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// The dimensions that two shapes broadcast to, aligned at the last axis.
    ///
    /// # Errors
    /// [`Kind::Malformed`] if they are incompatible.
    pub fn broadcast_all(&mut self, a: &[Dim], b: &[Dim]) -> Result<Vec<Dim>> {
        let rank = a.len().max(b.len());
        let at = |dims: &[Dim], i: usize| (i + dims.len()).checked_sub(rank).map_or(Dim::ONE, |i| dims[i]);
        (0..rank)
            .map(|i| {
                self.broadcast(at(a, i), at(b, i))?.ok_or_else(|| {
                    Error::malformed(format!("shapes {} and {} do not broadcast", self.shape(a), self.shape(b)))
                })
            })
            .collect()
    }

    /// Dimensions as shown in messages.
    pub fn shape(&self, dims: &[Dim]) -> String {
        shape_text(dims, |dim| self.dims.display(dim))
    }

    /// An axis that must exist.
    ///
    /// # Errors
    /// [`Kind::Malformed`] if it does not.
    pub fn axis(&self, axis: usize, ty: &Type) -> Result<Dim> {
        ty.dims
            .get(axis)
            .copied()
            .ok_or_else(|| Error::malformed(format!("axis {axis} does not exist in shape {}", self.shape(&ty.dims))))
    }
}

/// The operands of a primitive with `N` operands.
///
/// # Errors
/// [`Kind::Bug`] for another number, because lowering must provide the right number.
pub fn take<const N: usize>(operands: &[Type]) -> Result<[&Type; N]> {
    let found: Vec<&Type> = operands.iter().collect();
    found.try_into().map_err(|found: Vec<_>| Error::bug(format!("expected {N} operands, found {}", found.len())))
}

/// Fails unless the element types are equal.
///
/// # Errors
/// [`Kind::Bug`], because lowering must have inserted a cast.
pub fn same_element(a: &Type, b: &Type) -> Result<ElementType> {
    if a.element == b.element {
        return Ok(a.element);
    }
    Err(Error::bug(format!("operands of element types `{}` and `{}`", a.element, b.element)))
}

/// Fails unless the value has floating-point elements.
///
/// # Errors
/// [`Kind::Bug`], because lowering must have inserted a cast.
pub fn float(ty: &Type) -> Result<&Type> {
    if ty.element.is_float() {
        Ok(ty)
    } else {
        Err(Error::bug(format!("expected floating point, found `{}`", ty.element)))
    }
}

/// Fails unless the value has elements of this type.
///
/// # Errors
/// [`Kind::Bug`], because lowering must have inserted a cast.
pub fn of_element(ty: &Type, element: ElementType) -> Result<&Type> {
    if ty.element == element {
        Ok(ty)
    } else {
        Err(Error::bug(format!("expected `{element}`, found `{}`", ty.element)))
    }
}
