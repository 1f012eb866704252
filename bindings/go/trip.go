// This file owns what concerns the library as a whole: how it is found, and which one it is.

// Package trip asks libtrip's circuit breakers for permission before calls to remote providers, and tells them how the
// calls went. After enough failures in a row a circuit opens and refuses calls at once; later it lets a few probes
// through and closes again when they succeed. Circuits are kept per (tenant, provider): one tenant's failures never
// stop another tenant's calls.
//
//	tracker, err := trip.NewTracker(trip.Config{FailureThreshold: 3})
//	...
//	circuit, err := tracker.Circuit("acme", "openai")
//	...
//	answer, err := trip.Execute(ctx, circuit, func(ctx context.Context) (string, error) {
//		return client.Complete(ctx, prompt)
//	})
//	var open *trip.OpenError
//	if errors.As(err, &open) {
//		return tryAgainIn(open.RetryAfter)
//	}
//
// [Execute] does the right thing with errors, cancelled contexts and panics. Code that is not shaped like one function
// takes a [Permit] and settles it itself, on any goroutine, or the two steps of [Circuit.Allow]. The package triphttp
// puts circuits before the requests of an http.Client and the SDKs that use one, the module tripgrpc before calls of
// gRPC.
//
// [ClassifyHTTP], [ClassifyErrno] and [ClassifyText] tell what kind of failure it was, and [Permit.Record] and
// [ExecuteClassified] settle by that: a caller's mistake does not count against the provider.
//
// Operators see and steer circuits while they run: [Circuit.SetMode] and [Tracker.Configure] change what a circuit
// does, [Circuit.Explain] says why it does it, [Tracker.Events] tells what happens as it happens, and
// [Tracker.Snapshot] keeps open circuits open over a restart.
//
// Around the permit there are more parts, each of use alone: [Retry] says when to try again and keeps retries from
// multiplying an outage, [Dedup] makes a call once that many ask for, [Gate] bounds the calls in progress, [Route]
// chooses among providers, [Pipeline] passes bytes through stages, [FunctionGuard] puts a circuit before a C function.
// [Do] makes a call by all that a [Caller] has of them, and leaves nothing behind when it is given up.
//
// The breaker must never be the outage. Only an error that is [ErrOpen] refuses a call; on any other error of this
// package let the call through unguarded and report the error, as Execute does. So that such code needs no branches, a
// nil *Circuit or *Permit is a legal receiver everywhere: it answers [ErrHandle].
//
// Trackers, circuits and permits may be used by any number of goroutines at once. The circuits live in the library, not
// in this package: all languages of a process share them, by handle.
package trip

/*
#include <trip.h>
*/
import "C"

// Version is the version of the library that was loaded, such as "1.0.0".
func Version() string {
	return C.GoString(C.trip_version())
}

// ABIVersion is the version of the loaded library's ABI: major << 16 | minor.
func ABIVersion() uint32 {
	return uint32(C.trip_abi_version())
}

// HasFeature tells whether the loaded library has a feature.
func HasFeature(feature Feature) bool {
	return C.trip_has_feature(C.uint32_t(feature)) != 0
}
