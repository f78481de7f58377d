package pfs

// Loss is why a key is taken out of use before another has taken its place.
type Loss uint8

const (
	// LossUnknown: the server answered -404, it does not know the key.
	LossUnknown Loss = iota + 1
	// LossUnbound: the server answered AUTH_KEY_PERM_EMPTY, it knows the temp key
	// and not its binding.
	LossUnbound
	// LossExpired: the temp key has reached its end, and none could be bound in
	// time.
	LossExpired
	// LossGone: the perm key is proved gone, and its temp key with it.
	LossGone
	// LossForgotten: the keys of the DC are thrown away, see [Machine.Forget].
	LossForgotten
)

var lossNames = [...]string{
	LossUnknown:   "the server does not know the key (-404)",
	LossUnbound:   "the server has lost the key's binding (AUTH_KEY_PERM_EMPTY)",
	LossExpired:   "the temp key has expired",
	LossGone:      "the perm key is gone",
	LossForgotten: "the keys of the DC are thrown away",
}

// String is the reason in an operator's words, with the server's.
func (l Loss) String() string {
	if int(l) < len(lossNames) {
		return lossNames[l]
	}
	return ""
}
