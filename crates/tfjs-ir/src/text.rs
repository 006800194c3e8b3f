//! The text form of programs: printed for people and tests, and parsed.
//!
//! ```text
//! input x: f32[batch,3]
//! slot slot0 "dense/kernel": f32[3,4]
//! {
//!   %0 = input() {port=0} : f32[batch,3]
//!   %1 = param() {slot=slot0} : f32[3,4] @ "dense" 0
//!   %2 = dot(%0, %1) {batch=[], contract=[(1,0)]} : f32[batch,4] @ "dense" 0
//!   return %2 "y"
//! }
//! ```
//!
//! Each line is a node: its results, the primitive with operands and attributes, and the types of the results. After
//! `@` come the layer it belongs to, the index of the call, and `gradient` if it computes gradients. The body of a loop
//! is a block in its attributes.

use crate::array::{Array, Data};
use crate::dim::Dims;
use crate::prim::attribute::{Attribute, Reader, Writer, quote};
use crate::prim::{Prim, PrimKind};
use crate::program::{
    Block, Check, Guard, Input, InputRole, Node, Origin, OriginId, Program, Slot, State, Target, Update, Value,
    ValueInfo,
};
use crate::tokens::Tokenizer;
use crate::ty::{ElementType, Type};
use std::fmt::Write as _;
use std::sync::Arc;
use tfjs_manifest::{Error, Result};

impl std::fmt::Display for Program {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&print(self))
    }
}

impl std::str::FromStr for Program {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        parse(text)
    }
}

/// The text form of a program.
pub fn print(program: &Program) -> String {
    let Program { dims, constants, origins, inputs, slots, states, body, outputs, updates, guards } = program;
    let mut out = Writer::new(dims, origins, 0);
    let bounds = dims.symbols().filter_map(|(name, symbol)| Some((name.to_string(), dims.bound(symbol)?)));
    for (name, bound) in bounds.collect::<Vec<_>>() {
        line(&mut out, format_args!("bound {name} <= {}", dims.describe(bound)));
    }
    for Input { name, ty, role } in inputs {
        let keyword = match role {
            InputRole::Argument => "input",
            InputRole::Seed => "seed",
            InputRole::Tokens { .. } => "tokens",
        };
        out.text(&format!("{keyword} {}: {}", quote(name), ty.describe(dims)));
        if let InputRole::Tokens { of, tokenizer } = role {
            let mut attributes = Writer::new(dims, origins, 0);
            tokenizer.write(&mut attributes);
            out.text(&format!(" of {of} {}", attributes.text));
        }
        out.text("\n");
    }
    for (i, Slot { name, ty }) in slots.iter().enumerate() {
        line(&mut out, format_args!("slot slot{i} {}: {}", quote(name), ty.describe(dims)));
    }
    for (i, State { name, ty, initial }) in states.iter().enumerate() {
        line(&mut out, format_args!("state state{i} {}: {} = {initial:?}", quote(name), ty.describe(dims)));
    }
    for (i, array) in constants.iter().enumerate() {
        out.text(&format!("const const{i}: {}", array.element()));
        array.dims().to_vec().write(&mut out);
        out.text(" = ");
        write_data(array.data(), &mut out);
        out.text("\n");
    }
    for Guard { check, origin } in guards {
        let (name, a, b) = check_parts(check);
        out.text(&format!("guard {name}({}, {})", dims.describe(a), dims.describe(b)));
        write_origin(*origin, &mut out);
        out.text("\n");
    }
    write_block(body, outputs, &mut out);
    out.text("\n");
    for Update { target, value } in updates {
        let target = match target {
            Target::Slot(slot) => format!("slot{}", slot.0),
            Target::State(state) => format!("state{}", state.0),
        };
        line(&mut out, format_args!("update {target} = %{}", value.0));
    }
    out.text
}

fn line(out: &mut Writer<'_>, text: std::fmt::Arguments<'_>) {
    // Writing into a string does not fail.
    let _ = writeln!(out.text, "{text}");
}

fn check_parts(check: &Check) -> (&'static str, crate::dim::Dim, crate::dim::Dim) {
    match *check {
        Check::Equal(a, b) => ("equal", a, b),
        Check::AtLeast(a, b) => ("at_least", a, b),
        Check::Broadcast(a, b) => ("broadcast", a, b),
        Check::Divisible(a, b) => ("divisible", a, b),
    }
}

fn write_data(data: &Data, out: &mut Writer<'_>) {
    match data {
        Data::Float(values) => values.write(out),
        Data::Int(values) => values.write(out),
        Data::Bool(values) => values.write(out),
        Data::Text(values) => values.write(out),
    }
}

fn write_origin(origin: OriginId, out: &mut Writer<'_>) {
    let Some(Origin { layer, call, gradient }) = out.origins.get(origin.index()) else { return };
    if layer.is_empty() && call.is_none() && !gradient {
        return;
    }
    let call = call.map(|call| format!(" {call}")).unwrap_or_default();
    let gradient = if *gradient { " gradient" } else { "" };
    let text = format!(" @ {}{call}{gradient}", quote(layer));
    out.text(&text);
}

