module libtrip.example/trip

go 1.23
