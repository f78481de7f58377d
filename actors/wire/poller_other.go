//go:build !linux

package wire

import "errors"

// newPoller: a goroutine waits for each connection.
func newPoller() (poller, error) { return nil, errors.ErrUnsupported }
