// Command manager keeps MTProto accounts signed in, and brings the means to try
// that without any: a test DC cluster and a demonstration.
//
//	manager demo                     everything at once, on loopback
//	manager account add alice
//	manager account login alice
//	manager run                      keep every account online
//
// Settings come from a file, from the environment and from --set; see `manager
// config`. What an exit code means: `manager help exit-codes`.
package main

import "os"

func main() { os.Exit(manager()) }

// manager runs the command line of the process and returns its exit code.
func manager() int {
	keepToOurselves()
	paceGarbage(os.Environ())
	ctx, stop := untilSignal(os.Stderr)
	defer stop()
	a := &app{in: os.Stdin, out: os.Stdout, err: os.Stderr, env: os.Environ()}
	return a.main(ctx, os.Args[1:])
}