fn list(values: &[Value]) -> String {
    values.iter().map(|value| format!("%{}", value.0)).collect::<Vec<_>>().join(", ")
}

/// Writes a block in braces; `names` are the names of its results, if they have any.
pub(crate) fn write_block(block: &Block, names: &[String], out: &mut Writer<'_>) {
    // SIZE: the depth to which blocks are nested.
    let indent = "  ".repeat(out.indent + 1);
    out.text("{\n");
    if !block.parameters.is_empty() {
        let parameter = |&value: &Value| format!("%{}: {}", value.0, block.ty(value).describe(out.dims));
        let parameters = block.parameters.iter().map(parameter).collect::<Vec<_>>().join("; ");
        out.text(&format!("{indent}take {parameters}\n"));
    }
    for Node { prim, operands, results, origin } in &block.nodes {
        out.text(&format!("{indent}{} = {}({}) {{", list(results), prim.name(), list(operands)));
        let mut attributes = Writer::new(out.dims, out.origins, out.indent + 1);
        prim.write(&mut attributes);
        out.text(&attributes.text);
        let types = results.iter().map(|&value| block.ty(value).describe(out.dims)).collect::<Vec<_>>();
        out.text(&format!("}} : {}", types.join("; ")));
        write_origin(*origin, out);
        out.text("\n");
    }
    let named = block.results.iter().enumerate().map(|(i, value)| match names.get(i) {
        Some(name) => format!("%{} {}", value.0, quote(name)),
        None => format!("%{}", value.0),
    });
    let named = named.collect::<Vec<_>>().join(", ");
    // SIZE: the depth to which blocks are nested.
    out.text(&format!("{indent}return {named}\n{}}}", "  ".repeat(out.indent)));
}

/// Parses what [`print()`] has written, and [verifies](crate::verify) it.
///
/// # Errors
/// [`Kind::Malformed`](tfjs_manifest::Kind::Malformed) for other text, with the line; those of verification.
pub fn parse(text: &str) -> Result<Program> {
    let mut input = Reader::new(text);
    let mut program = Program::default();
    let mut bounds = Vec::new();
    loop {
        input.skip_space();
        if input.rest.starts_with('{') {
            break;
        }
        match input.word()? {
            "bound" => {
                let name = input.word()?.to_string();
                input.expect("<=")?;
                bounds.push((name, crate::dim::Dim::read(&mut input)?));
            }
            keyword @ ("input" | "seed" | "tokens") => {
                let name = input.quoted()?;
                input.expect(":")?;
                let ty = Type::read(&mut input)?;
                let role = match keyword {
                    "input" => InputRole::Argument,
                    "seed" => InputRole::Seed,
                    _ => {
                        input.expect("of")?;
                        let of = usize::read(&mut input)?;
                        InputRole::Tokens { of, tokenizer: Arc::new(Tokenizer::read(&mut input)?) }
                    }
                };
                program.inputs.push(Input { name, ty, role });
            }
            "slot" => {
                input.expect(&format!("slot{}", program.slots.len()))?;
                let name = input.quoted()?;
                input.expect(":")?;
                program.slots.push(Slot { name, ty: Type::read(&mut input)? });
            }
            "state" => {
                input.expect(&format!("state{}", program.states.len()))?;
                let name = input.quoted()?;
                input.expect(":")?;
                let ty = Type::read(&mut input)?;
                input.expect("=")?;
                program.states.push(State { name, ty, initial: f64::read(&mut input)? });
            }
            "const" => {
                input.expect(&format!("const{}:", program.constants.len()))?;
                program.constants.push(Arc::new(read_array(&mut input)?));
            }
            "guard" => {
                let name = input.word()?;
                input.expect("(")?;
                let a = crate::dim::Dim::read(&mut input)?;
                input.expect(",")?;
                let b = crate::dim::Dim::read(&mut input)?;
                input.expect(")")?;
                let check = match name {
                    "equal" => Check::Equal(a, b),
                    "at_least" => Check::AtLeast(a, b),
                    "broadcast" => Check::Broadcast(a, b),
                    "divisible" => Check::Divisible(a, b),
                    _ => return Err(input.error("a condition")),
                };
                let origin = read_origin(&mut input)?;
                program.guards.push(Guard { check, origin });
            }
            _ => return Err(input.error("a declaration or a block")),
        }
    }
    (program.body, program.outputs) = read_block(&mut input)?;
    while input.take("update") {
        let target = match input.take("slot") {
            true => Target::Slot(crate::program::SlotId(number(&mut input)?)),
            false => {
                input.expect("state")?;
                Target::State(crate::program::StateId(number(&mut input)?))
            }
        };
        input.expect("=")?;
        program.updates.push(Update { target, value: read_value(&mut input)? });
    }
    input.skip_space();
    if !input.rest.is_empty() {
        return Err(input.error("the end"));
    }
    (program.dims, program.origins) = (input.dims, input.origins);
    set_bounds(&mut program.dims, bounds);
    crate::verify::verify(&program)?;
    Ok(program)
}

