//! `Reshape`: gives each entry of the batch another shape.
//!
//! Reference: <https://keras.io/api/layers/reshaping_layers/reshape/>.

use crate::call::Call;
use crate::config::Config;
use crate::encode::{Encoding, Target};
use crate::layer::LayerDef;
use crate::lower::{KerasTensor, LowerCx};
use crate::registry::FromConfig;
use crate::types::{Dim, SymShape, TensorType};
use tfjs_ir::{Dim as Length, Value};
use tfjs_manifest::{Error, Result};

/// Another shape for each batch entry. No weights.
#[derive(Clone, Debug, PartialEq)]
pub struct Reshape {
    /// The shape without the batch; one dimension may be unspecified.
    pub target: Vec<Dim>,
}

impl FromConfig for Reshape {
    const IN_TENSORFLOW_JS: &'static [&'static str] = &["Reshape"];

    fn from_config(_class: &str, config: &Config<'_>) -> Result<Self> {
        let target: Vec<Option<i64>> = config.req("target_shape")?;
        let wrong = |what: String| Error::malformed(what).at_json("target_shape").at_json("config");
        let target: Vec<Dim> = target
            .into_iter()
            .map(|dim| match dim {
                None | Some(-1) => Ok(None),
                Some(n) => usize::try_from(n).map(Some).map_err(|_| wrong(format!("`{n}` is not a dimension"))),
            })
            .collect::<Result<_>>()?;
        if target.iter().filter(|dim| dim.is_none()).count() > 1 {
            return Err(wrong(format!("expected at most one open dimension, found {}", SymShape(target))));
        }
        Ok(Reshape { target })
    }
}

impl Reshape {
    /// The product of the specified dimensions.
    fn fixed(&self) -> Result<usize> {
        let fixed: Vec<Dim> = self.target.iter().copied().filter(Option::is_some).collect();
        Ok(SymShape::product(&fixed)?.unwrap_or(1))
    }

    /// The dimensions of the output for an input, including its batch.
    fn dims(&self, cx: &mut LowerCx<'_>, x: Value) -> Result<Vec<Length>> {
        let from = cx.dims_of(x);
        let Some((&batch, rest)) = from.split_first() else {
            return Err(Error::malformed("expected an input of rank 1 or more, found shape []"));
        };
        let elements = cx.dims().product(rest)?;
        let open = self.open_length(cx, x, elements)?;
        let mut dims = vec![batch];
        dims.extend(self.target.iter().filter_map(|dim| dim.map(|n| cx.number(n)).or(open)));
        Ok(dims)
    }

    /// The length of the unspecified dimension, if there is one, for this number of elements in each batch entry.
    fn open_length(&self, cx: &mut LowerCx<'_>, x: Value, elements: Length) -> Result<Option<Length>> {
        let fixed = self.fixed()?;
        let open = match self.target.contains(&None) {
            true => divided(cx, elements, fixed)?.map(Some),
            false => {
                let fixed = cx.number(fixed);
                cx.same(elements, fixed).map(|_| None)
            }
        };
        open.ok_or_else(|| {
            let (shape, target) = (cx.shape(x), SymShape(self.target.clone()));
            Error::malformed(format!("the elements of shape {shape} do not fit {target} for each batch entry"))
        })
    }
}

/// `elements / by`, if that may be a whole number.
fn divided(cx: &mut LowerCx<'_>, elements: Length, by: usize) -> Result<Option<Length>> {
    let divisor = cx.number(by);
    // 0/0: the unspecified dimension cannot be determined.
    if by == 0 || !cx.divisible(elements, divisor) {
        return Ok(None);
    }
    match cx.dims().div_exact(elements, divisor) {
        Some(quotient) => Ok(Some(quotient)),
        None => cx.dims().div_floor(elements, by as u64).map(Some),
    }
}

