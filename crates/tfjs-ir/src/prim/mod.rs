//! The primitives: the computations that a node of a program can apply.
//!
//! A primitive is a struct of typed attributes with a rule for its results' types. *Core* primitives are run by every
//! engine and by the interpreter. *Composites* are defined in simpler primitives ([`expand`](mod@crate::expand)), and
//! an engine without a kernel for one runs that definition. *Host* primitives handle text.
//!
//! A primitive is one struct in a file of its family, one line of [`for_each_prim!`](crate::for_each_prim), and a rule
//! each in [`interpret`](mod@crate::interpret) and [`grad`](crate::grad). A line without its rules does not compile.

pub mod activate;
pub mod attribute;
pub mod control;
pub mod elementwise;
pub mod host;
pub mod index;
pub mod infer;
pub mod layout;
pub mod linear;
pub mod normalize;
pub mod recurrent;
pub mod reduce;
pub mod source;
pub mod window;

use crate::ty::Type;
use attribute::{Reader, Writer};
use infer::Infer;
use std::fmt;
use tfjs_manifest::Result;

/// Calls a macro with every primitive: `family::Struct = "name", Class;`.
#[macro_export]
macro_rules! for_each_prim {
    ($callback:path) => {
        $callback! {
            source::Input = "input", Core;
            source::Param = "param", Core;
            source::State = "state", Core;
            source::Const = "const", Core;
            source::Sizes = "sizes", Core;
            source::Iota = "iota", Core;
            source::Random = "random", Core;
            elementwise::Unary = "unary", Core;
            elementwise::Binary = "binary", Core;
            elementwise::Compare = "compare", Core;
            elementwise::Select = "select", Core;
            elementwise::Cast = "cast", Core;
            reduce::Reduce = "reduce", Core;
            reduce::SumTo = "sum_to", Core;
            reduce::ArgReduce = "arg_reduce", Core;
            reduce::Cumulative = "cumulative", Core;
            reduce::Sort = "sort", Core;
            linear::Dot = "dot", Core;
            linear::Conv = "conv", Core;
            linear::ConvInput = "conv_input", Core;
            linear::ConvKernel = "conv_kernel", Core;
            layout::Reshape = "reshape", Core;
            layout::Transpose = "transpose", Core;
            layout::Broadcast = "broadcast", Core;
            layout::Slice = "slice", Core;
            layout::Pad = "pad", Core;
            layout::Concat = "concat", Core;
            layout::Reverse = "reverse", Core;
            index::Gather = "gather", Core;
            index::ScatterAdd = "scatter_add", Core;
            control::Scan = "scan", Core;
            control::Opaque = "opaque", Core;
            activate::Activate = "activate", Composite;
            index::OneHot = "one_hot", Composite;
            normalize::Softmax = "softmax", Composite;
            normalize::Normalize = "normalize", Composite;
            normalize::Moments = "moments", Composite;
            normalize::BatchNorm = "batch_norm", Composite;
            window::Pool = "pool", Composite;
            recurrent::Rnn = "rnn", Composite;
            host::Lookup = "lookup", Host;
            host::ToText = "to_text", Host;
            host::Cross = "cross", Host;
        }
    };
}

/// The parts of a runtime that run a primitive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// Every engine and the interpreter.
    Core,
    /// An engine that has a kernel for it, or else runs its expansion.
    Composite,
    /// The host, because it handles text.
    Host,
}

