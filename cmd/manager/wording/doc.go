// Package wording puts into words, for people at a terminal, what the API tells in
// values: accounts, DCs and events, the steps of a sign-in, how each is asked for and
// what else answers it, and times. It prints nothing and asks nobody.
package wording
