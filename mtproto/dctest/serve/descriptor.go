package serve

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/dc"
	"github.com/mtfleet/mtfleet/mtproto/dctest"
	"github.com/mtfleet/mtfleet/mtproto/dctest/api"
)

// Descriptor is what a client, in whatever language, needs to know about a cluster. Its secrets are those of a test.
type Descriptor struct {
	Test       bool      `json:"test"` // DC ids on the wire are 10000 higher
	DCs        []DCAddr  `json:"dcs"`  // by DC; one of several addresses is listed once for each
	PublicKeys []RSAKey  `json:"public_keys"`
	Apps       []AppID   `json:"apps"` // accepted api_id and api_hash; none means any
	Phones     []Phone   `json:"phones"`
	Bots       []Bot     `json:"bots"`
	Layers     []int     `json:"layers"` // served
	ServerTime time.Time `json:"server_time"`
	// Proxies are MTProxies in front of the cluster, as URLs with their secrets.
	Proxies []string `json:"proxies,omitempty"`
	// WebSockets are where the DCs take WebSockets, as URLs, and WebSocketCA is the PEM of who signed the certificate of
	// those with wss. None where it takes none.
	WebSockets  []WebSocketAddr `json:"websockets,omitempty"`
	WebSocketCA string          `json:"websocket_ca,omitempty"`
	// Control is where the cluster is controlled over HTTP, "http://127.0.0.1:PORT"; "" where it is not.
	Control string `json:"control,omitempty"`
}

// DCAddr is one address where a DC listens.
type DCAddr struct {
	ID   int    `json:"id"`
	IP   string `json:"ip"`
	Port int    `json:"port"`
	// Media says that it is for media alone.
	Media bool `json:"media_only,omitempty"`
}

// WebSocketAddr is one address where a DC takes WebSockets.
type WebSocketAddr struct {
	ID  int    `json:"id"`
	URL string `json:"url"`
}

// RSAKey is a public key of every DC.
type RSAKey struct {
	PEM         string `json:"pem"` // PKCS#1
	Fingerprint int64  `json:"fingerprint,string"`
}

// AppID is one application.
type AppID struct {
	ID   int    `json:"api_id"`
	Hash string `json:"api_hash,omitempty"`
}

// Phone is one person and how to sign in.
type Phone struct {
	Number   string `json:"phone"`
	Code     string `json:"code"`
	DC       int    `json:"dc"`
	UserID   int64  `json:"user_id"`
	Password bool   `json:"password,omitempty"` // two-step verification is on
	// PasswordText is the two-step password, while nobody has changed it.
	PasswordText string `json:"password_text,omitempty"`
}

// Bot is one bot and its token.
type Bot struct {
	Token    string `json:"token"`
	DC       int    `json:"dc"`
	UserID   int64  `json:"user_id"`
	Username string `json:"username,omitempty"`
}

// Table returns the descriptor's addresses and RSA public keys as a client's table of DCs. It fails for a descriptor that
// no cluster made.
func (d Descriptor) Table() (dc.Table, error) {
	t := dc.Table{Test: d.Test}
	for _, a := range d.DCs {
		ip, err := netip.ParseAddr(a.IP)
		if err != nil || a.Port < 1 || a.Port > 65535 {
			return dc.Table{}, fmt.Errorf("serve: descriptor: DC %d: %q port %d is no address", a.ID, a.IP, a.Port)
		}
		t.Options = append(t.Options, dc.Option{
			DC: dc.ID(a.ID), Addr: netip.AddrPortFrom(ip, uint16(a.Port)), IPv6: ip.Is6(), ThisPortOnly: true, MediaOnly: a.Media,
		})
	}
	for _, k := range d.PublicKeys {
		t.Keys = append(t.Keys, k.PEM)
	}
	return t, t.Check()
}

// Descriptor describes the cluster as it is now.
func (s *Cluster) Descriptor() Descriptor {
	d := Descriptor{Test: s.cfg.Core.Test, ServerTime: s.cfg.Now()}
	for _, e := range s.endpoints() {
		d.DCs = append(d.DCs, DCAddr{e.DC, e.IP, e.Port, e.Media})
	}
	d.WebSockets, d.WebSocketCA = s.webSockets(), string(s.ca)
	for _, k := range s.cfg.Core.Keys {
		pub := k.Public()
		d.PublicKeys = append(d.PublicKeys, RSAKey{PEM: string(pub.PEM()), Fingerprint: pub.Fingerprint()})
	}
	s.look(func(*dctest.Cluster, time.Time) {
		half := s.cfg.Core.API
		d.Layers = half.Layers()
		d.Apps = s.apps()
		for _, u := range half.Users() {
			d.addUser(u)
		}
	})
	return d
}

func (s *Cluster) apps() []AppID {
	var list []AppID
	if s.backend != nil {
		for _, a := range s.backend.Apps() {
			list = append(list, AppID{a.ID, a.Hash})
		}
		return list
	}
	for _, id := range s.cfg.Core.API.APIIDs() {
		list = append(list, AppID{ID: id})
	}
	return list
}

func (d *Descriptor) addUser(u api.User) {
	if u.BotToken != "" {
		d.Bots = append(d.Bots, Bot{u.BotToken, u.HomeDC, u.ID, u.Username})
		return
	}
	d.Phones = append(d.Phones, Phone{u.Phone, u.Code, u.HomeDC, u.ID, u.Password, u.PasswordText})
}
