module libtrip/bindings/go

go 1.23
