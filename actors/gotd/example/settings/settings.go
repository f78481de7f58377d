// Package settings reads what both bots of the example need, from the
// environment and from the file in which a test DC describes itself.
package settings

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"github.com/gotd/td/crypto"
	"github.com/gotd/td/telegram"
	"github.com/gotd/td/telegram/dcs"
	"github.com/gotd/td/tg"

	"github.com/mtfleet/mtfleet/mtproto/dc"
	"github.com/mtfleet/mtfleet/mtproto/dctest/serve"
)

// Settings are what an echo bot is told from outside.
type Settings struct {
	APIID   int
	APIHash string
	Token   string // of @BotFather
	Dir     string // where it keeps its session
	testDC  serve.Descriptor
}

// Read reads APP_ID, APP_HASH, BOT_TOKEN, BOT_DIR and TESTDC, the descriptor that
// `manager testdc --descriptor FILE` wrote.
func Read() (s Settings, err error) {
	if s.APIID, err = strconv.Atoi(os.Getenv("APP_ID")); err != nil {
		return s, fmt.Errorf("APP_ID is no number")
	}
	s.APIHash, s.Token, s.Dir = os.Getenv("APP_HASH"), os.Getenv("BOT_TOKEN"), os.Getenv("BOT_DIR")
	text, err := os.ReadFile(os.Getenv("TESTDC"))
	if err != nil {
		return s, err
	}
	return s, json.Unmarshal(text, &s.testDC)
}

// File is the path of a file in the bot's directory.
func (s Settings) File(name string) string { return filepath.Join(s.Dir, name) }

// List is the test DC in gotd's words. A bot on Telegram's own servers uses
// dcs.Prod().
func (s Settings) List() dcs.List {
	list := dcs.List{Test: s.testDC.Test}
	for _, o := range s.testDC.DCs {
		list.Options = append(list.Options, tg.DCOption{ID: o.ID, IPAddress: o.IP, Port: o.Port})
	}
	return list
}

// Keys are the test DC's RSA keys in gotd's words; nil on Telegram's own
// servers.
func (s Settings) Keys() (keys []telegram.PublicKey) {
	for _, k := range s.testDC.PublicKeys {
		read, err := crypto.ParseRSAPublicKeys([]byte(k.PEM))
		if err != nil {
			panic(err) // the test DC's own
		}
		for _, key := range read {
			keys = append(keys, telegram.PublicKey{RSA: key})
		}
	}
	return keys
}

// DCs is the test DC in mtfleet's words. A bot on Telegram's own servers uses
// dc.Production().
func (s Settings) DCs() dc.Table {
	table, err := s.testDC.Table()
	if err != nil {
		panic(err) // the test DC's own
	}
	return table
}
