// Package seal is how a store hides and protects its records: the format of a
// sealed value, the master key that all seals come from, and where that key is
// kept. It is not a store, and knows none.
//
//	key, source, err := seal.LoadMasterKey(seal.KeyOptions{Env: os.Getenv(seal.KeyEnv), File: path})
//	s, err := seal.New(key)
//	value, err := s.Seal(record)
//	record, err = s.Open(record.Key, value)
//
// Each record is sealed by itself with XChaCha20-Poly1305 under a key derived
// from the master key, behind a clear header {format, key id, record version}.
// Account, kind, sub and the header are its associated data: a record moved or
// relabelled does not open. What is not protected: that a record exists, its key
// (ids the operator chose), its length, and that an older value of the same
// record is put back in its place.
package seal
