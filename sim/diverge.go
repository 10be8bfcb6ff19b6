package sim

// Diverge runs a world twice and returns the number of the first event that differs, with both
// sides of it; 0 when none does.
func Diverge(options Options) (number uint64, first, second Line) {
	var hashes []uint64
	listening := options
	listening.Listen = func(l Line) { hashes = append(hashes, l.Hash) }
	Run(listening)
	at := 0
	listening.Listen = func(l Line) {
		if number == 0 && (at >= len(hashes) || hashes[at] != l.Hash) {
			number, second = uint64(at+1), l
		}
		at++
	}
	Run(listening)
	if number == 0 && at < len(hashes) {
		number = uint64(at + 1)
	}
	if number == 0 {
		return 0, Line{}, Line{}
	}
	listening.Listen = func(l Line) {
		if l.Number == number {
			first = l
		}
	}
	Run(listening)
	return number, first, second
}
