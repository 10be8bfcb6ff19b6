// Package webtest sends the same requests of HTTP to etcd and to detcd, and compares status, type
// and body of the answers: JSON by its meaning, text to the letter.
//
// A line of the script is "METHOD path body"; "~foo~" in it stands for foo as JSON carries bytes.
// What differs for a reason (the size of an empty database, the order of checks, which etcd draws
// by lot) is taken out before the comparison, by name.
package webtest
