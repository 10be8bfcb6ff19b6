// Package checker judges what clients of a system saw.
//
// # Problem
//
// A store promises that its operations look as if each happened at one moment between its call and
// its return. Whether a history keeps that promise has to be decided from outside, without trust in
// the system that is judged, and for histories that no person can read.
//
// # Picture
//
//	client 1   |----put x=1----|            |--get x--|
//	client 2        |---------put x=2---------|
//	                     ▲        ▲                ▲
//	                     one moment for each: is there any choice that explains all answers?
//
// # What is here
//
// An Operation is one call of one client: when it was called, when it returned and what it
// returned: a response, an error, or nothing (the outcome is unknown: it may have happened at any
// time after its call, or never). A history is a file of them, one JSON object a line, in the
// format of docs/formats/operations.md; Reader and Writer stream it.
//
//	reader, err := checker.NewReader[string, string](file)
//	for operation, err := range reader.All() { … }
//
// A Model is the sequential specification of any system. Linearizable searches with porcupine for
// an order that explains a history; Certify checks one that somebody claims to have, in linear
// time. Which system is judged is not known here: package checker/etcd has etcd's specification,
// and checker/judge needs hardly any search because etcd numbers its changes.
//
// # Invariants
//
//  1. What is read is what was written: Reader gives back every field that Writer was given.
//  2. Every error of a Reader names the line.
//  3. A verdict depends on the history alone, except that a search may be cut short by its limit of
//     time, and is Undecided then.
//
// # What it does not do
//
// It imports nothing of the system that it judges. It does not record histories: that is the work
// of whoever has clients.
package checker
