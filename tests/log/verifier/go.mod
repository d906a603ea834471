module verifier

go 1.24
