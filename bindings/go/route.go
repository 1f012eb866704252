// This file owns routes: which of several providers a tenant's call goes to.

package trip

/*
#include <trip.h>
*/
import "C"

import (
	"runtime"
	"sync/atomic"
)

// maxProviders is how many a route has at most.
const maxProviders = 64

// Route is the providers that a tenant's calls may go to. One of NewRoute that nobody closes is closed when it is
// garbage.
type Route struct {
	handle   C.trip_route
	tracker  *Tracker                              // kept alive; nil: the route is known by its handle alone
	circuits [maxProviders]atomic.Pointer[Circuit] // as they were last seen
	first    atomic.Pointer[string]                // the provider that was added first here
}

// RouteConfig says how a route chooses. The zero RouteConfig has the defaults.
type RouteConfig struct {
	Order    Order    // which provider is asked first; default OrderListed
	Fallback Fallback // what becomes of a call that all refuse; default FallbackRefuse
	Seed     uint64   // of what is drawn. Default 0: another in each process
}

// RoutePermit is a permit, and whose it is. The permit is settled as any.
type RoutePermit struct {
	Permit
	Provider string
	Index    int // 0 for the provider that was added first
}

func (c *RouteConfig) fields(abi *C.trip_route_config, w *walk) {
	pair(w, "Order", &abi.order, &c.Order)
	pair(w, "Fallback", &abi.fallback, &c.Fallback)
	pair(w, "Seed", &abi.seed, &c.Seed)
}

// NewRoute creates a route of the tracker's circuits, which has no providers yet. A refused config is a [*ConfigError];
// [ErrInvalid]: the tenant is longer than 255 bytes.
func NewRoute(tracker *Tracker, tenant string, config RouteConfig) (*Route, error) {
	if tracker == nil {
		return nil, ErrHandle
	}
	defer runtime.KeepAlive(tracker)
	var abi C.trip_route_config
	C.trip_route_config_init(&abi, C.sizeof_trip_route_config) // cannot fail: both arguments are right
	config.fields(&abi, &walk{does: write})
	reason := C.trip_error{struct_size: C.sizeof_trip_error}
	route := &Route{tracker: tracker}
	status := C.trip_route_create(tracker.handle, bytesOf(tenant), C.size_t(len(tenant)), &abi, &route.handle, &reason)
	if err := reasoned(status, &reason, config.fields); err != nil {
		return nil, err
	}
	runtime.SetFinalizer(route, (*Route).Close)
	return route, nil
}

// RouteFromHandle makes a Route of a handle that another language of this process has given. It does not own it: it
// stays until somebody closes it.
func RouteFromHandle(handle uint64) *Route { return &Route{handle: C.trip_route(handle)} }

// Close destroys the route: it answers [ErrHandle] from then on. Its circuits and the permits that it gave stay.
func (r *Route) Close() error {
	if r == nil {
		return ErrHandle
	}
	runtime.SetFinalizer(r, nil)
	return answer(C.trip_route_destroy(r.handle))
}

// Handle is the library's name of the route, for other languages of this process; see [Tracker.Handle].
func (r *Route) Handle() uint64 {
	if r == nil {
		return 0
	}
	return uint64(r.handle)
}

// Add adds a provider, behind those that are there. The weight is its share of the calls, to those of the others, where
// providers are drawn or sessions are spread over them; 1 to 1000000. [ErrInvalid]: it is out of range, or the provider
// is longer than 255 bytes or on the route already; [ErrCapacity]: there are 64.
func (r *Route) Add(provider string, weight uint32) error {
	if r == nil {
		return ErrHandle
	}
	defer runtime.KeepAlive(r)
	status := C.trip_route_add(r.handle, bytesOf(provider), C.size_t(len(provider)), C.uint32_t(weight))
	if status == C.TRIP_OK {
		r.first.CompareAndSwap(nil, &provider)
	}
	return answer(status)
}

// Permit asks for a permit of the first provider whose circuit admits the call. Calls of a session go to the same
// provider as long as it admits them, in every process and on every machine, whatever the order is; with an empty
// session nothing keeps calls together. Those in avoid, by their Index, are asked last, as providers that have just
// failed.
//
// When all refuse the error is the [*OpenError] of the one to come back to first. [ErrInvalid]: the route has no
// providers, the session is longer than 255 bytes, or no provider can have such an index. On any other error make the
// call unguarded and report it.
func (r *Route) Permit(session string, avoid ...int) (RoutePermit, error) {
	var bits uint64
	for _, index := range avoid {
		if index < 0 || index >= maxProviders {
			return RoutePermit{}, ErrInvalid
		}
		bits |= 1 << index
	}
	handle, index, err := r.admit(session, bits)
	if err != nil {
		return RoutePermit{}, err
	}
	circuit, err := r.Circuit(index)
	if err != nil { // its tracker has just been closed
		C.trip_permit_cancel(handle)
		return RoutePermit{}, err
	}
	return RoutePermit{
		Permit:   own(grant{handle: handle, circuit: circuit}),
		Provider: circuit.provider,
		Index:    index,
	}, nil
}

func (r *Route) admit(session string, avoid uint64) (permit C.trip_permit, index int, err error) {
	if r == nil {
		return 0, 0, ErrHandle
	}
	defer runtime.KeepAlive(r)
	var whose C.uint32_t
	rejection := C.trip_rejection{struct_size: C.sizeof_trip_rejection}
	status := C.trip_route_permit(r.handle, bytesOf(session), C.size_t(len(session)), C.uint64_t(avoid),
		&permit, &whose, &rejection)
	if isRejection(status) {
		return 0, 0, openError(status, &rejection, r.tenant(), "")
	}
	return permit, int(whose), answer(status)
}

// tenant is whose calls these are, as any of the circuits tells.
func (r *Route) tenant() string {
	first, err := r.Circuit(0)
	if err != nil {
		return ""
	}
	return first.tenant
}

// Circuit returns the circuit of a provider, made when it does not exist; 0 is that of the provider that was added
// first. [ErrInvalid]: there are not so many.
func (r *Route) Circuit(index int) (*Circuit, error) {
	switch {
	case r == nil:
		return nil, ErrHandle
	case index < 0 || index >= maxProviders:
		return nil, ErrInvalid
	}
	defer runtime.KeepAlive(r)
	var handle C.trip_circuit
	if status := C.trip_route_circuit(r.handle, C.uint32_t(index), &handle); status != C.TRIP_OK {
		return nil, answer(status)
	}
	if known := r.circuits[index].Load(); known != nil && known.Handle() == uint64(handle) {
		return known, nil
	}
	circuit, status := r.tracker.circuit(handle)
	if status != C.TRIP_OK {
		return nil, answer(status)
	}
	r.circuits[index].Store(circuit)
	return circuit, nil
}
