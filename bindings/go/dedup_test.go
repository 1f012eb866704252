// These tests own deduplication as Go has it: one ticket of many, waiting that costs no thread and leaves nothing
// behind, tickets that are not lost.

package trip_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"libtrip.example/trip"
)

func check(t testing.TB, dedup *trip.Dedup, key string) *trip.Ticket {
	t.Helper()
	ticket, value, err := dedup.Check(key)
	if ticket == nil || value != nil || err != nil {
		t.Fatalf("checked to %v, %q, %v", ticket, value, err)
	}
	return ticket
}

func wantValue(t testing.TB, dedup *trip.Dedup, key, want string) {
	t.Helper()
	ticket, value, err := dedup.Check(key)
	if ticket != nil || value == nil || string(value) != want || err != nil {
		t.Errorf("checked to %v, %.40q, %v", ticket, value, err)
	}
}

func inspectDedup(t testing.TB, dedup *trip.Dedup) trip.DedupInfo {
	t.Helper()
	info, err := dedup.Inspect()
	must(t, err)
	return info
}

// An asked is what came of a Wait on a goroutine of its own.
type asked struct {
	ticket *trip.Ticket
	value  []byte
	err    error
}

func waitFor(ctx context.Context, dedup *trip.Dedup, key string) <-chan asked {
	came := make(chan asked, 1)
	go func() {
		ticket, value, err := dedup.Wait(ctx, key)
		came <- asked{ticket, value, err}
	}()
	return came
}

const waitingForAnother = "(*Dedup).untilOver"

func TestATicketIsSettledOnce(t *testing.T) {
	settlements := map[string]func(*trip.Ticket) error{
		"Complete": func(ticket *trip.Ticket) error { return ticket.Complete([]byte("value")) },
		"Fail":     (*trip.Ticket).Fail, "Drop": (*trip.Ticket).Drop,
	}
	for name, settle := range settlements {
		dedup := newDedup(t, trip.DedupConfig{})
		ticket := check(t, dedup, "key")
		must(t, ticket.Renew())
		must(t, settle(ticket))
		settled := inspectDedup(t, dedup)
		for again, settle := range settlements {
			wantError(t, again+" after "+name, settle(ticket), trip.ErrConsumed)
		}
		wantError(t, "Renew after "+name, ticket.Renew(), trip.ErrConsumed)
		if after := inspectDedup(t, dedup); after != settled || after.InProgress != 0 {
			t.Errorf("settling again after %s changed\n%+v to\n%+v", name, settled, after)
		}
	}
}

func TestValuesAreAnyBytesOfAnyLength(t *testing.T) {
	dedup := newDedup(t, trip.DedupConfig{})
	for i, value := range []string{"", "\x00", "\xff\xfe", strings.Repeat("v", 1023), strings.Repeat("v", 1024),
		strings.Repeat("v", 1025), strings.Repeat("\x00", 1<<20)} {
		key := fmt.Sprint("\xff\x00", i)
		must(t, check(t, dedup, key).Complete([]byte(value)))
		wantValue(t, dedup, key, value)
		must(t, dedup.Forget(key))
		must(t, check(t, dedup, key).Drop())
	}
	for _, key := range []string{"", strings.Repeat("k", 1<<16)} {
		must(t, check(t, dedup, key).Complete(nil))
		wantValue(t, dedup, key, "")
	}
}

func TestAValueIsItsCallersOwn(t *testing.T) {
	dedup := newDedup(t, trip.DedupConfig{})
	given := []byte("value")
	must(t, check(t, dedup, "key").Complete(given))
	given[0] = 'X'
	_, value, _ := dedup.Check("key")
	value = append(value, bytes.Repeat([]byte("!"), 100)...)
	value[1] = 'X'
	wantValue(t, dedup, "key", "value")
}

