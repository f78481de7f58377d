//go:build !linux

package bench

import "net"

// carried is not known where there is no TCP_INFO.
func carried(net.Conn) (sent, received uint64) { return 0, 0 }
