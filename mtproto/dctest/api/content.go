package api

import (
	"time"

	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// This file answers what clients ask on their way in, as an account answers that has no contacts, dialogs, stickers or
// themes. Their queries and results have no Go types: they are checked against the schema and put together here.

// contentTable lists those methods: https://core.telegram.org/methods has their pages.
var contentTable = [...]*method{
	// What an application shows before and after a sign-in.
	content(method{name: "help.getCountriesList", id: 0x735787a8}, (*call).countries),
	content(method{name: "help.getCdnConfig", id: 0x52029342}, fixed(value(cdnConfigID, vector))),
	content(method{name: "langpack.getLangPack", id: 0xf2f2330a}, (*call).langPack),
	content(method{name: "langpack.getDifference", id: 0xcd984aa5}, (*call).langPack),
	content(method{name: "langpack.getLanguages", id: 0x42c6978f}, fixed(value(vector))),
	content(forPeople("help.acceptTermsOfService", 0xee72f79a), fixed(value(true))),
	content(forPeople("help.getTermsOfServiceUpdate", 0x2ca51fd1), untilTomorrow(termsOfServiceUpdateEmptyID)),
	content(forPeople("help.getPromoData", 0xc0977421), untilTomorrow(promoDataEmptyID)),
	content(forPeople("help.getPeerColors", 0xda80f42f), fixed(value(peerColorsID, 0, vector))),
	content(forPeople("help.getPeerProfileColors", 0xabcfa9fd), fixed(value(peerColorsID, 0, vector))),
	// Settings.
	content(forPeople("account.getContentSettings", 0x8b9b4dae), fixed(value(contentSettingsID, 0))),
	content(forPeople("account.getNotifySettings", 0x12b3ad31), fixed(value(peerNotifySettingsID, 0))),
	content(forPeople("account.getReactionsNotifySettings", 0x06dd654c), fixed(value(reactionsNotifySettingsID, 0, notificationSoundDefaultID, true))),
	content(forPeople("account.getWebBrowserSettings", 0x56655768), fixed(value(webBrowserSettingsID, 0, vector, vector, int64(0)))),
	content(forPeople("account.getChatThemes", 0xd638de89), fixed(value(accountThemesID, int64(0), vector))),
	content(forPeople("account.getSavedMusicIds", 0xe09d5faf), fixed(value(savedMusicIDsID, vector))),
	content(forPeople("aicompose.getTones", 0xabd59201), fixed(value(tonesID, int64(0), vector, vector))),
	// People, dialogs, stickers.
	content(forPeople("contacts.getTopPeers", 0x973478b6), fixed(value(topPeersID, vector, vector, vector))),
	content(forPeople("contacts.getContacts", 0x5dd69e12), fixed(value(contactsID, vector, 0, vector))),
	content(forPeople("messages.getPinnedDialogs", 0xd6b94df2), (*call).noDialogs),
	content(forPeople("messages.getDialogFilters", 0xefd48c89), (*call).dialogFilters),
	content(forPeople("messages.getAttachMenuBots", 0x16fcc2cb), fixed(value(attachMenuBotsID, int64(0), vector, vector))),
	content(forPeople("messages.getAvailableEffects", 0xdea20a39), fixed(value(availableEffectsID, 0, vector, vector))),
	content(forPeople("messages.getAvailableReactions", 0x18dea0ac), fixed(value(availableReactionsID, 0, vector))),
	content(method{name: "messages.getStickerSet", id: 0xc8a0ec74, needs: needsUser, home: true}, refuse(&Error{400, "STICKERSET_INVALID"})),
	content(method{name: "users.getFullUser", id: 0xb60f5918, needs: needsUser, home: true}, (*call).fullUser),
	// Parts of files are taken and forgotten: nothing here can name a file.
	content(method{name: "upload.saveFilePart", id: 0xb304a621, needs: needsUser}, fixed(value(true))),
	content(method{name: "upload.saveBigFilePart", id: 0xde7b673d, needs: needsUser}, fixed(value(true))),
}

// Constructors of the answers.
const (
	cdnConfigID                 uint32 = 0x5725e40a
	langPackDifferenceID        uint32 = 0xf385c1f6
	countriesListID             uint32 = 0x87d0759e
	countryID                   uint32 = 0xc3878e23
	countryCodeID               uint32 = 0x4203c5ef
	termsOfServiceUpdateEmptyID uint32 = 0xe3309f7f
	promoDataEmptyID            uint32 = 0x98f6ac75
	peerColorsID                uint32 = 0x00f8ed08
	contentSettingsID           uint32 = 0x57e28221
	peerNotifySettingsID        uint32 = 0x99622c0c
	reactionsNotifySettingsID   uint32 = 0x71e4ea58
	notificationSoundDefaultID  uint32 = 0x97e8bebe
	webBrowserSettingsID        uint32 = 0x79eb8cb3
	accountThemesID             uint32 = 0x9a3d8c6d
	savedMusicIDsID             uint32 = 0x998d6636
	tonesID                     uint32 = 0x6c9d0efe
	topPeersID                  uint32 = 0x70b772a8
	contactsID                  uint32 = 0xeae87e42
	dialogFiltersID             uint32 = 0x2ad93719
	dialogFilterDefaultID       uint32 = 0x363293ae
	attachMenuBotsID            uint32 = 0x3c4301c0
	availableEffectsID          uint32 = 0xbddb616e
	availableReactionsID        uint32 = 0x768e3aad
	usersUserFullID             uint32 = 0x3b6d152e
	userFullID                  uint32 = 0x06cbe645
	peerSettingsID              uint32 = 0xf47741f7
)

// empty stands for an empty Vector in a value.
type empty struct{}

var vector = empty{}

// value appends the parts of a boxed value: an id is a uint32, an int of TL an int.
func value(parts ...any) []byte {
	var b []byte
	for _, p := range parts {
		switch p := p.(type) {
		case uint32:
			b = tl.AppendUint32(b, p)
		case int:
			b = tl.AppendInt32(b, int32(p))
		case int64:
			b = tl.AppendInt64(b, p)
		case string:
			b = tl.AppendString(b, p)
		case bool:
			b = tl.AppendBool(b, p)
		case empty:
			b = tl.AppendVectorHeader(b, 0)
		case []byte:
			b = append(b, p...)
		}
	}
	return b
}

// content is a line whose query is known to the schema only.
func content(m method, run func(c *call) ([]byte, *Error)) *method {
	m.parse = func(body []byte) (tl.Object, error) {
		n, err := tl.Skip(tg.Schema, body)
		if err == nil && n != len(body) {
			err = &tl.ParseError{Offset: n, Err: tl.ErrTrailing}
		}
		return nil, err
	}
	m.run = run
	return &m
}

// forPeople is a method about what a person has at home.
func forPeople(name string, id uint32) method {
	return method{name: name, id: id, who: people, needs: needsUser, home: true}
}

func fixed(body []byte) func(c *call) ([]byte, *Error) {
	return func(*call) ([]byte, *Error) { return append([]byte(nil), body...), nil }
}

func refuse(err *Error) func(c *call) ([]byte, *Error) {
	return func(*call) ([]byte, *Error) { return nil, err }
}

// untilTomorrow answers a constructor whose only field says when to ask again.
func untilTomorrow(id uint32) func(c *call) ([]byte, *Error) {
	return func(c *call) ([]byte, *Error) { return value(id, int(c.req.Now.Add(24*time.Hour).Unix())), nil }
}

// countries names the one country there is, with the prefix of the test numbers.
func (c *call) countries() ([]byte, *Error) {
	one := func(b []byte) []byte { return append(tl.AppendVectorHeader(nil, 1), b...) }
	code := value(countryCodeID, 1, "999", tl.AppendString(tl.AppendVectorHeader(nil, 1), "66"))
	return value(countriesListID, one(value(countryID, 0, c.b.cfg.Country, "Test", one(code))), 0), nil
}

// langPack answers both questions after a language pack: there are no strings in it.
func (c *call) langPack() ([]byte, *Error) {
	r := tl.NewReader(c.req.Body[4:])
	r.BytesView() // lang_pack
	return value(langPackDifferenceID, r.String(), 0, 1, vector), nil
}

func (c *call) noDialogs() ([]byte, *Error) {
	s := c.user.state(c.req.Now)
	return value(peerDialogsID, vector, vector, vector, vector, s.Append(nil)), nil
}

// dialogFilters answers with the filter that everybody has. Older layers want a bare list, which does not name it.
func (c *call) dialogFilters() ([]byte, *Error) {
	if !tg.LayerHas(c.req.Layer, dialogFiltersID) {
		return value(vector), nil
	}
	return value(dialogFiltersID, 0, tl.AppendUint32(tl.AppendVectorHeader(nil, 1), dialogFilterDefaultID)), nil
}

// fullUser answers users.getFullUser with nothing but who it is.
func (c *call) fullUser() ([]byte, *Error) {
	r := tl.NewReader(c.req.Body[4:])
	users, err := c.getUsers(&tg.UsersGetUsersRequest{ID: []tg.AnyInputUser{tg.ParseAnyInputUser(r)}})
	if err != nil {
		return nil, err
	}
	if len(users) != 1 {
		return nil, errUserIDInvalid
	}
	u, ok := users[0].(*tg.User)
	if !ok {
		return nil, errUserIDInvalid
	}
	full := value(userFullID, 0, 0, u.ID, peerSettingsID, 0, peerNotifySettingsID, 0, 0)
	return value(usersUserFullID, full, vector, append(tl.AppendVectorHeader(nil, 1), u.Append(nil)...)), nil
}

// appConfigOf gives an older layer what help.getAppConfig was then: the JSON object itself, always whole.
func appConfigOf(m *method) *method {
	newest := m.run
	m.run = func(c *call) ([]byte, *Error) {
		if tg.LayerHas(c.req.Layer, tg.HelpAppConfigID) {
			return newest(c)
		}
		c.query.(*tg.HelpGetAppConfigRequest).Hash = 0
		body, err := newest(c)
		if err != nil {
			return nil, err
		}
		var answer tg.HelpAppConfig
		if tl.Unmarshal(body, &answer) != nil {
			return body, nil
		}
		return answer.Config, nil
	}
	return m
}
