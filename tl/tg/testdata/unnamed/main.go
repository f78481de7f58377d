// Program unnamed uses the schema and not its names.
package main

import (
	"fmt"

	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/tg"
)

func main() { fmt.Println(tl.Skip(tg.Schema, nil)) }
