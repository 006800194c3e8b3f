//! States: values that a layer keeps between calls of the program.

use super::LowerCx;
use tfjs_ir::{Dim, ElementType, Target, Type};
use tfjs_manifest::{Error, Result};

impl LowerCx<'_> {
    /// Records that a layer keeps states, which requires a known batch size.
    pub fn keeps_states(&mut self) {
        self.keeps_states = true;
    }

    /// The state with this index of the layer that is being lowered. It is declared at the layer's first call, with an
    /// initial value of zeros.
    ///
    /// # Errors
    /// [`Kind::Malformed`](tfjs_manifest::Kind::Malformed) if an earlier call of the layer needed another shape.
    pub fn layer_state(&mut self, position: usize, dims: &[Dim]) -> Result<Target> {
        let frame = self.frames.last().ok_or_else(|| Error::bug("a state without a layer"))?;
        let key = (frame.instance, position);
        if let Some(&state) = self.states.get(&key) {
            let known = &self.program().states[state.index()].ty;
            if known.dims != dims {
                let (known, found) = (known.clone(), known.with_dims(dims));
                let dims = &self.program().dims;
                let (known, found) = (known.shape(dims), found.shape(dims));
                return Err(Error::malformed(format!(
                    "its calls need different states: {known} for one, {found} for another"
                )));
            }
            return Ok(Target::State(state));
        }
        let scopes = frame.prefix.iter().map(|scope| scope.name.as_str());
        let path = self.current_layer().map_or("", |layer| &layer.path);
        let name: Vec<&str> = std::iter::once(path).chain(scopes).collect();
        let name = format!("{}/state{position}", name.join("/"));
        let state = self.builder.state(&name, Type::new(ElementType::F32, dims), 0.0)?;
        self.states.insert(key, state);
        Ok(Target::State(state))
    }
}
