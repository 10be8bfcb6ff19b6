// Package watch is history told to those who asked for it.
package watch
