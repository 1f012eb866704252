//! What must come back from a step, and whether it did.

use crate::fields::Fields;
use serde_json::{Map, Value};

/// What came back: the status, and everything that this kind of step gives with that status.
pub struct Seen {
    pub status: String,
    pub values: Map<String, Value>,
}

impl Seen {
    pub fn status(status: impl Into<String>) -> Self {
        Seen { status: status.into(), values: Map::new() }
    }

    pub fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.values.insert(key.to_owned(), value.into());
        self
    }
}

/// Every key of `expected` must be one that was seen, and equal; so no key is without effect.
pub fn compare(mut expected: Fields, seen: &Seen) -> Result<(), String> {
    let status = expected.text("status")?;
    if status != seen.status {
        return Err(format!("{status} is expected, and {} came back", seen.status));
    }
    for (key, wanted) in expected {
        let Some(value) = seen.values.get(&key) else {
            return Err(format!("`{key}` is expected, which this step does not give with {status}"));
        };
        if !matches(wanted.clone(), value)? {
            return Err(format!("`{key}` is expected to be {wanted}, and is {value}"));
        }
    }
    Ok(())
}

/// A value must be equal; a range must contain it, ends included.
fn matches(wanted: Value, value: &Value) -> Result<bool, String> {
    if !wanted.is_object() {
        return Ok(wanted == *value);
    }
    let mut range = Fields::of(wanted)?;
    let (min, max) = (range.number("min")?, range.number("max")?);
    range.finish()?;
    let number = value.as_u64().ok_or_else(|| format!("a range is expected, and {value} is no number"))?;
    Ok((min..=max).contains(&number))
}
