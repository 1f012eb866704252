// This file owns where the library comes from: the system's, as pkg-config knows it. In a release it is for the build tag
// trip_system, beside one that compiles the library into the program.

package trip

/*
#cgo pkg-config: libtrip
*/
import "C"
