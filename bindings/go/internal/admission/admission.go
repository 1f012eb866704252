// Package admission owns what code between a program and its calls needs of a circuit: a transport, an interceptor. A
// call is admitted or refused, and its end is recorded once. It is never the outage: what the library fails at is
// reported, and the call goes unguarded. It knows no protocol.
package admission

import (
	"context"
	"errors"
	"sync/atomic"

	"libtrip.example/trip"
)

// Call is a call that was admitted. It is ended once, by whoever comes first, on any goroutine; what comes later does
// nothing. One that is forgotten is a permit that was forgotten.
type Call struct {
	tracker *trip.Tracker
	permit  trip.Permit
	ended   atomic.Bool // from the beginning, where it is unguarded
}

// Begin asks the circuit of tenant and provider. The error is an [*trip.OpenError], and nothing else.
func Begin(tracker *trip.Tracker, tenant, provider string) (*Call, error) {
	call := &Call{tracker: tracker}
	circuit, err := tracker.Circuit(tenant, provider)
	if err == nil {
		call.permit, err = circuit.Permit()
	}
	switch {
	case errors.Is(err, trip.ErrOpen):
		return nil, err
	case err != nil:
		call.ended.Store(true)
		tracker.Report(err)
	}
	return call, nil
}

// HasEnded tells whether the end is recorded.
func (c *Call) HasEnded() bool { return c.ended.Load() }

// Progress tells that a stream goes on.
func (c *Call) Progress() {
	if !c.HasEnded() {
		c.permit.Progress() // stale is no error, and whatever else it is the end will tell as well
	}
}

// End records how the call went. An outcome that is none counts as a failure, as everywhere.
func (c *Call) End(outcome trip.CallOutcome) {
	c.settle(func() error {
		err := c.permit.Record(outcome)
		if err == trip.ErrInvalid {
			c.tracker.Report(err)
			err = c.permit.RecordFailure()
		}
		return err
	})
}

// Fail records the error that the call has ended with; see [trip.Permit.RecordError].
func (c *Call) Fail(ctx context.Context, err error) {
	c.settle(func() error { return c.permit.RecordError(ctx, err) })
}

// Cancel records that the call has told nothing.
func (c *Call) Cancel() { c.settle(c.permit.Cancel) }

// Drop is for a call that nobody knows the end of, such as one that panics.
func (c *Call) Drop() { c.settle(c.permit.Drop) }

func (c *Call) settle(settle func() error) {
	if c.ended.Swap(true) {
		return
	}
	if err := settle(); err != nil && err != trip.ErrStale {
		c.tracker.Report(err)
	}
}