/// The properties of every primitive: the types of its results, and the text form of its attributes.
pub trait Primitive: Clone + fmt::Debug + PartialEq {
    /// The types of the results for operands of these types.
    ///
    /// # Errors
    /// [`Kind::Malformed`](tfjs_manifest::Kind::Malformed) for operands that the primitive rejects.
    fn infer(&self, cx: &mut Infer<'_>, operands: &[Type]) -> Result<Vec<Type>>;

    /// Writes the attributes in the text form of programs.
    fn write(&self, out: &mut Writer<'_>);

    /// Parses what [`write`](Primitive::write) has written.
    ///
    /// # Errors
    /// [`Kind::Malformed`](tfjs_manifest::Kind::Malformed) for other text.
    fn read(input: &mut Reader<'_>) -> Result<Self>;
}

macro_rules! declare {
    ($($family:ident :: $name:ident = $text:literal, $class:ident;)*) => {
        /// A primitive with its attributes.
        #[derive(Clone, Debug, PartialEq)]
        pub enum Prim {
            $(
                #[doc = concat!("See [`", stringify!($name), "`](", stringify!($family), "::", stringify!($name), ").")]
                $name($family::$name),
            )*
        }

        /// A primitive without its attributes.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum PrimKind {
            $(
                #[doc = concat!("See [`", stringify!($name), "`](", stringify!($family), "::", stringify!($name), ").")]
                $name,
            )*
        }

        impl PrimKind {
            /// Every primitive, in the order of the list.
            pub const ALL: &'static [PrimKind] = &[$(PrimKind::$name),*];

            /// The name in the text form of programs.
            pub fn name(self) -> &'static str {
                match self { $(PrimKind::$name => $text,)* }
            }

            /// What runs the primitive.
            pub fn class(self) -> Class {
                match self { $(PrimKind::$name => Class::$class,)* }
            }

            /// Parses a primitive of this kind from the text form of programs.
            pub(crate) fn read(self, input: &mut Reader<'_>) -> Result<Prim> {
                match self { $(PrimKind::$name => Primitive::read(input).map(Prim::$name),)* }
            }
        }

        impl Prim {
            /// The primitive without its attributes.
            pub fn kind(&self) -> PrimKind {
                match self { $(Prim::$name(_) => PrimKind::$name,)* }
            }

            /// The types of the results for operands of these types.
            ///
            /// # Errors
            /// [`Kind::Malformed`](tfjs_manifest::Kind::Malformed) for operands that the primitive rejects.
            pub fn infer(&self, cx: &mut Infer<'_>, operands: &[Type]) -> Result<Vec<Type>> {
                match self { $(Prim::$name(prim) => prim.infer(cx, operands),)* }
            }

            /// Writes the attributes in the text form of programs.
            pub(crate) fn write(&self, out: &mut Writer<'_>) {
                match self { $(Prim::$name(prim) => prim.write(out),)* }
            }
        }

        $(
            impl From<$family::$name> for Prim {
                fn from(prim: $family::$name) -> Prim {
                    Prim::$name(prim)
                }
            }
        )*
    };
}
for_each_prim!(declare);

impl Prim {
    /// The name in the text form of programs.
    pub fn name(&self) -> &'static str {
        self.kind().name()
    }

    /// What runs the primitive.
    pub fn class(&self) -> Class {
        self.kind().class()
    }
}

/// Declares a primitive: its struct of attributes, and their text form.
macro_rules! primitive {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $ty:ty,)* } infer($self:ident, $cx:ident, $operands:ident) $infer:block) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq)]
        pub struct $name {
            $($(#[$field_doc])* pub $field: $ty,)*
        }

        impl $crate::prim::Primitive for $name {
            fn infer(&$self, $cx: &mut $crate::prim::infer::Infer<'_>, $operands: &[$crate::ty::Type]) -> tfjs_manifest::Result<Vec<$crate::ty::Type>> $infer

            #[allow(unused_variables)]
            fn write(&self, out: &mut $crate::prim::attribute::Writer<'_>) {
                $(out.attribute(stringify!($field), &self.$field);)*
            }

            #[allow(unused_variables)]
            fn read(input: &mut $crate::prim::attribute::Reader<'_>) -> tfjs_manifest::Result<Self> {
                Ok($name { $($field: input.attribute(stringify!($field))?,)* })
            }
        }
    };
}
use primitive;

/// Declares an attribute whose value is one of several words.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$word_doc:meta])* $word:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name {
            $($(#[$word_doc])* $word,)*
        }

        impl $name {
            /// Every value.
            pub const ALL: &'static [$name] = &[$($name::$word),*];

            /// The name in the text form of programs.
            pub fn name(self) -> &'static str {
                match self { $($name::$word => $text,)* }
            }
        }

        impl $crate::prim::attribute::Attribute for $name {
            fn write(&self, out: &mut $crate::prim::attribute::Writer<'_>) {
                out.text(self.name());
            }

            fn read(input: &mut $crate::prim::attribute::Reader<'_>) -> tfjs_manifest::Result<Self> {
                let word = input.word()?;
                let found = $name::ALL.iter().copied().find(|known| known.name() == word);
                found.ok_or_else(|| input.error(concat!("a ", stringify!($name))))
            }
        }
    };
}
pub(crate) use words;
