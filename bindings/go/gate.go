// This file owns backpressure: how many calls may be in progress at once, and the places that they hold.

package trip

/*
#include <trip.h>
*/
import "C"

import (
	"fmt"
	"runtime"
	"time"
)

// Gate is a bound on the calls that are in progress at once. One of NewGate that nobody closes is closed when it and
// its tokens are garbage.
type Gate struct {
	handle  C.trip_gate
	tracker *Tracker // kept alive
}

// GateConfig says how many calls may be in progress. A zero field means the default, as in [Config];
// [DefaultGateConfig] spells each out.
type GateConfig struct {
	// Tracker is whose clock the gate goes by and where its events are told; when that is closed, the gate gives no more
	// tokens. Nil: the machine's clock, and no events.
	Tracker *Tracker
	// Name is what its events call it; at most 255 bytes.
	Name string
	// Capacity is the number of tokens out at once; 1 to 1048576, default 100.
	Capacity uint32
	// SoftLimit is the number of tokens above which there is an event; below Capacity. Default 0: there is none.
	SoftLimit uint32
	// Adapt is whether the limit follows the calls, up to Capacity; default AdaptNone.
	Adapt Adapt
	// MinLimit is below which the limit never falls; 1 to Capacity, default 1.
	MinLimit uint32
	// InitialLimit is where the limit begins; MinLimit to Capacity. Default 0: 20, or as near as may be.
	InitialLimit uint32
	// Latency is, with AdaptAIMD, the time after which a call has not succeeded in time; at most one year. Default 0: how
	// long it took does not matter.
	Latency time.Duration
	// Decrease is, with AdaptAIMD, what is left of the limit when it falls; 0.5 to below 1, default 0.9.
	Decrease float64
	// Tolerance is, with AdaptGradient, how many times as long as they did calls may take; 1 to 10, default 1.5.
	Tolerance float64
	// Smoothing is, with AdaptGradient, the weight of the newest limit; above 0, at most 1, default 0.2.
	Smoothing float64

	// Exact takes zero fields as zero, not as their defaults.
	Exact bool
}

// GateInfo is a gate seen from outside. When no call is in progress Acquired is the sum of Released and Depth.
type GateInfo struct {
	Depth          uint32        // tokens out
	Limit          uint32        // how many may be, now
	Capacity       uint32        // how many may ever be
	SoftLimit      uint32        // more than so many are an event; 0: none is
	SoftDepthRatio float64       // of Depth to SoftLimit: above 1 it is passed; 0 without a soft limit
	Acquired       uint64        // tokens given
	Released       uint64        // tokens released
	Shed           uint64        // callers turned away
	Latency        time.Duration // with AdaptGradient, how long calls take in the long run; else 0
}

// ShedError is a caller that a gate has turned away: an answer, not a failure of anybody. It is [ErrShed].
type ShedError struct {
	Depth    uint32 // tokens out
	Limit    uint32 // how many may be, now
	Capacity uint32 // how many may ever be
}

// Error is one line for a human.
func (e *ShedError) Error() string {
	return fmt.Sprintf("%v: %d of %d, at most %d", ErrShed, e.Depth, e.Limit, e.Capacity)
}

// Unwrap is ErrShed.
func (e *ShedError) Unwrap() error { return ErrShed }

// DefaultGateConfig returns the library's defaults, with Exact set.
func DefaultGateConfig() GateConfig {
	config, abi := GateConfig{Exact: true}, defaultGate()
	config.fields(&abi, &walk{does: read})
	return config
}

func defaultGate() (config C.trip_gate_config) {
	C.trip_gate_config_init(&config, C.sizeof_trip_gate_config) // cannot fail: both arguments are right
	return config
}

func (c *GateConfig) fields(abi *C.trip_gate_config, w *walk) {
	pair(w, "Capacity", &abi.capacity, &c.Capacity)
	pair(w, "SoftLimit", &abi.soft_limit, &c.SoftLimit)
	pair(w, "Adapt", &abi.adapt, &c.Adapt)
	pair(w, "MinLimit", &abi.min_limit, &c.MinLimit)
	pair(w, "InitialLimit", &abi.initial_limit, &c.InitialLimit)
	pair(w, "Latency", &abi.latency_ns, &c.Latency)
	pair(w, "Decrease", &abi.decrease, &c.Decrease)
	pair(w, "Tolerance", &abi.tolerance, &c.Tolerance)
	pair(w, "Smoothing", &abi.smoothing, &c.Smoothing)
}

