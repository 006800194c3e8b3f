//! Counts the memory used to read a model: everything built from its JSON is charged before it is built, so that a
//! small file cannot grow to gigabytes.

use crate::{Limits, Result};
use serde_json::{Map, Value};
use std::cell::Cell;
use std::mem::size_of;

/// Overhead in bytes of an allocation, and of the table of an object.
pub(crate) const ALLOCATION: u64 = 16;

/// Bytes that one load has spent of [`Limits::model_bytes`].
#[derive(Clone, Debug)]
pub struct Account {
    spent: Cell<u64>,
    allowed: u64,
}

impl Account {
    /// An empty account.
    pub fn new(limits: &Limits) -> Self {
        Account { spent: Cell::new(0), allowed: limits.model_bytes }
    }

    /// Charges bytes. A charge that fails is counted too, so that all later charges fail as well.
    ///
    /// # Errors
    /// [`Kind::Limit`](crate::Kind::Limit) past [`Limits::model_bytes`].
    pub fn charge(&self, bytes: u64) -> Result<()> {
        self.spent.set(self.spent.get().saturating_add(bytes));
        Limits::check("model_bytes (memory of what is built from model.json)", self.spent.get(), self.allowed)
    }

    /// Charges the memory of `count` values of a type.
    ///
    /// # Errors
    /// As [`charge`](Self::charge).
    pub fn charge_many<T>(&self, count: usize) -> Result<()> {
        self.charge((count as u64).saturating_mul(size_of::<T>() as u64))
    }

    /// The bytes charged so far.
    pub fn spent(&self) -> u64 {
        self.spent.get()
    }
}

/// The bytes that a string takes in memory.
pub fn text_bytes(text: &str) -> u64 {
    if text.is_empty() { 0 } else { text.len() as u64 + ALLOCATION }
}

/// The bytes that a JSON value takes in memory, including the value itself.
pub fn json_bytes(value: &Value) -> u64 {
    let inside = match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
        Value::String(text) => text_bytes(text),
        Value::Array(items) => items.iter().fold(ALLOCATION, |sum, item| sum + json_bytes(item)),
        Value::Object(map) => object_bytes(map),
    };
    size_of::<Value>() as u64 + inside
}

/// The bytes that the entries of an object take.
pub fn object_bytes(map: &Map<String, Value>) -> u64 {
    let entries = map.iter().fold(ALLOCATION, |sum, (key, value)| sum + text_bytes(key) + json_bytes(value));
    (0..map.len()).fold(entries, |sum, i| sum + slot_bytes(i))
}

/// The bytes that the entry with this number, from 0, adds to an object, without its value and the characters of its key:
/// key, hash and place in the table. The first one adds the space of the smallest table.
pub(crate) fn slot_bytes(entry: usize) -> u64 {
    let slot = (size_of::<String>() + 2 * size_of::<usize>()) as u64;
    let spare = 3 * (slot + size_of::<Value>() as u64);
    if entry == 0 { slot + spare + ALLOCATION } else { slot }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Kind;
    use serde_json::json;

    #[test]
    fn an_account_is_spent_and_stays_spent() {
        let account = Account::new(&Limits { model_bytes: 100, ..Limits::default() });
        account.charge(60).unwrap();
        account.charge_many::<u64>(5).unwrap();
        assert_eq!(account.spent(), 100);
        for bytes in [1, 0, u64::MAX] {
            assert_eq!(account.charge(bytes).unwrap_err().kind(), Kind::Limit, "{bytes}");
        }
    }

    #[test]
    fn json_costs_more_than_its_text() {
        let value = size_of::<Value>() as u64;
        assert_eq!(json_bytes(&json!(1)), value);
        assert_eq!(json_bytes(&json!([[0], [0]])), 5 * value + 3 * ALLOCATION);
        assert_eq!(json_bytes(&json!({"ab": "c"})), 2 * value + 2 * ALLOCATION + 18 + 4 * 40 + 3 * value + 17);
    }
}
