package persistence

// State is everything the store has of one account, decoded.
type State struct {
	Account  *Account // nil when there is no such record
	Login    *Login   // nil when no sign-in is under way
	PermKeys []PermKey
	TempKeys []TempKey
	Sessions []Session
	Updates  *Updates // nil when there is none
	Channels []Channels
	Peers    []Peers
	Guests   []Guest
	Waits    []Wait
	Meta     []Record
}

// DecodeState decodes the records of one account, as Load returned them. Records
// that cannot be decoded are left out, and the error has one *CorruptError or
// *VersionError in its tree for each of them.
func DecodeState(records []Record) (State, error) {
	var s State
	var errs []error
	for _, rec := range records {
		if err := s.add(rec); err != nil {
			errs = append(errs, err)
		}
	}
	return s, JoinRecords(errs...)
}

func (s *State) add(rec Record) error {
	switch rec.Kind {
	case KindAccount:
		return one(&s.Account, rec, DecodeAccount)
	case KindLogin:
		return one(&s.Login, rec, DecodeLogin)
	case KindPermKey:
		return several(&s.PermKeys, rec, DecodePermKey)
	case KindTempKey:
		return several(&s.TempKeys, rec, DecodeTempKey)
	case KindSession:
		return several(&s.Sessions, rec, DecodeSession)
	case KindUpdates:
		return one(&s.Updates, rec, DecodeUpdates)
	case KindChannels:
		return several(&s.Channels, rec, DecodeChannels)
	case KindPeers:
		return several(&s.Peers, rec, DecodePeers)
	case KindGuest:
		return several(&s.Guests, rec, DecodeGuest)
	case KindWait:
		return several(&s.Waits, rec, DecodeWait)
	case KindMeta:
		s.Meta = append(s.Meta, rec)
		return nil
	}
	return &CorruptError{rec.Key, "there is no such kind of record"}
}

func one[T any](to **T, rec Record, decode func(Record) (T, error)) error {
	v, err := decode(rec)
	if err == nil {
		*to = &v
	}
	return err
}

func several[T any](to *[]T, rec Record, decode func(Record) (T, error)) error {
	v, err := decode(rec)
	if err == nil {
		*to = append(*to, v)
	}
	return err
}
