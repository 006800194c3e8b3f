//! Predictions of the native engine compared with those of the candle engine, batch 1 and 8.

use bench_support::models::{self, Result};
use bench_support::{Report, Side};
use tfjs::{Engine, Inputs, LoadOptions, PredictOptions};

fn main() -> Result<()> {
    let mut report = Report::new("predict");
    for model in models::real(report.options.large)? {
        let loaded = tfjs::blocking::load_layers_model(model.location(), LoadOptions::default())?;
        for batch in [1, 8] {
            let inputs = model.inputs(&loaded, batch)?;
            let predict = |engine| {
                let options = PredictOptions::default().with_engine(engine);
                loaded.predict_with(Inputs::Positional(inputs.clone()), &options)
            };
            // A failing prediction would be fast, so both engines must succeed before they are timed.
            predict(Engine::Candle)?;
            predict(Engine::Native)?;
            report.pair(
                format!("{}, batch {batch}", model.name),
                None,
                Side("candle", || predict(Engine::Candle)),
                Side("native", || predict(Engine::Native)),
            );
        }
    }
    report.finish();
    Ok(())
}
