// This file owns deduplication: which calls are being made, what the last ones brought, and waiting for one that
// somebody else makes.

package trip

/*
#include <poll.h>
#include <trip.h>
*/
import "C"

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"time"
	"unsafe"
)

// Dedup is a memory of which calls are being made and what the last ones brought. One of NewDedup that nobody closes is
// closed when it and its tickets are garbage.
type Dedup struct {
	handle  C.trip_dedup
	tracker *Tracker // kept alive
}

// DedupConfig says how long calls are remembered. A zero field means the default, as in [Config]; [DefaultDedupConfig]
// spells each out, for where zero itself is meant.
type DedupConfig struct {
	// Tracker is whose clock the deduplicator goes by. Nil: the machine's.
	Tracker *Tracker
	// MaxEntries is the number of calls in progress and values that are kept; 1 to 16777216, default 65536.
	MaxEntries uint32
	// MaxBytes is the number of bytes of keys and values that are kept; at least 1, default 64 MiB.
	MaxBytes uint64
	// Lease is how long a call is in progress at most, then its key is free; above 0, at most one year, default 600 s.
	Lease time.Duration
	// TTL is how long a value is kept; at most one year, default 300 s. Zero, with Exact: never.
	TTL time.Duration

	// Exact takes zero fields as zero, not as their defaults.
	Exact bool
}

// DedupInfo is a deduplicator seen from outside. Started is the sum of Completed, Failed, Expired and InProgress. What has
// ended by itself may count as before until somebody comes by.
type DedupInfo struct {
	InProgress uint32 // tickets out
	Cached     uint32 // values kept
	Waiting    uint32 // callers that wait by a thread of theirs, in other languages
	Bytes      uint64 // of keys, those of calls in progress too, and of values
	Started    uint64 // tickets given
	Hits       uint64 // values given
	Joined     uint64 // answers ErrInProgress
	Completed  uint64 // tickets settled with a value
	Failed     uint64 // tickets settled without one
	Expired    uint64 // tickets whose lease ran out
	Evicted    uint64 // values that went before their time, to make room
}

// DefaultDedupConfig returns the library's defaults, with Exact set.
func DefaultDedupConfig() DedupConfig {
	config, abi := DedupConfig{Exact: true}, defaultDedup()
	config.fields(&abi, &walk{does: read})
	return config
}

func defaultDedup() (config C.trip_dedup_config) {
	C.trip_dedup_config_init(&config, C.sizeof_trip_dedup_config) // cannot fail: both arguments are right
	return config
}

func (c *DedupConfig) fields(abi *C.trip_dedup_config, w *walk) {
	pair(w, "MaxEntries", &abi.max_entries, &c.MaxEntries)
	pair(w, "MaxBytes", &abi.max_bytes, &c.MaxBytes)
	pair(w, "Lease", &abi.lease_ns, &c.Lease)
	pair(w, "TTL", &abi.ttl_ns, &c.TTL)
}

// NewDedup creates a deduplicator. A refused config is a [*ConfigError].
func NewDedup(config DedupConfig) (*Dedup, error) {
	tracker, err := config.Tracker.orMachine()
	if err != nil {
		return nil, err
	}
	defer runtime.KeepAlive(config.Tracker)
	abi := defaultDedup()
	config.fields(&abi, &walk{does: write, isExact: config.Exact})
	reason := C.trip_error{struct_size: C.sizeof_trip_error}
	dedup := &Dedup{tracker: config.Tracker}
	status := C.trip_dedup_create(tracker, &abi, &dedup.handle, &reason)
	if err := reasoned(status, &reason, config.fields); err != nil {
		return nil, err
	}
	runtime.SetFinalizer(dedup, (*Dedup).Close)
	return dedup, nil
}

// DedupFromHandle makes a Dedup of a handle that another language of this process has given. It does not own it: it
// stays until somebody closes it.
func DedupFromHandle(handle uint64) *Dedup { return &Dedup{handle: C.trip_dedup(handle)} }

// Close destroys the deduplicator with its values and tickets: they answer [ErrHandle] from then on, and so do those
// who wait; those that a closed Tracker has left waiting, too. It is safe while others use it.
func (d *Dedup) Close() error {
	if d == nil {
		return ErrHandle
	}
	runtime.SetFinalizer(d, nil)
	return answer(C.trip_dedup_destroy(d.handle))
}

// Handle is the library's name of the deduplicator, for other languages of this process; see [Tracker.Handle].
func (d *Dedup) Handle() uint64 {
	if d == nil {
		return 0
	}
	return uint64(d.handle)
}

