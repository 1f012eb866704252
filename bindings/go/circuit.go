// This file owns circuits: asking for permits, looking from outside, and finding an evicted circuit again.

package trip

/*
#include <trip.h>
*/
import "C"

import (
	"runtime"
	"sync/atomic"
	"time"
	"unsafe"
)

// Circuit is the circuit of one (tenant, provider). The tracker owns it: nobody frees it. A full tracker may evict the
// circuit it can best do without; a Circuit that was evicted, or removed, finds or makes its successor when it is used
// next.
type Circuit struct {
	tracker  *Tracker // nil: known by its handle alone
	tenant   string
	provider string
	handle   atomic.Uint64 // a trip_circuit; changes when the circuit was evicted

	lane      atomic.Pointer[lane]
	successes atomic.Uint32             // of ordinary permits, until there is a lane
	refused   atomic.Pointer[OpenError] // the last refusal, told again while it is the same
}

// CircuitInfo is a circuit seen from outside. When no call is in progress the counters are exact, and Permits is the
// sum of Successes, FailuresTotal, Drops, Cancels and the permits not yet settled. A call of [Execute] to a healthy
// circuit is counted when it ends.
type CircuitInfo struct {
	State         State // an open circuit past its deadline stays open until a permit asks
	Mode          Mode
	ModeLeft      time.Duration // until the mode ends by itself; 0: it does not
	Failures      uint32        // closed: failures in a row; else the threshold plus Level
	Level         uint32        // probes that failed since the circuit last closed
	ProbesOut     uint32        // probes granted and not settled, when half-open
	Epoch         uint64        // changes with each state change and never comes back
	RetryAfter    time.Duration // what a refusal would say now; 0 where a permit would be granted
	OpenDuration  time.Duration // this open period, or the last one, before jitter; 0 when closed
	Permits       uint64        // granted
	Successes     uint64        // settled as success, stale ones too
	FailuresTotal uint64        // settled as failure, stale ones too
	Drops         uint64        // settled as dropped, stale ones too
	Cancels       uint64        // settled as cancelled, stale ones too
	Rejections    uint64        // refused
	Stale         uint64        // settlements that came too late to change anything
	Opens         uint64        // times the circuit opened or opened again
}

// CircuitFromHandle makes a Circuit of a handle that another language of this process has given. It keeps no tracker
// alive, and once evicted or destroyed it answers [ErrHandle].
func CircuitFromHandle(handle uint64) (*Circuit, error) {
	circuit, status := (*Tracker)(nil).circuit(C.trip_circuit(handle))
	return circuit, answer(status)
}

// circuit is that of a handle. A nil tracker leaves it known by its handle alone.
func (t *Tracker) circuit(handle C.trip_circuit) (*Circuit, C.trip_status) {
	tenant, provider, status := key(handle)
	if status != C.TRIP_OK {
		return nil, status
	}
	circuit := &Circuit{tracker: t, tenant: tenant, provider: provider}
	circuit.handle.Store(uint64(handle))
	return circuit, C.TRIP_OK
}

// Handle is the library's name of the circuit, for other languages of this process. It changes when the circuit is
// evicted, and means nothing once the tracker is closed or garbage.
func (c *Circuit) Handle() uint64 {
	if c == nil {
		return 0
	}
	return c.handle.Load()
}

// Tenant is whose calls these are.
func (c *Circuit) Tenant() string {
	if c == nil {
		return ""
	}
	return c.tenant
}

// Provider is who is called.
func (c *Circuit) Provider() string {
	if c == nil {
		return ""
	}
	return c.provider
}

// Permit asks for a permit to make one call. A refusal is an [*OpenError], which is [ErrOpen]; on any other error make
// the call unguarded and report the error.
func (c *Circuit) Permit() (Permit, error) {
	if l := c.express(); l != nil {
		l.count(grants)
		return own(grant{handle: l.permit, lane: l, circuit: c}), nil
	}
	handle, err := c.admit()
	if err != nil {
		return Permit{}, err
	}
	return own(grant{handle: handle, circuit: c}), nil
}

