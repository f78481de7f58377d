package guest

import (
	"fmt"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/dc"
)

// A RefusedError says that a DC cannot be used as a guest for now: home or the
// DC refuses to carry the authorization over. Err is the server's last word.
type RefusedError struct {
	DC dc.ID
	// Until is when it is tried again, if somebody wants the DC then.
	Until time.Time
	Err   error
}

func (e *RefusedError) Error() string {
	return fmt.Sprintf("the authorization cannot be carried to %v, next try after %s: %v", e.DC, e.Until.UTC().Format(time.RFC3339), e.Err)
}

func (e *RefusedError) Unwrap() error { return e.Err }

// A WaitError says that the authorization may not be carried to a DC before
// the end of a wait that the server imposed. Err is the server's word, or what
// is remembered of it.
type WaitError struct {
	DC    dc.ID
	Until time.Time
	Err   error
}

func (e *WaitError) Error() string {
	return fmt.Sprintf("the authorization may not be carried to %v before %s: %v", e.DC, e.Until.UTC().Format(time.RFC3339), e.Err)
}

func (e *WaitError) Unwrap() error { return e.Err }

// WaitUntil is the end of the wait.
func (e *WaitError) WaitUntil() time.Time { return e.Until }
