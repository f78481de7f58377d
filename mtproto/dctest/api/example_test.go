package api_test

import (
	"fmt"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/dctest/api"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// A person of DC 2 asks for a code on DC 1 and is sent home.
func Example() {
	backend, err := api.New(api.Config{DCs: 3})
	if err != nil {
		fmt.Println(err)
		return
	}
	id, err := backend.AddPerson(api.Person{Phone: "9996620001"})
	if err != nil {
		fmt.Println(err)
		return
	}
	app := api.TestApp()
	query := &tg.AuthSendCodeRequest{PhoneNumber: "9996620001", APIID: int32(app.ID), APIHash: app.Hash}
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for dc := 1; dc <= 2; dc++ {
		reply := backend.Handle(&api.Request{Now: now, DC: dc, Perm: 1, Body: query.Append(nil)})
		fmt.Println("DC", dc, "refuses:", reply.Err != nil)
		if reply.Err != nil {
			fmt.Println(reply.Err.Code, reply.Err.Text)
		}
	}
	fmt.Println("the code is", backend.Code("9996620001"), "for user", id)
	// Output:
	// DC 1 refuses: true
	// 303 PHONE_MIGRATE_2
	// DC 2 refuses: false
	// the code is 22222 for user 6000000001
}
