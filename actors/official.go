package actors

import "strings"

// officialIDs are application ids published with Telegram's own apps, or with
// its samples. Signing in with one of them pretends to be that app and gets
// accounts banned; the server also answers some with API_ID_PUBLISHED_FLOOD.
var officialIDs = map[int]string{
	4:       "Telegram for Android",
	5:       "Telegram for Android",
	6:       "Telegram for Android",
	8:       "Telegram for iOS",
	9:       "Telegram for macOS",
	10:      "an official app",
	16:      "an official app",
	17:      "an official app",
	2040:    "Telegram Desktop",
	2496:    "Telegram Web",
	2834:    "Telegram for macOS",
	10840:   "Telegram for iOS",
	16623:   "Telegram for macOS",
	17349:   "Telegram Desktop's sample",
	21724:   "Telegram X",
	94575:   "TDLib's sample",
	611335:  "Telegram Desktop",
	1025907: "Telegram Web",
}

// officialWords are words by which official apps call themselves, in lower case.
var officialWords = []string{"telegram", "tdesktop", "webogram", "tdlib"}

// OfficialID returns the official app that an api_id was published with, or "".
func OfficialID(id int) string { return officialIDs[id] }

// OfficialWord returns the word in a text by which an official app calls
// itself, or "".
func OfficialWord(text string) string {
	text = strings.ToLower(text)
	for _, word := range officialWords {
		if strings.Contains(text, word) {
			return word
		}
	}
	return ""
}
