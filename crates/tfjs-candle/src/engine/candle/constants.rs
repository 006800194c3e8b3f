//! The constants of a program, copied to each device on first use.

use super::error::Result;
use super::typed::Typed;
use candle_core::Device;
use std::sync::{Arc, PoisonError, RwLock};
use tfjs_ir::{Block, Prim, Program};

/// The constants that a program reads, by device.
#[derive(Debug)]
pub(super) struct Constants {
    /// For each constant of the program, whether a node reads it.
    used: Vec<bool>,
    /// The copies for each device used so far; a short list.
    copies: RwLock<Vec<(Device, Copies)>>,
}

/// The constants on one device; `None` for unused ones.
type Copies = Arc<[Option<Typed>]>;

impl Constants {
    pub(super) fn new(program: &Program) -> Self {
        let mut used = vec![false; program.constants.len()];
        mark(&program.body, &mut used);
        Constants { used, copies: RwLock::default() }
    }

    /// The constants on a device.
    pub(super) fn on(&self, device: &Device, program: &Program) -> Result<Copies> {
        // Copies are pushed complete, so a panic of another thread cannot leave a partial state.
        let known = self.copies.read().unwrap_or_else(PoisonError::into_inner);
        let find = |known: &[(Device, Copies)]| {
            known.iter().find(|(known, _)| known.same_device(device)).map(|(_, copies)| copies.clone())
        };
        if let Some(copies) = find(&known) {
            return Ok(copies);
        }
        drop(known);
        let copies = program.constants.iter().zip(&self.used);
        let copies = copies.map(|(array, used)| used.then(|| Typed::from_array(array, device)).transpose());
        let copies = copies.collect::<Result<Copies>>()?;
        // Another thread may have made the copies meanwhile; all threads use the same.
        let mut known = self.copies.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(copies) = find(&known) {
            return Ok(copies);
        }
        known.push((device.clone(), copies.clone()));
        Ok(copies)
    }
}

fn mark(block: &Block, used: &mut [bool]) {
    for node in &block.nodes {
        match &node.prim {
            Prim::Const(constant) => {
                if let Some(used) = used.get_mut(constant.constant.index()) {
                    *used = true;
                }
            }
            Prim::Scan(scan) => mark(&scan.body, used),
            _ => {}
        }
    }
}
