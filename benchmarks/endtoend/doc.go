// Package endtoend measures the manager as a service uses it: through
// actors.Open, over real sockets, against the test DC. What a sign-in costs
// stands next to the arithmetic that no client can do without.
//
// There is nothing to import: the package is benchmarks. The test DC runs in a
// child process, so that its work is not in the client's figures, and figures
// are CPU time of this process (user and system), so that they mean the same on
// a busy machine. README.md has the commands and the results.
//
// The target is a loopback address, and its RSA key is not one of Telegram's:
// both are checked before anything is sent, the address again at each dial. No
// flag turns that off.
package endtoend
