package world

// canaryMark is in every secret that the world's people give away.
const canaryMark = "cAnArY"

// canary is a secret, by which it is known wherever it turns up.
func canary(what string) string { return canaryMark + what }
