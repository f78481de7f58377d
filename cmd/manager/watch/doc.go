// Package watch is the page of `manager demo --watch`: buttons that break a fleet of
// the demonstration, and what became of it. It knows neither fleet nor test DCs; the
// demonstration tells it what to show, and carries out what is pressed.
//
// It is a page of its own, beside the dashboard and on another port, so that the
// dashboard of a real fleet has none of it. Like the dashboard it is served on loopback
// alone and lets a browser in by a link that is good once.
package watch
