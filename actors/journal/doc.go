// Package journal orders everything between one account and the store: what is
// written and read of it, by the account and by its bindings, happens in the
// order it was asked for, one at a time.
//
// A Journal is an engine: it has one owner, no lock and no clock, and needs no
// actor. Its driver gives it jobs with Add, has what Next hands out done by a
// Disk where waiting is allowed, and says by Ended how that went:
//
//	if job, ok := j.Next(now); ok {
//		go func() { done <- disk.Do(job.Work) }()
//	}
//	wake at j.Deadline(), and call Next again
//	...
//	job, records, over := j.Ended(now, <-done)
//
// A promise made to the store is kept: what the store refuses is owed until it
// is written, whatever its urgency means for who asked. Three things hold it:
// what is read shows what is owed over what the store has; a job that was only
// tried once and refused gives back what it would have replaced; what a stopping
// account could not write, its successor in this process begins with. What a
// process that ends could not write is lost, and nobody was told otherwise.
package journal