// Check asks whether a call must be made; the key says which call it is, in at most 65536 bytes. There is one of these:
//
//   - a ticket: nobody has made the call. Of all who ask at once one gets it, and has to make the call, and settle the
//     ticket within Lease;
//   - a value, which is not nil: the call has been made, and this is what it brought;
//   - [ErrInProgress]: somebody else is making it; or another error, on which a program makes the call all the same.
func (d *Dedup) Check(key string) (ticket *Ticket, value []byte, err error) {
	handle, value, err := d.check(key)
	if handle == 0 {
		return nil, value, err
	}
	return d.own(handle), nil, nil
}

// Wait is Check, but while somebody else is making the call it waits for that to end, without a thread of its own: then
// there is a value, or, where it failed, a ticket for one of those who wait. When ctx is over its error ends the
// waiting.
func (d *Dedup) Wait(ctx context.Context, key string) (ticket *Ticket, value []byte, err error) {
	handle, value, err := d.join(ctx, key)
	if handle == 0 {
		return nil, value, err
	}
	return d.own(handle), nil, nil
}

// Forget forgets the value of a key, if there is one. A call in progress goes on.
func (d *Dedup) Forget(key string) error {
	if d == nil {
		return ErrHandle
	}
	defer runtime.KeepAlive(d)
	return answer(C.trip_dedup_forget(d.handle, bytesOf(key), C.size_t(len(key))))
}

// Inspect returns what the deduplicator holds, and its counters.
func (d *Dedup) Inspect() (DedupInfo, error) {
	if d == nil {
		return DedupInfo{}, ErrHandle
	}
	defer runtime.KeepAlive(d)
	info := C.trip_dedup_info{struct_size: C.sizeof_trip_dedup_info}
	if status := C.trip_dedup_inspect(d.handle, &info); status != C.TRIP_OK {
		return DedupInfo{}, answer(status)
	}
	return DedupInfo{
		InProgress: uint32(info.in_progress),
		Cached:     uint32(info.cached),
		Waiting:    uint32(info.waiting),
		Bytes:      uint64(info.bytes),
		Started:    uint64(info.started),
		Hits:       uint64(info.hits),
		Joined:     uint64(info.joined),
		Completed:  uint64(info.completed),
		Failed:     uint64(info.failed),
		Expired:    uint64(info.expired),
		Evicted:    uint64(info.evicted),
	}, nil
}

// check is Check with the ticket as the library names it. A ticket is never 0.
func (d *Dedup) check(key string) (ticket C.trip_ticket, value []byte, err error) {
	if d == nil {
		return 0, nil, ErrHandle
	}
	defer runtime.KeepAlive(d)
	for room := 1024; ; { // in which most values fit
		value = make([]byte, room)
		var length C.size_t
		status := C.trip_dedup_check(d.handle, bytesOf(key), C.size_t(len(key)), &ticket,
			(*C.char)(unsafe.Pointer(unsafe.SliceData(value))), C.size_t(room), &length)
		switch {
		case status != C.TRIP_CACHED:
			return ticket, nil, answer(status)
		case int(length) <= room:
			return 0, value[:length], nil
		}
		room = int(length)
	}
}

// join is check, but waits for who is making the call. Where one of many gets the next ticket, the others wait anew.
func (d *Dedup) join(ctx context.Context, key string) (ticket C.trip_ticket, value []byte, err error) {
	for {
		ticket, value, err = d.check(key)
		if err != ErrInProgress {
			return ticket, value, err
		}
		if err := d.untilOver(ctx, key); err != nil {
			return 0, nil, err
		}
	}
}

// untilOver waits until there is something else to say of a key than that its call is in progress.
func (d *Dedup) untilOver(ctx context.Context, key string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	watched, err := d.watch(key)
	if err != nil {
		return err
	}
	defer watched.close()
	defer context.AfterFunc(ctx, watched.interrupt)()
	switch waited := watched.wait(isReadable); {
	case waited == nil:
		return nil
	case errors.Is(waited, os.ErrDeadlineExceeded):
		return ctx.Err()
	default:
		return fmt.Errorf("%w: %w", ErrSystem, waited)
	}
}

func (d *Dedup) watch(key string) (descriptor, error) {
	defer runtime.KeepAlive(d)
	var number C.int32_t
	status := C.trip_dedup_watch(d.handle, bytesOf(key), C.size_t(len(key)), &number)
	if status != C.TRIP_OK {
		return descriptor{}, answer(status)
	}
	return ownDescriptor(uintptr(number), "a call in progress")
}

// isReadable looks whether a descriptor is readable.
func isReadable(number uintptr) bool {
	asked := C.struct_pollfd{fd: C.int(number), events: C.POLLIN}
	return C.poll(&asked, 1, 0) > 0
}