impl LayerDef for Reshape {
    fn lower(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<Vec<KerasTensor>> {
        let x = cx.single(call)?.value;
        let dims = self.dims(cx, x)?;
        Ok(vec![cx.reshape(x, &dims)?.into()])
    }

    fn encode(&self, target: Target, out: &mut Encoding<'_>) -> Result<()> {
        let Target::TensorFlowJs = target;
        // TensorFlow.js leaves an unspecified size unknown even if the input determines it, so it is written out.
        let elements = |inputs: &Vec<TensorType>| {
            inputs.first().and_then(|ty| SymShape::product(ty.shape.dims().get(1..)?).ok().flatten())
        };
        let mut elements = out.calls().iter().map(elements);
        if let Some(Some(first)) = elements.next()
            && let Some(open) = first.checked_div(self.fixed()?)
            && elements.all(|other| other == Some(first))
        {
            let sizes: Vec<usize> = self.target.iter().map(|dim| dim.unwrap_or(open)).collect();
            out.set("target_shape", sizes);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{check_infer, check_program, check_refused};
    use expect_test::expect;
    use serde_json::json;

    #[test]
    fn infers() {
        check_infer("Reshape", json!({"targetShape": [2, -1]}), &["?,4,3"], &["?,2,6"]);
        check_infer("Reshape", json!({"target_shape": [null, 3.0]}), &["?,?,6"], &["?,?,3"]);
        check_infer("Reshape", json!({"target_shape": [12]}), &["?,4,3"], &["?,12"]);
        check_infer("Reshape", json!({"target_shape": []}), &["?,1"], &["?"]);
    }

    #[test]
    fn refuses() {
        let misfit = "the elements of shape [?,4,3] do not fit [5,?] for each batch entry";
        check_refused("Reshape", json!({"target_shape": [5, -1]}), &["?,4,3"], misfit);
        let misfit = "the elements of shape [?,4,3] do not fit [5] for each batch entry";
        check_refused("Reshape", json!({"target_shape": [5]}), &["?,4,3"], misfit);
        let misfit = "the elements of shape [?,0] do not fit [?,0] for each batch entry";
        check_refused("Reshape", json!({"target_shape": [-1, 0]}), &["?,0"], misfit);
        let message = "`config.target_shape`: expected at most one open dimension, found [?,?]";
        check_refused("Reshape", json!({"target_shape": [-1, null]}), &[], message);
        let message = "`config.target_shape`: `-2` is not a dimension";
        check_refused("Reshape", json!({"target_shape": [-2]}), &[], message);
        check_refused("Reshape", json!({}), &[], "`config`: missing `target_shape`");
    }

    #[test]
    fn open_dimensions() {
        check_program(
            "Reshape",
            json!({"target_shape": [-1, 2]}),
            &["?,?,6"],
            expect![[r#"
                input "x1": f32[batch,x1.1,6]
                {
                  %0 = input() {port=0} : f32[batch,x1.1,6]
                  %1 = reshape(%0) {dims=[batch,3*x1.1,2]} : f32[batch,3*x1.1,2]
                  return %1 "y1"
                }
            "#]],
        );
        check_program(
            "Reshape",
            json!({"target_shape": [-1, 4]}),
            &["?,?,6"],
            expect![[r#"
                input "x1": f32[batch,x1.1,6]
                guard divisible(6*x1.1, 4)
                guard equal(6*batch*x1.1, 4*batch*floor(x1.1/2)+4*batch*x1.1)
                {
                  %0 = input() {port=0} : f32[batch,x1.1,6]
                  %1 = reshape(%0) {dims=[batch,floor(x1.1/2)+x1.1,4]} : f32[batch,floor(x1.1/2)+x1.1,4]
                  return %1 "y1"
                }
            "#]],
        );
        check_program(
            "Reshape",
            json!({"target_shape": [12]}),
            &["?,?,6"],
            expect![[r#"
                input "x1": f32[batch,x1.1,6]
                guard equal(6*x1.1, 12)
                guard equal(6*batch*x1.1, 12*batch)
                {
                  %0 = input() {port=0} : f32[batch,x1.1,6]
                  %1 = reshape(%0) {dims=[batch,12]} : f32[batch,12]
                  return %1 "y1"
                }
            "#]],
        );
        check_program(
            "Reshape",
            json!({"target_shape": [4]}),
            &["?,4"],
            expect![[r#"
                input "x1": f32[batch,4]
                {
                  %0 = input() {port=0} : f32[batch,4]
                  return %0 "y1"
                }
            "#]],
        );
    }
}
