// Package archive keeps records in ascending order of their ID in immutable, checksummed segments.
package archive
