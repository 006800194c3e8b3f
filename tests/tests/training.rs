//! Training steps as one plan, on both engines: compared with the producers' weights; and failed steps.

use candle_core::Tensor;
use program_harness::training::{NETWORKS, PRODUCERS, STEPS, Training};
use serde_json::Value as Json;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};
use tfjs_candle::{Engine, Input, StepOptions, TrainingOptions, TrainingStep, Weights};
use tfjs_ir::prim::index::Bounds;
use tfjs_ir::prim::reduce::ReduceOp;
use tfjs_ir::{Array, Builder, ElementType, Target, Type};
use tfjs_manifest::Kind;

/// The largest difference from the producers' losses and weights; the tests of the interpreter have the same.
const TOLERANCE: f64 = 2e-6;

fn tensor(array: &Array) -> Tensor {
    let values: Vec<f32> = array.to_floats().unwrap().into_iter().map(|x| x as f32).collect();
    Tensor::from_vec(values, array.dims(), &candle_core::Device::Cpu).unwrap()
}

fn array(tensor: &Tensor) -> Array {
    let values = tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    Array::floats(tensor.dims(), values.into_iter().map(f64::from)).unwrap()
}

fn inputs(arrays: &[Array]) -> Vec<Input> {
    arrays.iter().map(|array| Input::Tensor(tensor(array))).collect()
}

/// Both engines, the native one with one thread and with two.
fn engines() -> Vec<TrainingOptions> {
    let options = [(Engine::Native, 1), (Engine::Native, 2), (Engine::Candle, 1)].map(|(engine, threads)| {
        let mut options = TrainingOptions::default();
        (options.engine, options.threads) = (Some(engine), Some(threads));
        options
    });
    options.into()
}

fn begin(training: &Training, options: TrainingOptions) -> TrainingStep {
    let names = training.step.slots.iter().map(|slot| slot.name.clone());
    let weights = Weights::of(names.zip(training.weights.iter().map(tensor))).unwrap();
    TrainingStep::new(training.step.clone(), weights, options).unwrap()
}

fn weights(step: &TrainingStep) -> Vec<Array> {
    step.weights().unwrap().to_tensors().unwrap().iter().map(|(_, tensor)| array(tensor)).collect()
}

/// The steps of a plan that the interpreter runs, including those in loops.
fn reference_steps(plan: &Json, found: &mut BTreeSet<String>) {
    for step in plan["steps"].as_array().into_iter().flatten() {
        if step["engine"] == "reference" {
            found.insert(step["kernel"].as_str().unwrap().to_string());
        }
        reference_steps(step, found);
    }
}

#[test]
fn ten_steps_give_the_weights_of_the_producers() {
    for (network, producer) in NETWORKS.into_iter().flat_map(|network| PRODUCERS.map(|by| (network, by))) {
        let training = Training::load(network, producer).unwrap();
        for options in engines() {
            let what = format!("{}, {:?}, {:?} threads", training.id, options.engine, options.threads);
            let mut step = begin(&training, options);
            let (mut of_loss, mut of_weights) = (0.0f64, 0.0f64);
            for i in 0..STEPS {
                let outputs = step.step(inputs(&training.arguments(i))).unwrap();
                let loss = outputs.get("loss").unwrap().to_scalar::<f32>().unwrap();
                of_loss = of_loss.max(training.loss_difference(i, loss.into()));
                if let Some((difference, name)) = training.weight_difference(i, &weights(&step)).unwrap() {
                    assert!(difference < TOLERANCE, "{what}, step {i}: `{name}` differs by {difference}");
                    of_weights = of_weights.max(difference);
                }
            }
            println!("{what}: losses within {of_loss:.1e}, weights within {of_weights:.1e}");
            assert!(of_loss < TOLERANCE, "{what}: losses differ by {of_loss}");
        }
    }
}

