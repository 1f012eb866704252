// This file owns trackers: their lifetime, their clock, and the circuits they look up.

package trip

/*
#include <trip.h>
*/
import "C"

import (
	"log/slog"
	"runtime"
	"time"
	"unsafe"
)

// Tracker is a set of circuits with one config and one clock. One of NewTracker that nobody closes is closed when it,
// its circuits and its permits are garbage.
type Tracker struct {
	handle      C.trip_tracker
	onError     func(error)
	clock       Clock  // as it was created with, as are all policies of the tracker
	maxCircuits uint32 // likewise; 0: the tracker is known by its handle alone
}

// NewTracker creates a tracker. A refused config is a [*ConfigError].
func NewTracker(config Config) (*Tracker, error) {
	abi := config.abi()
	reason := C.trip_error{struct_size: C.sizeof_trip_error}
	tracker := &Tracker{onError: config.OnError, clock: Clock(abi.clock), maxCircuits: uint32(abi.max_circuits)}
	status := C.trip_tracker_create(&abi, &tracker.handle, &reason)
	if err := reasoned(status, &reason, config.fields); err != nil {
		return nil, err
	}
	runtime.SetFinalizer(tracker, (*Tracker).Close)
	return tracker, nil
}

// TrackerFromHandle makes a Tracker of a handle that another language of this process has given. It does not own it: it
// stays until somebody closes it.
func TrackerFromHandle(handle uint64) *Tracker {
	return &Tracker{handle: C.trip_tracker(handle)}
}

func logError(err error) {
	slog.Error("circuit breaker failed, the call went through unguarded", "error", err)
}

// Report tells Config.OnError of an error that is the library's and nobody's call: for code that makes a call unguarded
// then, as [Execute] does. Without an OnError, and without a tracker, it goes to the default logger of log/slog.
func (t *Tracker) Report(err error) {
	if t == nil || t.onError == nil {
		logError(err)
		return
	}
	t.onError(err)
}

// Close destroys the tracker with its circuits and permits: they answer [ErrHandle] from then on, and so does a second
// Close. It is safe while other goroutines use them; those that wait for its events are woken and get ErrHandle.
func (t *Tracker) Close() error {
	if t == nil {
		return ErrHandle
	}
	runtime.SetFinalizer(t, nil)
	defer interruptWatches(t.handle)
	return answer(C.trip_tracker_destroy(t.handle))
}

// Handle is the library's name of the tracker, for other languages of this process. It means nothing once the Tracker
// is closed or garbage: hold on to the Tracker while the handle is in use.
func (t *Tracker) Handle() uint64 {
	if t == nil {
		return 0
	}
	return uint64(t.handle)
}

// Circuit returns the circuit of (tenant, provider), made when it does not exist. Both are any bytes, at most 255.
func (t *Tracker) Circuit(tenant, provider string) (*Circuit, error) {
	handle, status := t.find(tenant, provider)
	if status != C.TRIP_OK {
		return nil, answer(status)
	}
	circuit := &Circuit{tracker: t, tenant: tenant, provider: provider}
	circuit.handle.Store(uint64(handle))
	return circuit, nil
}

// Advance moves a manual clock forward; any other clock answers [ErrUnsupported].
func (t *Tracker) Advance(by time.Duration) error {
	if t == nil {
		return ErrHandle
	}
	if by < 0 {
		return ErrInvalid
	}
	defer runtime.KeepAlive(t)
	return answer(C.trip_tracker_advance(t.handle, C.uint64_t(by)))
}

func (t *Tracker) find(tenant, provider string) (handle C.trip_circuit, status C.trip_status) {
	if t == nil {
		return 0, C.TRIP_E_HANDLE
	}
	defer runtime.KeepAlive(t)
	status = C.trip_tracker_circuit(t.handle, bytesOf(tenant), C.size_t(len(tenant)),
		bytesOf(provider), C.size_t(len(provider)), &handle)
	return handle, status
}

// orMachine is the tracker whose clock an object goes by; none of it is the machine's.
func (t *Tracker) orMachine() (C.trip_tracker, error) {
	if t == nil {
		return 0, nil
	}
	if t.handle == 0 { // which would be the machine's
		return 0, ErrHandle
	}
	return t.handle, nil
}

// bytesOf lends the library a string's own bytes: it reads them during the call only, so nothing need be copied.
func bytesOf(text string) *C.char {
	return (*C.char)(unsafe.Pointer(unsafe.StringData(text)))
}

// written is what write puts into room of ours. Where there is too little it is asked again with as much as it said,
// and a bit more: what there is to write may have grown meanwhile.
func written(room int, write func(out *C.char, capacity C.size_t, outLen *C.size_t) C.trip_status) ([]byte, error) {
	for {
		bytes := make([]byte, room)
		var length C.size_t
		status := write((*C.char)(unsafe.Pointer(unsafe.SliceData(bytes))), C.size_t(room), &length)
		if status == C.TRIP_OK {
			return bytes[:length], nil
		}
		if status != C.TRIP_E_CAPACITY {
			return nil, answer(status)
		}
		room = int(length) + int(length)/8
	}
}
