//! Builds programs by calls that resemble NumPy's; each call infers types and checks its operands.

mod calls;
mod control;
mod edit;

pub use control::Loop;

use crate::array::Array;
use crate::dim::{Dim, Dims};
use crate::prim::infer::Infer;
use crate::prim::{Prim, source};
use crate::program::{
    Block, Check, ConstId, Input, InputRole, Node, Origin, OriginId, Program, Slot, SlotId, State, StateId, Target,
    Update, Value, ValueInfo,
};
use crate::tokens::Tokenizer;
use crate::ty::{ElementType, Type};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use tfjs_manifest::{Error, Limits, Result};

/// How many elements of a constant count as one node of the limit.
const ELEMENTS_PER_NODE: u64 = 64;

/// A program under construction.
///
/// Weights and states are threaded: [`get`](Builder::get) gives the latest value, [`set`](Builder::set) replaces it, and
/// the finished program has one [`Update`] for each that was replaced. So a layer that is called twice updates its
/// statistics in the order of the calls.
#[derive(Debug)]
pub struct Builder {
    program: Program,
    /// The blocks that are open, the innermost last; the first is the program's body.
    blocks: Vec<Block>,
    origin: OriginId,
    /// The latest value of each weight and state that was read or replaced.
    latest: HashMap<Target, Value>,
    /// The replaced targets, in the order in which they were first replaced.
    replaced: Vec<Target>,
    /// Scalar constants of the open blocks, by element type and bits.
    scalars: Vec<HashMap<(ElementType, u64), Value>>,
    /// The other constants, by a hash of their elements.
    arrays: HashMap<u64, Vec<ConstId>>,
    /// The conditions of the guards so far.
    guarded: HashSet<Check>,
    /// How many more primitives may be added.
    left: u64,
    limit: u64,
    streams: u64,
    pointwise: bool,
    /// Bytes of memory of the nodes and values so far.
    bytes: u64,
}

impl Default for Builder {
    fn default() -> Self {
        Builder::new(u64::MAX)
    }
}

impl Builder {
    /// An empty program of at most this many nodes, those of loop bodies included.
    pub fn new(limit: u64) -> Self {
        Builder {
            program: Program { origins: vec![Origin::default()], ..Program::default() },
            blocks: vec![Block::default()],
            origin: OriginId(0),
            latest: HashMap::new(),
            replaced: Vec::new(),
            scalars: vec![HashMap::new()],
            arrays: HashMap::new(),
            guarded: HashSet::new(),
            left: limit,
            limit,
            streams: 0,
            pointwise: true,
            bytes: 0,
        }
    }

    /// Continues a finished program: its values stay, its updates can be replaced, its outputs are set again.
    pub fn resume(mut program: Program) -> Self {
        let body = std::mem::take(&mut program.body);
        let mut latest = HashMap::new();
        for node in &body.nodes {
            match &node.prim {
                Prim::Param(param) => latest.insert(Target::Slot(param.slot), node.results[0]),
                Prim::State(state) => latest.insert(Target::State(state.state), node.results[0]),
                _ => None,
            };
        }
        let replaced = program.updates.iter().map(|update| update.target).collect();
        latest.extend(std::mem::take(&mut program.updates).into_iter().map(|update| (update.target, update.value)));
        program.outputs.clear();
        let streams = last_stream(&body);
        let blocks = vec![Block { results: Vec::new(), ..body }];
        let guarded = program.guards.iter().map(|guard| guard.check).collect();
        Builder { program, blocks, latest, replaced, streams, guarded, ..Builder::default() }
    }

    /// A builder with the tables of a program (dimensions, constants, inputs, weights, states, origins, guards) and no
    /// nodes. Passes start from it and copy the nodes they keep.
    pub fn like(program: &Program) -> Self {
        let streams = last_stream(&program.body);
        let program = Program {
            dims: program.dims.clone(),
            constants: program.constants.clone(),
            origins: program.origins.clone(),
            inputs: program.inputs.clone(),
            slots: program.slots.clone(),
            states: program.states.clone(),
            guards: program.guards.clone(),
            ..Program::default()
        };
        let guarded = program.guards.iter().map(|guard| guard.check).collect();
        Builder { program, streams, guarded, ..Builder::default() }
    }

