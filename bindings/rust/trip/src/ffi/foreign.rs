//! What the library calls back: stages of pipelines, and what judges the results of guarded functions. What they are
//! given is a Rust value behind a pointer, which the library hands back when nobody will use it any more.

use super::{answer, message, no_rejection};
use crate::error::{Error, SignatureError};
use std::ffi::{c_char, c_void};
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::slice;
use trip_sys as sys;

/// Reads the input and gives the output, or the number of its failure, which is not 0. Must not panic: that would end
/// the process here.
pub(crate) type Stage = dyn Fn(&[u8]) -> Result<Vec<u8>, i32> + Send + Sync;

/// Judges a result by where it lies, or null, and by errno: a class.
pub(crate) type Classifier = dyn Fn(*const c_void, i32) -> u32 + Send + Sync;

unsafe extern "C" fn run_stage(user_data: *mut c_void, input: *const c_char, input_len: usize, output: u64) -> i32 {
    // SAFETY: `pipeline_add` gave this pointer to a box, which is not freed before the finalizer is told.
    let stage = unsafe { &*user_data.cast::<Box<Stage>>() };
    let input = if input_len == 0 {
        &[]
    } else {
        // SAFETY: so many bytes are the stage's to read during the call.
        unsafe { slice::from_raw_parts(input.cast(), input_len) }
    };
    match stage(input) {
        Ok(bytes) => {
            // Out of memory fails the run, whatever is returned here.
            // SAFETY: any value is a legal handle; the length is that of the vector.
            unsafe { sys::trip_output_write(output, bytes.as_ptr().cast(), bytes.len()) };
            0
        }
        Err(code) => code,
    }
}

unsafe extern "C" fn judge(user_data: *mut c_void, result: *const c_void, error_number: i32) -> u32 {
    // SAFETY: `guard_create` gave this pointer to a box, which is not freed before the finalizer is told.
    let classifier = unsafe { &*user_data.cast::<Box<Classifier>>() };
    catch_unwind(AssertUnwindSafe(|| classifier(result, error_number))).unwrap_or(sys::TRIP_CLASS_UNKNOWN)
}

/// Frees what a `T` was boxed for.
unsafe extern "C" fn finalize<T>(user_data: *mut c_void) {
    // SAFETY: it was a box of this type, and the library tells once that nobody will use it again.
    let boxed = unsafe { Box::from_raw(user_data.cast::<T>()) };
    // What panics when it is dropped has said so on standard error, and there is nobody else to tell.
    let _ = catch_unwind(AssertUnwindSafe(|| drop(boxed)));
}

pub(crate) fn pipeline_create() -> Result<u64, Error> {
    let mut pipeline = 0;
    // SAFETY: the output is valid.
    Error::check(unsafe { sys::trip_pipeline_create(&raw mut pipeline) }).map(|()| pipeline)
}

pub(crate) fn pipeline_destroy(pipeline: u64) -> Result<(), Error> {
    // SAFETY: any value is a legal handle.
    Error::check(unsafe { sys::trip_pipeline_destroy(pipeline) })
}

pub(crate) fn pipeline_add(pipeline: u64, name: &[u8], stage: Box<Stage>) -> Result<(), Error> {
    let user_data = Box::into_raw(Box::new(stage));
    // SAFETY: any value is a legal handle; the length is that of the slice, which is never SIZE_MAX; the stage and its
    // finalizer are told the box that they expect, which may be used by any thread.
    let status = unsafe {
        sys::trip_pipeline_add(
            pipeline,
            name.as_ptr().cast(),
            name.len(),
            Some(run_stage),
            user_data.cast(),
            Some(finalize::<Box<Stage>>),
        )
    };
    if status != sys::TRIP_OK {
        // SAFETY: on an error it stays ours.
        drop(unsafe { Box::from_raw(user_data) });
    }
    Error::check(status)
}

pub(crate) fn pipeline_count(pipeline: u64) -> Result<u32, Error> {
    let mut stages = 0;
    // SAFETY: any value is a legal handle; the output is valid.
    Error::check(unsafe { sys::trip_pipeline_count(pipeline, &raw mut stages) }).map(|()| stages)
}

