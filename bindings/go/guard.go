// This file owns guards: a circuit before a C function, and calls of it from Go. How Go's values become C's is
// signature.go's.

package trip

/*
#include "callbacks.h"
*/
import "C"

import (
	"fmt"
	"runtime"
	"runtime/cgo"
	"syscall"
	"unsafe"
)

// FunctionGuard is a C function with a circuit before it: one that is there by its address alone, such as one of a
// library that was loaded at run time. For functions of Go's there is [Execute]. One of NewFunctionGuard that nobody
// closes is closed when it is garbage.
type FunctionGuard struct {
	handle  C.trip_guard
	types   signature
	circuit *Circuit // kept alive
}

// GuardConfig says what a guard makes of results, and what C callers get when it does not call. A zero field means the
// default, as in [Config]; [DefaultGuardConfig] spells each out, for where zero itself is meant.
type GuardConfig struct {
	// Rule is what a failure is; default RuleNegativeFails.
	Rule Rule
	// Classify judges results where the Rule is RuleClassifier, else it is nil. The result is of the Go type that
	// [FunctionGuard.Call] has for it, nil where there is none. It may be called on any thread, by several at once.
	Classify func(result any, errno syscall.Errno) Class
	// RefusedResult is what the function of Pointer returns when the circuit refuses: cut to its type, as a pointer too;
	// default -1.
	RefusedResult int64
	// RefusedDouble is the same where it returns floating point; any; default -1.
	RefusedDouble float64
	// RefusedErrno is errno then; default EAGAIN. Zero, with Exact: it is left alone.
	RefusedErrno int32

	// Exact takes zero fields as zero, not as their defaults.
	Exact bool
}

// DefaultGuardConfig returns the library's defaults, with Exact set.
func DefaultGuardConfig() GuardConfig {
	config, abi := GuardConfig{Exact: true}, defaultGuard()
	config.fields(&abi, &walk{does: read})
	return config
}

func defaultGuard() (config C.trip_guard_config) {
	C.trip_guard_config_init(&config, C.sizeof_trip_guard_config) // cannot fail: both arguments are right
	return config
}

func (c *GuardConfig) fields(abi *C.trip_guard_config, w *walk) {
	pair(w, "Rule", &abi.rule, &c.Rule)
	pair(w, "RefusedResult", &abi.refused_result, &c.RefusedResult)
	pair(w, "RefusedDouble", &abi.refused_double, &c.RefusedDouble)
	pair(w, "RefusedErrno", &abi.refused_errno, &c.RefusedErrno)
}

// A classifier is a Classify, of a result where the library has it.
type classifier func(result unsafe.Pointer, errno int) Class

// NewFunctionGuard puts a circuit before a function, which must stay loaded while the guard, or what Pointer gave, is
// used. The signature is the type of its result and, in parentheses, those of its parameters: void, int8, uint8, int16,
// uint16, int32, uint32, int64, uint64, float, double, pointer. "int32 (pointer, uint64)" is int f(void *, size_t)
// where these have 32 and 64 bits.
//
// [ErrInvalid]: the function is nil, or the signature is none; [*ConfigError]: a field is out of range, or the Rule
// does not fit the type of the result, or Classify not the Rule; [ErrUnsupported]: the function is variadic, has
// structs by value, or the library lacks [FeatureGuards].
func NewFunctionGuard(circuit *Circuit, function unsafe.Pointer, signature string,
	config GuardConfig) (*FunctionGuard, error) {
	if circuit == nil {
		return nil, ErrHandle
	}
	guard := &FunctionGuard{types: readSignature(signature), circuit: circuit}
	abi := defaultGuard()
	config.fields(&abi, &walk{does: write, isExact: config.Exact})
	var classify cgo.Handle
	if config.Classify != nil {
		classify = cgo.NewHandle(guard.types.classifier(config.Classify))
	}
	reason := C.trip_error{struct_size: C.sizeof_trip_error}
	status := circuit.reach(func(handle C.trip_circuit) C.trip_status {
		return C.trip_go_guard_create(handle, C.trip_function(function), bytesOf(signature), C.size_t(len(signature)),
			&abi, C.uintptr_t(classify), &guard.handle, &reason)
	})
	if err := reasoned(status, &reason, config.fields); err != nil {
		if classify != 0 {
			classify.Delete()
		}
		return nil, err
	}
	runtime.SetFinalizer(guard, (*FunctionGuard).Close)
	return guard, nil
}

// Close destroys the guard: it answers [ErrHandle] from then on. Calls that are in it go on to their end. What Pointer
// gave may be called as before: it calls the function without asking anybody.
func (g *FunctionGuard) Close() error {
	if g == nil {
		return ErrHandle
	}
	runtime.SetFinalizer(g, nil)
	return answer(C.trip_guard_destroy(g.handle))
}

// Call calls the function if its circuit admits the call, and records how it went. Arguments have the Go type of the
// same width as in the signature: int8 to uint64, float32, float64, [unsafe.Pointer]. The result goes where a pointer
// to such a type points; nil: it is not wanted.
//
// errno is what the function left there, 0 where it left nothing. The error says whether it was called at all: a
// refusal is an [*OpenError]; [ErrInvalid]: an argument, their number, or the result does not fit the signature.
func (g *FunctionGuard) Call(result any, arguments ...any) (errno syscall.Errno, err error) {
	if g == nil {
		return 0, ErrHandle
	}
	defer runtime.KeepAlive(g)
	defer runtime.KeepAlive(arguments)
	slots, err := g.types.slots(arguments)
	if err == nil {
		err = g.types.result.takes(result)
	}
	if err != nil {
		return 0, err
	}
	var returned C.uint64_t
	rejection := C.trip_rejection{struct_size: C.sizeof_trip_rejection}
	var status C.trip_status
	new(visit).visiting(func(number C.uintptr_t) {
		var left error
		status, left = C.trip_go_guard_call(g.handle, unsafe.SliceData(slots), C.size_t(len(slots)), &returned,
			&rejection, number)
		errno, _ = left.(syscall.Errno)
	})
	if status != C.TRIP_OK {
		return 0, g.circuit.refusal(status, &rejection)
	}
	g.types.result.move(unsafe.Pointer(&returned), result)
	return errno, nil
}

// Pointer returns a C function of the same signature that does what Call does, and returns RefusedResult when the
// circuit refuses: to be put where a program keeps a pointer to the function itself. It is never freed.
// [ErrUnsupported]: the system allows no functions that are made at run time.
func (g *FunctionGuard) Pointer() (unsafe.Pointer, error) {
	if g == nil {
		return nil, ErrHandle
	}
	defer runtime.KeepAlive(g)
	var function C.trip_function
	status := C.trip_guard_pointer(g.handle, &function)
	return unsafe.Pointer(function), answer(status)
}

func (s signature) classifier(classify func(any, syscall.Errno) Class) classifier {
	return func(result unsafe.Pointer, errno int) Class {
		return classify(s.result.load(result), syscall.Errno(errno))
	}
}

// slots are the arguments as C has them, each at the beginning of 8 bytes of its own.
func (s signature) slots(arguments []any) ([]C.uint64_t, error) {
	if len(arguments) != len(s.parameters) {
		return nil, fmt.Errorf("%w: %d arguments, not %d", ErrInvalid, len(arguments), len(s.parameters))
	}
	slots := make([]C.uint64_t, len(arguments))
	for i, argument := range arguments {
		if !s.parameters[i].store(unsafe.Pointer(&slots[i]), argument) {
			return nil, fmt.Errorf("%w: argument %d is a %T", ErrInvalid, i+1, argument)
		}
	}
	return slots, nil
}
