package account

import (
	"github.com/mtfleet/mtfleet/mtproto/proxy"
	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// App is what every account of this process says about itself: the operator's
// own api_id and an honest description of the program and the machine.
type App struct {
	APIID          int
	APIHash        string
	DeviceModel    string
	SystemVersion  string
	AppVersion     string
	SystemLangCode string // empty: "en"
	LangPack       string // empty is legal
	LangCode       string // empty: "en"
}

// header is what goes before the first query under each key:
// https://core.telegram.org/api/invoking#saving-client-info. Of a proxy the server
// is told where it sees that of itself: an MTProxy, as all apps tell it.
func header(app App, via *proxy.Server) ([]byte, error) {
	// The query goes where the header ends, so any will do to build it.
	query := tl.AppendUint32(nil, tg.HelpGetConfigRequestID)
	request := &tg.InitConnectionRequest{
		APIID: int32(app.APIID), DeviceModel: app.DeviceModel, SystemVersion: app.SystemVersion,
		AppVersion: app.AppVersion, SystemLangCode: app.SystemLangCode, LangPack: app.LangPack, LangCode: app.LangCode,
		Query: query,
	}
	if via != nil && via.Kind == proxy.MTProxy {
		request.Proxy = tl.Some(tg.InputClientProxy{Address: via.Host, Port: int32(via.Port)})
	}
	init, err := tl.Marshal(nil, request)
	if err != nil {
		return nil, err
	}
	all, err := tl.Marshal(nil, &tg.InvokeWithLayerRequest{Layer: tg.Layer, Query: init})
	if err != nil {
		return nil, err
	}
	return all[: len(all)-len(query) : len(all)-len(query)], nil
}

func headerVia(app App) func(*proxy.Server) []byte {
	return func(via *proxy.Server) []byte {
		h, _ := header(app, via) // of what one was made of before it cannot fail
		return h
	}
}