    /// The dimension expressions.
    pub fn dims(&mut self) -> &mut Dims {
        &mut self.program.dims
    }

    /// A dimension of known length.
    pub fn number(&mut self, n: usize) -> Dim {
        self.program.dims.number(n as u64)
    }

    /// The program so far. Its body is empty until [`finish`](Builder::finish).
    pub fn program(&self) -> &Program {
        &self.program
    }

    /// The node of the current block that computes a value.
    pub fn node_of(&self, value: Value) -> Option<&Node> {
        let block = self.block();
        if value.index() < block.values.len() { block.node_of(value) } else { None }
    }

    /// Bytes of memory that the nodes, values and constants so far take.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The innermost open block.
    pub fn block(&self) -> &Block {
        self.blocks.last().expect("the body is never closed before `finish`")
    }

    /// The type of a value of the innermost open block.
    pub fn ty(&self, value: Value) -> &Type {
        self.block().ty(value)
    }

    /// The dimensions of a value.
    pub fn dims_of(&self, value: Value) -> Vec<Dim> {
        self.ty(value).dims.clone()
    }

    /// The shape of a value as messages show it.
    pub fn shape(&self, value: Value) -> String {
        self.ty(value).shape(&self.program.dims)
    }

    /// Sets the origin of the nodes added from now on. Returns the previous origin.
    ///
    /// # Errors
    /// [`Kind::Limit`](tfjs_manifest::Kind::Limit) past 2^32 origins.
    pub fn set_origin(&mut self, origin: Origin) -> Result<OriginId> {
        let id = OriginId::new(self.program.origins.len())?;
        self.program.origins.push(origin);
        Ok(std::mem::replace(&mut self.origin, id))
    }

    /// The origin of the nodes added now.
    pub fn origin(&self) -> OriginId {
        self.origin
    }

    /// Restores an origin that [`set_origin`](Builder::set_origin) returned.
    pub fn restore_origin(&mut self, origin: OriginId) {
        self.origin = origin;
    }

    /// Records a condition on dimensions, which is checked when the inputs are known.
    pub fn guard(&mut self, check: Check) {
        self.infer(|cx, _| cx.guard(check));
    }

    /// The common dimension of two that must be equal; `None` if they certainly differ. If neither is certain, a guard
    /// is recorded.
    pub fn same(&mut self, a: Dim, b: Dim) -> Option<Dim> {
        self.infer(|cx, _| cx.same(a, b))
    }

    /// Whether `a` can be at least `b`. If it is not certain, a guard is recorded.
    pub fn at_least(&mut self, a: Dim, b: Dim) -> bool {
        self.infer(|cx, _| cx.at_least(a, b))
    }

    /// Whether `a` can be a multiple of `b`. If it is not certain, a guard is recorded.
    pub fn divisible(&mut self, a: Dim, b: Dim) -> bool {
        self.infer(|cx, _| cx.divisible(a, b))
    }

    /// The dimensions that two shapes broadcast to.
    ///
    /// # Errors
    /// [`Kind::Malformed`](tfjs_manifest::Kind::Malformed) if the shapes do not broadcast.
    pub fn broadcast_shapes(&mut self, a: &[Dim], b: &[Dim]) -> Result<Vec<Dim>> {
        self.infer(|cx, _| cx.broadcast_all(a, b))
    }

