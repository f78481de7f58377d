// Package config reads what the operator decides: a YAML file, environment
// variables beginning with MTFLEET_, and command-line flags, each of which
// overrides the one before it.
//
// It is plain data: it opens nothing but the file itself and the RSA key files it
// names, and knows nothing of DCs, transports or stores beyond their names.
//
//	cfg, err := config.Load(config.Options{File: path, Env: os.Environ(), Flags: set})
//	if err != nil { // a *config.Error: every problem found, with its place
//
// What belongs to official apps is refused by lists that the caller hands over in
// [Options]: there is one such list, where accounts are opened.
//
// Every setting is one line of the table in fields.go, from which come the
// defaults, the environment names, the suggestions for misspelt keys and
// [Config.Explain]. mtfleet.example.yaml shows all of them.
package config