func TestOneOfManyGetsTheTicketAndTheOthersItsValue(t *testing.T) {
	leavesNothing(t, func(t *testing.T) {
		const waiters = 60
		dedup := newDedup(t, trip.DedupConfig{})
		ticket := check(t, dedup, "key")
		_, _, err := dedup.Check("key")
		wantError(t, "another", err, trip.ErrInProgress)
		before := threads(t)
		var all []<-chan asked
		for waiting := range waiters { // one by one: to begin to wait takes a thread for a moment
			all = append(all, waitFor(context.Background(), dedup, "key"))
			untilWaiting(t, waiting+1, waitingForAnother)
		}
		if now := threads(t); now > before+waiters/2 {
			t.Errorf("%d threads wait, before there were %d", now, before)
		}
		must(t, ticket.Complete([]byte("value")))
		for _, came := range all {
			if got := <-came; got.ticket != nil || string(got.value) != "value" || got.err != nil {
				t.Errorf("came %+v", got)
			}
		}
	})
}

func TestATicketThatFailsGoesToOneOfThoseWhoWait(t *testing.T) {
	leavesNothing(t, func(t *testing.T) {
		const waiters = 20
		dedup := newDedup(t, trip.DedupConfig{})
		var tickets, values, at atomic.Int32
		first := check(t, dedup, "key")
		done := make(chan struct{})
		for range waiters {
			go func() {
				defer func() { done <- struct{}{} }()
				ticket, value, err := dedup.Wait(context.Background(), "key")
				switch {
				case err != nil:
					t.Errorf("came %v", err)
				case value != nil:
					values.Add(1)
				default:
					if at.Add(1) != 1 {
						t.Error("two have a ticket")
					}
					number := tickets.Add(1)
					at.Add(-1)
					if number == waiters/2 {
						must(t, ticket.Complete(nil))
					} else {
						must(t, ticket.Fail())
					}
				}
			}()
		}
		untilWaiting(t, waiters, waitingForAnother)
		must(t, first.Fail())
		for range waiters {
			<-done
		}
		if tickets.Load() != waiters/2 || values.Load() != waiters/2 {
			t.Errorf("%d tickets, %d values", tickets.Load(), values.Load())
		}
		if info := inspectDedup(t, dedup); info.InProgress != 0 {
			t.Errorf("inspected %+v", info)
		}
	})
}

func TestWithoutATTLEachWhoWaitsMakesTheCall(t *testing.T) {
	leavesNothing(t, func(t *testing.T) {
		config := trip.DefaultDedupConfig()
		config.TTL = 0
		dedup := newDedup(t, config)
		ticket := check(t, dedup, "key")
		came := waitFor(context.Background(), dedup, "key")
		untilWaiting(t, 1, waitingForAnother)
		must(t, ticket.Complete([]byte("value")))
		next := <-came
		must(t, next.ticket.Complete([]byte("value")))
		must(t, check(t, dedup, "key").Drop())
	})
}

func TestWaitingForAnotherEndsWithItsContext(t *testing.T) {
	leavesNothing(t, func(t *testing.T) {
		dedup := newDedup(t, trip.DedupConfig{})
		ticket := check(t, dedup, "key")
		over, cancel := context.WithCancel(context.Background())
		cancel()
		wantError(t, "over before", (<-waitFor(over, dedup, "key")).err, context.Canceled)
		passed, cancel := context.WithTimeout(context.Background(), time.Millisecond)
		defer cancel()
		wantError(t, "deadline", (<-waitFor(passed, dedup, "key")).err, context.DeadlineExceeded)
		later, cancel := context.WithCancel(context.Background())
		came := waitFor(later, dedup, "key")
		untilWaiting(t, 1, waitingForAnother)
		cancel()
		if got := <-came; got.ticket != nil || got.value != nil || !errors.Is(got.err, context.Canceled) {
			t.Errorf("came %+v", got)
		}
		for range 100 { // before it waits, while it does
			later, cancel := context.WithCancel(context.Background())
			came := waitFor(later, dedup, "key")
			cancel()
			wantError(t, "cancelled", (<-came).err, context.Canceled)
		}
		must(t, ticket.Complete([]byte("value")))
		if got := <-waitFor(over, dedup, "key"); string(got.value) != "value" { // there is nothing to wait for
			t.Errorf("came %+v", got)
		}
	})
}

