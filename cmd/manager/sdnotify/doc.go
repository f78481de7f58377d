// Package sdnotify tells systemd how a service is, as sd_notify(3) has it: that it
// is ready, what it does, that it is alive, and that it stops. It knows nothing of
// what the service does; who drives it hands it functions that say so:
//
//	unit, err := sdnotify.New(os.Environ(), os.Getpid(), log)
//	defer unit.Close()
//	unit.Ready(health) // when it was started
//	...
//	unit.Reload(readAgain) // at SIGHUP
//	...
//	unit.Stopping("closes connections")
//
// A watchdog that is answered by a timer proves that timers run. Here it is answered
// only when [Health.Alive] has been, so that a service that hangs is started anew.
package sdnotify
