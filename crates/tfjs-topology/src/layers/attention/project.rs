//! The dense layers inside attention layers: `query`, `key`, `value`, `attention_output`, each with its own weights.

use crate::layer::{Scope, ScopeKind, WeightDecl};
use crate::lower::LowerCx;
use tfjs_ir::Value;
use tfjs_manifest::{Error, Result, Shape};

/// A dense layer of an attention layer.
#[derive(Clone, Debug)]
pub(crate) struct Projection<'a> {
    /// Its name in all producers.
    pub(crate) name: &'a str,
    /// The attribute of the layer that holds it.
    pub(crate) attr: &'a str,
    /// Whether it has a bias.
    pub(crate) bias: bool,
}

impl Projection<'_> {
    /// The product of the last `summed` axes of `x` with a kernel that has these axes and those of `output`, plus a
    /// bias.
    ///
    /// # Errors
    /// [`Kind::Malformed`](tfjs_manifest::Kind::Malformed) if one of the last axes is not known.
    pub(crate) fn apply(&self, cx: &mut LowerCx<'_>, x: Value, summed: usize, output: &[usize]) -> Result<Value> {
        let dims = cx.dims_of(x);
        let Some(first) = dims.len().checked_sub(summed).filter(|&first| first > 0) else {
            let shape = cx.shape(x);
            return Err(Error::malformed(format!("expected a tensor of rank {} or more, found {shape}", summed + 1)));
        };
        let mut shape = Vec::new();
        for &dim in &dims[first..] {
            shape.push(cx.known(dim, "the last axis", x)?);
        }
        shape.extend(output);
        let scope = Scope { name: self.name.to_string(), attr: self.attr.to_string(), kind: ScopeKind::Always };
        let kernel = cx.weight(WeightDecl::new("kernel", Shape::new(shape)?).inside(scope.clone()))?;
        let bias = match self.bias {
            true => Some(cx.weight(WeightDecl::new("bias", Shape::new(output.to_vec())?).inside(scope))?),
            false => None,
        };
        let kernel = cx.cast_like(kernel, x)?;
        let pairs: Vec<(usize, usize)> = (0..summed).map(|i| (first + i, i)).collect();
        let product = cx.dot(x, kernel, &[], &pairs)?;
        match bias {
            Some(bias) => {
                let bias = cx.cast_like(bias, x)?;
                cx.add(product, bias)
            }
            None => Ok(product),
        }
    }
}
