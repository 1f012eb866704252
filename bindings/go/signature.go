// This file owns the types of C functions as Go has them: for each, the Go type of the same width, and the way between
// the two. Whether a signature is one the library says.

package trip

import (
	"fmt"
	"strings"
	"unsafe"
)

// A signature is the types of a function; of a text that is none it is anything.
type signature struct {
	result     valueType
	parameters []valueType
}

// A valueType is how values of a type go to C and come back.
type valueType interface {
	// store puts a value of the type where C finds it; false: it is of another.
	store(at unsafe.Pointer, value any) bool
	// load is the value that C has put somewhere.
	load(at unsafe.Pointer) any
	// takes is nil where a result can go: a pointer to the type, or nowhere.
	takes(result any) error
	// move is load into such a pointer.
	move(at unsafe.Pointer, result any)
}

var valueTypes = map[string]valueType{
	"void":    noValue{},
	"int8":    valueOf[int8]{},
	"uint8":   valueOf[uint8]{},
	"int16":   valueOf[int16]{},
	"uint16":  valueOf[uint16]{},
	"int32":   valueOf[int32]{},
	"uint32":  valueOf[uint32]{},
	"int64":   valueOf[int64]{},
	"uint64":  valueOf[uint64]{},
	"float":   valueOf[float32]{},
	"double":  valueOf[float64]{},
	"pointer": valueOf[unsafe.Pointer]{},
}

func readSignature(text string) signature {
	var types []valueType
	for _, word := range strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune("(,) \t\r\n", r) }) {
		known, isKnown := valueTypes[word]
		if !isKnown {
			known = noValue{}
		}
		types = append(types, known)
	}
	switch {
	case len(types) == 0:
		return signature{result: noValue{}}
	case len(types) == 2 && types[1] == noValue{}: // "(void)" are no parameters
		types = types[:1]
	}
	return signature{result: types[0], parameters: types[1:]}
}

type valueOf[T any] struct{}

func (valueOf[T]) store(at unsafe.Pointer, value any) bool {
	argument, isOne := value.(T)
	if isOne {
		*(*T)(at) = argument
	}
	return isOne
}

func (valueOf[T]) load(at unsafe.Pointer) any { return *(*T)(at) }

func (valueOf[T]) takes(result any) error {
	if to, isOne := result.(*T); result == nil || (isOne && to != nil) {
		return nil
	}
	return fmt.Errorf("%w: the result does not go to a %T", ErrInvalid, result)
}

func (valueOf[T]) move(at unsafe.Pointer, result any) {
	if result != nil {
		*result.(*T) = *(*T)(at)
	}
}

// noValue is void.
type noValue struct{}

func (noValue) store(unsafe.Pointer, any) bool { return false }

func (noValue) load(unsafe.Pointer) any { return nil }

func (noValue) takes(result any) error {
	if result == nil {
		return nil
	}
	return fmt.Errorf("%w: there is no result for a %T", ErrInvalid, result)
}

func (noValue) move(unsafe.Pointer, any) {}
