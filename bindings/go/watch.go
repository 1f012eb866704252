// This file owns waiting for events: it waits for a duplicate of the tracker's descriptor, and reads nothing from it:
// taking the events is what empties it.

package trip

/*
#include <trip.h>
*/
import "C"

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"runtime"
	"sync"
	"syscall"
)

// Events takes the tracker's events one by one as they happen, and waits for the next without a thread of its own. It
// ends with the loop, or with an error as its last element: that of ctx when ctx is over; [ErrHandle] when the tracker
// is closed, while it waits too; [ErrSystem] when the system gives no descriptor.
//
//	for event, err := range tracker.Events(ctx) {
//		if err != nil {
//			return err
//		}
//		log.Print(event.Kind, " ", event.Tenant, " ", event.Provider)
//	}
//
// Each event is told to one loop only, however many there are. None is taken before the loop asks for it, so that a
// loop which ends early leaves the others for whoever comes next. Where the tracker had to lose events, Lost has grown
// since the event before.
func (t *Tracker) Events(ctx context.Context) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		w, err := t.watch()
		if err != nil {
			yield(Event{}, err)
			return
		}
		defer w.end()
		defer context.AfterFunc(ctx, w.interrupt)()
		for {
			event, err := w.next(ctx)
			if !yield(event, err) || err != nil {
				return
			}
		}
	}
}

// A watch waits for the events of a tracker on behalf of one loop.
type watch struct {
	descriptor // a duplicate, so that nothing of ours stands for the tracker's when it closes that
	tracker    *Tracker
}

// watches are all there are, by the handles of their trackers: any Tracker of the handle may be closed.
var watches = struct {
	sync.Mutex
	of map[C.trip_tracker]map[*watch]struct{}
}{of: make(map[C.trip_tracker]map[*watch]struct{})}

func (t *Tracker) watch() (*watch, error) {
	duplicate, err := t.eventDescriptor()
	if err != nil {
		return nil, err
	}
	w := &watch{tracker: t, descriptor: duplicate}
	watches.Lock()
	defer watches.Unlock()
	if watches.of[t.handle] == nil {
		watches.of[t.handle] = make(map[*watch]struct{})
	}
	watches.of[t.handle][w] = struct{}{}
	return w, nil
}

func (t *Tracker) eventDescriptor() (descriptor, error) {
	if t == nil {
		return descriptor{}, ErrHandle
	}
	number, err := t.askForDescriptor()
	if err != nil {
		return descriptor{}, err
	}
	return t.duplicate(number)
}

func (t *Tracker) askForDescriptor() (uintptr, error) {
	defer runtime.KeepAlive(t)
	var number C.int32_t
	status := C.trip_tracker_event_fd(t.handle, &number)
	return uintptr(number), answer(status)
}

// duplicate is one of the tracker's descriptor. The tracker may have been destroyed since it told the number, which may
// be somebody else's by now: it was the tracker's if the tracker is still there afterwards.
func (t *Tracker) duplicate(number uintptr) (descriptor, error) {
	own, _, errno := syscall.Syscall(syscall.SYS_FCNTL, number, syscall.F_DUPFD_CLOEXEC, 0)
	_, err := t.askForDescriptor()
	switch {
	case errno == 0 && err == nil:
		return ownDescriptor(own, "circuit breaker events")
	case errno == 0:
		syscall.Close(int(own))
	case err == nil:
		err = fmt.Errorf("%w: %w", ErrSystem, os.NewSyscallError("fcntl", errno))
	}
	return descriptor{}, err
}

// next takes an event, and waits until there is one.
func (w *watch) next(ctx context.Context) (event Event, err error) {
	if err := ctx.Err(); err != nil {
		return Event{}, err
	}
	waited := w.wait(func(uintptr) bool {
		var events []Event
		events, _, err = w.tracker.TakeEvents(1)
		if len(events) > 0 {
			event = events[0]
		}
		return len(events) > 0 || err != nil
	})
	switch {
	case waited == nil:
		return event, err
	case ctx.Err() != nil:
		return Event{}, ctx.Err()
	case errors.Is(waited, os.ErrDeadlineExceeded):
		return Event{}, ErrHandle // nobody but Close interrupts a ctx that is not over
	}
	return Event{}, fmt.Errorf("%w: %w", ErrSystem, waited)
}

func (w *watch) end() {
	watches.Lock()
	defer watches.Unlock()
	delete(watches.of[w.tracker.handle], w)
	if len(watches.of[w.tracker.handle]) == 0 {
		delete(watches.of, w.tracker.handle)
	}
	w.close()
}

// interruptWatches is for a tracker that has just been destroyed.
func interruptWatches(tracker C.trip_tracker) {
	watches.Lock()
	defer watches.Unlock()
	for w := range watches.of[tracker] {
		w.interrupt()
	}
}
