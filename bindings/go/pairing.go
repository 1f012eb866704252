// This file owns the way between a config as Go has it and as the library does: field by field, in pairs. Which fields
// make a pair is each config's own matter.

package trip

/*
#include <trip.h>
*/
import "C"

import (
	"math"
	"unsafe"
)

// A walk goes through the fields of two configs in pairs.
type walk struct {
	does    purpose
	isExact bool           // write: zero is zero
	in      unsafe.Pointer // find: the library's config
	offset  uintptr        // of a field in it
	found   string         // and the name of its partner
}

type purpose int

const (
	read  purpose = iota // the library's config into ours
	write                // the other way, where ours says something
	find                 // a name
)

// fieldAt names the field at fault by its place in the library's config; none for UINT32_MAX and for fields unknown
// here.
func fieldAt[ABI any](fields func(*ABI, *walk), offset C.uint32_t) string {
	var abi ABI
	w := walk{does: find, in: unsafe.Pointer(&abi), offset: uintptr(offset)}
	fields(&abi, &w)
	return w.found
}

func (w *walk) isAt(field unsafe.Pointer) bool {
	return uintptr(field)-uintptr(w.in) == w.offset
}

type number interface {
	~int32 | ~uint32 | ~int64 | ~uint64 | ~float64
}

func pair[T, V number](w *walk, name string, field *T, value *V) {
	switch {
	case w.does == read:
		*value = V(*field)
	case w.does == find && w.isAt(unsafe.Pointer(field)):
		w.found = name
	case w.does == write && (w.isExact || *value != 0):
		*field = T(*value)
	}
}

// A choice is a named value of which zero means the default, even in an exact config: nothing else would. So the
// library's values are one less.
type choice interface{ ~int }

func pairChoice[V choice](w *walk, name string, field *C.uint32_t, value *V) {
	switch {
	case w.does == read:
		*value = 1 + V(*field)
	case w.does == find && w.isAt(unsafe.Pointer(field)):
		w.found = name
	case w.does == write && *value != 0:
		*field = chosen(*value)
	}
}

// chosen makes of a choice that does not exist one that the library does not have either.
func chosen[V choice](value V) C.uint32_t {
	if value >= 1 && uint64(value-1) <= math.MaxUint32 {
		return C.uint32_t(value - 1)
	}
	return math.MaxUint32
}
