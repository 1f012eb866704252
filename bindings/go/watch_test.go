// These tests own waiting for events: who waits is woken by what happens and by nothing else, costs no thread, and
// leaves nothing behind, however his waiting ends.

package trip_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"libtrip.example/trip"
)

// leavesNothing runs a test of waiting, and requires that goroutines and descriptors are as many as before. The garbage
// collector, which would close what was forgotten, is not asked.
func leavesNothing(t *testing.T, test func(t *testing.T)) {
	goroutines, descriptors := runtime.NumGoroutine(), descriptors(t)
	t.Run("waiting", test)
	eventually(t, func() bool { return runtime.NumGoroutine() <= goroutines })
	eventually(t, func() bool { return openDescriptors(t) == descriptors }) // who wakes others closes his own after that
	if count := trip.Watches(); count != 0 {
		t.Errorf("%d trackers are watched", count)
	}
}

func eventually(t testing.TB, until func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !until(); runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatal("it has not come about")
		}
	}
}

// descriptors is how many there are when the poller has its own, which it keeps.
func descriptors(t testing.TB) int {
	t.Helper()
	reader, writer, err := os.Pipe()
	must(t, err)
	reader.Close()
	writer.Close()
	return openDescriptors(t)
}

func openDescriptors(t testing.TB) int { return entries(t, "/proc/self/fd") }

func threads(t testing.TB) int { return entries(t, "/proc/self/task") }

func entries(t testing.TB, folder string) int {
	t.Helper()
	entries, err := os.ReadDir(folder)
	must(t, err)
	return len(entries)
}

// A waiting is a loop over a tracker's events on a goroutine of its own.
type waiting struct {
	events chan trip.Event
	ended  chan error
}

func wait(ctx context.Context, tracker *trip.Tracker) waiting {
	w := waiting{events: make(chan trip.Event), ended: make(chan error, 1)}
	go func() {
		var end error
		for event, err := range tracker.Events(ctx) {
			if end = err; err == nil {
				w.events <- event
			}
		}
		w.ended <- end // now that the loop has left nothing behind
	}()
	return w
}

// untilAsleep returns when so many loops wait for the poller.
func untilAsleep(t testing.TB, count int) {
	t.Helper()
	untilWaiting(t, count, "(*watch).next")
}

// untilWaiting returns when so many goroutines wait for the poller in a function.
func untilWaiting(t testing.TB, count int, in string) {
	t.Helper()
	stacks := make([]byte, 1<<20)
	eventually(t, func() bool {
		asleep := 0
		for _, stack := range strings.Split(string(stacks[:runtime.Stack(stacks, true)]), "\n\n") {
			if strings.Contains(stack, "[IO wait") && strings.Contains(stack, in) {
				asleep++
			}
		}
		return asleep == count
	})
}

func TestWhoeverWaitsIsToldWhatHappens(t *testing.T) {
	leavesNothing(t, func(t *testing.T) {
		tracker := newTracker(t, trip.Config{})
		circuit := newCircuit(t, tracker, "ac\xffme", "openai")
		ctx, cancel := context.WithCancel(context.Background())
		w := wait(ctx, tracker)
		for number := range uint64(100) {
			if number%10 == 0 {
				untilAsleep(t, 1)
			}
			must(t, circuit.Trip())
			event := <-w.events
			if event.Number != number+1 || event.Kind != trip.EventOpened || event.Tenant != "ac\xffme" {
				t.Errorf("told %+v", event)
			}
		}
		cancel()
		wantError(t, "cancelled", <-w.ended, context.Canceled)
	})
}

func TestEventsOfBeforeAreToldFirst(t *testing.T) {
	leavesNothing(t, func(t *testing.T) {
		tracker := newTracker(t, trip.Config{})
		circuit := newCircuit(t, tracker, "acme", "openai")
		must(t, circuit.Trip())
		must(t, circuit.Reset())
		w := wait(context.Background(), tracker)
		first, second := <-w.events, <-w.events
		if first.Kind != trip.EventOpened || second.Kind != trip.EventClosed {
			t.Errorf("told %v, then %v", first.Kind, second.Kind)
		}
		must(t, tracker.Close())
		wantError(t, "closed", <-w.ended, trip.ErrHandle)
	})
}

