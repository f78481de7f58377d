// Package api has the methods of the API that the example calls and that tl/tg does not have.
package api

//go:generate go tool tlgen
