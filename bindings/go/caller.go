// This file owns Do: the order in which the parts around a call have their say, and that each is given back what it
// gave, however the call ends. Permits and retries, the innermost of them, are attempts.go's.

package trip

/*
#include <trip.h>
*/
import "C"

import (
	"context"
	"errors"
	"fmt"
	"runtime"
)

// Caller is how calls are made: which of the parts around a permit take part, and how. It owns none of them, and any
// number of goroutines may call by it.
type Caller struct {
	config CallerConfig
}

// CallerConfig says who is called, a Circuit or a Route, and by which parts; those that are nil take no part.
type CallerConfig struct {
	Circuit *Circuit // of the provider
	Route   *Route   // to one of several providers
	Dedup   *Dedup   // makes a call once that many make at once, or have just made
	Gate    *Gate    // bounds the calls in progress
	Retry   *Retry   // tries again
	Permits Permits  // default PermitPerAttempt

	// Classify says how a call went that has ended with an error. Nil: [ClassifyError], and an error of which nothing can
	// be told is a failure, as with [Execute], which is tried again as a server error is. It is not asked about nil, nor
	// when somebody gave up, or another circuit or a gate refused within the call.
	Classify func(error) CallOutcome
}

// Permits is how many a call takes that is tried again.
type Permits int

const (
	// PermitPerAttempt asks for a permit for each attempt: each failure counts, a circuit that opens ends the retries of
	// all, and with a Route a retry may go to another provider.
	PermitPerAttempt Permits = iota
	// PermitPerCall asks for one permit, which is settled with how the last attempt went: a failure that a retry mends is
	// none.
	PermitPerCall
)

// CallOptions are what is a call's own. The zero CallOptions are those of a call that is like no other.
type CallOptions[T any] struct {
	// Key says which call this is, to the Dedup. Empty: it is not deduplicated.
	Key string
	// Session keeps calls together, at one of a Route's providers; see [Route.Permit].
	Session string
	// Encode makes bytes of what a call with a Key has brought, and Decode the way back. Where both are nil a []byte or a
	// string is as it is, and a type goes its own way that is an [encoding.BinaryMarshaler] and, by its pointer, an
	// [encoding.BinaryUnmarshaler]; no other type goes any.
	Encode func(T) ([]byte, error)
	Decode func([]byte) (T, error)
}

// NewCaller makes a Caller. [ErrInvalid]: the config has neither a Circuit nor a Route, or both, or its Permits are
// none.
func NewCaller(config CallerConfig) (*Caller, error) {
	switch {
	case (config.Circuit == nil) == (config.Route == nil):
		return nil, fmt.Errorf("%w: a Caller needs a Circuit or a Route, and not both", ErrInvalid)
	case config.Permits != PermitPerAttempt && config.Permits != PermitPerCall:
		return nil, fmt.Errorf("%w: there are no Permits %d", ErrInvalid, config.Permits)
	}
	return &Caller{config: config}, nil
}

// Do makes a call, which is told who the provider is, by all parts of the caller. From the outside in:
//
//   - Dedup: with a Key, a value that is known, or that somebody else is about to bring, ends the call here. Who waits
//     for another holds nothing meanwhile.
//   - Gate: a place is held until the call is over, waits for retries included. There is none: the error is a
//     [*ShedError].
//   - Permit and Retry, in this order or the other, as Permits says. A refusal is no attempt: before the first the
//     error is an [*OpenError], after one that failed it is that one's own.
//   - The call, which is judged, and recorded.
//
// A call whose retries are over ends as its last attempt did. When ctx is over while it waits, for another's result or
// before a retry, the error is that of ctx, and that of the last attempt if there was one; where the wait for a retry
// would take longer than ctx has, it is not begun. However a call ends, by a panic too, nothing of it stays behind: the
// ticket is settled, the place given back, the permit settled, as [Execute] does.
//
// When a part fails for want of memory or places the call goes on without it, and the error is reported to the
// tracker's Config.OnError; so it does without a circuit, as by Execute. A part that is closed is [ErrHandle].
func Do[T any](ctx context.Context, caller *Caller, options CallOptions[T],
	call func(ctx context.Context, provider string) (T, error)) (T, error) {
	var none T
	if caller == nil {
		return none, ErrHandle
	}
	if err := ctx.Err(); err != nil {
		return none, err
	}
	u := undertaking[T]{
		CallerConfig: &caller.config,
		options:      options,
		call:         call,
		trying:       trying{retry: caller.config.Retry},
		ended:        givenUp,
	}
	if u.Dedup == nil || options.Key == "" {
		return u.gated(ctx)
	}
	return u.deduplicated(ctx)
}

