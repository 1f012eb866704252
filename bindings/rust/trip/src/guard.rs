//! Guards: a circuit before a function that is not Rust's, known by its address and its signature.
#![allow(unsafe_code)]

use crate::circuit::Circuit;
use crate::classify::Class;
use crate::error::Error;
use crate::ffi;
use crate::fields::config;
use crate::part::{part, Part};
use crate::rejection::{PermitError, Rejected};
use crate::selector::Rule;
use std::ffi::c_void;
use std::ptr;
use std::sync::Arc;

config! {
    /// What a guard makes of results, and what its caller gets when it does not call. Begins with the library's
    /// defaults; change what you want changed.
    ///
    /// ```
    /// let config = trip::GuardConfig::default().rule(trip::Rule::ZeroSucceeds);
    /// assert_eq!(config.refused_result, -1);
    /// ```
    GuardConfig: trip_guard_config = ffi::default_guard_config {
        /// What a failure is: a negative result, by default.
        rule: Rule = rule,
        /// What the function of [`FunctionGuard::pointer`] returns when the circuit refuses: cut to its type, as a
        /// pointer too; -1 by default.
        refused_result: i64 = refused_result,
        /// The same where it returns floating point: any, -1 by default.
        refused_double: f64 = refused_double,
        /// `errno` then: `EAGAIN` by default; 0: it is left alone.
        refused_errno: i32 = refused_errno,
    }
}

/// Any function of C's. It is called as what its signature says, never as this.
pub type Function = unsafe extern "C" fn();

/// A function of C's with a circuit before it: each call asks for a permit, and is recorded by its result.
///
/// The signature is the type of the result and, in parentheses, those of the parameters: `void`, `int8`, `uint8`,
/// `int16`, `uint16`, `int32`, `uint32`, `int64`, `uint64`, `float`, `double`, `pointer`; at most 64 parameters, and
/// 1024 bytes. Clones are the same guard. It is destroyed with the last of them, and keeps the tracker of its circuit
/// alive.
///
/// ```
/// use trip::{FunctionGuard, GuardConfig, Value};
///
/// extern "C" fn halve(number: i32) -> i32 {
///     if number % 2 == 0 { number / 2 } else { -1 }
/// }
///
/// # let tracker = trip::Tracker::new(&trip::Config::default().failure_threshold(1))?;
/// # let circuit = tracker.circuit("acme", "halves")?;
/// # if !trip::has_feature(trip::Feature::Guards) { return Ok(()); }
/// // SAFETY: the signature is that of the function, which is there for ever.
/// let guard = unsafe {
///     let function = std::mem::transmute::<extern "C" fn(i32) -> i32, trip::Function>(halve);
///     FunctionGuard::new(&circuit, function, "int32 (int32)", &GuardConfig::default())?
/// };
/// // SAFETY: it takes any number.
/// let halves = [8, 7, 6].map(|number| unsafe { guard.call(&[Value::Int32(number)]) }.ok());
/// assert_eq!(halves, [Some(Value::Int32(4)), Some(Value::Int32(-1)), None]); // one failure has opened the circuit
/// # Ok::<_, trip::Error>(())
/// ```
#[derive(Clone)]
pub struct FunctionGuard {
    part: Arc<Part>,
    circuit: Circuit,
    signature: Arc<Signature>,
}

part!(FunctionGuard, "guard");

/// An argument or a result of a guarded function.
#[derive(Clone, Copy, Debug, PartialEq)]
#[allow(missing_docs)] // what they are is what they hold
pub enum Value {
    /// Of what returns nothing.
    Void,
    Int8(i8),
    Uint8(u8),
    Int16(i16),
    Uint16(u16),
    Int32(i32),
    Uint32(u32),
    Int64(i64),
    Uint64(u64),
    Float(f32),
    Double(f64),
    Pointer(*mut c_void),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Type {
    Void,
    Int8,
    Uint8,
    Int16,
    Uint16,
    Int32,
    Uint32,
    Int64,
    Uint64,
    Float,
    Double,
    Pointer,
}

struct Signature {
    result: Type,
    parameters: Vec<Type>,
}

impl FunctionGuard {
    /// Puts a circuit before a function.
    ///
    /// # Errors
    /// [`Error::Signature`]: the signature is none, or the function is variadic, has structs by value, or the library
    /// was built without libffi. [`Error::Config`]: the rule does not fit the type of the result, or is
    /// [`Rule::Classifier`]. [`Error::Handle`]: the tracker is destroyed. [`Error::Capacity`], [`Error::NoMemory`].
    ///
    /// # Safety
    /// The function must have this signature, in the C calling convention, and stay loaded while the guard, or what
    /// [`pointer`](Self::pointer) gave, is used. It may be called by any thread that calls the guard.
    pub unsafe fn new(
        circuit: &Circuit,
        function: Function,
        signature: impl AsRef<[u8]>,
        config: &GuardConfig,
    ) -> Result<Self, Error> {
        // SAFETY: the same is asked of our caller.
        unsafe { Self::create(circuit, function, signature.as_ref(), *config, None::<fn(&Value, i32) -> Class>) }
    }

