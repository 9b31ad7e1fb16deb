// Command govectors asks Go's own regexp which expressions it accepts and which subjects they match, and writes the
// answers as JSON lines, one expression a line:
//
//	{"p":"a|ab","ok":true,"s":["ab","b"],"m":"10","f":"10"}
//
// p is the expression, ok whether regexp.Compile accepts it, s printable-ASCII subjects, m one digit per subject: whether
// MatchString says yes, f the same for ^(?:p)$ (zeros where that does not compile).
//
//	go run . -n 20000 -seed 1 -hand > ../../../policy/tests/vectors/go.jsonl     the committed file
//	go run . -n 1000000 -seed 7 | cargo run -p spike-policy --example compare_vectors     fresh comparisons
//	go run . -table > ../../../policy/src/pattern/dialect/unicode/table.rs       the \p classes
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"regexp"
	"unicode/utf8"
)

func main() {
	table := flag.Bool("table", false, `write the Rust table of the \p classes and nothing else`)
	count := flag.Int("n", 20000, "how many (expression, subject) pairs to write, at least")
	seed := flag.Uint64("seed", 1, "seed of the generators")
	hand := flag.Bool("hand", false, "begin with the expressions written by hand")
	flag.Parse()
	var err error
	if *table {
		err = writeTable(os.Stdout)
	} else {
		err = writeVectors(os.Stdout, *count, *seed, *hand)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "govectors:", err)
		os.Exit(1)
	}
}

// A vector is one expression with Go's answers.
type vector struct {
	Pattern  string   `json:"p"`
	Accepted bool     `json:"ok"`
	Subjects []string `json:"s"`
	Matched  string   `json:"m"`
	Full     string   `json:"f"`
}

func writeVectors(w io.Writer, count int, seed uint64, hand bool) error {
	out := bufio.NewWriterSize(w, 1<<20)
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	random := rand.New(rand.NewPCG(seed, 0x5350494b45))
	written := 0
	write := func(pattern string, extra []string) error {
		v := ask(random, pattern, extra)
		written += len(v.Subjects)
		return encoder.Encode(v)
	}
	if hand {
		for _, pattern := range handWritten() {
			if err := write(pattern, fixedSubjects); err != nil {
				return err
			}
		}
	}
	seen := map[string]bool{}
	for written < count {
		pattern := generate(random)
		if seen[pattern] || len(pattern) > 400 || !utf8.ValidString(pattern) {
			continue
		}
		if len(seen) < 1<<20 {
			seen[pattern] = true
		}
		if err := write(pattern, nil); err != nil {
			return err
		}
	}
	return out.Flush()
}

// ask compiles the expression and matches it against the extra subjects and some made for it. A refused expression is
// asked with one empty subject, so that it counts as one pair.
func ask(random *rand.Rand, pattern string, extra []string) vector {
	re, err := regexp.Compile(pattern)
	if err != nil {
		return vector{pattern, false, []string{""}, "0", "0"}
	}
	full, err := regexp.Compile(`^(?:` + pattern + `)$`)
	if err != nil {
		full = never
	}
	v := vector{Pattern: pattern, Accepted: true}
	seen := map[string]bool{}
	for _, subject := range append(subjectsFor(random, pattern), extra...) {
		if seen[subject] {
			continue
		}
		seen[subject] = true
		v.Subjects = append(v.Subjects, subject)
		v.Matched += digit(re.MatchString(subject))
		v.Full += digit(full.MatchString(subject))
	}
	return v
}

// never matches no subject.
var never = regexp.MustCompile(`[^\x00-\x{10FFFF}]`)

func digit(yes bool) string {
	if yes {
		return "1"
	}
	return "0"
}
