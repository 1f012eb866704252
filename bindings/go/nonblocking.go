//go:build go1.24

// This file owns what cgo is told about the functions that trip.h tags [non-blocking]: they keep no pointer and call
// nobody back, so their outputs may stay on the goroutine's stack. It is a file of its own because Go before 1.24
// refuses the directives, and does well enough without them.

package trip

/*
#cgo noescape trip_abi_version
#cgo nocallback trip_abi_version
#cgo noescape trip_circuit_inspect
#cgo nocallback trip_circuit_inspect
#cgo noescape trip_circuit_peek
#cgo nocallback trip_circuit_peek
#cgo noescape trip_circuit_permit
#cgo nocallback trip_circuit_permit
#cgo noescape trip_config_init
#cgo nocallback trip_config_init
#cgo noescape trip_has_feature
#cgo nocallback trip_has_feature
#cgo noescape trip_permit_cancel
#cgo nocallback trip_permit_cancel
#cgo noescape trip_permit_drop
#cgo nocallback trip_permit_drop
#cgo noescape trip_permit_inspect
#cgo nocallback trip_permit_inspect
#cgo noescape trip_permit_record_failure
#cgo nocallback trip_permit_record_failure
#cgo noescape trip_permit_record_success
#cgo nocallback trip_permit_record_success
#cgo noescape trip_permit_renew
#cgo nocallback trip_permit_renew
#cgo noescape trip_status_name
#cgo nocallback trip_status_name
#cgo noescape trip_tracker_advance
#cgo nocallback trip_tracker_advance
#cgo noescape trip_version
#cgo nocallback trip_version
*/
import "C"
