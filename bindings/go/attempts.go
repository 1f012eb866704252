// This file owns the attempts of a call: permits, for each or for all, and whether and when another is made.

package trip

/*
#include <trip.h>
*/
import "C"

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// trying is how far the attempts of a call have got.
type trying struct {
	retry     *Retry // nil: there is one attempt
	attempts  int    // that were made
	avoid     uint64 // providers of a route that have failed, by their bits
	began     time.Duration
	lastDelay time.Duration
}

// A leg is where an attempt goes.
type leg struct {
	provider string
	index    int      // of a route's provider
	circuit  *Circuit // nil: it could not be had
	permit   C.trip_permit
}

// admit finds a provider that may be called. One without a permit is called unguarded: the circuit has failed, not it.
func (c *CallerConfig) admit(session string, avoid uint64) (leg, error) {
	if c.Route != nil {
		return c.admitOnRoute(session, avoid)
	}
	permit, err := c.Circuit.admit()
	if err != nil && !errors.Is(err, ErrOpen) {
		c.report(err)
		err = nil
	}
	return leg{provider: c.Circuit.provider, circuit: c.Circuit, permit: permit}, err
}

func (c *CallerConfig) admitOnRoute(session string, avoid uint64) (leg, error) {
	permit, index, err := c.Route.admit(session, avoid)
	if err != nil {
		first := c.Route.first.Load()
		if first == nil || !c.goesWithout(err) {
			return leg{}, err
		}
		return leg{provider: *first}, nil
	}
	circuit, err := c.Route.Circuit(index)
	if err != nil { // then nobody knows whose permit it is
		C.trip_permit_cancel(permit)
		return leg{}, err
	}
	return leg{provider: circuit.provider, index: index, circuit: circuit, permit: permit}, nil
}

// permitted asks for permits, and makes the call.
func (u *undertaking[T]) permitted(ctx context.Context) (T, error) {
	if u.Permits == PermitPerAttempt {
		admit := func() (leg, error) { return u.admit(u.options.Session, u.avoid) }
		return u.tried(ctx, admit, func(to leg) (T, error) {
			return u.guarded(ctx, to, func(ctx context.Context) (T, error) { return u.attempt(ctx, to) })
		})
	}
	to, err := u.admit(u.options.Session, 0)
	if err != nil {
		var none T
		return none, err
	}
	return u.guarded(ctx, to, func(ctx context.Context) (T, error) {
		same := func() (leg, error) { return to, nil }
		return u.tried(ctx, same, func(to leg) (T, error) { return u.attempt(ctx, to) })
	})
}

// guarded makes a call with the permit, which is settled by how the last attempt in it has ended.
func (u *undertaking[T]) guarded(ctx context.Context, to leg, call func(context.Context) (T, error)) (T, error) {
	if to.permit == 0 {
		return call(ctx)
	}
	return executeWith(ctx, to.circuit, to.permit, func(error) settlement { return u.ended }, call)
}

// tried makes attempts until one succeeds, or another is not to be made.
func (u *undertaking[T]) tried(ctx context.Context, admit func() (leg, error),
	attempt func(leg) (T, error)) (result T, err error) {
	for {
		to, refusal := admit()
		switch {
		case refusal != nil && u.attempts == 0:
			return result, refusal
		case refusal != nil:
			return result, err
		}
		if result, err = attempt(to); err == nil {
			return result, nil
		}
		delay, isAgain := u.again(ctx, to)
		if !isAgain {
			return result, err
		}
		if over := sleep(ctx, delay); over != nil {
			u.ended = givenUp
			return result, fmt.Errorf("%w before another attempt, after: %w", over, err)
		}
	}
}

// attempt makes an attempt. One that does not return, or cannot begin, has told nothing.
func (u *undertaking[T]) attempt(ctx context.Context, to leg) (result T, err error) {
	u.ended = givenUp
	if u.retry != nil && u.attempts == 0 {
		if u.began, err = u.retry.Begin(to.provider); err != nil && !u.goesWithout(err) {
			return result, err
		}
		if err != nil {
			u.retry = nil
		}
	}
	u.attempts++
	result, err = u.call(ctx, to.provider)
	u.ended = settlementOf(ctx, err, func(err error) settlement { return u.judge(to.circuit, err) })
	return result, err
}

func (c *CallerConfig) judge(circuit *Circuit, err error) settlement {
	if c.Classify != nil {
		return circuit.classified(c.Classify(err))
	}
	outcome := ClassifyError(err)
	if outcome.Class == ClassUnknown {
		return blame(err)
	}
	return circuit.classified(outcome)
}

// again asks whether another attempt is to be made, and after which delay: not after one that was given up, or that has
// not begun, and not where ctx would be over before.
func (u *undertaking[T]) again(ctx context.Context, failed leg) (delay time.Duration, isAgain bool) {
	if u.retry == nil || u.ended == givenUp || ctx.Err() != nil {
		return 0, false
	}
	outcome := u.ended.outcome
	if outcome == nil { // a failure of which nothing else is known
		outcome = &C.trip_outcome{struct_size: C.sizeof_trip_outcome, status_class: C.TRIP_CLASS_SERVER_ERROR}
	}
	delay, err := u.retry.next(Attempt{
		Provider: failed.provider, Number: u.attempts, Began: u.began, LastDelay: u.lastDelay,
	}, outcome)
	if status, isStatus := err.(Status); isStatus && status < 0 {
		u.report(err)
	}
	if until, isLimited := ctx.Deadline(); err != nil || (isLimited && time.Until(until) < delay) {
		return 0, false
	}
	u.avoid |= 1 << failed.index
	u.lastDelay = delay
	return delay, true
}

// sleep waits for so long, or until ctx is over.
func sleep(ctx context.Context, delay time.Duration) error {
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
	return ctx.Err()
}
