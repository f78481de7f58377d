// Package pgtest starts servers of PostgreSQL for tests and benchmarks: each in a
// directory of its own, on a unix socket there and nowhere else. It is not the store,
// and knows nothing of it.
package pgtest
