//! Every conformance case on every engine, one test each.

use harness::cases::all_cases;
use harness::expectations::Expectations;
use libtest_mimic::{Arguments, Failed, Trial};
use std::process::ExitCode;
use std::sync::Arc;
use tfjs::Engine;

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let expectations = Arc::new(Expectations::read());
    let cases = all_cases();
    assert!(!cases.is_empty(), "the conformance cases are checked in");
    let mut trials = Vec::new();
    for case in cases {
        for engine in [Engine::Native, Engine::Candle] {
            let (case, expectations) = (case.clone(), expectations.clone());
            trials.push(Trial::test(format!("{}::{}", case.id, engine.name()), move || {
                expectations.judge(&case.id, case.run(engine)).map(|_| ()).map_err(Failed::from)
            }));
        }
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}
