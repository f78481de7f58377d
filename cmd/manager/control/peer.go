package control

import (
	"context"
	"fmt"
	"net"
	"os"

	mtfleetv1 "github.com/mtfleet/mtfleet/cmd/manager/api/mtfleet/v1"
)

// withPeer names who is at the other end of the unix socket. Its mode lets nobody in but its owner and root; where the
// kernel says that it is somebody else all the same, as after a change of that mode, it may do nothing.
func withPeer(ctx context.Context, c net.Conn) context.Context {
	uid, known := peerUID(c)
	switch {
	case !known:
		return WithCaller(ctx, Caller{"the socket", mtfleetv1.Role_ROLE_ADMIN})
	case uid != 0 && uid != os.Getuid():
		return ctx
	}
	return WithCaller(ctx, Caller{fmt.Sprintf("uid %d", uid), mtfleetv1.Role_ROLE_ADMIN})
}
