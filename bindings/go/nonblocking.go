//go:build go1.24

// This file owns what cgo is told about functions that trip.h tags [non-blocking] and that write to memory of ours:
// they keep no pointer and call nobody back, so that their outputs may stay on the goroutine's stack. Functions without
// outputs stand to gain nothing, and cgo guards against callbacks at a price. It is a file of its own because Go before
// 1.24 refuses the directives, and does well enough without them.

package trip

/*
#cgo noescape trip_circuit_express
#cgo nocallback trip_circuit_express
#cgo noescape trip_circuit_inspect
#cgo nocallback trip_circuit_inspect
#cgo noescape trip_circuit_peek
#cgo nocallback trip_circuit_peek
#cgo noescape trip_circuit_permit
#cgo nocallback trip_circuit_permit
#cgo noescape trip_classify_errno
#cgo nocallback trip_classify_errno
#cgo noescape trip_classify_http
#cgo nocallback trip_classify_http
#cgo noescape trip_classify_text
#cgo nocallback trip_classify_text
#cgo noescape trip_config_init
#cgo nocallback trip_config_init
#cgo noescape trip_dedup_config_init
#cgo nocallback trip_dedup_config_init
#cgo noescape trip_gate_acquire
#cgo nocallback trip_gate_acquire
#cgo noescape trip_gate_config_init
#cgo nocallback trip_gate_config_init
#cgo noescape trip_gate_inspect
#cgo nocallback trip_gate_inspect
#cgo noescape trip_guard_config_init
#cgo nocallback trip_guard_config_init
#cgo noescape trip_parse_retry_hint
#cgo nocallback trip_parse_retry_hint
#cgo noescape trip_permit_inspect
#cgo nocallback trip_permit_inspect
#cgo noescape trip_retry_config_init
#cgo nocallback trip_retry_config_init
#cgo noescape trip_retry_delay_for
#cgo nocallback trip_retry_delay_for
#cgo noescape trip_route_config_init
#cgo nocallback trip_route_config_init
#cgo noescape trip_tracker_circuits
#cgo nocallback trip_tracker_circuits
#cgo noescape trip_tracker_events
#cgo nocallback trip_tracker_events
*/
import "C"
