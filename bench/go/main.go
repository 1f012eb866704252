// Command stand times breakers in Go, one run per line of its input; bench/README.md has the protocol. This file owns
// the protocol; it knows no peer.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
)

// A run makes so many calls and returns how many were not answered as they should be.
type run func(calls int) int

// A column is what is timed: prepare makes the run of each thread, once.
type column struct {
	name    string
	threads int
	prepare func(thread int) run
}

type peer struct {
	name, version, licence, configuration string

	columns []column
	fill    func(circuits int) any // makes so many circuits; nil: it keeps none by name
}

func main() {
	peers := []peer{libtrip(), twoEmptyCalls(), gobreakerPeer(), failsafePeer(), mercariPeer()}
	out := json.NewEncoder(os.Stdout)
	must(out.Encode(map[string]any{"language": "go", "peers": introductions(peers)}))
	prepared := map[string][]run{}
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		answer, err := answer(peers, prepared, lines.Text())
		if err != nil {
			must(out.Encode(map[string]string{"error": err.Error()}))
			continue
		}
		must(out.Encode(answer))
	}
}

func introductions(peers []peer) []map[string]any {
	var told []map[string]any
	for _, peer := range peers {
		var columns []string
		for _, column := range peer.columns {
			columns = append(columns, column.name)
		}
		if peer.fill != nil {
			columns = append(columns, "memory")
		}
		told = append(told, map[string]any{
			"name": peer.name, "version": peer.version, "licence": peer.licence,
			"configuration": peer.configuration, "columns": columns,
		})
	}
	return told
}

func answer(peers []peer, prepared map[string][]run, line string) (map[string]float64, error) {
	words := strings.Fields(line)
	if len(words) != 3 {
		return nil, fmt.Errorf("a line is: peer column calls")
	}
	calls, err := strconv.Atoi(words[2])
	if err != nil || calls < 1 {
		return nil, fmt.Errorf("calls are a number above 0")
	}
	for _, peer := range peers {
		if peer.name == words[0] {
			return peer.answer(words[1], calls, prepared)
		}
	}
	return nil, fmt.Errorf("no such peer")
}

func (p peer) answer(name string, calls int, prepared map[string][]run) (map[string]float64, error) {
	if name == "memory" && p.fill != nil {
		return map[string]float64{"bytes_per_circuit": weigh(p.fill, calls)}, nil
	}
	for _, column := range p.columns {
		if column.name != name {
			continue
		}
		place := p.name + " " + name
		if prepared[place] == nil {
			for thread := range column.threads {
				prepared[place] = append(prepared[place], column.prepare(thread))
			}
		}
		ns, wrong := clock(prepared[place], calls)
		if wrong > 0 {
			return nil, fmt.Errorf("%d calls were not answered as they should be", wrong)
		}
		return map[string]float64{"ns_per_call": ns}, nil
	}
	return nil, fmt.Errorf("no such column")
}

// moduleVersion is the version of a module that this program was built with.
func moduleVersion(module string) string {
	info, _ := debug.ReadBuildInfo()
	for _, dependency := range info.Deps {
		if dependency.Path == module {
			return strings.TrimPrefix(dependency.Version, "v")
		}
	}
	panic(module + " is not built in")
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}
