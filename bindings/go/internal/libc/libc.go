// This package owns C functions for tests of guards, which cannot have any of their own: tests may not use cgo.

// Package libc has the addresses of C functions.
package libc

/*
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static int8_t narrow(int8_t x) { return x; }
static uint16_t wide(uint16_t x) { return x; }
static float half(float x) { return x / 2; }
static double sum(int8_t a, uint64_t b, float c, double d) { return a + (double)b + c + d; }
static void nothing(void) {}
static void *same(void *x) { return x; }
static int32_t failing(int32_t error) { errno = error; return error ? -1 : 0; }

// Calls through a pointer that may be a guard's of this very function: recursion through a guard.
static int32_t down(void *to_self, int32_t depth)
{
	if (depth == 0)
		return 0;
	int32_t below = ((int32_t (*)(void *, int32_t))to_self)(to_self, depth - 1);
	return below < 0 ? below : below + 1;
}

#define ADDRESS(f) static void *at_##f(void) { return (void *)f; }
ADDRESS(abs)
ADDRESS(atoi)
ADDRESS(strlen)
ADDRESS(narrow)
ADDRESS(wide)
ADDRESS(half)
ADDRESS(sum)
ADDRESS(nothing)
ADDRESS(same)
ADDRESS(failing)
ADDRESS(down)

static int32_t call(void *f, int32_t x) { return ((int32_t (*)(int32_t))f)(x); }
static int8_t callNarrow(void *f, int8_t x) { return ((int8_t (*)(int8_t))f)(x); }
static int32_t callDown(void *f, int32_t depth) { return down(f, depth); }
*/
import "C"

import (
	"syscall"
	"unsafe"
)

// The addresses of functions, and their signatures.
var (
	Abs     = C.at_abs()     // int32 (int32)
	Atoi    = C.at_atoi()    // int32 (pointer)
	Strlen  = C.at_strlen()  // uint64 (pointer)
	Narrow  = C.at_narrow()  // int8 (int8): as it is
	Wide    = C.at_wide()    // uint16 (uint16): as it is
	Half    = C.at_half()    // float (float): half of it
	Sum     = C.at_sum()     // double (int8, uint64, float, double)
	Nothing = C.at_nothing() // void ()
	Same    = C.at_same()    // pointer (pointer): as it is
	Failing = C.at_failing() // int32 (int32): -1, with this errno; 0 without
	Down    = C.at_down()    // int32 (pointer, int32): calls the pointer so often; -1 when that returns it
)

// Call calls an int32 (int32) as C code does, and returns errno too.
func Call(function unsafe.Pointer, x int32) (int32, syscall.Errno) {
	result, err := C.call(function, C.int32_t(x))
	left, _ := err.(syscall.Errno)
	return int32(result), left
}

// CallNarrow calls an int8 (int8) as C code does.
func CallNarrow(function unsafe.Pointer, x int8) int8 {
	return int8(C.callNarrow(function, C.int8_t(x)))
}

// CallDown begins a recursion through a pointer.
func CallDown(function unsafe.Pointer, depth int32) int32 {
	return int32(C.callDown(function, C.int32_t(depth)))
}

// Text is a text as C has it, until it is freed.
func Text(text string) (at unsafe.Pointer, free func()) {
	bytes := unsafe.Pointer(C.CString(text))
	return bytes, func() { C.free(bytes) }
}
