package serve_test

import (
	"fmt"

	"github.com/mtfleet/mtfleet/mtproto/dctest"
	"github.com/mtfleet/mtfleet/mtproto/dctest/serve"
)

func ExampleStart() {
	cluster, err := serve.Start(serve.Config{Persons: 2, Bots: 1})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer cluster.Close()
	d := cluster.Descriptor() // what a client needs to know
	fmt.Println(len(d.DCs), "DCs,", len(d.Phones), "people,", len(d.Bots), "bot")

	// From now on the first packet under DC 2 is answered with "too many connections".
	_, err = cluster.Fault(dctest.Fault{Kind: dctest.FaultTransport, DC: 2, Code: -429})
	fmt.Println(err)

	// What happened is in the ledger, and it alone gives verdicts.
	v := cluster.Ledger().Verdict(nil, nil, d.ServerTime)
	fmt.Println(v.OK())
	// Output:
	// 3 DCs, 2 people, 1 bot
	// <nil>
	// true
}
