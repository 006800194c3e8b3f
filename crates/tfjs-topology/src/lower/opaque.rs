//! Functions of a runtime, which this crate cannot interpret.

use super::LowerCx;
use std::any::Any;
use std::sync::Arc;
use tfjs_ir::prim::control::Opaque;
use tfjs_ir::{OpaqueId, Type, Value};
use tfjs_manifest::Result;

impl LowerCx<'_> {
    /// Adds a node that calls a function of the runtime. The function is stored unchanged, for the runtime to retrieve.
    /// `class` names the layer in reports.
    ///
    /// # Errors
    /// As [`Builder::push`](tfjs_ir::Builder::push).
    pub fn foreign(
        &mut self,
        function: Arc<dyn Any + Send + Sync>,
        class: &str,
        operands: &[Value],
        results: Vec<Type>,
    ) -> Result<Vec<Value>> {
        let id = OpaqueId::new(self.opaques.len())?;
        self.opaques.push(function);
        self.builder.push(Opaque { function: id, results, class: class.to_string() }, operands)
    }
}
