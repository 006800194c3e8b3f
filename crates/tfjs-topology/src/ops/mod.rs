//! Operations on tensors that stand in a graph as nodes: Keras 3's operation nodes and Keras 2's
//! `TFOpLambda`, both read into one set of operations.
//!
//! An operation's class name may be a layer's (`Add`), so operations have a list of their own.

pub(crate) mod args;
pub mod binary;
pub mod compare;
pub mod einsum;
pub mod fill;
pub mod join;
pub mod matmul;
pub(crate) mod params;
pub mod reduce;
pub mod select;
pub mod shape;
pub mod sizes;
pub mod slice;
pub(crate) mod tf_lambda;
pub mod unary;
pub mod unstack;

#[cfg(test)]
pub(crate) mod testing;

use crate::config::Config;
use crate::layer::LayerDef;
use crate::read::ReadCx;
use serde_json::{Map, Value};
use std::sync::Arc;
use tfjs_manifest::text::shorten;
use tfjs_manifest::{Error, Result};

/// Calls a macro with every operation: `file::Type = "ClassName" | "OtherClassName";`, Keras 3's names.
#[macro_export]
macro_rules! for_each_op {
    ($callback:path) => {
        $callback! {
            binary::Binary = "Add" | "Subtract" | "Multiply" | "TrueDivide" | "Divide" | "FloorDivide" | "Mod"
                | "Power" | "SquaredDifference" | "Maximum" | "Minimum";
            compare::Compare = "Equal" | "NotEqual" | "Greater" | "GreaterEqual" | "Less" | "LessEqual"
                | "LogicalAnd" | "LogicalOr" | "LogicalXor";
            unary::Unary = "Relu" | "Relu6" | "LeakyRelu" | "Elu" | "Selu" | "Celu" | "Gelu" | "Silu" | "HardSilu"
                | "Sigmoid" | "HardSigmoid" | "LogSigmoid" | "Tanh" | "HardTanh" | "Softplus" | "Softsign" | "Softmax"
                | "LogSoftmax" | "Abs" | "Absolute" | "Negative" | "Square" | "Sign" | "Clip" | "Exp" | "Expm1" | "Log"
                | "Log1p" | "Sqrt" | "Rsqrt" | "Reciprocal" | "Sin" | "Cos" | "Erf" | "Floor" | "Ceil" | "Round";
            reduce::Reduce = "Sum" | "Mean" | "Max" | "Min" | "Prod" | "Any" | "All";
            shape::Rearrange = "Reshape" | "Transpose" | "Squeeze" | "ExpandDims" | "Tile";
            join::Join = "Concatenate" | "Stack";
            slice::GetItem = "GetItem";
            select::Make = "Cast" | "ConvertToTensor" | "Identity" | "ZerosLike" | "OnesLike" | "LogicalNot";
            select::Where = "Where";
            matmul::Matmul = "Matmul";
            einsum::Einsum = "Einsum";
            sizes::Shape = "Shape";
            fill::Fill = "Fill" | "Zeros" | "Ones" | "BroadcastTo";
            fill::Range = "Range";
            unstack::Unstack = "Unstack";
        }
    };
}

/// The describing half of an operation, read from its configuration.
pub trait FromOpConfig: LayerDef + Sized {
    /// Reads the configuration; `class` tells the operations of one kind apart.
    ///
    /// # Errors
    /// A missing or wrong field, at its JSON path.
    fn from_config(class: &str, config: &Config<'_>) -> Result<Self>;
}

macro_rules! declare {
    ($($file:ident :: $type:ident = $($class:literal)|+ ;)*) => {
        /// An operation of one of the known classes.
        #[derive(Clone, Debug)]
        #[non_exhaustive]
        pub enum Op {
            $(
                #[doc = concat!("See [`", stringify!($type), "`](crate::ops::", stringify!($file), "::", stringify!($type), ").")]
                $type(Arc<$file::$type>),
            )*
        }

        /// Every operation's name, in the order of the list.
        pub const OPS: &[&str] = &[$($($class),+),*];

        impl Op {
            fn read_known(class: &str, config: &Config<'_>) -> Option<Result<Op>> {
                Some(match class {
                    $($($class)|+ => $file::$type::from_config(class, config).map(|op| Op::$type(Arc::new(op))),)*
                    _ => return None,
                })
            }

            /// The description.
            pub fn def(&self) -> &dyn LayerDef {
                match self {
                    $(Op::$type(op) => &**op,)*
                }
            }
        }
    };
}
for_each_op!(declare);

impl Op {
    /// Reads an operation by Keras 3's class name.
    ///
    /// # Errors
    /// [`Kind::Unsupported`](tfjs_manifest::Kind::Unsupported) for an unknown one, with the nearest known name.
    pub fn read(class: &str, map: &Map<String, Value>, cx: &ReadCx<'_>) -> Result<Op> {
        Op::read_known(class, &Config::new(map, cx)).unwrap_or_else(|| {
            let hint = cx.hints.nearest(class, OPS.iter().copied());
            Err(Error::unsupported(format!("unknown operation `{}`{hint}", shorten(class))))
        })
    }
}
