// This file owns Allow: a permit in two steps, for code that asks in one place and knows in another how the call went,
// in the shape of gobreaker's TwoStepCircuitBreaker. It decides nothing that Execute does not.

package trip

import (
	"context"
	"errors"
)

// Allow asks for a permit in two steps, in the shape of gobreaker's TwoStepCircuitBreaker: call done with the error of
// the call when that has ended, on any goroutine. What the error counts as is as with [Execute]; done called again
// counts nothing, and never called is a permit that was forgotten, see [Permit].
//
//	done, err := circuit.Allow()
//	if err != nil {
//		return err // an *OpenError: the call is not to be made
//	}
//	answer, err := ask()
//	done(err)
//
// The error is an [*OpenError], and nothing else: when the library fails it is nil, done does nothing, and what failed
// is reported to Config.OnError. There is a done with an error too, which does nothing.
func (c *Circuit) Allow() (done func(err error), err error) {
	return c.AllowJudged(nil)
}

// AllowJudged is Allow, but judge says what an error tells about the provider: what gobreaker's IsSuccessful and
// IsExcluded do. It is not asked about nil, nor about [context.Canceled], nor when another circuit refused. Without a
// judge it is Allow.
func (c *Circuit) AllowJudged(judge func(error) Outcome) (done func(err error), err error) {
	if judge == nil {
		judge = func(error) Outcome { return OutcomeFailure }
	}
	permit, err := c.Permit()
	switch {
	case errors.Is(err, ErrOpen):
		return func(error) {}, err
	case err != nil:
		c.report(err)
		return func(error) {}, nil
	}
	return func(err error) {
		judged := settlementOf(context.Background(), err, func(err error) settlement { return judge(err).settlement() })
		if failed := permit.settle(judged); failed == ErrHandle {
			c.report(failed)
		}
	}, nil
}