// Peek is the error that Permit would return now. It changes nothing and counts nothing.
func (c *Circuit) Peek() error {
	rejection := C.trip_rejection{struct_size: C.sizeof_trip_rejection}
	status := c.reach(func(handle C.trip_circuit) C.trip_status {
		return C.trip_circuit_peek(handle, &rejection)
	})
	return c.refusal(status, &rejection)
}

// Inspect returns state, times and counters. It changes nothing, and takes time in proportion to the permits that were
// ever out at once.
func (c *Circuit) Inspect() (info CircuitInfo, err error) {
	status := c.reach(func(handle C.trip_circuit) (status C.trip_status) {
		info, status = inspect(handle)
		return status
	})
	return info, answer(status)
}

// inspect tells the library first what it does not know of the circuit's lanes.
func inspect(handle C.trip_circuit) (CircuitInfo, C.trip_status) {
	info := C.trip_circuit_info{struct_size: C.sizeof_trip_circuit_info}
	out := balance(uint64(handle))
	if status := C.trip_circuit_inspect(handle, &info); status != C.TRIP_OK {
		return CircuitInfo{}, status
	}
	return CircuitInfo{
		State:         State(info.state),
		Mode:          Mode(info.mode),
		ModeLeft:      time.Duration(info.mode_left_ns),
		Failures:      uint32(info.failures),
		Level:         uint32(info.level),
		ProbesOut:     uint32(info.probes_out),
		Epoch:         uint64(info.epoch),
		RetryAfter:    time.Duration(info.retry_after_ns),
		OpenDuration:  time.Duration(info.open_duration_ns),
		Permits:       uint64(info.permits) + out,
		Successes:     uint64(info.successes),
		FailuresTotal: uint64(info.failures_total),
		Drops:         uint64(info.drops),
		Cancels:       uint64(info.cancels),
		Rejections:    uint64(info.rejections),
		Stale:         uint64(info.stale),
		Opens:         uint64(info.opens),
	}, C.TRIP_OK
}

// Key asks the library for tenant and provider: unlike Tenant and Provider it fails when the circuit is no more.
func (c *Circuit) Key() (tenant, provider string, err error) {
	status := c.reach(func(handle C.trip_circuit) (status C.trip_status) {
		tenant, provider, status = key(handle)
		return status
	})
	return tenant, provider, answer(status)
}

func key(handle C.trip_circuit) (tenant, provider string, status C.trip_status) {
	const longest = 2 * 255
	text := make([]byte, longest)
	var tenantLen, providerLen C.size_t
	status = C.trip_circuit_key(handle, (*C.char)(unsafe.Pointer(&text[0])), longest, &tenantLen, &providerLen)
	return string(text[:tenantLen]), string(text[tenantLen : tenantLen+providerLen]), status
}

func (c *Circuit) admit() (permit C.trip_permit, err error) {
	if c == nil {
		return 0, ErrHandle
	}
	rejection := C.trip_rejection{struct_size: C.sizeof_trip_rejection}
	status := C.trip_circuit_permit(C.trip_circuit(c.handle.Load()), &permit, &rejection)
	if status == C.TRIP_E_HANDLE { // only now: reaching costs, and this is asked most
		status = c.reach(func(handle C.trip_circuit) C.trip_status {
			return C.trip_circuit_permit(handle, &permit, &rejection)
		})
	}
	runtime.KeepAlive(c)
	return permit, c.refusal(status, &rejection)
}

// reach calls ask with the circuit's handle. When that was evicted it looks the circuit up again by its key and asks
// once more: once, because a tracker that evicts it again at once is too small, which the caller should hear of. A
// circuit known by its handle alone has a nil tracker, which finds nothing.
func (c *Circuit) reach(ask func(C.trip_circuit) C.trip_status) C.trip_status {
	if c == nil {
		return C.TRIP_E_HANDLE
	}
	status := ask(C.trip_circuit(c.handle.Load()))
	if status == C.TRIP_E_HANDLE {
		var handle C.trip_circuit
		if handle, status = c.tracker.find(c.tenant, c.provider); status == C.TRIP_OK {
			c.handle.Store(uint64(handle))
			c.lane.Store(nil)
			status = ask(handle)
		}
	}
	runtime.KeepAlive(c.tracker)
	return status
}