// NewGate creates a gate. A refused config is a [*ConfigError]; [ErrInvalid]: the name is too long.
func NewGate(config GateConfig) (*Gate, error) {
	tracker, err := config.Tracker.orMachine()
	if err != nil {
		return nil, err
	}
	defer runtime.KeepAlive(config.Tracker)
	abi := defaultGate()
	config.fields(&abi, &walk{does: write, isExact: config.Exact})
	reason := C.trip_error{struct_size: C.sizeof_trip_error}
	gate := &Gate{tracker: config.Tracker}
	status := C.trip_gate_create(tracker, bytesOf(config.Name), C.size_t(len(config.Name)), &abi, &gate.handle, &reason)
	if err := reasoned(status, &reason, config.fields); err != nil {
		return nil, err
	}
	runtime.SetFinalizer(gate, (*Gate).Close)
	return gate, nil
}

// GateFromHandle makes a Gate of a handle that another language of this process has given. It does not own it: it stays
// until somebody closes it.
func GateFromHandle(handle uint64) *Gate { return &Gate{handle: C.trip_gate(handle)} }

// Close destroys the gate: it and its tokens answer [ErrHandle] from then on. It is safe while others use it.
func (g *Gate) Close() error {
	if g == nil {
		return ErrHandle
	}
	runtime.SetFinalizer(g, nil)
	return answer(C.trip_gate_destroy(g.handle))
}

// Handle is the library's name of the gate, for other languages of this process; see [Tracker.Handle].
func (g *Gate) Handle() uint64 {
	if g == nil {
		return 0
	}
	return uint64(g.handle)
}

// Acquire asks for one of the places, and waits for none: who is turned away gets a [*ShedError]. Whoever gets a token
// releases it when the call is over.
func (g *Gate) Acquire() (*Token, error) {
	handle, err := g.acquire()
	if err != nil {
		return nil, err
	}
	token := &Token{handle: handle, gate: g}
	runtime.SetFinalizer(token, (*Token).forgotten)
	return token, nil
}

func (g *Gate) acquire() (token C.trip_token, err error) {
	if g == nil {
		return 0, ErrHandle
	}
	defer runtime.KeepAlive(g)
	shed := C.trip_shed{struct_size: C.sizeof_trip_shed}
	status := C.trip_gate_acquire(g.handle, &token, &shed)
	if status == C.TRIP_SHED {
		err := &ShedError{Depth: uint32(shed.depth), Limit: uint32(shed.limit), Capacity: uint32(shed.capacity)}
		return 0, err
	}
	return token, answer(status)
}

// Inspect returns how full the gate is, and its counters.
func (g *Gate) Inspect() (GateInfo, error) {
	if g == nil {
		return GateInfo{}, ErrHandle
	}
	defer runtime.KeepAlive(g)
	info := C.trip_gate_info{struct_size: C.sizeof_trip_gate_info}
	if status := C.trip_gate_inspect(g.handle, &info); status != C.TRIP_OK {
		return GateInfo{}, answer(status)
	}
	return GateInfo{
		Depth:          uint32(info.depth),
		Limit:          uint32(info.limit),
		Capacity:       uint32(info.capacity),
		SoftLimit:      uint32(info.soft_limit),
		SoftDepthRatio: float64(info.soft_depth_ratio),
		Acquired:       uint64(info.acquired),
		Released:       uint64(info.released),
		Shed:           uint64(info.shed),
		Latency:        time.Duration(info.latency_ns),
	}, nil
}

// Token is one of the places of a gate. It is released once, on any goroutine. One that becomes garbage is released as
// nothing, as a net for mistakes: it may take the garbage collector minutes.
type Token struct {
	handle C.trip_token
	gate   *Gate // kept alive
}

// Release gives the place back: the call is over. How it went is for gates that adapt: [EffectSuccess] tells how long
// calls take, [EffectFailure] also that there are too many, [EffectNothing] nothing, as of a call that was given up.
//
// To release a token again is [ErrConsumed] and changes nothing. [ErrInvalid]: no such effect, and the token is still
// out; [EffectDefault] is none. [ErrHandle]: the gate is closed.
func (t *Token) Release(effect Effect) error {
	if t == nil {
		return ErrHandle
	}
	defer runtime.KeepAlive(t)
	status := C.trip_token_release(t.handle, chosen(effect))
	if status != C.TRIP_E_INVALID {
		runtime.SetFinalizer(t, nil)
	}
	return answer(status)
}

func (t *Token) forgotten() { C.trip_token_release(t.handle, C.TRIP_EFFECT_NOTHING) }
