package dctest

import (
	"time"
)

func (c *Cluster) newHandshake(d *dcState) any { return nil }

func (c *Cluster) plain(now time.Time, cn *conn, packet []byte) {}