// An undertaking is a Do under way.
type undertaking[T any] struct {
	*CallerConfig
	options CallOptions[T]
	call    func(ctx context.Context, provider string) (T, error)
	trying
	ended settlement // how the last attempt did
}

// givenUp is how a call has ended that has told nothing, at least so far.
var givenUp = settlement{way: cancel}

func (u *undertaking[T]) deduplicated(ctx context.Context) (result T, err error) {
	codec, err := u.options.codec()
	if err != nil {
		return result, err
	}
	ticket, value, err := u.Dedup.join(ctx, u.options.Key)
	switch {
	case err == nil && ticket != 0:
		return u.withTicket(ctx, ticket, codec)
	case err == nil:
		if result, err = codec.decode(value); err == nil {
			return result, nil
		}
		u.report(fmt.Errorf("a value that is known cannot be read: %w", err))
	case !u.goesWithout(err):
		return result, err
	}
	return u.gated(ctx)
}

// withTicket makes the call for all who wait for it, unless who got the ticket has given up meanwhile.
func (u *undertaking[T]) withTicket(ctx context.Context, ticket C.trip_ticket, codec codec[T]) (result T, err error) {
	settle := func() C.trip_status { return C.trip_ticket_drop(ticket) } // unless there is a value
	defer func() {
		u.settled(settle())
		runtime.KeepAlive(u.Dedup)
	}()
	if err := ctx.Err(); err != nil {
		return result, err
	}
	if result, err = u.gated(ctx); err != nil {
		return result, err
	}
	value, unwritten := codec.encode(result)
	if unwritten != nil {
		u.report(fmt.Errorf("a value cannot be told to others: %w", unwritten))
		return result, nil
	}
	settle = func() C.trip_status { return complete(ticket, value) }
	return result, nil
}

func (u *undertaking[T]) gated(ctx context.Context) (T, error) {
	if u.Gate == nil {
		return u.permitted(ctx)
	}
	token, err := u.Gate.acquire()
	switch {
	case err == nil:
		defer func() {
			u.settled(C.trip_token_release(token, u.ended.effect()))
			runtime.KeepAlive(u.Gate)
		}()
	case !u.goesWithout(err):
		var none T
		return none, err
	}
	return u.permitted(ctx)
}

// effect is what the end of a call is to a gate: what its class is to circuits, if nobody has ordered otherwise.
func (s settlement) effect() C.uint32_t {
	switch {
	case s.way == recordSuccess:
		return C.TRIP_EFFECT_SUCCESS
	case s.way == recordFailure:
		return C.TRIP_EFFECT_FAILURE
	case s.way != recordOutcome:
		return C.TRIP_EFFECT_NOTHING
	}
	switch Class(s.outcome.status_class) {
	case ClassServerError, ClassRateLimited, ClassOverloaded, ClassNetwork, ClassTimeout, ClassQuota:
		return C.TRIP_EFFECT_FAILURE
	case ClassCancelled, ClassUnknown:
		return C.TRIP_EFFECT_NOTHING
	}
	return C.TRIP_EFFECT_SUCCESS
}

// goesWithout tells whether a call goes on without the part that this is the error of, and reports the error then: a
// part that fails must not be the outage. One that is closed, or was asked for the wrong thing, is the program's
// mistake.
func (c *CallerConfig) goesWithout(err error) bool {
	var status Status
	if !errors.As(err, &status) || status >= 0 || status == ErrHandle || status == ErrInvalid {
		return false
	}
	c.report(err)
	return true
}

// settled is told what settling a ticket or a token has come to. Stale is no error: nobody waits any more.
func (c *CallerConfig) settled(status C.trip_status) {
	if status < 0 {
		c.report(answer(status))
	}
}

func (c *CallerConfig) report(err error) {
	if c.Route != nil {
		c.Route.tracker.Report(err)
		return
	}
	c.Circuit.report(err)
}
