package main

import (
	"flag"
	"fmt"
	"os"
	"time"

	"filippo.io/age"
)

// ageKeygen is age's program of that name, as far as the pages use it, for
// machines that do not have it.
func ageKeygen() {
	out, public := flag.String("o", "", "file"), flag.String("y", "", "identity file")
	flag.Parse()
	if *public != "" {
		ids, err := readIdentities(*public)
		if err != nil {
			fmt.Fprintln(os.Stderr, "age-keygen:", err)
			os.Exit(1)
		}
		for _, id := range ids {
			fmt.Println(id.(*age.X25519Identity).Recipient())
		}
		return
	}
	id, err := age.GenerateX25519Identity()
	if err == nil {
		text := fmt.Sprintf("# created: %s\n# public key: %s\n%s\n", time.Now().Format(time.RFC3339), id.Recipient(), id)
		var f *os.File
		if f, err = os.OpenFile(*out, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600); err == nil {
			_, err = f.WriteString(text)
			fmt.Fprintf(os.Stderr, "Public key: %s\n", id.Recipient())
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "age-keygen:", err)
		os.Exit(1)
	}
}