    /// [`new`](Self::new) with a function that judges each result: by the result, and by what `errno` is after the
    /// call. Where it panics nothing is known of the call. The rule is [`Rule::Classifier`], whatever the config says.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    ///
    /// # Safety
    /// As [`new`](Self::new).
    pub unsafe fn with_classifier(
        circuit: &Circuit,
        function: Function,
        signature: impl AsRef<[u8]>,
        config: &GuardConfig,
        classifier: impl Fn(&Value, i32) -> Class + Send + Sync + 'static,
    ) -> Result<Self, Error> {
        let config = config.rule(Rule::Classifier);
        // SAFETY: the same is asked of our caller.
        unsafe { Self::create(circuit, function, signature.as_ref(), config, Some(classifier)) }
    }

    /// # Safety
    /// As [`new`](Self::new).
    unsafe fn create(
        circuit: &Circuit,
        function: Function,
        text: &[u8],
        config: GuardConfig,
        classifier: Option<impl Fn(&Value, i32) -> Class + Send + Sync + 'static>,
    ) -> Result<Self, Error> {
        // What the library takes for a signature can be read here too; what it does not, it refuses below.
        let signature = Signature::read(text).unwrap_or(Signature { result: Type::Void, parameters: Vec::new() });
        let result = signature.result;
        let classifier = classifier.map(|classifier| -> Box<ffi::Classifier> {
            Box::new(move |returned, error_number| {
                // SAFETY: the library points to a result of the type in the signature, or to none.
                let value = unsafe { result.read(returned) };
                classifier(&value, error_number).into()
            })
        });
        let handle = circuit.ask(|handle| ffi::circuit_key(handle).map(|_| handle))?;
        let raw = config.to_raw();
        // SAFETY: the caller vouches for the function.
        let handle = unsafe { ffi::guard_create(handle, function, text, &raw, classifier, GuardConfig::field_at) }?;
        Ok(FunctionGuard {
            part: Arc::new(Part::own(handle, ffi::guard_destroy, None)),
            circuit: circuit.clone(),
            signature: Arc::new(signature),
        })
    }

    /// Calls the function, if its circuit admits the call, and records how it went. `errno` is the function's.
    ///
    /// # Errors
    /// [`PermitError::Rejected`]: the circuit refused, and the function was not called. [`PermitError::Failed`], and it
    /// was not either: [`Error::Invalid`], the arguments are not what the signature says; [`Error::Handle`], the guard
    /// is destroyed.
    ///
    /// # Safety
    /// What the function asks of its arguments; above all, of pointers.
    pub unsafe fn call(&self, arguments: &[Value]) -> Result<Value, PermitError> {
        let Signature { result, parameters } = &*self.signature;
        if !arguments.iter().map(Value::type_of).eq(parameters.iter().copied()) {
            return Err(PermitError::Failed(Error::Invalid));
        }
        let places: Vec<_> = arguments.iter().map(Value::place).collect();
        let mut room = 0_u64; // as wide as any result, and aligned for it
        let out_result = if *result == Type::Void { ptr::null_mut() } else { ptr::from_mut(&mut room).cast() };
        // SAFETY: each place holds a value of its type; there is room for the result; the caller vouches for the rest.
        match unsafe { ffi::guard_call(self.handle(), &places, out_result) }? {
            // SAFETY: the library has written a result of this type.
            Ok(()) => Ok(unsafe { result.read(out_result) }),
            Err(rejection) => Err(PermitError::Rejected(Rejected::new(self.circuit.key(), &rejection))),
        }
    }

