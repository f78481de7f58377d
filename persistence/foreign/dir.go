package foreign

import (
	"io/fs"
	"slices"
	"strings"
)

// maxEntries is how many names of a folder are looked at. A tdata folder has some dozens, a GramJS store four and one for
// each peer it has seen.
const maxEntries = 1 << 16

// ParseDir reads a folder: Telegram Desktop's tdata, or the one above it, or GramJS's store. It answers one session for
// each account that is signed in there; the caller brings them in one at a time. The passcode is tdata's local passcode,
// empty for none.
//
// It fails with a *PasscodeError when a passcode is needed or wrong, and otherwise with an *Error. A MadelineProto folder
// is recognised and refused with ReasonUnreadable, and so is TDLib's.
func ParseDir(dir fs.FS, passcode []byte) ([]Session, error) {
	entries, err := fs.ReadDir(dir, ".")
	if err != nil {
		return nil, bad("", ReasonUnrecognised, "", "the folder cannot be read: %s", plain(err))
	}
	if len(entries) > maxEntries {
		return nil, bad("", ReasonTooLarge, "", "the folder has more than %d entries", maxEntries)
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name()
	}
	switch keys := tdataNames(names); {
	case len(keys) > 1:
		return nil, bad(TData, ReasonAmbiguous, "", "it holds the keys of %d data sets (Telegram Desktop's option -key): leave one of them there", len(keys))
	case len(keys) == 1:
		return parseTData(dir, keys[0], passcode)
	}
	old := tdata{name: tdataName}
	if part := old.part(0); slices.Contains(names, part) || slices.Contains(names, part+"s") {
		return parseTData(dir, tdataName, passcode)
	}
	if slices.Contains(names, "tdata") {
		inner, err := fs.Sub(dir, "tdata")
		if err == nil {
			return ParseDir(inner, passcode)
		}
	}
	for _, name := range names {
		switch name {
		case "safe.php", "lightState.php", "ipcState.php":
			return nil, errMadeline()
		case "td.binlog":
			return nil, bad("", ReasonUnreadable, "", "this is a TDLib database, which only TDLib opens: sign the account in here beside it")
		}
	}
	if store := storeNames(names); len(store) > 0 {
		return parseStore(dir, store)
	}
	return nil, bad("", ReasonUnrecognised, "", "this is no folder of sessions that is known here: give Telegram Desktop's tdata, or the folder of a GramJS StoreSession")
}

// tdataNames finds the data names for which a folder has a key file, "data" from key_datas.
func tdataNames(names []string) []string {
	var found []string
	for _, file := range names {
		name, ok := strings.CutPrefix(file, "key_")
		if !ok || len(name) < 2 || !strings.ContainsRune("s01", rune(name[len(name)-1])) {
			continue
		}
		if name = name[:len(name)-1]; !slices.Contains(found, name) {
			found = append(found, name)
		}
	}
	return found
}