/// What the last stage wrote, or which stage failed.
pub(crate) fn pipeline_run(pipeline: u64, input: &[u8]) -> Result<Result<Vec<u8>, sys::trip_stage_failure>, Error> {
    let mut output = 0;
    let mut failure = empty!(trip_stage_failure);
    // SAFETY: any value is a legal handle; the length is that of the slice; both outputs are valid.
    let status = unsafe {
        sys::trip_pipeline_run(pipeline, input.as_ptr().cast(), input.len(), &raw mut output, &raw mut failure)
    };
    if status > sys::TRIP_OK {
        return Ok(Err(failure));
    }
    Error::check(status)?;
    let bytes = output_read(output);
    // SAFETY: any value is a legal handle.
    unsafe { sys::trip_output_free(output) };
    bytes.map(Ok)
}

fn output_read(output: u64) -> Result<Vec<u8>, Error> {
    let mut length = 0;
    // SAFETY: any value is a legal handle; there is no room, and the length is told all the same.
    let status = unsafe { sys::trip_output_read(output, std::ptr::null_mut(), 0, &raw mut length) };
    if status != sys::TRIP_E_CAPACITY {
        return Error::check(status).map(|()| Vec::new());
    }
    let mut bytes = vec![0_u8; length];
    // SAFETY: any value is a legal handle; the capacity is that of the vector.
    Error::check(unsafe { sys::trip_output_read(output, bytes.as_mut_ptr().cast(), bytes.len(), &raw mut length) })
        .map(|()| bytes)
}

/// # Safety
/// The function must have this signature and stay loaded while the guard, or what it points to, is used.
pub(crate) unsafe fn guard_create(
    circuit: u64,
    function: unsafe extern "C" fn(),
    signature: &[u8],
    config: &sys::trip_guard_config,
    classifier: Option<Box<Classifier>>,
    field_at: impl Fn(u32) -> Option<&'static str>,
) -> Result<u64, Error> {
    let mut guard = 0;
    let mut fault = empty!(trip_error);
    let (callback, user_data): (sys::trip_classifier, _) = match classifier {
        Some(classifier) => (Some(judge), Box::into_raw(Box::new(classifier))),
        None => (None, std::ptr::null_mut()),
    };
    let finalizer: sys::trip_finalizer = callback.and(Some(finalize::<Box<Classifier>>));
    // SAFETY: any value is a legal handle; the caller vouches for the function; the length is that of the slice, which
    // is never SIZE_MAX; the structs are valid; the classifier and its finalizer are told the box that they expect,
    // which may be used by any thread.
    let status = unsafe {
        sys::trip_guard_create(
            circuit,
            Some(function),
            signature.as_ptr().cast(),
            signature.len(),
            config,
            callback,
            user_data.cast(),
            finalizer,
            &raw mut guard,
            &raw mut fault,
        )
    };
    if status != sys::TRIP_OK && !user_data.is_null() {
        // SAFETY: on an error it stays ours.
        drop(unsafe { Box::from_raw(user_data) });
    }
    match super::check_config(status, &fault, field_at) {
        Err(Error::Invalid | Error::Unsupported) => {
            Err(Error::Signature(SignatureError { status, message: message(&fault) }))
        }
        other => other.map(|()| guard),
    }
}

pub(crate) fn guard_destroy(guard: u64) -> Result<(), Error> {
    // SAFETY: any value is a legal handle.
    Error::check(unsafe { sys::trip_guard_destroy(guard) })
}

/// The function was called, or the rejection.
///
/// # Safety
/// Each argument points to one of the type that the signature has there, and fit for the function; the result has room
/// for one of its type.
pub(crate) unsafe fn guard_call(
    guard: u64,
    arguments: &[*const c_void],
    out_result: *mut c_void,
) -> Result<Result<(), sys::trip_rejection>, Error> {
    let mut rejection = no_rejection();
    let first = if arguments.is_empty() { std::ptr::null() } else { arguments.as_ptr() };
    // SAFETY: any value is a legal handle; the count is that of the slice; the caller vouches for the rest.
    let status = unsafe { sys::trip_guard_call(guard, first, arguments.len(), out_result, &raw mut rejection) };
    answer(status, (), &mut rejection).map(|called| called.ok_or(rejection))
}

pub(crate) fn guard_pointer(guard: u64) -> Result<unsafe extern "C" fn(), Error> {
    let mut function = None;
    // SAFETY: any value is a legal handle; the output is valid.
    Error::check(unsafe { sys::trip_guard_pointer(guard, &raw mut function) })?;
    function.ok_or(Error::Unsupported)
}
