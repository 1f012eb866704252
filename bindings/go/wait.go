// This file owns waiting for a circuit to admit calls again. It asks for no permit and leaves nothing behind.

package trip

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// lookAgain is how long WaitAdmit at most goes without a look at the circuit: an operator, or another language, closes
// it without telling those who wait, and a manual clock moves without them.
const lookAgain = 250 * time.Millisecond

// WaitAdmit waits until the circuit would admit a call, without a goroutine of its own, and returns nil then. It takes
// no permit: of many who wait some may be refused when they ask for one, as there are only so many probes.
//
// When ctx is over before, the error is that of ctx and also the refusal, an [*OpenError]. On any other error of this
// package, such as [ErrHandle] of a tracker that was closed, make the call unguarded, as everywhere.
func (c *Circuit) WaitAdmit(ctx context.Context) error {
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		err := c.Peek()
		var open *OpenError
		if !errors.As(err, &open) {
			return err
		}
		wait := min(max(open.RetryAfter, time.Millisecond), lookAgain)
		if over := sleep(ctx, wait); over != nil {
			return fmt.Errorf("%w while waiting: %w", over, err)
		}
	}
}