func TestALoopThatEndsEarlyLeavesTheOtherEvents(t *testing.T) {
	leavesNothing(t, func(t *testing.T) {
		tracker := newTracker(t, trip.Config{})
		circuit := newCircuit(t, tracker, "acme", "openai")
		for range 10 {
			must(t, circuit.Trip())
		}
		ends := []func(){func() {}, func() { panic(errProvider) }, runtime.Goexit}
		for i, end := range ends {
			together(1, func(int) {
				defer func() { recover() }()
				for event := range tracker.Events(context.Background()) {
					if event.Number != uint64(i+1) {
						t.Errorf("told %+v", event)
					}
					end()
					break
				}
			})
		}
		if events := takeEvents(t, tracker, 100); len(events) != 10-len(ends) || events[0].Number != uint64(len(ends)+1) {
			t.Errorf("%d events are left", len(events))
		}
	})
}

func TestWaitingEndsWithItsContext(t *testing.T) {
	leavesNothing(t, func(t *testing.T) {
		tracker := newTracker(t, trip.Config{})
		over, cancel := context.WithCancel(context.Background())
		cancel()
		must(t, newCircuit(t, tracker, "acme", "openai").Trip())
		wantError(t, "over before", <-wait(over, tracker).ended, context.Canceled)
		if events := takeEvents(t, tracker, 10); len(events) != 1 {
			t.Errorf("%d events are left by a loop that never began", len(events))
		}

		passed, cancel := context.WithDeadline(context.Background(), time.Now())
		defer cancel()
		wantError(t, "deadline", <-wait(passed, tracker).ended, context.DeadlineExceeded)

		for range 100 { // before it waits, while it does
			later, cancel := context.WithCancel(context.Background())
			w := wait(later, tracker)
			runtime.Gosched()
			cancel()
			wantError(t, "cancelled", <-w.ended, context.Canceled)
		}
		later, cancel := context.WithCancel(context.Background())
		w := wait(later, tracker)
		untilAsleep(t, 1)
		cancel()
		wantError(t, "cancelled while it waits", <-w.ended, context.Canceled)
	})
}

func TestWaitingEndsWithItsTracker(t *testing.T) {
	leavesNothing(t, func(t *testing.T) {
		const waiters = 8
		tracker := newTracker(t, trip.Config{})
		byHandle := trip.TrackerFromHandle(tracker.Handle())
		var all []waiting
		for i := range waiters {
			all = append(all, wait(context.Background(), map[bool]*trip.Tracker{false: tracker, true: byHandle}[i%2 == 0]))
		}
		untilAsleep(t, waiters)
		must(t, byHandle.Close())
		for _, w := range all {
			wantError(t, "closed", <-w.ended, trip.ErrHandle)
		}
	})
}

func TestATrackerIsClosedByTheLoopOverItsEvents(t *testing.T) {
	leavesNothing(t, func(t *testing.T) {
		tracker := newTracker(t, trip.Config{})
		must(t, newCircuit(t, tracker, "acme", "openai").Trip())
		var errs []error
		for _, err := range tracker.Events(context.Background()) {
			errs = append(errs, err)
			tracker.Close()
		}
		if len(errs) != 2 || errs[0] != nil || !errors.Is(errs[1], trip.ErrHandle) {
			t.Errorf("the loop was told %v", errs)
		}
	})
}

func TestATrackerThatIsWatchedIsNotForgotten(t *testing.T) {
	leavesNothing(t, func(t *testing.T) {
		w, handle := func() (waiting, uint64) {
			tracker, err := trip.NewTracker(trip.Config{})
			must(t, err)
			return wait(context.Background(), tracker), tracker.Handle()
		}()
		untilAsleep(t, 1)
		runtime.GC()
		runtime.GC()
		byHandle := trip.TrackerFromHandle(handle)
		must(t, newCircuit(t, byHandle, "acme", "openai").Trip())
		if event := <-w.events; event.Kind != trip.EventOpened {
			t.Errorf("told %+v", event)
		}
		must(t, byHandle.Close())
		wantError(t, "closed", <-w.ended, trip.ErrHandle)
	})
}

