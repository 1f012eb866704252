// This file owns the way back from the library into Go: the functions that it calls, whose call they are part of, and
// panics, which are kept from its frames. callbacks.c is the other end of it.

package trip

/*
#include <trip.h>
*/
import "C"

import (
	"runtime/cgo"
	"sync"
	"sync/atomic"
	"unsafe"
)

// A visit is a call into the library during which it may call Go, on the same goroutine.
type visit struct {
	failure  error // of the last stage of Go's that failed
	panicked any   // nil: nothing has
}

// visits are those under way, by numbers that never come again: one that left by runtime.Goexit is not mistaken for
// another.
var visits struct {
	last    atomic.Uintptr
	current sync.Map
}

// visiting makes a call into the library, and then goes on panicking where a function panicked that it called.
func (v *visit) visiting(call func(number C.uintptr_t)) {
	number := visits.last.Add(1)
	visits.current.Store(number, v)
	defer visits.current.Delete(number)
	call(C.uintptr_t(number))
	if v.panicked != nil {
		panic(v.panicked)
	}
}

// catch, deferred, keeps a panic from the library, for the visit to go on with. Outside a visit nobody in Go waits for
// it, and it ends the program as any does that nobody recovers.
func catch(number C.uintptr_t) {
	visiting, isVisit := visits.current.Load(uintptr(number))
	if !isVisit {
		return
	}
	if panicked := recover(); panicked != nil {
		visiting.(*visit).panicked = panicked
	}
}

func fail(number C.uintptr_t, failure error) {
	if visiting, isVisit := visits.current.Load(uintptr(number)); isVisit {
		visiting.(*visit).failure = failure
	}
}

//export tripGoStage
func tripGoStage(caller, handle C.uintptr_t, input *C.char, inputLen C.size_t, output C.trip_output) (code C.int32_t) {
	code = unnamedFailure // unless the stage returns
	defer catch(caller)
	made, err := cgo.Handle(handle).Value().(Stage)(bytesAt(input, inputLen))
	if err != nil {
		fail(caller, err)
		return codeOf(err)
	}
	// Where there is no memory for it the run says so.
	C.trip_output_write(output, (*C.char)(unsafe.Pointer(unsafe.SliceData(made))), C.size_t(len(made)))
	return 0
}

//export tripGoClassify
func tripGoClassify(caller, handle C.uintptr_t, result unsafe.Pointer, errorNumber C.int32_t) (class C.uint32_t) {
	class = C.TRIP_CLASS_UNKNOWN // unless the classifier returns
	defer catch(caller)
	return C.uint32_t(cgo.Handle(handle).Value().(classifier)(result, int(errorNumber)))
}

//export tripGoForget
func tripGoForget(handle C.uintptr_t) { cgo.Handle(handle).Delete() }

// bytesAt copies bytes of the library's, which are there for a moment only.
func bytesAt(bytes *C.char, length C.size_t) []byte {
	return append(make([]byte, 0, length), unsafe.Slice((*byte)(unsafe.Pointer(bytes)), length)...)
}
