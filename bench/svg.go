package bench

import (
	"fmt"
	"html"
	"math"
	"strings"
)

// A drawing is a picture in SVG. Colors and fonts come from the classes of the page's style sheet.
type drawing struct {
	text          strings.Builder
	width, height float64
}

func newDrawing(width, height float64) *drawing {
	d := &drawing{width: width, height: height}
	fmt.Fprintf(&d.text, `<svg viewBox="0 0 %.0f %.0f" role="img">`, width, height)
	return d
}

func (d *drawing) String() string { return d.text.String() + "</svg>" }

// rect draws a bar; what it stands for appears when the pointer rests on it.
func (d *drawing) rect(class string, x, y, width, height float64, title string) {
	fmt.Fprintf(&d.text, `<rect class="%s" x="%.1f" y="%.1f" width="%.1f" height="%.1f" rx="3">`,
		class, x, y, max(width, 1), height)
	d.title(title)
	d.text.WriteString("</rect>")
}

func (d *drawing) line(class string, x1, y1, x2, y2 float64) {
	fmt.Fprintf(&d.text, `<line class="%s" x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f"/>`,
		class, x1, y1, x2, y2)
}

func (d *drawing) dot(class string, x, y, radius float64, title string) {
	fmt.Fprintf(&d.text, `<circle class="%s" cx="%.1f" cy="%.1f" r="%.1f">`, class, x, y, radius)
	d.title(title)
	d.text.WriteString("</circle>")
}

// path draws a line through points; those that are not numbers are left out.
func (d *drawing) path(class string, points [][2]float64) {
	fmt.Fprintf(&d.text, `<polyline class="%s" points="`, class)
	for _, p := range points {
		if !math.IsNaN(p[0] + p[1]) {
			fmt.Fprintf(&d.text, "%.1f,%.1f ", p[0], p[1])
		}
	}
	d.text.WriteString(`"/>`)
}

// word writes text; the class says where it is anchored too.
func (d *drawing) word(class string, x, y float64, text string) {
	fmt.Fprintf(&d.text, `<text class="%s" x="%.1f" y="%.1f">%s</text>`,
		class, x, y, html.EscapeString(text))
}

func (d *drawing) title(text string) {
	if text != "" {
		fmt.Fprintf(&d.text, "<title>%s</title>", html.EscapeString(text))
	}
}

// A scale maps numbers to places, by their logarithms.
type scale struct {
	low, high float64 // numbers, above zero
	from, to  float64 // places
}

// around returns a scale whose ends are powers of ten, or of two, around the numbers.
func around(numbers []float64, base, from, to float64) scale {
	s := scale{low: math.Inf(1), high: math.Inf(-1), from: from, to: to}
	for _, number := range numbers {
		if number > 0 && !math.IsInf(number, 0) {
			s.low, s.high = min(s.low, number), max(s.high, number)
		}
	}
	if s.low > s.high {
		s.low, s.high = 1, base
	}
	step := math.Log(base)
	s.low = math.Exp(step * math.Floor(math.Log(s.low)/step+1e-9))
	s.high = math.Exp(step * math.Ceil(math.Log(s.high)/step-1e-9))
	if s.high <= s.low*1.001 {
		s.high = s.low * base
	}
	return s
}

// at returns the place of a number; NaN when it has none.
func (s scale) at(number float64) float64 {
	if number <= 0 || math.IsInf(number, 0) {
		return math.NaN()
	}
	return s.from + (s.to-s.from)*math.Log(number/s.low)/math.Log(s.high/s.low)
}

// ticks returns the powers of ten on the scale, and 2 and 5 between them when there are few.
func (s scale) ticks() []float64 {
	steps := []float64{1}
	if s.high/s.low < 150 {
		steps = []float64{1, 2, 5}
	}
	var all []float64
	for power := math.Floor(math.Log10(s.low) - 1); power <= math.Log10(s.high)+1; power++ {
		for _, step := range steps {
			tick := step * math.Pow(10, power)
			if tick >= s.low*0.999 && tick <= s.high*1.001 {
				all = append(all, tick)
			}
		}
	}
	return all
}

// brief writes a number as short as an axis wants it.
func brief(number float64) string {
	switch {
	case number >= 1e6:
		return fmt.Sprintf("%.3gM", number/1e6)
	case number >= 1e4:
		return fmt.Sprintf("%.3gk", number/1e3)
	case number >= 100:
		return fmt.Sprintf("%.0f", number)
	}
	return fmt.Sprintf("%.3g", number)
}
