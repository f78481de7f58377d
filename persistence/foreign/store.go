package foreign

import (
	"encoding/json"
	"io/fs"
	"slices"
	"strings"
)

// A GramJS store keeps each value in a file of its own, "<name>%3A<field>" in the folder <name>: node-localstorage escapes
// the colon, and whoever makes the store may choose another divider. Values are JSON; the key is a Node Buffer,
// {"type":"Buffer","data":[…256 numbers]}. Beside these four there is one file for each peer that GramJS has seen.
const (
	storeKey  = "authKey"
	storeDC   = "dcId"
	storeAddr = "serverAddress"
	storePort = "port"

	// maxStoreFile: 256 numbers of at most three digits with commas, white space allowed for, are below 4 KiB.
	maxStoreFile = 16 << 10
)

// storeNames finds the prefixes of the stores in a folder: what stands before both "authKey" and "dcId".
func storeNames(names []string) []string {
	var found []string
	for _, file := range names {
		if prefix, ok := strings.CutSuffix(file, storeKey); ok && slices.Contains(names, prefix+storeDC) {
			found = append(found, prefix)
		}
	}
	slices.Sort(found)
	return found
}

// parseStore reads the session of each name in a GramJS folder.
func parseStore(dir fs.FS, prefixes []string) ([]Session, error) {
	if len(prefixes) > maxTDataAccounts {
		return nil, bad(GramJSStore, ReasonTooLarge, "", "it has more than %d sessions", maxTDataAccounts)
	}
	var list []Session
	for _, prefix := range prefixes {
		s, err := parseStored(dir, prefix)
		if err == nil {
			err = s.Check()
		}
		if err != nil {
			s.Wipe()
			for i := range list {
				list[i].Wipe()
			}
			return nil, err
		}
		list = append(list, s)
	}
	return list, nil
}

func parseStored(dir fs.FS, prefix string) (Session, error) {
	s := Session{Format: GramJSStore, Dropped: []string{"the peers that GramJS has seen"}}
	var buffer struct {
		Type string   `json:"type"`
		Data []uint16 `json:"data"` // not bytes, for which encoding/json wants base64
	}
	if err := storeValue(dir, prefix+storeKey, &buffer); err != nil {
		return s, err
	}
	key := make([]byte, 0, keySize)
	defer func() { clear(key); clear(buffer.Data) }()
	for _, b := range buffer.Data {
		if b > 255 || len(key) == keySize {
			return s, bad(GramJSStore, ReasonKey, prefix+storeKey, "it is not a list of %d bytes: it is damaged", keySize)
		}
		key = append(key, byte(b))
	}
	if err := s.setKey(key); err != nil {
		return s, err
	}
	if err := storeValue(dir, prefix+storeDC, &s.DC); err != nil {
		return s, err
	}
	if !exists(dir, prefix+storeAddr) {
		return s, nil
	}
	var host string
	var port int
	if err := storeValue(dir, prefix+storeAddr, &host); err != nil {
		return s, err
	}
	if err := storeValue(dir, prefix+storePort, &port); err != nil {
		return s, err
	}
	var err error
	s.Addr, err = joinAddr(GramJSStore, host, port)
	return s, err
}

// storeValue reads one file of a store.
func storeValue(dir fs.FS, name string, value any) error {
	content, err := readSmall(GramJSStore, dir, name, maxStoreFile)
	if err != nil {
		return err
	}
	defer clear(content)
	if json.Unmarshal(content, value) != nil {
		return bad(GramJSStore, ReasonMalformed, name, "it is not what GramJS writes there: it is damaged")
	}
	return nil
}
