// Package browser tests the dashboard in a real Chromium, against a manager and test DCs
// in processes of their own. It is a module by itself, so that whoever builds the manager
// needs nothing of the client of the browser.
//
// Its tests skip themselves where there is no Chromium. They leave a picture of each page
// in the folder screenshots, or in $MTFLEET_TEST_SCREENSHOTS.
package browser