#[test]
fn the_native_engine_has_kernels_for_every_step() {
    for network in NETWORKS {
        let training = Training::load(network, "keras3").unwrap();
        let mut found = BTreeSet::new();
        reference_steps(&begin(&training, engines().remove(0)).plan_json(), &mut found);
        assert!(found.is_empty(), "{network}: the interpreter runs {found:?}");
    }
}

/// A step that counts its calls in a state and trains a table of rows, which a frozen weight scales.
fn counting() -> (tfjs_ir::Program, Weights) {
    let mut b = Builder::default();
    let (batch, four, two) = (b.dims().symbol("batch"), b.number(4), b.number(2));
    let ids = b.input("ids", Type::new(ElementType::I32, [batch])).unwrap();
    let rate = b.input("rate", Type::scalar(ElementType::F32)).unwrap();
    let table = Target::Slot(b.slot("table", Type::new(ElementType::F32, [four, two])).unwrap());
    let scale = Target::Slot(b.slot("scale", Type::new(ElementType::F32, [two])).unwrap());
    let calls = Target::State(b.state("calls", Type::scalar(ElementType::F32), 0.0).unwrap());
    let frozen = b.get(scale).unwrap();
    let old = b.get(table).unwrap();
    let rows = b.gather(old, ids, 0, Bounds::Clamp).unwrap();
    let scaled = b.mul(rows, frozen).unwrap();
    let squares = b.mul(scaled, scaled).unwrap();
    let loss = b.reduce(ReduceOp::Sum, squares, &[0, 1], false).unwrap();
    let before = b.get(calls).unwrap();
    let one = b.scalar(ElementType::F32, 1.0).unwrap();
    let after = b.add(before, one).unwrap();
    b.set(calls, after).unwrap();
    let slope = tfjs_ir::gradients(&mut b, loss, &[old]).unwrap()[0];
    let change = b.mul(rate, slope).unwrap();
    let next = b.sub(old, change).unwrap();
    b.set(table, next).unwrap();
    // The operation that fails for an id out of range is last, after all new values have been computed.
    let rows = b.gather(old, ids, 0, Bounds::Error).unwrap();
    let program = b.finish(vec![("loss".to_string(), loss), ("rows".to_string(), rows)]).unwrap();
    let cpu = &candle_core::Device::Cpu;
    let table = Tensor::new(&[[1f32, 2.0], [3.0, 4.0], [5.0, 6.0], [7.0, 8.0]], cpu).unwrap();
    let scale = Tensor::new(&[1f32, 0.5], cpu).unwrap();
    (program, Weights::of([("table", table), ("scale", scale)]).unwrap())
}

fn ids(ids: &[i32]) -> Vec<Input> {
    let cpu = &candle_core::Device::Cpu;
    vec![Tensor::new(ids, cpu).unwrap().into(), Tensor::new(0.25f32, cpu).unwrap().into()]
}

fn calls(step: &TrainingStep) -> Vec<f32> {
    step.states().map(|(_, tensor)| tensor.to_scalar::<f32>().unwrap()).collect()
}

/// d(w s)^2/dw = 2 w s^2: at a rate of 1/4, a row that is used once becomes `[w/2, w * 7/8]`.
#[test]
fn a_step_that_fails_changes_nothing_and_the_next_one_goes_on() {
    for options in engines() {
        let (program, initial) = counting();
        let mut step = TrainingStep::new(program, initial, options).unwrap();
        let rows = |step: &TrainingStep| array(&step.weights().unwrap().get("table").unwrap()).to_floats().unwrap();
        assert_eq!(rows(&step), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]);
        step.step(ids(&[0, 2])).unwrap();
        let once = [0.5, 1.75, 3.0, 4.0, 2.5, 5.25, 7.0, 8.0];
        assert_eq!((rows(&step), calls(&step)), (once.to_vec(), vec![1.0]));

        let error = step.step(ids(&[1, 4])).unwrap_err();
        assert_eq!(error.kind(), Kind::Mismatch);
        assert_eq!(error.message(), "index `4` is not in a table of 4 rows; expected 0 to 3");
        let passed = StepOptions::default().with_deadline(Instant::now() - Duration::from_millis(1));
        assert_eq!(step.step_with(ids(&[1]), &passed).unwrap_err().kind(), Kind::Limit);
        let error = step.step(vec![ids(&[1]).remove(0)]).unwrap_err();
        assert_eq!(error.message(), "the step has 2 inputs (`ids` int32[?], `rate` float32[]), found 1");
        assert_eq!((rows(&step), calls(&step)), (once.to_vec(), vec![1.0]));

        // A smaller batch with a repeated id, whose gradients are added.
        step.step(ids(&[1])).unwrap();
        step.step(ids(&[0, 0, 3])).unwrap();
        let expected = [0.0, 1.3125, 1.5, 3.5, 2.5, 5.25, 3.5, 7.0];
        assert_eq!((rows(&step), calls(&step)), (expected.to_vec(), vec![3.0]));
        step.reset_states();
        step.step(ids(&[])).unwrap();
        assert_eq!((rows(&step), calls(&step)), (expected.to_vec(), vec![1.0]));
    }
}

