// This file owns pipelines: named stages through which bytes pass, and what is told of one that fails.

package trip

/*
#include "callbacks.h"
*/
import "C"

import (
	"errors"
	"fmt"
	"runtime"
	"runtime/cgo"
	"unsafe"
)

// Stage is what a stage of a pipeline does: it makes bytes of bytes, or fails. The input is its own. Any number of
// goroutines may be in it at once. Where it panics the run does, when the library's own frames have ended; it must not
// end its goroutine, which would leave the pipeline in use.
type Stage func(input []byte) ([]byte, error)

// StageCode is an error of a stage that is no more than a number, for runs in other languages. 0 is no failure there,
// and becomes -1.
type StageCode int32

// Error is one line for a human.
func (c StageCode) Error() string { return fmt.Sprintf("code %d", int32(c)) }

// unnamedFailure is the code of a stage whose error has none.
const unnamedFailure C.int32_t = -1

func codeOf(err error) C.int32_t {
	var code StageCode
	if errors.As(err, &code) && code != 0 {
		return C.int32_t(code)
	}
	return unnamedFailure
}

// StageError is a run that a stage has ended. It is [ErrStageFailed], and the stage's own error.
type StageError struct {
	Stage int    // how many ran before it
	Name  string // what it is called; any bytes
	Code  int32  // that of its error, a StageCode; else -1
	Err   error  // the stage's own; nil where it is another language's
}

// Error is one line for a human.
func (e *StageError) Error() string {
	if e.Err == nil {
		return fmt.Sprintf("trip: stage %d, %q, has failed: code %d", e.Stage, e.Name, e.Code)
	}
	return fmt.Sprintf("trip: stage %d, %q, has failed: %v", e.Stage, e.Name, e.Err)
}

// Is makes every one of them ErrStageFailed.
func (e *StageError) Is(target error) bool { return target == ErrStageFailed }

// Unwrap is the stage's own error.
func (e *StageError) Unwrap() error { return e.Err }

// Pipeline is named stages through which bytes pass, in the order in which they were added. One that nobody closes is
// closed when it is garbage; one of whose stages holds on to it never is.
type Pipeline struct {
	handle C.trip_pipeline
}

// NewPipeline creates a pipeline, which has no stages yet.
func NewPipeline() (*Pipeline, error) {
	pipeline := new(Pipeline)
	if status := C.trip_pipeline_create(&pipeline.handle); status != C.TRIP_OK {
		return nil, answer(status)
	}
	runtime.SetFinalizer(pipeline, (*Pipeline).Close)
	return pipeline, nil
}

// PipelineFromHandle makes a Pipeline of a handle that another language of this process has given, with stages of any
// language. It does not own it: it stays until somebody closes it.
func PipelineFromHandle(handle uint64) *Pipeline { return &Pipeline{handle: C.trip_pipeline(handle)} }

// Close destroys the pipeline: it answers [ErrHandle] from then on. Runs that are in it go on to their end.
func (p *Pipeline) Close() error {
	if p == nil {
		return ErrHandle
	}
	runtime.SetFinalizer(p, nil)
	return answer(C.trip_pipeline_destroy(p.handle))
}

// Handle is the library's name of the pipeline, for other languages of this process; see [Tracker.Handle].
func (p *Pipeline) Handle() uint64 {
	if p == nil {
		return 0
	}
	return uint64(p.handle)
}

// Add adds a stage, behind those that are there. Runs that are in the pipeline go on without it. The name is what a
// failure calls it. [ErrInvalid]: the stage is nil, or the name longer than 255 bytes; [ErrCapacity]: there are 1024
// stages.
func (p *Pipeline) Add(name string, stage Stage) error {
	if p == nil {
		return ErrHandle
	}
	if stage == nil {
		return ErrInvalid
	}
	defer runtime.KeepAlive(p)
	handle := cgo.NewHandle(stage)
	status := C.trip_go_pipeline_add(p.handle, bytesOf(name), C.size_t(len(name)), C.uintptr_t(handle))
	if status != C.TRIP_OK {
		handle.Delete()
	}
	return answer(status)
}

// StageCount is how many stages there are.
func (p *Pipeline) StageCount() (int, error) {
	if p == nil {
		return 0, ErrHandle
	}
	defer runtime.KeepAlive(p)
	var count C.uint32_t
	status := C.trip_pipeline_count(p.handle, &count)
	return int(count), answer(status)
}

// Run passes bytes through the stages: the output of one is the input of the next. Without stages the output is the
// input. The first that fails is the last that runs, and the error a [*StageError]. A stage may run this or another
// pipeline.
func (p *Pipeline) Run(input []byte) ([]byte, error) {
	if p == nil {
		return nil, ErrHandle
	}
	defer runtime.KeepAlive(p)
	var output C.trip_output
	failure := C.trip_stage_failure{struct_size: C.sizeof_trip_stage_failure}
	var status C.trip_status
	var visit visit
	visit.visiting(func(number C.uintptr_t) {
		status = C.trip_go_pipeline_run(p.handle, (*C.char)(unsafe.Pointer(unsafe.SliceData(input))),
			C.size_t(len(input)), &output, &failure, number)
	})
	switch status {
	case C.TRIP_OK:
		defer C.trip_output_free(output)
		return written(max(len(input), 64), func(out *C.char, capacity C.size_t, outLen *C.size_t) C.trip_status {
			return C.trip_output_read(output, out, capacity, outLen)
		})
	case C.TRIP_STAGE_FAILED:
		return nil, &StageError{
			Stage: int(failure.stage),
			Name:  C.GoStringN(&failure.name[0], C.int(failure.name_len)),
			Code:  int32(failure.code),
			Err:   visit.failure,
		}
	}
	return nil, answer(status)
}