fn set_bounds(dims: &mut Dims, bounds: Vec<(String, crate::dim::Dim)>) {
    for (name, bound) in bounds {
        let symbol = dims.symbol(&name);
        dims.set_bound(symbol, bound);
    }
}

fn number(input: &mut Reader<'_>) -> Result<u32> {
    input.skip_space();
    let error = input.error("a number");
    // A colon may follow, which does not end a word.
    let end = input.rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(input.rest.len());
    let (digits, rest) = input.rest.split_at(end);
    input.rest = rest;
    digits.parse().map_err(|_| error)
}

fn read_array(input: &mut Reader<'_>) -> Result<Array> {
    let element = ElementType::read(input)?;
    let dims = Vec::read(input)?;
    input.expect("=")?;
    let data = match element {
        _ if element.is_float() => Data::Float(Vec::read(input)?),
        ElementType::Bool => Data::Bool(Vec::read(input)?),
        ElementType::String => Data::Text(Vec::read(input)?),
        _ => Data::Int(Vec::read(input)?),
    };
    let line = input.line;
    Array::new(element, dims, data).map_err(|e| Error::malformed(format!("line {line}: {}", e.message())))
}

fn read_value(input: &mut Reader<'_>) -> Result<Value> {
    input.expect("%")?;
    number(input).map(Value)
}

fn read_values(input: &mut Reader<'_>, end: &str) -> Result<Vec<Value>> {
    let mut values = Vec::new();
    while !input.take(end) {
        if !values.is_empty() {
            input.expect(",")?;
        }
        values.push(read_value(input)?);
    }
    Ok(values)
}

fn read_origin(input: &mut Reader<'_>) -> Result<OriginId> {
    if !input.take("@") {
        return Ok(OriginId(0));
    }
    let layer = input.quoted()?;
    // The index of the call is on the same line.
    let digits = input.rest.strip_prefix(' ').unwrap_or("");
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    let call = digits[..end].parse().ok();
    if call.is_some() {
        input.rest = &digits[end..];
    }
    let gradient = input.rest.strip_prefix(" gradient");
    input.rest = gradient.unwrap_or(input.rest);
    let origin = Origin { layer: layer.into(), call, gradient: gradient.is_some() };
    if let Some(known) = input.origins.iter().rposition(|known| *known == origin) {
        return OriginId::new(known);
    }
    input.origins.push(origin);
    OriginId::new(input.origins.len() - 1)
}

/// Parses a block in braces, and the names of its results.
pub(crate) fn read_block(input: &mut Reader<'_>) -> Result<(Block, Vec<String>)> {
    let mut block = Block::default();
    input.expect("{")?;
    if input.take("take") {
        loop {
            let value = define(&mut block, read_value(input)?, None, input)?;
            input.expect(":")?;
            block.values[value.index()].ty = Type::read(input)?;
            block.parameters.push(value);
            if !input.take(";") {
                break;
            }
        }
    }
    while !input.take("return") {
        read_node(&mut block, input)?;
    }
    let mut names = Vec::new();
    while !input.take("}") {
        if !block.results.is_empty() {
            input.expect(",")?;
        }
        block.results.push(read_value(input)?);
        input.skip_space();
        if input.rest.starts_with('"') {
            names.push(input.quoted()?);
        }
    }
    Ok((block, names))
}

fn define(block: &mut Block, value: Value, node: Option<u32>, input: &Reader<'_>) -> Result<Value> {
    if value.index() != block.values.len() {
        return Err(input.error(&format!("the definition of %{}", block.values.len())));
    }
    block.values.push(ValueInfo { ty: Type::scalar(ElementType::F32), node });
    Ok(value)
}

fn read_node(block: &mut Block, input: &mut Reader<'_>) -> Result<()> {
    let results = read_values(input, "=")?;
    let line = input.line;
    let name = input.word()?;
    let kind = PrimKind::ALL.iter().copied().find(|kind| kind.name() == name);
    let kind = kind.ok_or_else(|| Error::malformed(format!("line {line}: unknown primitive `{name}`")))?;
    input.expect("(")?;
    let operands = read_values(input, ")")?;
    input.expect("{")?;
    input.restart();
    let prim: Prim = kind.read(input)?;
    input.expect("}")?;
    input.expect(":")?;
    let node = u32::try_from(block.nodes.len()).map_err(|_| Error::limit("more than 2^32 nodes"))?;
    for (i, &value) in results.iter().enumerate() {
        if i > 0 {
            input.expect(";")?;
        }
        define(block, value, Some(node), input)?;
        block.values[value.index()].ty = Type::read(input)?;
    }
    let origin = read_origin(input)?;
    block.nodes.push(Node { prim, operands, results, origin });
    Ok(())
}
