module libtrip/bench/go

go 1.22.0

require (
	github.com/failsafe-go/failsafe-go v0.9.8
	github.com/sony/gobreaker/v2 v2.4.0
	libtrip/bindings/go v0.0.0
)

require github.com/bits-and-blooms/bitset v1.24.4 // indirect

replace libtrip/bindings/go => ../../bindings/go
