module libtrip/demo/clients/go

go 1.23

require libtrip.example/trip v0.0.0

replace libtrip.example/trip => ../../../bindings/go
