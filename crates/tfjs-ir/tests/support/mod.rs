//! Compares gradients with finite differences of the interpreter.

use tfjs_ir::grad::gradients;
use tfjs_ir::prim::reduce::ReduceOp;
use tfjs_ir::{Array, Builder, Dim, ElementType, Inputs, Program, Type, Value, interpret};
use tfjs_manifest::Result;

/// Half the step of the finite difference.
const STEP: f64 = 1.0 / 32.0;

/// A function whose gradient is checked.
pub(crate) struct Check {
    /// The shapes of the operands: numbers, and symbols with their values, such as `n=2,3`.
    shapes: Vec<Vec<(Option<String>, usize)>>,
    low: f64,
    high: f64,
    tolerance: f64,
}

impl Check {
    /// A function of operands of these shapes, with elements between -2 and 2.
    pub(crate) fn of(shapes: &[&str]) -> Check {
        let axis = |text: &str| match text.split_once('=') {
            Some((name, n)) => (Some(name.to_string()), n.parse().expect("a length")),
            None => (None, text.parse().expect("a length")),
        };
        let shape = |text: &&str| text.split(',').filter(|axis| !axis.is_empty()).map(axis).collect();
        Check { shapes: shapes.iter().map(shape).collect(), low: -2.0, high: 2.0, tolerance: 2e-4 }
    }

    /// With elements between these bounds.
    pub(crate) fn between(self, low: f64, high: f64) -> Check {
        Check { low, high, ..self }
    }

    /// Checks the gradient of a weighted sum of the value that `build` returns, once with symbolic dimensions and once
    /// with their values.
    #[track_caller]
    pub(crate) fn holds(&self, build: impl Fn(&mut Builder, &[Value]) -> Result<Value>) {
        for symbolic in [true, false] {
            self.holds_for(symbolic, &build);
        }
    }

    #[track_caller]
    fn holds_for(&self, symbolic: bool, build: &impl Fn(&mut Builder, &[Value]) -> Result<Value>) {
        let mut b = Builder::default();
        let operands = self.inputs(&mut b, symbolic);
        let y = build(&mut b, &operands).unwrap();
        let ty = b.ty(y).clone();
        let forward = b.finish(vec![("y".to_string(), y)]).unwrap();
        let dims: Vec<Vec<usize>> = self.shapes.iter().map(|shape| shape.iter().map(|axis| axis.1).collect()).collect();
        let points: Vec<Array> = dims.iter().enumerate().map(|(i, dims)| self.point(i, dims)).collect();
        let y = run(&forward, &points).remove(0);
        let weights: Vec<f64> = (0..y.elements()).map(|i| 1.0 + (i as f64 * 0.7).sin() / 2.0).collect();

        // The same function, and the gradient of its weighted sum.
        let mut b = Builder::default();
        let operands = self.inputs(&mut b, symbolic);
        let y_again = build(&mut b, &operands).unwrap();
        let weight = b.input("weights", Type::new(ElementType::F32, ty.dims.clone())).unwrap();
        let product = b.mul(y_again, weight).unwrap();
        let axes: Vec<usize> = (0..ty.rank()).collect();
        let loss = b.reduce(ReduceOp::Sum, product, &axes, false).unwrap();
        let slopes = gradients(&mut b, loss, &operands).unwrap();
        for (&slope, &operand) in slopes.iter().zip(&operands) {
            assert_eq!(b.ty(slope), b.ty(operand), "the type of a gradient");
        }
        let outputs = std::iter::once(y_again).chain(slopes).map(|value| ("value".to_string(), value));
        let program = b.finish(outputs.collect()).unwrap();
        tfjs_ir::verify::verify(&program).unwrap();
        let read_back: Program = program.to_string().parse().unwrap();
        assert_eq!(read_back.to_string(), program.to_string(), "the text form");

        let mut given = points.clone();
        given.push(Array::floats(y.dims(), weights.iter().copied()).unwrap());
        let mut found = run(&read_back, &given);
        // An expansion rounds after each node.
        let (before, after) = (y.to_floats().unwrap(), found.remove(0).to_floats().unwrap());
        assert!(before.iter().zip(&after).all(|(a, b)| a == b || (a - b).abs() < 1e-6), "{before:?} became {after:?}");
        let value = |points: &[Array]| -> f64 {
            let y = run(&forward, points).remove(0).to_floats().unwrap();
            y.iter().zip(&weights).map(|(y, weight)| y * f64::from(*weight as f32)).sum()
        };
        for (operand, slope) in found.iter().enumerate() {
            for (element, &slope) in slope.to_floats().unwrap().iter().enumerate() {
                let at = |distance: f64| {
                    let mut points = points.clone();
                    let mut values = points[operand].to_floats().unwrap();
                    values[element] += distance;
                    points[operand] = Array::floats(points[operand].dims(), values).unwrap();
                    value(&points)
                };
                // The error of this finite difference is of fourth order.
                let near = at(STEP) - at(-STEP);
                let far = at(2.0 * STEP) - at(-2.0 * STEP);
                let expected = (8.0 * near - far) / (12.0 * STEP);
                let size = 1f64.max(expected.abs());
                assert!(
                    (expected - slope).abs() <= self.tolerance * size,
                    "operand {operand}, element {element}: expected {expected}, found {slope}\n{program}"
                );
            }
        }
    }

    fn inputs(&self, b: &mut Builder, symbolic: bool) -> Vec<Value> {
        let mut values = Vec::new();
        for (i, shape) in self.shapes.iter().enumerate() {
            let mut dims: Vec<Dim> = Vec::new();
            for (symbol, length) in shape {
                dims.push(match symbol.as_deref().filter(|_| symbolic) {
                    Some(symbol) => b.dims().symbol(symbol),
                    None => b.number(*length),
                });
            }
            values.push(b.input(&format!("x{i}"), Type::new(ElementType::F32, dims)).unwrap());
        }
        values
    }

    /// Numbers spread over the range in a mixed order, far enough apart that the points of a difference do not overlap.
    fn point(&self, operand: usize, dims: &[usize]) -> Array {
        let elements: usize = dims.iter().product();
        let stride = [7, 5, 11, 13].into_iter().find(|stride| gcd(*stride, elements.max(1)) == 1).unwrap_or(1);
        let unit = (self.high - self.low) / elements.max(1) as f64;
        let shift = 0.3 + 0.45 * (operand % 2) as f64;
        let number = |i: usize| {
            let place = ((i * stride + 3 * operand) % elements) as f64 + shift;
            // A multiple of a power of two, so that the points of a difference are exact.
            ((self.low + unit * place) * 1024.0).round() / 1024.0
        };
        Array::floats(dims, (0..elements).map(number)).unwrap()
    }
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// The outputs of a program.
#[track_caller]
pub(crate) fn run(program: &Program, arguments: &[Array]) -> Vec<Array> {
    interpret(program, &Inputs::of(arguments.to_vec())).unwrap().outputs
}