func TestWaitingForAnotherEndsWithItsDedup(t *testing.T) {
	leavesNothing(t, func(t *testing.T) {
		for _, isTrackerFirst := range []bool{false, true} {
			const waiters = 8
			tracker := newTracker(t, trip.Config{})
			dedup := newDedup(t, trip.DedupConfig{Tracker: tracker})
			ticket := check(t, dedup, "key")
			var all []<-chan asked
			for range waiters {
				all = append(all, waitFor(context.Background(), dedup, "key"))
			}
			untilWaiting(t, waiters, waitingForAnother)
			if isTrackerFirst { // which wakes nobody
				must(t, tracker.Close())
			}
			must(t, trip.DedupFromHandle(dedup.Handle()).Close())
			for _, came := range all {
				wantError(t, "closed", (<-came).err, trip.ErrHandle)
			}
			wantError(t, "the ticket", ticket.Complete(nil), trip.ErrHandle)
		}
	})
}

func TestALeaseThatIsOverWakesWhoWaits(t *testing.T) {
	leavesNothing(t, func(t *testing.T) {
		dedup := newDedup(t, trip.DedupConfig{Lease: 30 * time.Millisecond})
		late := check(t, dedup, "key")
		got := <-waitFor(context.Background(), dedup, "key")
		if got.ticket == nil {
			t.Fatalf("came %+v", got)
		}
		wantError(t, "late", late.Complete([]byte("late")), trip.ErrStale)
		err := got.ticket.Complete([]byte("value"))
		if err == nil { // in time
			wantValue(t, dedup, "key", "value")
		} else {
			wantError(t, "late too", err, trip.ErrStale)
		}
	})
}

func TestAForgottenTicketIsDropped(t *testing.T) {
	leavesNothing(t, func(t *testing.T) {
		dedup := newDedup(t, trip.DedupConfig{})
		check(t, dedup, "key")
		came := waitFor(context.Background(), dedup, "key")
		collectGarbage(t, func() bool { return inspectDedup(t, dedup).Failed == 1 })
		must(t, (<-came).ticket.Drop())
	})
}

func TestATicketKeepsItsDedup(t *testing.T) {
	forget := func() (ticket *trip.Ticket, handle uint64) {
		dedup, err := trip.NewDedup(trip.DedupConfig{})
		must(t, err)
		return check(t, dedup, "key"), dedup.Handle()
	}
	ticket, _ := forget()
	_, handle := forget() // closed: then the collector has passed the other as well
	collectGarbage(t, func() bool { return errors.Is(second(trip.DedupFromHandle(handle).Inspect()), trip.ErrHandle) })
	must(t, ticket.Complete(nil))
}

func TestWithoutDescriptorsWaitingSaysSo(t *testing.T) {
	leavesNothing(t, func(t *testing.T) {
		dedup := newDedup(t, trip.DedupConfig{})
		ticket := check(t, dedup, "key")
		var err error
		withoutDescriptors(t, func() { _, _, err = dedup.Wait(context.Background(), "key") })
		wantError(t, "Wait", err, trip.ErrSystem)
		must(t, ticket.Drop())
	})
}

func TestManyGoroutinesShareKeys(t *testing.T) {
	leavesNothing(t, func(t *testing.T) {
		const goroutines, each, keys = 16, 100, 5
		config := trip.DefaultDedupConfig()
		config.TTL = 0
		dedup := newDedup(t, config)
		var in [keys]atomic.Int32
		together(goroutines, func(which int) {
			for i := range each {
				number := (which + i) % keys
				ctx, cancel := context.WithTimeout(context.Background(), time.Duration(i%3)*time.Millisecond)
				ticket, _, err := dedup.Wait(ctx, fmt.Sprint(number))
				cancel()
				if err != nil {
					wantError(t, "Wait", err, context.DeadlineExceeded)
					continue
				}
				if in[number].Add(1) != 1 {
					t.Errorf("two make the call %d", number)
				}
				in[number].Add(-1)
				must(t, ticket.Complete([]byte("value")))
			}
		})
		info := inspectDedup(t, dedup)
		if info.InProgress != 0 || info.Started != info.Completed {
			t.Errorf("inspected %+v", info)
		}
	})
}
