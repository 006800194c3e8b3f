//! The arguments of an attention layer's call: by keyword, in either spelling, or by position.

use crate::call::{Arg, Call};
use crate::config::{FromJson, camel_case};
use crate::lower::{KerasTensor, LowerCx};
use crate::ops::args::numeric;
use crate::ops::params::Constant;
use tfjs_ir::Value;
use tfjs_manifest::{Error, Result};

/// The arguments of one call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arguments<'a>(pub(crate) &'a Call<KerasTensor>);

impl<'a> Arguments<'a> {
    /// An argument that is present and not null.
    fn find(&self, name: &str, position: Option<usize>) -> Option<&'a Arg<KerasTensor>> {
        let keyword = self.0.kwarg(name).or_else(|| self.0.kwarg(&camel_case(name)));
        let found = keyword.or_else(|| position.and_then(|i| self.0.args.get(i)));
        found.filter(|arg| !matches!(arg, Arg::Const(value) if value.is_null()))
    }

    /// A tensor.
    ///
    /// # Errors
    /// [`Kind::Malformed`](tfjs_manifest::Kind::Malformed) if the argument is something else.
    pub(crate) fn tensor(&self, name: &str, position: Option<usize>) -> Result<Option<&'a KerasTensor>> {
        match self.find(name, position) {
            None => Ok(None),
            Some(Arg::Tensor(tensor)) => Ok(Some(tensor)),
            Some(_) => Err(Error::malformed(format!("expected a tensor as `{name}`"))),
        }
    }

    /// A required tensor.
    ///
    /// # Errors
    /// As [`tensor`](Arguments::tensor), and if it is missing.
    pub(crate) fn required(&self, name: &str, position: usize) -> Result<&'a KerasTensor> {
        let found = self.tensor(name, Some(position))?;
        found.ok_or_else(|| Error::malformed(format!("is called without `{name}`")))
    }

    /// A truth value; false if missing.
    ///
    /// # Errors
    /// As [`constant`](Arguments::constant).
    pub(crate) fn flag(&self, name: &str) -> Result<bool> {
        Ok(self.constant(name)?.unwrap_or(false))
    }

    /// A constant.
    ///
    /// # Errors
    /// A value of the wrong kind, at its name; [`Kind::Unsupported`](tfjs_manifest::Kind::Unsupported) for a tensor.
    pub(crate) fn constant<V: FromJson>(&self, name: &str) -> Result<Option<V>> {
        match self.find(name, None) {
            None => Ok(None),
            Some(Arg::Const(value)) => V::from_json(value).map(Some).map_err(|e| e.at_json(name)),
            Some(_) => Err(Error::unsupported(format!("`{name}` is a tensor, which is not supported"))),
        }
    }

    /// A mask: a numeric or boolean tensor, or constants.
    ///
    /// # Errors
    /// [`Kind::Malformed`](tfjs_manifest::Kind::Malformed) for strings and lists of tensors.
    pub(crate) fn mask(&self, cx: &mut LowerCx<'_>, name: &str, position: Option<usize>) -> Result<Option<Value>> {
        match self.find(name, position) {
            None => Ok(None),
            Some(Arg::Tensor(tensor)) => numeric(cx, tensor.value).map(|()| Some(tensor.value)),
            Some(Arg::Const(value)) => {
                let constant = Constant::read(value).map_err(|e| e.at_json(name))?;
                constant.lower(cx, constant.dtype).map(Some)
            }
            Some(_) => Err(Error::malformed(format!("expected a tensor as `{name}`"))),
        }
    }

    /// Fails for an argument that affects the result and is not supported.
    ///
    /// # Errors
    /// [`Kind::Unsupported`](tfjs_manifest::Kind::Unsupported) if it is present.
    pub(crate) fn refuse(&self, names: &[&str]) -> Result<()> {
        match names.iter().find(|name| self.find(name, None).is_some()) {
            Some(name) => Err(Error::unsupported(format!("the argument `{name}` is not supported"))),
            None => Ok(()),
        }
    }
}
