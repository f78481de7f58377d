package dctest

import (
	"strconv"
	"strings"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/dctest/api"
)

// FailNext makes the next call of a method answer an error, whoever calls, before anything else looks at it: any method,
// the ones that the cluster answers itself included. The error is written as api.ParseError reads it; after a FLOOD_WAIT
// the same account is refused until it has passed.
func (c *Cluster) FailNext(now time.Time, method, text string) error {
	f, err := ErrorFault(method, text)
	if err != nil {
		return err
	}
	_, err = c.Fault(now, f)
	return err
}

// ErrorFault is what FailNext makes of a method and an error, for who wants to narrow it. The error is an
// *api.FaultTextError.
func ErrorFault(method, text string) (Fault, error) {
	e, err := api.ParseError(text)
	if err != nil {
		return Fault{}, err
	}
	f := Fault{Kind: FaultRPC, Method: method, Code: e.Code, Text: e.Text, Count: 1}
	if secs, ok := strings.CutPrefix(e.Text, "FLOOD_WAIT_"); ok {
		if n, err := strconv.Atoi(secs); err == nil && n > 0 {
			f.Wait = Duration(time.Duration(n) * time.Second)
		}
	}
	return f, nil
}
