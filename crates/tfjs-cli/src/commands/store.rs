//! `tfjs list`, `copy`, `move` and `remove`: manage the files of models, without reading their layers.

use crate::args::{FromToArgs, ListArgs, RemoveArgs, TransportArgs};
use crate::clock::Clock;
use crate::commands::inspect::text::bytes;
use crate::failure::{Failure, causes, print_error};
use crate::options::transport_options;
use crate::progress::Bar;
use crate::shown::{self, Out};
use crate::stages::Driver;
use serde_json::{Value, json};
use std::io::{self, Write};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tfjs::{Error, ListedModel, LoadOptions, ModelInfo, ModelStore, Result};

/// Most errors of a list that are printed.
const MOST_ERRORS: usize = 100;

pub(crate) fn list(args: &ListArgs, clock: Clock, out: &mut Out<'_>, err: &mut dyn Write) -> Result<(), Failure> {
    let (store, _bar) = store(&args.transport, clock)?;
    let models = Driver::new()?.block_on(store.list(&args.folder))?;
    match args.json {
        true => writeln!(out.json(), "{:#}", models.iter().map(listed).collect::<Value>())?,
        false => models.iter().filter_map(|m| Some((m, m.info.as_ref().ok()?))).try_for_each(|(m, info)| {
            let saved = info.saved.and_then(date).unwrap_or_default();
            writeln!(out.text(), "{saved:20}  {:>9}  {}", size(info), shown::line(&m.url.to_string()))
        })?,
    }
    let errors: Vec<&Error> = models.iter().filter_map(|m| m.info.as_ref().err()).collect();
    errors.iter().take(MOST_ERRORS).try_for_each(|error| print_error(error, err))?;
    if errors.len() > MOST_ERRORS {
        writeln!(err, "error: and {} more models that cannot be read", errors.len() - MOST_ERRORS)?;
    }
    if errors.is_empty() { Ok(()) } else { Err(Failure::Reported) }
}

pub(crate) fn copy(args: &FromToArgs, clock: Clock, out: &mut Out<'_>) -> Result<(), Failure> {
    let (store, bar) = store(&args.transport, clock)?;
    let info = Driver::new()?.block_on(store.copy(&args.from, &args.to))?;
    drop(bar);
    Ok(said("copied", &args.to, &info, out)?)
}

pub(crate) fn rename(args: &FromToArgs, clock: Clock, out: &mut Out<'_>) -> Result<(), Failure> {
    let (store, bar) = store(&args.transport, clock)?;
    let info = Driver::new()?.block_on(store.rename(&args.from, &args.to))?;
    drop(bar);
    Ok(said("moved", &args.to, &info, out)?)
}

pub(crate) fn remove(args: &RemoveArgs, clock: Clock, out: &mut Out<'_>) -> Result<(), Failure> {
    let options = LoadOptions::new().with_io(transport_options(&args.transport, clock)?);
    let driver = Driver::new()?;
    for model in &args.model {
        let (store, _bar) = store_with(options.clone(), clock);
        let info = driver.block_on(store.remove(model))?;
        said("removed", model, &info, out)?;
    }
    Ok(())
}

/// A store with all schemes, and a progress bar.
fn store(transport: &TransportArgs, clock: Clock) -> Result<(ModelStore, Bar)> {
    Ok(store_with(LoadOptions::new().with_io(transport_options(transport, clock)?), clock))
}

/// A store whose next operation ends in the time that is left.
fn store_with(options: LoadOptions, clock: Clock) -> (ModelStore, Bar) {
    let (options, bar) = Bar::watch(options);
    (ModelStore::new(options.registry).with_io(clock.limit(options.io)), bar)
}

fn said(done: &str, url: &str, info: &ModelInfo, out: &mut Out<'_>) -> io::Result<()> {
    let plural = if info.weight_files == 1 { "" } else { "s" };
    // The caller's own URL, without secrets.
    let url = tfjs::parts::io::ModelUrl::parse(url).map_or_else(|_| "a model".to_owned(), |url| url.to_string());
    writeln!(out.text(), "{done} {}: {} in {} file{plural}", shown::line(&url), size(info), info.weight_files)
}

fn size(info: &ModelInfo) -> String {
    info.weight_bytes.map_or_else(|| "?".to_owned(), bytes)
}

fn listed(model: &ListedModel) -> Value {
    let url = model.url.to_string();
    match &model.info {
        Ok(info) => json!({
            "url": url,
            "format": info.format,
            "saved": info.saved.and_then(date),
            "topology_bytes": info.topology_bytes,
            "weight_spec_bytes": info.weight_spec_bytes,
            "weight_bytes": info.weight_bytes,
            "weight_files": info.weight_files,
        }),
        Err(e) => {
            json!({"url": url, "problem": {"kind": e.kind().to_string(), "message": e.message(), "causes": causes(e)}})
        }
    }
}

/// Formats a time by RFC 3339; `None` outside the years 1970 to 9998.
fn date(time: SystemTime) -> Option<String> {
    let year_9999 = UNIX_EPOCH + Duration::from_secs(253_370_764_800);
    let known = (UNIX_EPOCH..year_9999).contains(&time);
    known.then(|| humantime::format_rfc3339_seconds(time).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_within_reason() {
        let at = |seconds| date(UNIX_EPOCH + Duration::from_secs(seconds));
        assert_eq!(at(1_700_000_000).unwrap(), "2023-11-14T22:13:20Z");
        assert_eq!(at(1 << 40), None);
        assert_eq!(date(UNIX_EPOCH - Duration::from_secs(1)), None);
    }
}