#[test]
fn a_step_keeps_to_its_memory() {
    for mut options in engines() {
        options.limits.activation_bytes = 100;
        let (program, weights) = counting();
        let mut step = TrainingStep::new(program, weights, options).unwrap();
        let many: Vec<i32> = (0..100).map(|i| i % 4).collect();
        let error = step.step(ids(&many)).unwrap_err();
        assert_eq!(error.kind(), Kind::Limit);
        assert!(error.message().starts_with("limit `activation_bytes`"), "{error}");
    }
}

/// A smaller last batch runs on the same plan, with means over its own examples.
#[test]
fn a_smaller_batch_runs_on_the_same_plan() {
    let training = Training::load("conv_bn", "keras3").unwrap();
    for options in engines() {
        let mut step = begin(&training, options);
        let [x, y, rate] = &training.arguments(0)[..] else { panic!("three arguments") };
        let mut current = training.weights.clone();
        for rows in [x.dims()[0], 2, 1, x.dims()[0]] {
            let part = |array: &Array| {
                let mut dims = array.dims().to_vec();
                dims[0] = rows;
                Array::floats(dims.clone(), array.to_floats().unwrap().into_iter().take(dims.iter().product())).unwrap()
            };
            let arguments = [part(x), part(y), rate.clone()];
            step.step(inputs(&arguments)).unwrap();
            let call = tfjs_ir::Inputs { slots: current.clone(), ..tfjs_ir::Inputs::of(arguments) };
            for (target, value) in tfjs_ir::interpret(&training.step, &call).unwrap().updates {
                let Target::Slot(slot) = target else { panic!("a network without states") };
                current[slot.index()] = value;
            }
            for (found, expected) in weights(&step).iter().zip(&current) {
                let (found, expected) = (found.to_floats().unwrap(), expected.to_floats().unwrap());
                let worst = found.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
                assert!(worst < TOLERANCE, "{rows} rows: {worst}");
            }
        }
    }
}

#[test]
fn weights_that_do_not_fit_are_rejected() {
    let cpu = &candle_core::Device::Cpu;
    let zeros = |dims: &[usize]| Tensor::zeros(dims, candle_core::DType::F32, cpu).unwrap();
    let begin = |weights: Weights| TrainingStep::new(counting().0, weights, TrainingOptions::default());
    let error = begin(Weights::of([("table", zeros(&[4, 2]))]).unwrap()).unwrap_err();
    assert_eq!((error.kind(), error.message()), (Kind::Mismatch, "the step has 2 weights, found 1"));
    let error = begin(Weights::of([("table", zeros(&[4, 3])), ("scale", zeros(&[2]))]).unwrap()).unwrap_err();
    assert_eq!(error.to_string(), "weight `table`: expected shape [4,2], found [4,3]");
}

#[test]
fn a_step_can_move_to_another_thread() {
    fn is_send<T: Send>() {}
    is_send::<TrainingStep>();
}
