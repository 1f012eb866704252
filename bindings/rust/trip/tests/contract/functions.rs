//! The functions of libc that vectors put a circuit before. A signature that is not the function's is never called:
//! such vectors show that no guard is made.
#![allow(unsafe_code)]

use serde_json::Value as Json;
use std::ffi::{c_char, CString};
use std::mem;
use trip::{Circuit, Error, Function, FunctionGuard, GuardConfig, PermitError, Value};

extern "C" {
    fn abs(number: i32) -> i32;
    fn atoi(text: *const c_char) -> i32;
    fn strlen(text: *const c_char) -> usize;
}

pub fn guard(
    circuit: &Circuit,
    name: &str,
    signature: &str,
    config: &GuardConfig,
) -> Result<Result<FunctionGuard, Error>, String> {
    // SAFETY: they are called as what they are, see above.
    let function = unsafe {
        match name {
            "abs" => mem::transmute::<unsafe extern "C" fn(i32) -> i32, Function>(abs),
            "atoi" => mem::transmute::<unsafe extern "C" fn(*const c_char) -> i32, Function>(atoi),
            "strlen" => mem::transmute::<unsafe extern "C" fn(*const c_char) -> usize, Function>(strlen),
            _ => return Err(format!("`{name}` is none of the functions")),
        }
    };
    // SAFETY: as above; libc stays loaded.
    Ok(unsafe { FunctionGuard::new(circuit, function, signature, config) })
}

/// Calls a guard, and gives the result as its decimal text.
pub fn call(guard: &FunctionGuard, signature: &str, arguments: &[Json]) -> Result<Result<String, PermitError>, String> {
    let types = signature.split_once('(').map_or("", |(_, types)| types.trim_end_matches(')'));
    let mut types = types.split(',').map(str::trim);
    let mut texts = Vec::new();
    let mut values = Vec::new();
    for argument in arguments {
        values.push(value_of(argument, types.next().unwrap_or(""), &mut texts)?);
    }
    // SAFETY: the texts end with a NUL and live until after the call.
    Ok(match unsafe { guard.call(&values) } {
        Ok(Value::Int32(result)) => Ok(result.to_string()),
        Ok(Value::Uint64(result)) => Ok(i64::from_ne_bytes(result.to_ne_bytes()).to_string()),
        Ok(other) => return Err(format!("the result is an int32 or a uint64, not {other:?}")),
        Err(error) => Err(error),
    })
}

/// A text is a pointer to it, a number is of the type that the signature has there.
fn value_of(argument: &Json, wanted: &str, texts: &mut Vec<CString>) -> Result<Value, String> {
    if let Some(text) = argument.as_str() {
        texts.push(CString::new(text).map_err(|error| error.to_string())?);
        return Ok(Value::Pointer(texts[texts.len() - 1].as_ptr().cast_mut().cast()));
    }
    let number = argument.as_i64().ok_or_else(|| format!("{argument} is no text and no number"))?;
    let number = i32::try_from(number).map_err(|error| error.to_string())?;
    Ok(match wanted {
        "uint64" => Value::Uint64(u64::from_ne_bytes(i64::from(number).to_ne_bytes())),
        "int64" => Value::Int64(number.into()),
        _ => Value::Int32(number),
    })
}
