// This file owns whom callers ask for: the names are those of every other language's stand.

package main

import "fmt"

// A request of a caller: whose call it is and who is called.
type request struct{ tenant, provider string }

var providers = [...]string{"openai", "anthropic", "gemini", "mistral", "cohere", "bedrock", "azure", "groq"}

// name is the i-th of all.
func name(i int) request {
	return request{tenant: fmt.Sprintf("tenant-%07d", i/len(providers)), provider: providers[i%len(providers)]}
}

// Requests come again and again in the same order. They are read one after the other, as a server's are hot when they
// are looked up: what is timed is the registry, not the fetching of the question.
type requests struct {
	all  []request
	next int
}

// drawn is requests for so many names at random.
func drawn(keys, seed int) *requests {
	const fewest = 1 << 14 // few names in a short, repeating order would be learnt by the branch predictor
	state := 0x9E3779B97F4A7C15 * (uint64(seed) + 1)
	all := make([]request, max(keys, fewest))
	for i := range all {
		state ^= state << 13
		state ^= state >> 7
		state ^= state << 17
		all[i] = name(int(state % uint64(keys)))
	}
	return &requests{all: all}
}

// inTurn is requests for each of so many names in its turn.
func inTurn(names int) *requests {
	all := make([]request, names)
	for i := range all {
		all[i] = name(i)
	}
	return &requests{all: all}
}

func (r *requests) take() request {
	request := r.all[r.next]
	r.next++
	if r.next == len(r.all) {
		r.next = 0
	}
	return request
}
