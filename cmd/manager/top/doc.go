// Package top is the fleet in a terminal: every account of the manager that runs, what
// needs somebody first, and what can be done about it, the sign-in among it.
//
// It is a client of the control API and of nothing else: one [control.Service] tells it
// all, and every key does what a command does. It reads the list of accounts when it
// connects and now and then; between, the stream of events says what changed, gathered
// so that the screen changes five times a second at most. When the manager goes away
// the screen says so, and goes on with it when it is back.
//
// The model is one value with a screen on top of another; what takes time is a
// [tea.Cmd]. What is typed into a hidden field is shown nowhere, and wiped when it was
// sent.
package top
