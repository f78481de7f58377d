// Package doctor looks for what keeps a manager from working, or will: a key that
// others can read, a disk that fills up, a clock that is wrong, a DC that cannot be
// reached. Each check is one function over what was found out, which says what is
// so as [Finding]s; what reaches outside, [Prober] and the looks at files, only
// looks: nothing is made, opened for writing or changed.
//
// It is not a watch: that is /fleetz and the alerts. It is for the moment at which
// somebody asks why.
package doctor
