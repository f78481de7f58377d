//go:build !linux

package control

import "net"

// peerUID is not known here: the mode of the socket says who may open it.
func peerUID(net.Conn) (uid int, ok bool) { return 0, false }
