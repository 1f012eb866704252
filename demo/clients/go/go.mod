module libtrip/demo/clients/go

go 1.23

require libtrip/bindings/go v0.0.0

replace libtrip/bindings/go => ../../../bindings/go
