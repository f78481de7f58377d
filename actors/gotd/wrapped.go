package gotd

import (
	"fmt"

	"github.com/gotd/td/tg"

	"github.com/mtfleet/mtfleet/tl"
)

// wrapped says for each wrapper that a caller may use what stands between its
// id and the query inside: so many bytes, then so many strings.
var wrapped = map[uint32]struct{ bytes, strings int }{
	tg.InvokeWithTakeoutRequestTypeID:            {bytes: 8},  // takeout_id:long
	tg.InvokeWithMessagesRangeRequestTypeID:      {bytes: 12}, // range:MessageRange, one constructor of two ints
	tg.InvokeWithBusinessConnectionRequestTypeID: {strings: 1},
	tg.InvokeWithReCaptchaRequestTypeID:          {strings: 1},
}

// wrapMost bounds how deep wrappers are looked into; there are four of them.
const wrapMost = 4

// inside is the method of the query inside wrappers: what a wait of the server
// holds, and what decides whether the call may run twice. Without a wrapper it
// is the method given.
func inside(method string, query []byte) (string, error) {
	for range wrapMost {
		skip, wraps := wrapped[tl.Raw(query).ID()]
		if !wraps {
			return method, nil
		}
		r := tl.NewReader(query)
		r.ID()
		r.Take(skip.bytes)
		for range skip.strings {
			r.BytesView()
		}
		if query = r.Rest(); r.Err() != nil || len(query) < 4 {
			return "", &EncodeError{fmt.Errorf("%s has no query inside", method)}
		}
		method = nameOf(tl.Raw(query).ID())
	}
	return "", &EncodeError{fmt.Errorf("%s is wrapped too deep", method)}
}
