//! Arrays on the host: the constants of programs and the values of the interpreter.

use crate::ty::ElementType;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::mem::size_of;
use std::sync::Arc;
use tfjs_manifest::{Error, Result, Shape};

/// A dense array in row-major order.
#[derive(Clone, Debug, PartialEq)]
pub struct Array {
    element: ElementType,
    dims: Vec<usize>,
    data: Data,
}

/// The elements of an array. Floating-point ones of every precision are held in double precision, integers in
/// 64 bits; [`Array::new`] rounds and wraps them to the element type.
#[derive(Clone, Debug, PartialEq)]
pub enum Data {
    /// Floating point.
    Float(Vec<f64>),
    /// Integers.
    Int(Vec<i64>),
    /// Truth values.
    Bool(Vec<bool>),
    /// Text. Copies of an element share its characters.
    Text(Vec<Arc<str>>),
}

impl Data {
    /// The number of elements.
    pub fn len(&self) -> usize {
        match self {
            Data::Float(values) => values.len(),
            Data::Int(values) => values.len(),
            Data::Bool(values) => values.len(),
            Data::Text(values) => values.len(),
        }
    }

    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Hash for Data {
    fn hash<H: Hasher>(&self, state: &mut H) {
        match self {
            Data::Float(values) => values.iter().for_each(|value| value.to_bits().hash(state)),
            Data::Int(values) => values.hash(state),
            Data::Bool(values) => values.hash(state),
            Data::Text(values) => values.hash(state),
        }
    }
}

impl Array {
    /// An array of these elements, rounded to the element type.
    ///
    /// # Errors
    /// [`Kind::Bug`](tfjs_manifest::Kind::Bug) if `data` is of another kind than the type, or its length is not the
    /// product of the dimensions.
    pub fn new(element: ElementType, dims: impl Into<Vec<usize>>, data: Data) -> Result<Self> {
        let dims = dims.into();
        let kind_fits = match data {
            Data::Float(_) => element.is_float(),
            Data::Int(_) => element.is_integer(),
            Data::Bool(_) => element == ElementType::Bool,
            Data::Text(_) => element == ElementType::String,
        };
        if !kind_fits {
            return Err(Error::bug(format!("elements of another kind than `{element}`")));
        }
        let elements = Shape::new(dims.clone())?.elements();
        if elements != data.len() {
            return Err(Error::bug(format!("{dims:?} has {elements} elements, found {}", data.len())));
        }
        let mut array = Array { element, dims, data };
        array.round();
        Ok(array)
    }

    /// A scalar array: the number is rounded to the element type; as a truth value, non-zero is true.
    pub fn scalar(element: ElementType, value: f64) -> Self {
        let data = match element {
            _ if element.is_float() => Data::Float(vec![value]),
            ElementType::Bool => Data::Bool(vec![value != 0.0]),
            ElementType::String => Data::Text(vec![value.to_string().into()]),
            _ => Data::Int(vec![value as i64]),
        };
        let mut array = Array { element, dims: Vec::new(), data };
        array.round();
        array
    }

    /// An array of single-precision numbers.
    ///
    /// # Errors
    /// As [`new`](Array::new).
    pub fn floats(dims: impl Into<Vec<usize>>, values: impl IntoIterator<Item = f64>) -> Result<Self> {
        Array::new(ElementType::F32, dims, Data::Float(values.into_iter().collect()))
    }

    /// A hash: equal for arrays with the same elements, and rarely equal otherwise.
    pub(crate) fn fingerprint(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        (self.element, &self.dims, &self.data).hash(&mut hasher);
        hasher.finish()
    }

    /// Whether the arrays are equal bit by bit.
    pub(crate) fn is_same(&self, other: &Array) -> bool {
        let data = match (&self.data, &other.data) {
            // By bits, 0 differs from -0 and a NaN equals itself.
            (Data::Float(a), Data::Float(b)) => a.iter().map(|x| x.to_bits()).eq(b.iter().map(|x| x.to_bits())),
            (a, b) => a == b,
        };
        data && self.element == other.element && self.dims == other.dims
    }

    /// Bytes of memory that the elements take.
    pub(crate) fn bytes(&self) -> u64 {
        let elements = match &self.data {
            Data::Float(_) | Data::Int(_) => 8 * self.data.len() as u64,
            Data::Bool(values) => values.len() as u64,
            Data::Text(values) => values.iter().map(|text| (size_of::<Arc<str>>() + text.len()) as u64).sum(),
        };
        size_of::<Array>() as u64 + size_of_val(&self.dims[..]) as u64 + elements
    }

    /// The element type.
    pub fn element(&self) -> ElementType {
        self.element
    }

    /// The dimensions.
    pub fn dims(&self) -> &[usize] {
        &self.dims
    }

    /// The elements, in row-major order.
    pub fn data(&self) -> &Data {
        &self.data
    }

    /// Returns the elements and drops the rest.
    pub fn into_data(self) -> Data {
        self.data
    }

    /// The number of elements.
    pub fn elements(&self) -> usize {
        self.data.len()
    }

    /// The elements as floating point; truth values are 0 and 1.
    ///
    /// # Errors
    /// [`Kind::Bug`](tfjs_manifest::Kind::Bug) for text.
    pub fn to_floats(&self) -> Result<Vec<f64>> {
        match &self.data {
            Data::Float(values) => Ok(values.clone()),
            Data::Int(values) => Ok(values.iter().map(|&n| n as f64).collect()),
            Data::Bool(values) => Ok(values.iter().map(|&b| f64::from(u8::from(b))).collect()),
            Data::Text(_) => Err(Error::bug("text is not a number")),
        }
    }

