//go:build !gc || race

// This file owns what takes the place of pinning where it is not to be had: with another compiler, and under the race
// detector, which would take plain counting for a race.

package trip

import "math"

// pin pins nothing: no stripe is that of this P, and all counting is atomic.
func pin() int { return math.MaxInt }

func unpin() {}