func TestManyLoopsShareTheEvents(t *testing.T) {
	leavesNothing(t, func(t *testing.T) {
		const waiters, makers, each = 4, 4, 2000
		tracker := newTracker(t, trip.Config{})
		ctx, cancel := context.WithCancel(context.Background())
		var told atomic.Int64
		var loops sync.WaitGroup
		var taken [makers*each + 1]atomic.Bool
		for range waiters {
			loops.Add(1)
			go func() {
				defer loops.Done()
				for event, err := range tracker.Events(ctx) {
					if err != nil {
						wantError(t, "the end", err, context.Canceled)
						return
					}
					if event.Lost != 0 || taken[event.Number].Swap(true) {
						t.Errorf("told twice, or after a loss: %+v", event)
					}
					told.Add(1)
				}
			}()
		}
		together(makers, func(maker int) {
			circuit := newCircuit(t, tracker, fmt.Sprint(maker), "openai")
			for made := range each {
				for int64(made*makers)-told.Load() > 1000 { // leave room in the ring
					runtime.Gosched()
				}
				must(t, circuit.Trip())
			}
		})
		eventually(t, func() bool { return told.Load() == makers*each })
		cancel()
		loops.Wait()
	})
}

func TestTrackersAreClosedWhileLoopsBegin(t *testing.T) {
	leavesNothing(t, func(t *testing.T) {
		for range 200 {
			tracker := newTracker(t, trip.Config{})
			var all []waiting
			for range 4 {
				all = append(all, wait(context.Background(), tracker))
			}
			runtime.Gosched()
			must(t, tracker.Close())
			for _, w := range all {
				wantError(t, "closed", <-w.ended, trip.ErrHandle)
			}
		}
	})
}

func TestWaitingTakesNoThread(t *testing.T) {
	leavesNothing(t, func(t *testing.T) {
		const waiters = 200
		tracker, before := newTracker(t, trip.Config{}), threads(t)
		var all []waiting
		for range waiters {
			all = append(all, wait(context.Background(), tracker))
		}
		untilAsleep(t, waiters)
		if more := threads(t) - before; more > waiters/2 {
			t.Errorf("%d loops take %d threads", waiters, more)
		}
		must(t, tracker.Close())
		for _, w := range all {
			wantError(t, "closed", <-w.ended, trip.ErrHandle)
		}
	})
}

// withoutDescriptors lets the process open no more of them for a while.
func withoutDescriptors(t *testing.T, meanwhile func()) {
	t.Helper()
	var before syscall.Rlimit
	must(t, syscall.Getrlimit(syscall.RLIMIT_NOFILE, &before))
	must(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: 0, Max: before.Max}))
	defer func() { must(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &before)) }()
	meanwhile()
}

func TestASystemWithoutDescriptorsSaysSo(t *testing.T) {
	leavesNothing(t, func(t *testing.T) {
		fresh, watched := newTracker(t, trip.Config{}), newTracker(t, trip.Config{})
		for _, tracker := range []*trip.Tracker{fresh, watched} {
			must(t, newCircuit(t, tracker, "acme", "openai").Trip())
		}
		for _, err := range watched.Events(context.Background()) {
			must(t, err)
			break
		}
		var errs []error
		withoutDescriptors(t, func() {
			for _, tracker := range []*trip.Tracker{fresh, watched} {
				for _, err := range tracker.Events(context.Background()) {
					errs = append(errs, err)
				}
			}
		})
		for _, err := range errs {
			wantError(t, "no descriptor", err, trip.ErrSystem)
		}
		if len(errs) != 2 {
			t.Errorf("%d errors", len(errs))
		}
	})
}

func TestADescriptorThatIsSomebodyElsesByNowIsNotKept(t *testing.T) {
	leavesNothing(t, func(t *testing.T) {
		tracker := newTracker(t, trip.Config{})
		must(t, tracker.Close())
		const standardInput, noDescriptor = 0, 1 << 20
		for _, number := range []uintptr{standardInput, noDescriptor} {
			file, err := tracker.Duplicate(number)
			wantError(t, "closed since", err, trip.ErrHandle)
			if file != nil {
				t.Errorf("%d is kept", number)
			}
		}
	})
}
