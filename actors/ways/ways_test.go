package ways

import (
	"fmt"
	"testing"

	"github.com/mtfleet/mtfleet/actors/governor"
	"github.com/mtfleet/mtfleet/mtproto/proxy"
	"github.com/mtfleet/mtfleet/persistence"
)

func url(n int) persistence.SecretText {
	return persistence.SecretText(fmt.Sprintf("socks5://10.0.%d.%d:1080", n/256, n%256))
}

func take(t *testing.T, w *Ways, own persistence.SecretText) Way {
	t.Helper()
	way, err := w.Take(own)
	if err != nil {
		t.Fatal(err)
	}
	return way
}

func TestAnAccountsOwnProxyGoesBeforeThatOfAll(t *testing.T) {
	all := &proxy.Server{Kind: proxy.SOCKS5, Host: "all.example", Port: 1}
	for _, v := range []struct {
		own       persistence.SecretText
		all       *proxy.Server
		name, err string
	}{
		{own: "", name: ""},
		{own: "", all: all, name: "socks5://all.example:1"},
		{own: Direct, all: all, name: ""},
		{own: "http://joe:hunter2@own.example:2", all: all, name: "http://own.example:2"},
		{own: "warp9://joe:hunter2@own.example:2", err: "its proxy cannot be used: proxy: it has no scheme that is known"},
	} {
		way, err := New(v.all, nil).Take(v.own)
		if v.err != "" {
			if err == nil || err.Error()[:len(v.err)] != v.err || way.Server == nil || way.Server.Kind != 0 {
				t.Errorf("an unknown proxy leads to %v, %v", way.Server, err)
			}
			continue
		}
		if err != nil || way.Name() != v.name || (way.Server == nil) != (way.Route == governor.Direct) {
			t.Errorf("%v, %v", way.Name(), err)
		}
	}
}

func TestRoutesAreBoundedAndShared(t *testing.T) {
	var renewed []governor.Route
	w := New(nil, func(r governor.Route) { renewed = append(renewed, r) })
	a, b := take(t, w, url(0)), take(t, w, url(0))
	if a.Route != b.Route || a.Route == governor.Direct {
		t.Errorf("one proxy has the routes %d and %d", a.Route, b.Route)
	}
	const proxies = 1000
	on := map[governor.Route]int{a.Route: 1}
	all := []Way{a, b}
	for n := 1; n < proxies; n++ {
		way := take(t, w, url(n))
		on[way.Route]++
		all = append(all, way)
	}
	for r, n := range on {
		if r == governor.Direct || r >= governor.MaxRoutes || n > proxies/(governor.MaxRoutes-1)+1 {
			t.Errorf("route %d has %d of %d proxies", r, n, proxies)
		}
	}
	if len(renewed) > 0 {
		t.Errorf("routes in use became other proxies': %v", renewed)
	}
	for _, way := range all {
		w.Leave(way)
	}
	if n := len(w.known); n > governor.MaxRoutes {
		t.Errorf("%d proxies are remembered that nobody uses", n)
	}
	for n := range proxies {
		take(t, w, url(proxies+n))
	}
	if len(renewed) != governor.MaxRoutes-1 {
		t.Errorf("%d routes became other proxies', want all %d", len(renewed), governor.MaxRoutes-1)
	}
}

func TestAProxyThatComesBackHasItsRoute(t *testing.T) {
	w := New(nil, func(governor.Route) { t.Error("a route became another proxy's while there are others") })
	first := take(t, w, url(0))
	w.Leave(first)
	take(t, w, url(1))
	if again := take(t, w, url(0)); again.Route != first.Route {
		t.Errorf("it had %d and has %d", first.Route, again.Route)
	}
	if w.Name(first.Route) != "socks5://10.0.0.0:1080" || w.Name(governor.Direct) != "" {
		t.Errorf("named %q", w.Name(first.Route))
	}
}
