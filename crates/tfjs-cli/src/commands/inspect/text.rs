//! An inspection as text: a header, the table of layers, totals.

use super::{Inspection, Row, files, parameters, rows, stored};
use crate::shown;
use std::io::{self, Write};
use tfjs::parts::manifest::text::shorten;
use tfjs::parts::topology::graph::{GraphPort, ModelGraph};

/// Most shapes of a layer that are formatted; the text is then cut.
const SHAPES: usize = 64;

pub(super) fn print(inspection: &Inspection, verify: bool, out: &mut dyn Write) -> io::Result<()> {
    let Inspection { location, json_bytes, json, producer, graph, report, warnings: _, problems } = inspection;
    let title = graph.as_ref().map_or_else(String::new, |graph| format!("{}: ", shorten(&graph.name)));
    writeln!(out, "{title}{}, by {producer}", shorten(json.class_name()))?;
    writeln!(out, "file      {}, {}", shown::line(location), bytes(*json_bytes))?;
    for (what, who) in [("made by", &json.generated_by), ("converted", &json.converted_by)] {
        if let Some(who) = who {
            writeln!(out, "{what:9} {}", shorten(who))?;
        }
    }
    if let Some(graph) = graph {
        ports("inputs", &graph.inputs, graph, out)?;
        ports("outputs", &graph.outputs, graph, out)?;
    }
    let kinds = json.weights_manifest.as_ref().map(stored).unwrap_or_default();
    if kinds.is_empty() {
        writeln!(out, "weights   none")?;
    } else {
        let list: Vec<String> = kinds.iter().map(|s| format!("{} {}", s.tensors, s.kind)).collect();
        let sum = kinds.iter().fold(0u64, |sum, s| sum.saturating_add(s.bytes));
        let files = files(json);
        let plural = if files == 1 { "" } else { "s" };
        writeln!(out, "weights   {} in {files} file{plural}: {}", bytes(sum), list.join(", "))?;
    }
    if json.training_config().is_some() {
        writeln!(out, "training  the model was compiled")?;
    }
    if let Some(graph) = graph {
        writeln!(out)?;
        table(graph, out)?;
    }
    if let Some(report) = report {
        let matched: Vec<String> =
            report.matched.iter().map(|(rule, count)| format!("{count} by {}", rule.describe())).collect();
        let matched = if matched.is_empty() { "none".to_owned() } else { matched.join(", ") };
        writeln!(out, "\nverified: every byte was read and the model built; weights found: {matched}")?;
    } else if verify {
        writeln!(out, "\nnot valid: {} problems found", problems.len())?;
    }
    Ok(())
}

fn ports(what: &str, ports: &[GraphPort], graph: &ModelGraph, out: &mut dyn Write) -> io::Result<()> {
    for (i, port) in ports.iter().enumerate() {
        let what = if i == 0 { what } else { "" };
        writeln!(out, "{what:9} {} {}", shorten(&port.name), graph.ty(port.value))?;
    }
    Ok(())
}

fn table(graph: &ModelGraph, out: &mut dyn Write) -> io::Result<()> {
    let rows = rows(graph);
    let of_row = |row: &Row<'_>| {
        // Cells are cut, because the widest one sets the width of its column.
        let shapes: Vec<String> = row.outputs.iter().take(SHAPES).map(|ty| ty.shape.to_string()).collect();
        [
            format!("{} ({})", shorten(&row.layer.path), shorten(&row.layer.class_name)),
            shorten(&shapes.join(" ")),
            row.parameters.to_string(),
        ]
    };
    let head = ["layer (class)", "output shape", "parameters"].map(str::to_owned);
    let lines: Vec<[String; 3]> = std::iter::once(head).chain(rows.iter().map(of_row)).collect();
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
    let (first, second, third) = (width(0), width(1), width(2));
    for [layer, shape, count] in &lines {
        writeln!(out, "{layer:first$}  {shape:second$}  {count:>third$}")?;
    }
    let sum = parameters(graph);
    writeln!(out, "\nparameters {}, of which {} are trained", sum.total, sum.trainable)
}

/// Formats a size in bytes with a decimal unit.
pub(crate) fn bytes(n: u64) -> String {
    let scaled = |unit: f64| n as f64 / unit;
    match n {
        0..1_000 => format!("{n} bytes"),
        1_000..1_000_000 => format!("{:.1} kB", scaled(1e3)),
        1_000_000..1_000_000_000 => format!("{:.1} MB", scaled(1e6)),
        _ => format!("{:.2} GB", scaled(1e9)),
    }
}

#[cfg(test)]
mod tests {
    use super::bytes;

    #[test]
    fn sizes() {
        let sizes = [
            (0, "0 bytes"),
            (999, "999 bytes"),
            (1_500, "1.5 kB"),
            (14_000_000, "14.0 MB"),
            (5_250_000_000, "5.25 GB"),
        ];
        for (n, expect) in sizes {
            assert_eq!(bytes(n), expect);
        }
    }
}