    /// A function of the same signature that does what [`call`](Self::call) does, and returns
    /// [`refused_result`](GuardConfig::refused_result) when the circuit refuses: to be put where a program keeps a
    /// pointer to the function itself. It is never freed, so that no call can come too late; once the guard is
    /// destroyed it calls the function without asking anybody.
    ///
    /// # Errors
    /// [`Error::Unsupported`]: the system allows no functions that are made at run time. [`Error::Handle`]: the guard
    /// is destroyed. [`Error::NoMemory`].
    pub fn pointer(&self) -> Result<Function, Error> {
        ffi::guard_pointer(self.handle())
    }
}

impl Signature {
    fn read(text: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(text).ok()?;
        let (result, parameters) = text.trim().strip_suffix(')')?.split_once('(')?;
        let parameters = match parameters.trim() {
            "" | "void" => Some(Vec::new()),
            some => some.split(',').map(Type::named).collect(),
        };
        Some(Signature { result: Type::named(result)?, parameters: parameters? })
    }
}

impl Type {
    fn named(name: &str) -> Option<Self> {
        Some(match name.trim() {
            "void" => Type::Void,
            "int8" => Type::Int8,
            "uint8" => Type::Uint8,
            "int16" => Type::Int16,
            "uint16" => Type::Uint16,
            "int32" => Type::Int32,
            "uint32" => Type::Uint32,
            "int64" => Type::Int64,
            "uint64" => Type::Uint64,
            "float" => Type::Float,
            "double" => Type::Double,
            "pointer" => Type::Pointer,
            _ => return None,
        })
    }

    /// # Safety
    /// There lies one of this type, or it is null.
    unsafe fn read(self, place: *const c_void) -> Value {
        if place.is_null() {
            return Value::Void;
        }
        // SAFETY: the caller vouches for the type of what lies there.
        unsafe {
            match self {
                Type::Void => Value::Void,
                Type::Int8 => Value::Int8(place.cast::<i8>().read()),
                Type::Uint8 => Value::Uint8(place.cast::<u8>().read()),
                Type::Int16 => Value::Int16(place.cast::<i16>().read()),
                Type::Uint16 => Value::Uint16(place.cast::<u16>().read()),
                Type::Int32 => Value::Int32(place.cast::<i32>().read()),
                Type::Uint32 => Value::Uint32(place.cast::<u32>().read()),
                Type::Int64 => Value::Int64(place.cast::<i64>().read()),
                Type::Uint64 => Value::Uint64(place.cast::<u64>().read()),
                Type::Float => Value::Float(place.cast::<f32>().read()),
                Type::Double => Value::Double(place.cast::<f64>().read()),
                Type::Pointer => Value::Pointer(place.cast::<*mut c_void>().read()),
            }
        }
    }
}

impl Value {
    fn type_of(&self) -> Type {
        match self {
            Value::Void => Type::Void,
            Value::Int8(_) => Type::Int8,
            Value::Uint8(_) => Type::Uint8,
            Value::Int16(_) => Type::Int16,
            Value::Uint16(_) => Type::Uint16,
            Value::Int32(_) => Type::Int32,
            Value::Uint32(_) => Type::Uint32,
            Value::Int64(_) => Type::Int64,
            Value::Uint64(_) => Type::Uint64,
            Value::Float(_) => Type::Float,
            Value::Double(_) => Type::Double,
            Value::Pointer(_) => Type::Pointer,
        }
    }

    /// Where what it holds lies.
    fn place(&self) -> *const c_void {
        match self {
            Value::Void => ptr::null(),
            Value::Int8(value) => ptr::from_ref(value).cast(),
            Value::Uint8(value) => ptr::from_ref(value).cast(),
            Value::Int16(value) => ptr::from_ref(value).cast(),
            Value::Uint16(value) => ptr::from_ref(value).cast(),
            Value::Int32(value) => ptr::from_ref(value).cast(),
            Value::Uint32(value) => ptr::from_ref(value).cast(),
            Value::Int64(value) => ptr::from_ref(value).cast(),
            Value::Uint64(value) => ptr::from_ref(value).cast(),
            Value::Float(value) => ptr::from_ref(value).cast(),
            Value::Double(value) => ptr::from_ref(value).cast(),
            Value::Pointer(value) => ptr::from_ref(value).cast(),
        }
    }
}
