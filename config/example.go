package config

import _ "embed" // the example file

//go:embed mtfleet.example.yaml
var example string

// Example returns a file with every setting and its default, explained. Only
// api_id and api_hash must be changed.
func Example() string { return example }

// What the example has in place of what only its operator has.
const (
	exampleID   = 12345
	exampleHash = "00000000000000000000000000000000"
)