    /// The elements as integers; floating-point ones are truncated towards zero, truth values are 0 and 1.
    ///
    /// # Errors
    /// [`Kind::Bug`](tfjs_manifest::Kind::Bug) for text.
    pub fn to_ints(&self) -> Result<Vec<i64>> {
        match &self.data {
            Data::Float(values) => Ok(values.iter().map(|&x| x as i64).collect()),
            Data::Int(values) => Ok(values.clone()),
            Data::Bool(values) => Ok(values.iter().map(|&b| i64::from(b)).collect()),
            Data::Text(_) => Err(Error::bug("text is not a number")),
        }
    }

    /// The truth values.
    ///
    /// # Errors
    /// [`Kind::Bug`](tfjs_manifest::Kind::Bug) for another element type.
    pub fn bools(&self) -> Result<&[bool]> {
        match &self.data {
            Data::Bool(values) => Ok(values),
            _ => Err(Error::bug(format!("expected truth values, found `{}`", self.element))),
        }
    }

    /// The same elements with other dimensions of the same product.
    ///
    /// # Errors
    /// [`Kind::Bug`](tfjs_manifest::Kind::Bug) for another number of elements.
    pub fn reshaped(&self, dims: impl Into<Vec<usize>>) -> Result<Self> {
        Array::new(self.element, dims, self.data.clone())
    }

    /// An array without elements.
    pub(crate) fn none(element: ElementType) -> Self {
        let data = match element {
            _ if element.is_float() => Data::Float(Vec::new()),
            ElementType::Bool => Data::Bool(Vec::new()),
            ElementType::String => Data::Text(Vec::new()),
            _ => Data::Int(Vec::new()),
        };
        Array { element, dims: vec![0], data }
    }

    /// Rounds and wraps every element to the element type.
    fn round(&mut self) {
        match (&mut self.data, self.element) {
            (Data::Float(values), element) => values.iter_mut().for_each(|x| *x = round_to_element(element, *x)),
            (Data::Int(values), ElementType::I32) => values.iter_mut().for_each(|n| *n = i64::from(*n as i32)),
            (Data::Int(values), ElementType::U8) => values.iter_mut().for_each(|n| *n = i64::from(*n as u8)),
            _ => {}
        }
    }
}

/// Rounds to the nearest number of the element type, ties to even; integers are not changed.
pub(crate) fn round_to_element(element: ElementType, x: f64) -> f64 {
    match element {
        ElementType::F32 => f64::from(x as f32),
        ElementType::F16 => round_to(x, 10, -14, 15),
        ElementType::Bf16 => round_to(x, 7, -126, 127),
        _ => x,
    }
}

/// `x` rounded, ties to even, to a binary format with `fraction` bits of fraction and normal exponents
/// `lowest ..= highest`.
fn round_to(x: f64, fraction: i32, lowest: i32, highest: i32) -> f64 {
    if x == 0.0 || !x.is_finite() {
        return x;
    }
    let exponent = (x.abs().log2().floor() as i32).max(lowest);
    let unit = 2f64.powi(exponent - fraction);
    let rounded = (x / unit).round_ties_even() * unit;
    let largest = (2.0 - 2f64.powi(-fraction)) * 2f64.powi(highest);
    if rounded.abs() > largest { f64::INFINITY.copysign(x) } else { rounded }
}

/// The strides of a row-major array.
pub(crate) fn strides(dims: &[usize]) -> Vec<usize> {
    let mut strides = vec![1; dims.len()];
    for axis in (1..dims.len()).rev() {
        strides[axis - 1] = strides[axis] * dims[axis];
    }
    strides
}

/// Every index of a shape, in row-major order.
pub(crate) fn indices(dims: &[usize]) -> impl Iterator<Item = Vec<usize>> + use<> {
    let dims = dims.to_vec();
    let total: usize = dims.iter().product();
    (0..total).map(move |mut flat| {
        let mut index = vec![0; dims.len()];
        for axis in (0..dims.len()).rev() {
            index[axis] = flat % dims[axis];
            flat /= dims[axis];
        }
        index
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_rounded_to_their_type() {
        let one = |element, x| Array::scalar(element, x).to_floats().unwrap()[0];
        assert_eq!(one(ElementType::F32, 0.1), f64::from(0.1f32));
        assert_eq!(one(ElementType::F16, 1.0 / 3.0), 0.333_251_953_125);
        assert_eq!(one(ElementType::F16, 70_000.0), f64::INFINITY);
        assert_eq!(one(ElementType::F16, 6e-8), 2f64.powi(-24));
        assert_eq!(one(ElementType::Bf16, 1.0 / 3.0), 0.333_984_375);
        assert_eq!(one(ElementType::I32, f64::from(u32::MAX)), -1.0);
        assert_eq!(one(ElementType::U8, 257.0), 1.0);
    }

    #[test]
    fn wrong_elements_are_refused() {
        assert!(Array::new(ElementType::F32, [2], Data::Float(vec![1.0])).is_err());
        assert!(Array::new(ElementType::Bool, [1], Data::Int(vec![1])).is_err());
    }

    #[test]
    fn indices_count_like_an_odometer() {
        let all: Vec<_> = indices(&[2, 3]).collect();
        assert_eq!(all, [[0, 0], [0, 1], [0, 2], [1, 0], [1, 1], [1, 2]]);
        assert_eq!(indices(&[0, 3]).count(), 0);
        assert_eq!(indices(&[]).count(), 1);
        assert_eq!(strides(&[2, 3, 4]), [12, 4, 1]);
    }
}
