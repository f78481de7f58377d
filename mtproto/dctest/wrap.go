package dctest

import (
	"strconv"

	"github.com/mtfleet/mtfleet/mtproto/dctest/api"
	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/mt"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// maxWrappers bounds how deep invoke* calls nest.
const maxWrappers = 10

// wrapping is what the wrappers around a query said.
type wrapping struct {
	layer          int          // invokeWithLayer; 0 without one
	app            *api.AppInfo // initConnection; nil without one
	withoutUpdates bool
	after          []int64 // invokeAfterMsg(s)
	query          []byte  // what they wrap, boxed
}

// unwrap takes the wrappers off, in whatever order they come: official clients and the documents disagree.
func (d *delivery) unwrap(body []byte) (w wrapping, err error) {
	for range maxWrappers {
		r := tl.NewReader(body)
		switch r.PeekID() {
		case tg.InvokeWithLayerRequestID:
			r.ID()
			w.layer = int(r.Int32())
		case tg.InitConnectionRequestID:
			w.app = readInit(r)
		case tg.InvokeWithoutUpdatesRequestID:
			r.ID()
			w.withoutUpdates = true
		case tg.InvokeAfterMsgRequestID:
			r.ID()
			w.after = append(w.after, r.Int64())
		case tg.InvokeAfterMsgsRequestID:
			r.ID()
			w.after = append(w.after, readIDs(r)...)
		case mt.GzipPackedID:
			if body, err = d.inflate(body); err != nil {
				return w, err
			}
			continue
		default:
			w.query = body
			return w, nil
		}
		if err := r.Err(); err != nil {
			return w, err
		}
		body = r.Rest()
		if len(body) < 4 {
			return w, tl.ErrShort
		}
	}
	return w, tl.ErrDepth
}

func readIDs(r *tl.Reader) []int64 {
	n := r.VectorLen(8)
	if n > maxIDs {
		r.Fail(tl.ErrLength)
		return nil
	}
	ids := make([]int64, 0, n)
	for range n {
		ids = append(ids, r.Int64())
	}
	return ids
}

// readInit reads the fields of initConnection; the query is left in r.
func readInit(r *tl.Reader) *api.AppInfo {
	r.ID()
	flags := r.Uint32()
	app := &api.AppInfo{
		APIID:          int(r.Int32()),
		DeviceModel:    r.String(),
		SystemVersion:  r.String(),
		AppVersion:     r.String(),
		SystemLangCode: r.String(),
		LangPack:       r.String(),
		LangCode:       r.String(),
	}
	if flags&1 != 0 {
		r.ID() // inputClientProxy
		host := r.String()
		app.Proxy = host + ":" + strconv.Itoa(int(r.Int32()))
	}
	if flags&2 != 0 {
		r.RawView(tg.Schema, tl.TypeAny) // params: a JSONValue
	}
	return app
}
