package foreign

import "io/fs"

const tdfMagic = "TDF$"

// ParseDir reads a folder: Telegram Desktop's tdata, or GramJS's store. It answers one session for each account.
func ParseDir(dir fs.FS, passcode []byte) ([]Session, error) {
	return nil, bad("", ReasonUnrecognised, "", "this is no folder of sessions that is known here")
}