    fn infer<R>(&mut self, f: impl FnOnce(&mut Infer<'_>, &Block) -> R) -> R {
        let block = self.blocks.last().expect("the body is never closed before `finish`");
        let Program { dims, guards, inputs, slots, states, constants, .. } = &mut self.program;
        let (guarded, origin) = (&mut self.guarded, self.origin);
        f(&mut Infer { dims, guards, guarded, origin, inputs, slots, states, constants }, block)
    }

    /// Subtracts nodes from the limit.
    fn spend(&mut self, nodes: u64) -> Result<()> {
        let used = (self.limit - self.left).saturating_add(nodes);
        Limits::check("primitives (nodes of the program)", used, self.limit)?;
        self.left = self.limit.saturating_sub(used);
        Ok(())
    }

    /// Adds a node.
    ///
    /// # Errors
    /// Those of the primitive's type inference; [`Kind::Limit`](tfjs_manifest::Kind::Limit) past the limit of nodes.
    pub fn push(&mut self, prim: impl Into<Prim>, operands: &[Value]) -> Result<Vec<Value>> {
        let prim = prim.into();
        self.spend(1)?;
        let known = self.block().values.len();
        if operands.iter().any(|value| value.index() >= known) {
            return Err(Error::bug("an operand of another block"));
        }
        let types: Vec<Type> = operands.iter().map(|&value| self.ty(value).clone()).collect();
        let results = self.infer(|cx, _| prim.infer(cx, &types))?;
        let origin = self.origin;
        let block = self.blocks.last_mut().expect("the body is never closed before `finish`");
        let node = u32::try_from(block.nodes.len()).map_err(|_| Error::limit("more than 2^32 nodes"))?;
        let mut values = Vec::with_capacity(results.len());
        let listed = size_of::<Value>() * (operands.len() + results.len());
        self.bytes += (size_of::<Node>() + listed + size_of::<ValueInfo>() * results.len()) as u64;
        for ty in results {
            self.bytes += size_of_val(&ty.dims[..]) as u64;
            values.push(Value::new(block.values.len())?);
            block.values.push(ValueInfo { ty, node: Some(node) });
        }
        block.nodes.push(Node { prim, operands: operands.to_vec(), results: values.clone(), origin });
        Ok(values)
    }

    /// Adds a node with one result.
    ///
    /// # Errors
    /// As [`push`](Builder::push).
    pub fn one(&mut self, prim: impl Into<Prim>, operands: &[Value]) -> Result<Value> {
        let results = self.push(prim, operands)?;
        match results[..] {
            [value] => Ok(value),
            _ => Err(Error::bug(format!("expected one result, found {}", results.len()))),
        }
    }

    /// Adds an input that the caller provides.
    ///
    /// # Errors
    /// [`Kind::Bug`](tfjs_manifest::Kind::Bug) inside of a loop.
    pub fn input(&mut self, name: &str, ty: Type) -> Result<Value> {
        self.input_of(Input { name: name.to_string(), ty, role: InputRole::Argument })
    }

    /// Adds an input.
    ///
    /// # Errors
    /// [`Kind::Bug`](tfjs_manifest::Kind::Bug) inside of a loop.
    pub fn input_of(&mut self, input: Input) -> Result<Value> {
        self.outside_of_loops("an input")?;
        let port = self.program.inputs.len();
        self.program.inputs.push(input);
        self.one(source::Input { port }, &[])
    }

    /// The seed input of the random numbers; it is added on first use.
    ///
    /// # Errors
    /// [`Kind::Bug`](tfjs_manifest::Kind::Bug) inside of a loop.
    pub fn seed(&mut self) -> Result<Value> {
        let known = self.program.inputs.iter().position(|input| input.role == InputRole::Seed);
        match known {
            Some(port) => self.one(source::Input { port }, &[]),
            None => self.input_of(Input {
                name: "seed".to_string(),
                ty: Type::scalar(ElementType::I64),
                role: InputRole::Seed,
            }),
        }
    }

    /// The tokens of a text. They are an input that the runtime computes; see [`InputRole::Tokens`].
    ///
    /// # Errors
    /// [`Kind::Unsupported`](tfjs_manifest::Kind::Unsupported) for a text that is neither an input of the program nor one in another shape, or
    /// inside a loop; as [`Tokenizer::infer`].
    pub fn tokens(&mut self, text: Value, tokenizer: &Arc<Tokenizer>) -> Result<Value> {
        let before = self.before_reshapes(text);
        let given = if tokenizer.infer(self.ty(before), Dim::ONE).is_ok() { before } else { text };
        let tokens = self.tokens_of_input(given, tokenizer)?;
        let length = self.dims_of(tokens).last().copied().unwrap_or(Dim::ONE);
        let wanted = tokenizer.infer(self.ty(text), length)?.dims;
        if self.dims_of(tokens) == wanted { Ok(tokens) } else { self.reshape(tokens, &wanted) }
    }

    /// The value that is only seen in other shapes until it is this one: the texts and their order are the same.
    fn before_reshapes(&self, mut value: Value) -> Value {
        while let [body] = &self.blocks[..]
            && let Some(Prim::Reshape(_)) = body.prim_of(value)
            && let Some([before]) = body.node_of(value).map(|node| &node.operands[..])
        {
            value = *before;
        }
        value
    }

    fn tokens_of_input(&mut self, text: Value, tokenizer: &Arc<Tokenizer>) -> Result<Value> {
        let port = match &self.blocks[..] {
            [body] => match body.prim_of(text) {
                Some(Prim::Input(input)) => Some(input.port),
                _ => None,
            },
            _ => None,
        };
        let given = |of: &usize| self.program.inputs.get(*of).is_some_and(|x| x.role == InputRole::Argument);
        let Some(of) = port.filter(given) else {
            let message = "text is split where it is an input of the model only, not behind another layer";
            return Err(Error::unsupported(message));
        };
        let role = InputRole::Tokens { of, tokenizer: tokenizer.clone() };
        if let Some(port) = self.program.inputs.iter().position(|input| input.role == role) {
            return self.one(source::Input { port }, &[]);
        }
        let length = match tokenizer.length {
            Some(length) => self.number(length),
            None => self.program.dims.symbol(&format!("tokens{}", self.program.inputs.len())),
        };
        let ty = tokenizer.infer(self.ty(text), length)?;
        let name = format!("{}.tokens", self.program.inputs[of].name);
        self.input_of(Input { name, ty, role })
    }

    /// A new stream number. It distinguishes this place in the program from others that draw random numbers.
    pub fn stream(&mut self) -> u64 {
        self.streams += 1;
        self.streams
    }

    /// Declares a weight.
    ///
    /// # Errors
    /// [`Kind::Limit`](tfjs_manifest::Kind::Limit) past 2^32 weights.
    pub fn slot(&mut self, name: &str, ty: Type) -> Result<SlotId> {
        let id = SlotId::new(self.program.slots.len())?;
        self.program.slots.push(Slot { name: name.to_string(), ty });
        Ok(id)
    }

    /// Declares a state.
    ///
    /// # Errors
    /// [`Kind::Limit`](tfjs_manifest::Kind::Limit) past 2^32 states.
    pub fn state(&mut self, name: &str, ty: Type, initial: f64) -> Result<StateId> {
        let id = StateId::new(self.program.states.len())?;
        self.program.states.push(State { name: name.to_string(), ty, initial });
        Ok(id)
    }

    /// The latest value of a weight or a state.
    ///
    /// # Errors
    /// [`Kind::Bug`](tfjs_manifest::Kind::Bug) inside a loop, whose body reads only its parameters, and for an
    /// undeclared target.
    pub fn get(&mut self, target: Target) -> Result<Value> {
        self.outside_of_loops("a weight or a state")?;
        if let Some(&value) = self.latest.get(&target) {
            return Ok(value);
        }
        let value = match target {
            Target::Slot(slot) => self.one(source::Param { slot }, &[])?,
            Target::State(state) => self.one(source::State { state }, &[])?,
        };
        self.latest.insert(target, value);
        Ok(value)
    }

    /// Replaces the value of a weight or a state.
    ///
    /// # Errors
    /// [`Kind::Bug`](tfjs_manifest::Kind::Bug) inside of a loop and for a value of another type.
    pub fn set(&mut self, target: Target, value: Value) -> Result<()> {
        let known = self.get(target)?;
        let (known, found) = (self.ty(known).clone(), self.ty(value).clone());
        let fits = known.element == found.element && known.rank() == found.rank();
        if !fits || known.dims.iter().zip(&found.dims).any(|(&a, &b)| self.same(a, b).is_none()) {
            return Err(Error::bug("a weight or state is replaced by a value of another type"));
        }
        if !self.replaced.contains(&target) {
            self.replaced.push(target);
        }
        self.latest.insert(target, value);
        Ok(())
    }

    fn outside_of_loops(&self, what: &str) -> Result<()> {
        if self.blocks.len() == 1 { Ok(()) } else { Err(Error::bug(format!("{what} is read inside of a loop"))) }
    }

    /// Records that the nodes built now mix the entries of a batch, so that a batch cannot be split or folded.
    pub fn mixes_batch(&mut self) {
        self.pointwise = false;
    }

    /// Runs `f` and returns whether the nodes it built treat each entry of the batch independently.
    ///
    /// # Errors
    /// Those of `f`.
    pub fn is_pointwise<R>(&mut self, f: impl FnOnce(&mut Self) -> Result<R>) -> Result<(R, bool)> {
        let outer = self.watch_batch();
        let result = f(self);
        let inner = self.unwatch_batch(outer);
        Ok((result?, inner))
    }

    /// Starts to record whether nodes mix the entries of a batch. Returns the outer state, which
    /// [`unwatch_batch`](Builder::unwatch_batch) takes.
    pub fn watch_batch(&mut self) -> bool {
        std::mem::replace(&mut self.pointwise, true)
    }

    /// Whether everything built since [`watch_batch`](Builder::watch_batch) treats each entry of the batch
    /// independently.
    pub fn unwatch_batch(&mut self, outer: bool) -> bool {
        let inner = std::mem::replace(&mut self.pointwise, outer);
        self.pointwise &= inner;
        inner
    }

    /// Adds a constant. Equal constants share their memory. A large one counts as several nodes, because comparing it
    /// takes as long: each call of a shared model makes its constants again.
    ///
    /// # Errors
    /// [`Kind::Limit`](tfjs_manifest::Kind::Limit) past 2^32 constants, and past the nodes of the program.
    pub fn constant(&mut self, array: Array) -> Result<Value> {
        self.spend(array.elements() as u64 / ELEMENTS_PER_NODE)?;
        let alike = self.arrays.entry(array.fingerprint()).or_default();
        let known = alike.iter().find(|id| self.program.constants[id.index()].is_same(&array));
        let constant = match known {
            Some(&id) => id,
            None => {
                let id = ConstId::new(self.program.constants.len())?;
                alike.push(id);
                self.bytes = self.bytes.saturating_add(array.bytes());
                self.program.constants.push(Arc::new(array));
                id
            }
        };
        self.one(source::Const { constant }, &[])
    }

    /// A scalar constant.
    ///
    /// # Errors
    /// As [`constant`](Builder::constant).
    pub fn scalar(&mut self, element: ElementType, number: f64) -> Result<Value> {
        let key = (element, number.to_bits());
        if let Some(&value) = self.scalars.last().and_then(|known| known.get(&key)) {
            return Ok(value);
        }
        let value = self.constant(Array::scalar(element, number))?;
        if let Some(known) = self.scalars.last_mut() {
            known.insert(key, value);
        }
        Ok(value)
    }

    /// The finished program.
    ///
    /// # Errors
    /// [`Kind::Bug`](tfjs_manifest::Kind::Bug) inside of a loop.
    pub fn finish(mut self, outputs: Vec<(String, Value)>) -> Result<Program> {
        self.outside_of_loops("the end of a program")?;
        let mut body = self.blocks.pop().ok_or_else(|| Error::bug("a program without a body"))?;
        let (names, results): (Vec<String>, Vec<Value>) = outputs.into_iter().unzip();
        body.results = results;
        let (body, renamed) = body.in_order()?;
        self.program.outputs = names;
        self.program.body = body;
        let update = |&target| Some(Update { target, value: renamed[self.latest.get(&target)?.index()]? });
        self.program.updates = self.replaced.iter().filter_map(update).collect();
        Ok(self.program)
    }

    /// Finishes a program whose results and updates are known.
    ///
    /// # Errors
    /// [`Kind::Bug`](tfjs_manifest::Kind::Bug) inside of a loop.
    pub(crate) fn finish_with(
        mut self,
        outputs: Vec<String>,
        results: Vec<Value>,
        updates: Vec<Update>,
    ) -> Result<Program> {
        self.outside_of_loops("the end of a program")?;
        let body = self.blocks.pop().ok_or_else(|| Error::bug("a program without a body"))?;
        Ok(Program { body: Block { results, ..body }, outputs, updates, ..self.program })
    }
}

/// The highest stream number in a block, so that new streams get other numbers.
fn last_stream(block: &Block) -> u64 {
    let streams = block.nodes.iter().map(|node| match &node.prim {
        Prim::Random(random) => random.stream,
        Prim::Scan(scan) => last_stream(&scan.body),
        _ => 0,
    });
    streams.max().unwrap_or(0)
}
