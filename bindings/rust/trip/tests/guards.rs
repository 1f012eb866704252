//! Guards: functions of C with a circuit before them; narrow results, null, recursion, ends while calls are inside.
#![allow(unsafe_code)]

mod common;

use common::{circuit_of, config, open, tracker, wrong_handles, OPEN_PERIOD};
use std::ffi::{c_char, c_void};
use std::io;
use std::mem::transmute;
use std::ptr;
use std::sync::atomic::{AtomicI32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;
use trip::classify::Class;
use trip::{
    Circuit, Error, Feature, Function, FunctionGuard, GuardConfig, OnDrop, PermitError, Reason, Rule, State, Tracker,
    Value,
};

extern "C" {
    fn close(fd: i32) -> i32;
    fn strlen(text: *const c_char) -> usize;
}

extern "C" fn narrow(number: i8) -> i8 {
    number
}

extern "C" fn same(pointer: *mut c_void) -> *mut c_void {
    pointer
}

extern "C" fn nothing() {}

type Narrow = extern "C" fn(i8) -> i8;

fn narrow_function() -> Function {
    // SAFETY: it is called as what it is.
    unsafe { transmute::<Narrow, Function>(narrow) }
}

fn same_function() -> Function {
    // SAFETY: it is called as what it is.
    unsafe { transmute::<extern "C" fn(*mut c_void) -> *mut c_void, Function>(same) }
}

fn nothing_function() -> Function {
    // SAFETY: it is called as what it is.
    unsafe { transmute::<extern "C" fn(), Function>(nothing) }
}

fn guard(circuit: &Circuit, function: Function, signature: &str, config: &GuardConfig) -> FunctionGuard {
    // SAFETY: each test gives the signature of its function, which is there for ever.
    unsafe { FunctionGuard::new(circuit, function, signature, config) }.unwrap()
}

fn narrow_guard(circuit: &Circuit) -> FunctionGuard {
    guard(circuit, narrow_function(), "int8 (int8)", &GuardConfig::default())
}

fn call(guard: &FunctionGuard, arguments: &[Value]) -> Result<Value, PermitError> {
    // SAFETY: no function here minds its arguments.
    unsafe { guard.call(arguments) }
}

fn counts(circuit: &Circuit) -> (u64, u64, u64) {
    let info = circuit.inspect().unwrap();
    (info.successes, info.failures_total, info.cancels)
}

#[test]
fn the_library_has_guards() {
    assert!(trip::has_feature(Feature::Guards) && trip::has_feature(Feature::Policies));
    assert!(!trip::has_feature(Feature::Other(999)));
}

#[test]
fn a_narrow_result_has_its_sign() {
    let (tracker, negative) = (tracker(), Value::Int8(-1));
    let circuit = circuit_of(&tracker);
    let guard = narrow_guard(&circuit);
    assert_eq!(call(&guard, &[Value::Int8(127)]).unwrap(), Value::Int8(127));
    assert_eq!(call(&guard, &[negative]).unwrap(), negative);
    assert_eq!(counts(&circuit), (1, 1, 0));
    match call(&guard, &[Value::Int8(5)]) {
        Err(PermitError::Rejected(rejected)) => {
            assert_eq!((rejected.reason, rejected.retry_after), (Reason::Open, OPEN_PERIOD));
            assert_eq!((rejected.tenant(), rejected.provider()), (&b"acme"[..], &b"llm"[..]));
        }
        other => panic!("a rejection is expected, and {other:?} came back"),
    }
}

#[allow(clippy::many_single_char_names)] // they are all of their kind
extern "C" fn all(a: i8, b: u8, c: i16, d: u16, e: i32, f: u32, g: i64, h: u64, i: f32, j: f64, k: *mut c_void) -> f64 {
    let integers = [a.into(), b.into(), c.into(), d.into(), e.into(), f.into(), g];
    let small = [i.into(), j];
    #[allow(clippy::cast_precision_loss)] // all of them are small
    let sum = integers.iter().sum::<i64>() as f64 + (h >> 60) as f64;
    sum + small.iter().sum::<f64>() + if k.is_null() { 0.5 } else { 0.0 }
}

#[test]
fn every_type_passes() {
    type All = extern "C" fn(i8, u8, i16, u16, i32, u32, i64, u64, f32, f64, *mut c_void) -> f64;
    let circuit = circuit_of(&tracker());
    // SAFETY: it is called as what it is.
    let function = unsafe { transmute::<All, Function>(all) };
    let signature = " double(int8,uint8, int16 ,uint16,int32,uint32,int64,uint64,float,double,pointer) ";
    let guard = guard(&circuit, function, signature, &GuardConfig::default());
    let arguments = [
        Value::Int8(-128),
        Value::Uint8(255),
        Value::Int16(-32768),
        Value::Uint16(65535),
        Value::Int32(-5),
        Value::Uint32(u32::MAX),
        Value::Int64(-(1 << 33)),
        Value::Uint64(u64::MAX),
        Value::Float(-0.25),
        Value::Double(0.5),
        Value::Pointer(ptr::null_mut()),
    ];
    let sum = -128 + 255 - 32768 + 65535 - 5 + i64::from(u32::MAX) - (1 << 33) + 15;
    #[allow(clippy::cast_precision_loss)] // below 2^53
    let wanted = sum as f64 - 0.25 + 0.5 + 0.5;
    assert_eq!(call(&guard, &arguments).unwrap(), Value::Double(wanted));
    assert_eq!(counts(&circuit), (0, 1, 0)); // it is negative
}

#[test]
fn results_are_judged_by_the_rule() {
    let circuit = || Tracker::new(&config().failure_threshold(100)).unwrap().circuit("acme", "llm").unwrap();
    let zero = [Value::Int8(0), Value::Int8(7)];
    for (rule, wanted) in
        [(Rule::ZeroSucceeds, (1, 1, 0)), (Rule::ZeroFails, (1, 1, 0)), (Rule::NegativeFails, (2, 0, 0))]
    {
        let circuit = circuit();
        let guard = guard(&circuit, narrow_function(), "int8 (int8)", &GuardConfig::default().rule(rule));
        for value in zero {
            assert_eq!(call(&guard, &[value]).unwrap(), value);
        }
        assert_eq!(counts(&circuit), wanted, "{rule:?}");
    }
    let circuit = circuit();
    let config = GuardConfig::default().rule(Rule::ZeroFails);
    let pointers = guard(&circuit, same_function(), "pointer (pointer)", &config);
    assert_eq!(call(&pointers, &[Value::Pointer(ptr::null_mut())]).unwrap(), Value::Pointer(ptr::null_mut()));
    let here = ptr::from_ref(&circuit).cast_mut().cast();
    assert_eq!(call(&pointers, &[Value::Pointer(here)]).unwrap(), Value::Pointer(here));
    assert_eq!(counts(&circuit), (1, 1, 0));
}

#[test]
fn errno_is_the_functions_and_says_what_failed() {
    let circuit = circuit_of(&tracker());
    // SAFETY: it is called as what it is.
    let function = unsafe { transmute::<unsafe extern "C" fn(i32) -> i32, Function>(close) };
    let guard = guard(&circuit, function, "int32 (int32)", &GuardConfig::default().rule(Rule::Errno));
    let answer = call(&guard, &[Value::Int32(-1)]);
    assert_eq!(io::Error::last_os_error().raw_os_error(), Some(9)); // EBADF
    assert_eq!(answer.unwrap(), Value::Int32(-1));
    assert_eq!(counts(&circuit), (0, 0, 1)); // our own fault: it says nothing of the provider
}

#[test]
fn a_classifier_judges_and_is_dropped_with_the_guard() {
    let circuit = circuit_of(&Tracker::new(&config().failure_threshold(100)).unwrap());
    let held = Arc::new(AtomicI32::new(0));
    let seen = Arc::clone(&held);
    let classifier = move |value: &Value, _: i32| match value {
        Value::Int8(0) => panic!("the classifier went wrong"),
        Value::Int8(number) => {
            seen.fetch_add((*number).into(), Ordering::Relaxed);
            if *number > 0 {
                Class::Timeout
            } else {
                Class::Auth
            }
        }
        _ => Class::Other(99),
    };
    let config = GuardConfig::default();
    // SAFETY: as `narrow_guard`.
    let guard = unsafe {
        FunctionGuard::with_classifier(&circuit, narrow_function(), "int8 (int8)", &config, classifier).unwrap()
    };
    for number in [1, -2, 0] {
        assert_eq!(call(&guard, &[Value::Int8(number)]).unwrap(), Value::Int8(number));
    }
    assert_eq!((counts(&circuit), held.load(Ordering::Relaxed)), ((1, 1, 1), -1));
    let clone = guard.clone();
    drop(guard);
    assert_eq!(Arc::strong_count(&held), 2);
    drop(clone);
    assert_eq!(Arc::strong_count(&held), 1);
}

#[test]
fn a_classifier_that_is_refused_is_dropped() {
    let (circuit, held) = (circuit_of(&tracker()), Arc::new(()));
    let other = Arc::clone(&held);
    let classifier = move |_: &Value, _: i32| if Arc::strong_count(&other) > 0 { Class::Success } else { Class::Auth };
    // SAFETY: no guard is made.
    let made = unsafe {
        FunctionGuard::with_classifier(&circuit, nothing_function(), "nothing", &GuardConfig::default(), classifier)
    };
    assert!(matches!(made, Err(Error::Signature(_))));
    assert_eq!(Arc::strong_count(&held), 1);
}

#[test]
fn a_pointer_does_what_the_guard_does() {
    let tracker = tracker();
    let circuit = circuit_of(&tracker);
    let guard = guard(&circuit, narrow_function(), "int8 (int8)", &GuardConfig::default().refused_result(-9));
    let pointer = guard.pointer().unwrap();
    assert_eq!(guard.clone().pointer().unwrap() as usize, pointer as usize);
    // SAFETY: it has the signature of the guard.
    let guarded = unsafe { transmute::<Function, Narrow>(pointer) };
    assert_eq!((guarded(5), guarded(-3)), (5, -3));
    assert_eq!(guarded(5), -9);
    assert_eq!(io::Error::last_os_error().kind(), io::ErrorKind::WouldBlock);
    assert_eq!(counts(&circuit), (1, 1, 0));
    drop(guard);
    assert_eq!(guarded(5), 5, "nobody is asked any more");
}

#[test]
fn what_returns_nothing_is_judged_too() {
    let circuit = circuit_of(&tracker());
    let classifier = |value: &Value, _: i32| if *value == Value::Void { Class::Network } else { Class::Success };
    // SAFETY: these are the signatures of the function.
    let [guard, same] = ["void ()", " void ( void ) "].map(|signature| unsafe {
        let config = GuardConfig::default();
        FunctionGuard::with_classifier(&circuit, nothing_function(), signature, &config, classifier).unwrap()
    });
    assert!(matches!(call(&same, &[Value::Void]), Err(PermitError::Failed(Error::Invalid))));
    assert_eq!(call(&guard, &[]).unwrap(), Value::Void);
    assert_eq!(counts(&circuit), (0, 1, 0));
    assert!(matches!(call(&same, &[]), Err(PermitError::Rejected(_))));
}

static FACTORIAL: AtomicUsize = AtomicUsize::new(0);

extern "C" fn factorial(number: u64) -> u64 {
    if number == 0 {
        return 1;
    }
    // SAFETY: the test has put the guard of this very function there.
    let guarded = unsafe { transmute::<usize, extern "C" fn(u64) -> u64>(FACTORIAL.load(Ordering::Relaxed)) };
    number * guarded(number - 1)
}

#[test]
fn a_function_may_call_itself_through_its_guard() {
    let circuit = circuit_of(&tracker());
    // SAFETY: it is called as what it is.
    let function = unsafe { transmute::<extern "C" fn(u64) -> u64, Function>(factorial) };
    let guard = guard(&circuit, function, "uint64 (uint64)", &GuardConfig::default().rule(Rule::ZeroFails));
    FACTORIAL.store(guard.pointer().unwrap() as usize, Ordering::Relaxed);
    assert_eq!(call(&guard, &[Value::Uint64(20)]).unwrap(), Value::Uint64(2_432_902_008_176_640_000));
    assert_eq!(counts(&circuit), (21, 0, 0));
}

static BARRIERS: [AtomicU64; 2] = [const { AtomicU64::new(0) }; 2];

extern "C" fn linger(number: i32) -> i32 {
    for barrier in &BARRIERS {
        // SAFETY: the test has put a barrier there, which lives until this has returned.
        let barrier = unsafe { &*(ptr::with_exposed_provenance::<Barrier>(at(barrier))) };
        barrier.wait();
    }
    number
}

fn at(place: &AtomicU64) -> usize {
    usize::try_from(place.load(Ordering::Relaxed)).unwrap()
}

#[test]
fn a_guard_may_be_destroyed_while_a_call_is_inside() {
    let circuit = circuit_of(&tracker());
    let barriers = [Barrier::new(2), Barrier::new(2)];
    for (place, barrier) in BARRIERS.iter().zip(&barriers) {
        place.store(u64::try_from(ptr::from_ref(barrier).expose_provenance()).unwrap(), Ordering::Relaxed);
    }
    // SAFETY: it is called as what it is.
    let function = unsafe { transmute::<extern "C" fn(i32) -> i32, Function>(linger) };
    let guard = guard(&circuit, function, "int32 (int32)", &GuardConfig::default());
    thread::scope(|scope| {
        let inside = scope.spawn(|| call(&guard, &[Value::Int32(42)]).map_err(|error| error.to_string()).map(is_42));
        barriers[0].wait();
        guard.destroy().unwrap();
        barriers[1].wait();
        assert_eq!(inside.join().unwrap(), Ok(true));
    });
    assert_eq!(counts(&circuit), (1, 0, 0));
    assert!(matches!(call(&guard, &[Value::Int32(1)]), Err(PermitError::Failed(Error::Handle))));
}

fn is_42(value: Value) -> bool {
    value == Value::Int32(42)
}

#[test]
fn arguments_that_are_not_the_signatures_are_refused() {
    let circuit = circuit_of(&tracker());
    let guard = narrow_guard(&circuit);
    let wrong: [&[Value]; 5] =
        [&[], &[Value::Int32(1)], &[Value::Uint8(1)], &[Value::Void], &[Value::Int8(1), Value::Int8(1)]];
    for arguments in wrong {
        assert!(matches!(call(&guard, arguments), Err(PermitError::Failed(Error::Invalid))), "{arguments:?}");
    }
    assert_eq!(circuit.inspect().unwrap().permits, 0);
}

fn refused(signature: &str) -> (i32, String) {
    let circuit = circuit_of(&tracker());
    // SAFETY: no guard is made.
    match unsafe { FunctionGuard::new(&circuit, nothing_function(), signature, &GuardConfig::default()) } {
        Err(Error::Signature(fault)) => {
            let error = Error::Signature(fault.clone());
            assert_eq!(error.to_string(), fault.to_string());
            (error.status(), fault.message.into())
        }
        other => panic!("{signature} is no signature, and {other:?} came back"),
    }
}

#[test]
fn a_signature_that_is_none_is_refused_with_words() {
    for none in ["", "int32", "(int32)", "int32 (", "int32 (int)", "int32 (int32,)", "int32 (void, int8)", "int32 ()x"]
    {
        let (status, message) = refused(none);
        assert_eq!(status, trip_sys::TRIP_E_INVALID, "{none}: {message}");
        assert!(!message.is_empty());
    }
    assert_eq!(refused(&"x".repeat(5000)).0, trip_sys::TRIP_E_INVALID);
    let (status, message) = refused("int32 (pointer, ...)");
    assert_eq!(status, trip_sys::TRIP_E_UNSUPPORTED);
    assert!(message.contains("variadic"), "{message}");
    let (status, message) = refused("struct (int32)");
    assert_eq!(status, trip_sys::TRIP_E_UNSUPPORTED);
    assert!(message.contains("struct"), "{message}");
}

#[test]
fn a_config_that_does_not_fit_is_refused_by_its_field() {
    let circuit = circuit_of(&tracker());
    let config = GuardConfig::default();
    let wrong = [
        ("int8 (int8)", config.rule(Rule::Other(5))),
        ("int8 (int8)", config.rule(Rule::Classifier)),
        ("uint64 (pointer)", config),
        ("void ()", config),
    ];
    for (signature, config) in wrong {
        // SAFETY: no guard is made.
        match unsafe { FunctionGuard::new(&circuit, nothing_function(), signature, &config) } {
            Err(Error::Config(fault)) => assert_eq!(fault.field, Some("rule"), "{signature}"),
            other => panic!("{signature} cannot be so, and {other:?} came back"),
        }
    }
}

#[test]
fn a_circuit_that_is_gone_is_found_again_or_says_so() {
    let tracker = Tracker::new(&config().on_drop(OnDrop::Cancel)).unwrap();
    let circuit = circuit_of(&tracker);
    circuit.remove().unwrap();
    let guard = narrow_guard(&circuit);
    open(&circuit);
    circuit.remove().unwrap();
    assert!(call(&guard, &[Value::Int8(1)]).is_ok());
    assert_eq!(circuit.inspect().unwrap().state, State::Closed);
    tracker.destroy().unwrap();
    // SAFETY: no guard is made.
    let late = unsafe { FunctionGuard::new(&circuit, narrow_function(), "int8 (int8)", &GuardConfig::default()) };
    assert_eq!(late.map(drop), Err(Error::Handle));
    assert_eq!(call(&guard, &[Value::Int8(1)]).unwrap(), Value::Int8(1), "unguarded");
}

#[test]
fn many_threads_may_call_a_guard() {
    let circuit = circuit_of(&tracker());
    // SAFETY: it is called as what it is.
    let function = unsafe { transmute::<unsafe extern "C" fn(*const c_char) -> usize, Function>(strlen) };
    let config = GuardConfig::default().rule(Rule::ZeroFails);
    let guard = guard(&circuit, function, "uint64 (pointer)", &config);
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..500 {
                    let text = Value::Pointer(c"hello".as_ptr().cast_mut().cast());
                    assert_eq!(call(&guard, &[text]).unwrap(), Value::Uint64(5));
                }
            });
        }
    });
    assert_eq!(counts(&circuit), (4000, 0, 0));
    for handle in wrong_handles(circuit.handle()) {
        // SAFETY: any value is a legal handle.
        assert_eq!(unsafe { trip_sys::trip_guard_destroy(handle) }, trip_sys::TRIP_E_HANDLE);
    }
}
