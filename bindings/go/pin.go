//go:build gc && !race

// This file owns pinning: keeping a goroutine on its P for a moment, which is what makes counting exact and cheap.
// The two functions are the runtime's own; they stand in Go's list of names that may be linked to and keep their
// signature (issue 67401 of Go), since others have long used them as we do.

package trip

import _ "unsafe" // for go:linkname

// pin keeps the goroutine on its P until unpin, and returns which P that is. In between nothing may block or
// be allocated.
//
//go:linkname pin runtime.procPin
func pin() int

//go:linkname unpin runtime.procUnpin
func unpin()
