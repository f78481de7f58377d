package persistence

// Vital reports whether err, of a Load or of DecodeState, is about more than an
// account can live without: its own record, a perm key, its login, or the store
// itself. A lost temp key, salt or place costs a round trip.
func Vital(err error) bool {
	bad := BadKeys(err)
	for _, key := range bad {
		switch key.Kind {
		case KindAccount, KindPermKey, KindLogin:
			return true
		}
	}
	return err != nil && len(bad) == 0
}
