// This program owns one number: how many contract vectors the Go binding runs, which it prints.

// Command count prints the number of contract vectors in the folder TRIP_CONTRACT, ../../tests/contract by default.
package main

import (
	"cmp"
	"fmt"
	"os"

	"libtrip.example/trip/internal/contract"
)

func main() {
	vectors, err := contract.Load(cmp.Or(os.Getenv("TRIP_CONTRACT"), "../../tests/contract"))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(len(vectors))
}
