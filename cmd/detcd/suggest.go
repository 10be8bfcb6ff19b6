package main

import (
	"cmp"
	"slices"
	"strings"
)

// nearMax bounds how many words are suggested.
const nearMax = 3

// nearest returns the known words that may have been meant, the nearest first: those that differ by
// few typing errors (a letter too many, too few or another one, two in the wrong order), more of
// them in longer words, and those that begin with the word.
func nearest(word string, known []string) []string {
	type candidate struct {
		word     string
		distance int
	}
	var found []candidate
	for _, one := range known {
		d := distance(word, one)
		if begins := len(word) >= prefixMin && strings.HasPrefix(one, word); d <= most(word) || begins {
			found = append(found, candidate{one, d})
		}
	}
	slices.SortFunc(found, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(a.distance, b.distance), cmp.Compare(a.word, b.word))
	})
	var near []string
	for _, c := range found[:min(len(found), nearMax)] {
		near = append(near, c.word)
	}
	return near
}

// prefixMin is how much of a word must have been typed for its beginning to count.
const prefixMin = 3

// most is how many errors a word may have.
func most(word string) int { return min(1+len(word)/5, 3) }

// distance is the number of typing errors between two words: the optimal string alignment.
func distance(a, b string) int {
	const cut = 64 // no command or flag is longer
	a, b = a[:min(len(a), cut)], b[:min(len(b), cut)]
	var rows [3][cut + 1]int // of the letters of a: two before, one before, this one
	for j := range len(b) + 1 {
		rows[1][j] = j
	}
	for i := range len(a) {
		rows[2][0] = i + 1
		for j := range len(b) {
			substituted := rows[1][j]
			if a[i] != b[j] {
				substituted++
			}
			rows[2][j+1] = min(substituted, rows[1][j+1]+1, rows[2][j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				rows[2][j+1] = min(rows[2][j+1], rows[0][j-1]+1)
			}
		}
		rows[0], rows[1] = rows[1], rows[2]
	}
	return rows[1][len(b)]
}
