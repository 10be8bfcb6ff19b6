// Package mvcc keeps every revision of every key.
package mvcc
