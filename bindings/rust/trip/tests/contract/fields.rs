//! A JSON object that is taken apart key by key: whatever nobody took is an error, so that nothing in a vector can be
//! overlooked.

use serde_json::{Map, Value};

pub struct Fields(Map<String, Value>);

impl Fields {
    pub fn of(value: Value) -> Result<Self, String> {
        match value {
            Value::Object(map) => Ok(Fields(map)),
            other => Err(format!("an object is wanted here: {other}")),
        }
    }

    pub fn none() -> Self {
        Fields(Map::new())
    }

    pub fn has(&self, key: &str) -> bool {
        self.0.contains_key(key)
    }

    pub fn take(&mut self, key: &str) -> Option<Value> {
        self.0.remove(key)
    }

    pub fn need(&mut self, key: &str) -> Result<Value, String> {
        self.take(key).ok_or_else(|| format!("`{key}` is missing"))
    }

    pub fn object(&mut self, key: &str) -> Result<Fields, String> {
        Fields::of(self.need(key)?)
    }

    pub fn list(&mut self, key: &str) -> Result<Vec<Value>, String> {
        match self.need(key)? {
            Value::Array(list) => Ok(list),
            other => Err(format!("`{key}` must be a list: {other}")),
        }
    }

    pub fn number(&mut self, key: &str) -> Result<u64, String> {
        let value = self.need(key)?;
        value.as_u64().ok_or_else(|| format!("`{key}` must be a number from 0 on: {value}"))
    }

    pub fn count(&mut self, key: &str) -> Result<u32, String> {
        u32::try_from(self.number(key)?).map_err(|error| format!("`{key}`: {error}"))
    }

    pub fn optional_number(&mut self, key: &str) -> Result<Option<u64>, String> {
        self.has(key).then(|| self.number(key)).transpose()
    }

    pub fn text(&mut self, key: &str) -> Result<String, String> {
        self.optional_text(key)?.ok_or_else(|| format!("`{key}` is missing"))
    }

    pub fn optional_text(&mut self, key: &str) -> Result<Option<String>, String> {
        match self.take(key) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(format!("`{key}` must be a text: {other}")),
        }
    }

    /// A text that is taken again.
    pub fn peek_text(&self, key: &str) -> Option<&str> {
        self.0.get(key).and_then(Value::as_str)
    }

    pub fn optional_long_text(&mut self, key: &str) -> Result<String, String> {
        if self.has(key) {
            self.long_text(key)
        } else {
            Ok(String::new())
        }
    }

    /// A text, or `{"repeat": "x", "times": 256}`.
    pub fn long_text(&mut self, key: &str) -> Result<String, String> {
        let value = self.need(key)?;
        if let Value::String(text) = value {
            return Ok(text);
        }
        let mut long = Fields::of(value)?;
        let times = usize::try_from(long.number("times")?).map_err(|error| error.to_string())?;
        let text = long.text("repeat")?.repeat(times);
        long.finish()?;
        Ok(text)
    }

    pub fn finish(self) -> Result<(), String> {
        match self.0.keys().next() {
            None => Ok(()),
            Some(key) => Err(format!("unknown key `{key}`")),
        }
    }
}

impl IntoIterator for Fields {
    type Item = (String, Value);
    type IntoIter = serde_json::map::IntoIter;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}
