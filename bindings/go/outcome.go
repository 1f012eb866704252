// This file owns what providers say: the class of an outcome, and how long they ask to wait; and outcomes on their way
// to the library. It knows no circuit.

package trip

/*
#include <trip.h>
*/
import "C"

import (
	"context"
	"errors"
	"math"
	"syscall"
	"time"
	"unsafe"
)

// CallOutcome is how a call went. What is not known is zero.
type CallOutcome struct {
	Class      Class         // what kind of success or failure it was
	HTTPStatus int           // of the response, or the one that a text names
	Errno      int           // of the system or, negative, of the resolver
	RetryAfter time.Duration // what the provider asks to wait, where the body or the text says so
	Duration   time.Duration // how long the call took; no classification knows that
}

// ClassifyHTTP is the class of a response, by its status and by the error in its body, as much of it as there is.
//
// A status of 200 to 299 is a success unless the body is an error object or an event stream with one. Where nobody
// knows the status it is 0, and the body alone decides: as for the error of a single event.
func ClassifyHTTP(status int, body []byte) CallOutcome {
	outcome := C.trip_outcome{struct_size: C.sizeof_trip_outcome}
	told := C.trip_classify_http(httpStatus(status), (*C.char)(unsafe.Pointer(unsafe.SliceData(body))),
		C.size_t(len(body)), &outcome)
	return callOutcome(told, &outcome)
}

// ClassifyErrno is the class of an error of the system, a [syscall.Errno], or of the resolver: one of the EAI_* values,
// negative as they are.
//
// 0 and errors of the caller's own machine, such as EMFILE, are [ClassUnknown]: the provider was not asked.
func ClassifyErrno(errno int) CallOutcome {
	if errno != int(int32(errno)) {
		return CallOutcome{Class: ClassUnknown, Errno: errno}
	}
	outcome := C.trip_outcome{struct_size: C.sizeof_trip_outcome}
	return callOutcome(C.trip_classify_errno(C.int32_t(errno), &outcome), &outcome)
}

// ClassifyText is the class of a call of which nothing is left but the text of its error, as err.Error(): the last
// resort.
//
// Whole words are compared, and a number counts as an HTTP status only where the words around it say that it is one.
func ClassifyText(text string) CallOutcome {
	outcome := C.trip_outcome{struct_size: C.sizeof_trip_outcome}
	return callOutcome(C.trip_classify_text(said(text), C.size_t(len(text)), &outcome), &outcome)
}

// OutcomeError is an error of a call that says how the call went, for [ClassifyError].
type OutcomeError struct {
	Outcome CallOutcome
	Err     error // what went wrong; may be nil
}

// Error is that of what went wrong.
func (e *OutcomeError) Error() string {
	if e.Err == nil {
		return e.Outcome.Class.String()
	}
	return e.Err.Error()
}

// Unwrap is what went wrong.
func (e *OutcomeError) Unwrap() error { return e.Err }

// ClassifyError is the class of an error: what an [*OutcomeError] in it says; else that of the system's error number in
// it; [ClassCancelled] and [ClassTimeout] where a context or a deadline has ended the call; else that of its text.
func ClassifyError(err error) CallOutcome {
	var told *OutcomeError
	var number syscall.Errno
	var late interface{ Timeout() bool }
	switch {
	case err == nil:
		return CallOutcome{Class: ClassSuccess}
	case errors.As(err, &told):
		return told.Outcome
	case errors.As(err, &number):
		return ClassifyErrno(int(number))
	case errors.Is(err, context.Canceled):
		return CallOutcome{Class: ClassCancelled}
	case errors.As(err, &late) && late.Timeout():
		return CallOutcome{Class: ClassTimeout}
	}
	return ClassifyText(err.Error())
}

// ParseRetryHint is the wait that a header asks for, such as Retry-After or x-ratelimit-reset-tokens, or that a text
// does, when name is empty: "Please try again in 6m0s." Dates are counted from now.
//
// The error is [ErrNoHint] when a header of this name, or this text, says nothing about it, and [ErrInvalid] when it
// should and its value is wrong or absurd: nothing is guessed.
func ParseRetryHint(name, value string, now time.Time) (time.Duration, error) {
	var wait C.uint64_t
	status := C.trip_parse_retry_hint(said(name), C.size_t(len(name)), said(value), C.size_t(len(value)),
		unixNs(now), &wait)
	return time.Duration(wait), answer(status)
}

// settlement is how a permit is settled with the outcome. [ErrInvalid] is found before the permit is given up for it.
func (o CallOutcome) settlement() (settlement, error) {
	told, err := o.abi()
	return settlement{way: recordOutcome, outcome: told}, err
}

// abi is the outcome as the library reads it. [ErrInvalid]: its class is none, or another member is out of range.
func (o CallOutcome) abi() (*C.trip_outcome, error) {
	if o.RetryAfter < 0 || o.Duration < 0 || o.Errno != int(int32(o.Errno)) ||
		o.HTTPStatus < 0 || uint64(o.HTTPStatus) > math.MaxUint32 {
		return nil, ErrInvalid
	}
	told := &C.trip_outcome{
		struct_size:    C.sizeof_trip_outcome,
		status_class:   C.uint32_t(o.Class),
		http_status:    C.uint32_t(o.HTTPStatus),
		sys_errno:      C.int32_t(o.Errno),
		retry_after_ns: C.uint64_t(o.RetryAfter),
		duration_ns:    C.uint64_t(o.Duration),
	}
	// A class that is unknown here may be that of a newer library. With no permit it settles none.
	if int(o.Class) >= len(classTexts) && C.trip_permit_record(0, told) == C.TRIP_E_INVALID {
		return nil, ErrInvalid
	}
	return told, nil
}

func said(text string) *C.char {
	return (*C.char)(unsafe.Pointer(unsafe.StringData(text)))
}

// callOutcome is what was told, which no library refuses to a caller that knows the size of a struct.
func callOutcome(status C.trip_status, outcome *C.trip_outcome) CallOutcome {
	if status != C.TRIP_OK {
		return CallOutcome{Class: ClassUnknown}
	}
	return CallOutcome{
		Class:      Class(outcome.status_class),
		HTTPStatus: int(outcome.http_status),
		Errno:      int(outcome.sys_errno),
		RetryAfter: time.Duration(outcome.retry_after_ns),
	}
}

// httpStatus makes of a number that 32 bits cannot hold another one that HTTP does not have.
func httpStatus(status int) C.uint32_t {
	if status < 0 || uint64(status) > math.MaxUint32 {
		return math.MaxUint32
	}
	return C.uint32_t(status)
}

// unixNs is the nearest time that the library knows: to one that is out of range every date is absurd, and refused.
func unixNs(now time.Time) C.uint64_t {
	seconds := now.Unix()
	switch {
	case seconds < 0:
		return 0
	case uint64(seconds) >= math.MaxUint64/uint64(time.Second):
		return math.MaxUint64
	}
	return C.uint64_t(uint64(seconds)*uint64(time.Second) + uint64(now.Nanosecond()))
}
