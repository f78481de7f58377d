//go:build !unix

package wire

import "net"

// plainTCP returns none: here every write may wait.
func plainTCP(net.Conn) *net.TCPConn { return nil }

func writeOnce(*net.TCPConn, []byte) (int, error) { return 0, nil }
