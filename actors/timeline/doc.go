// Package timeline is the flight recorder of an account: what became of its keys
// and connections, where it stood and why, which waits it was given and how its
// sign-ins went, the last of it, each with its time, DC and key.
//
// A [Recorder] holds what one account did in a few hundred bytes, whoever adds to
// it; what it holds rides along with commits that are made anyway. [Text] and
// [SVG] draw it with a lane for each key.
//
// It knows no secret: a key is told apart by a part of its public id, and words
// are cut short and stripped of long numbers before they are kept.
package timeline
