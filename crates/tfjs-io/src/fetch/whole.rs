//! Copies weights that are in memory already, as one concatenation of all groups, in short steps.

use super::pieces::Room;
use crate::base::files::Body;
use crate::base::progress::Reporter;
use crate::base::stream::into_stream;
use bytes::Bytes;
use futures_util::StreamExt;
use std::sync::Arc;
use tfjs_manifest::{Error, GroupSink, Limits, Result};

/// The name of the concatenation in messages.
const NAME: &str = "weight data";

pub(super) async fn fill(chunks: &[Bytes], sinks: Vec<GroupSink<'_>>, reporter: &Reporter) -> Result<()> {
    let name: Arc<str> = NAME.into();
    reporter.opened(&name);
    let rooms = sinks.into_iter().map(Room::new).collect::<Result<Vec<_>>>()?;
    let found = chunks.iter().try_fold(0u64, |n, c| n.checked_add(c.len() as u64)).unwrap_or(u64::MAX);
    let lengths = lengths(&rooms, found).map_err(|e| e.in_file(NAME))?;

    let mut groups = rooms.into_iter().zip(lengths).enumerate();
    let mut now: Option<(usize, (Room<'_>, u64))> = None;
    for chunk in chunks {
        let mut steps = into_stream(Body::Bytes(chunk.clone()), None);
        while let Some(step) = steps.next().await {
            let mut step = step?;
            reporter.bytes(&name, step.len() as u64);
            while !step.is_empty() {
                let Some((group, (room, left))) = &mut now else {
                    now = groups.next();
                    if now.is_none() {
                        return Err(Error::bug("weight data is longer than its sum").in_file(NAME));
                    }
                    continue;
                };
                let count = (*left).min(step.len() as u64);
                room.write(&step.split_to(count as usize), *group).map_err(|e| e.in_file(NAME))?;
                *left -= count;
                if *left == 0 {
                    now = None;
                }
            }
        }
    }
    reporter.done(&name);
    Ok(())
}

/// The length of each group in bytes. One group of unknown size gets the bytes that remain.
fn lengths(rooms: &[Room<'_>], found: u64) -> Result<Vec<u64>> {
    let known = rooms.iter().filter_map(Room::needed).try_fold(0u64, |n, len| n.checked_add(len));
    let known = known.ok_or_else(|| Error::limit("the weights have more bytes than can be counted"))?;
    let unknown = rooms.iter().filter(|room| room.needed().is_none()).count();
    if unknown > 1 {
        return Err(Error::unsupported(
            "several groups with string weights in one concatenation cannot be separated; give the files by name",
        ));
    }
    if found < known || (unknown == 0 && found > known) {
        let least = if unknown == 0 { "" } else { " at least" };
        return Err(Error::mismatch(format!(
            "expected{least} {known} bytes of weights, as the manifest says, found {found}"
        )));
    }
    let rest = found - known;
    for room in rooms.iter().filter(|room| room.needed().is_none()) {
        Limits::check("string_bytes", rest, room.left())?;
    }
    Ok(rooms.iter().map(|room| room.needed().unwrap_or(rest)).collect())
}
