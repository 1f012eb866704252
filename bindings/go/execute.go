// This file owns Execute: what the end of a call says about the provider.

package trip

/*
#include <trip.h>
*/
import "C"

import (
	"context"
	"errors"
	"runtime"
)

// Outcome is what a call told about its provider.
type Outcome int

const (
	OutcomeSuccess Outcome = iota // the provider answered as it should, if only to say that the request was wrong
	OutcomeFailure                // the provider failed
	OutcomeCancel                 // nothing: the provider was not reached, for a reason of our own
)

// Execute makes a call with a permit of the circuit and settles the permit by how the call ends:
//
//   - A nil error is a success, even when ctx is over by then.
//   - An error is a failure, and so is a deadline of ctx that passed: waiting for the provider used it up.
//   - An error after ctx was cancelled, or one that is [context.Canceled], cancels the permit: somebody gave up, which
//     tells nothing about the provider.
//   - So does an error that is [ErrOpen] or [ErrShed], of another circuit or of a gate within the call: a refusal is
//     nobody's failure.
//   - A panic, or a call that ends its goroutine, drops the permit; the panic continues.
//
// A refused call is not made, and the error is an [*OpenError]; nor is it made when ctx is over before it begins. When
// the library fails in any other way the call is made unguarded and the error reported to Config.OnError.
//
// Where some errors are not the provider's fault, such as that of a malformed request, use [ExecuteClassified] or
// [ExecuteJudged].
func Execute[T any](ctx context.Context, circuit *Circuit, call func(context.Context) (T, error)) (T, error) {
	return execute(ctx, circuit, blame, call)
}

func blame(error) settlement { return settlement{way: recordFailure} }

// ExecuteJudged is Execute, but judge says what an error tells about the provider. It is not asked about nil, nor when
// somebody gave up or another circuit refused.
func ExecuteJudged[T any](ctx context.Context, circuit *Circuit, judge func(error) Outcome,
	call func(context.Context) (T, error)) (T, error) {
	return execute(ctx, circuit, func(err error) settlement { return judge(err).settlement() }, call)
}

// ExecuteClassified is ExecuteJudged with classes: classify says how the call went, and the Config what its class
// counts as. [ClassifyHTTP], [ClassifyErrno] and [ClassifyText] know most of it. An outcome of no class is reported to
// Config.OnError, and counts as a failure.
func ExecuteClassified[T any](ctx context.Context, circuit *Circuit, classify func(error) CallOutcome,
	call func(context.Context) (T, error)) (T, error) {
	return execute(ctx, circuit, func(err error) settlement { return circuit.classified(classify(err)) }, call)
}

func (c *Circuit) classified(outcome CallOutcome) settlement {
	settled, err := outcome.settlement()
	if err != nil {
		c.report(err)
		return blame(err)
	}
	return settled
}

func (o Outcome) settlement() settlement {
	switch o {
	case OutcomeSuccess:
		return settlement{way: recordSuccess}
	case OutcomeCancel:
		return settlement{way: cancel}
	default:
		return settlement{way: recordFailure}
	}
}

// execute makes the call; judge is asked about the errors that may be the provider's fault.
func execute[T any](ctx context.Context, circuit *Circuit, judge func(error) settlement,
	call func(context.Context) (T, error)) (T, error) {
	if err := ctx.Err(); err != nil {
		var none T
		return none, err
	}
	lane := circuit.express()
	if lane == nil {
		return executeByPermit(ctx, circuit, judge, call)
	}
	settled := settlement{way: drop} // unless the call returns
	defer func() {
		if settled.way != recordSuccess || !lane.isHealthy() {
			lane.tracker.settle(lane.permit, settled)
			return
		}
		// As count does, whose call would cost a tenth of all.
		isBatch := lane.add(pin(), executions)
		unpin()
		if isBatch {
			lane.ledger.tellSome()
		}
	}()
	result, err := call(ctx)
	if err == nil {
		settled.way = recordSuccess
	} else {
		settled = settlementOf(ctx, err, judge)
	}
	return result, err
}

// executeByPermit is for a circuit that must be asked.
func executeByPermit[T any](ctx context.Context, circuit *Circuit, judge func(error) settlement,
	call func(context.Context) (T, error)) (T, error) {
	permit, err := circuit.admit()
	if errors.Is(err, ErrOpen) {
		var none T
		return none, err
	}
	if err != nil {
		circuit.report(err)
		return call(ctx)
	}
	return executeWith(ctx, circuit, permit, judge, call)
}

// executeWith makes the call with a permit that was granted for it.
func executeWith[T any](ctx context.Context, circuit *Circuit, permit C.trip_permit, judge func(error) settlement,
	call func(context.Context) (T, error)) (T, error) {
	settled := settlement{way: drop} // unless the call returns
	defer func() {
		if circuit.tracker.settle(permit, settled) == C.TRIP_OK && settled.succeeds() {
			circuit.succeeded()
		}
	}()
	result, err := call(ctx)
	settled = settlementOf(ctx, err, judge)
	return result, err
}

func settlementOf(ctx context.Context, err error, judge func(error) settlement) settlement {
	switch {
	case err == nil:
		return settlement{way: recordSuccess}
	case ctx.Err() == context.Canceled, errors.Is(err, context.Canceled), errors.Is(err, ErrOpen),
		errors.Is(err, ErrShed):
		return settlement{way: cancel}
	}
	return judge(err)
}

// settle settles a permit of the tracker's. Stale is no error: the circuit moved on without this call.
func (t *Tracker) settle(permit C.trip_permit, settled settlement) C.trip_status {
	status := settled.of(permit)
	if status < 0 {
		t.Report(answer(status))
	}
	runtime.KeepAlive(t)
	return status
}

// RecordError settles the permit by the error that its call has ended with, as [Do] does: nil is a success; one after
// ctx was cancelled, one that is [context.Canceled] and one of another circuit or a gate cancel the permit; any other
// is of the class that [ClassifyError] says. One of which nothing can be told is a failure, unless it is that of a
// system that could not ask the provider, such as EMFILE. It returns what the other settlements do.
func (p Permit) RecordError(ctx context.Context, err error) error {
	return p.settle(settlementOf(ctx, err, judgeByClass))
}

func judgeByClass(err error) settlement {
	outcome := ClassifyError(err)
	settled, invalid := outcome.settlement()
	if invalid != nil || (outcome.Class == ClassUnknown && outcome.Errno == 0) {
		return blame(err)
	}
	return settled
}

func (c *Circuit) report(err error) {
	var tracker *Tracker
	if c != nil {
		tracker = c.tracker
	}
	tracker.Report(err)
}
