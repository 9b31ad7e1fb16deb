package main

import (
	"math/rand/v2"
	"regexp/syntax"
	"strings"
)

// fixedSubjects go with every expression written by hand.
var fixedSubjects = []string{
	"", "a", "b", "aa", "ab", "ba", "abc", "A", "aB", "0", "7", "12", "_", "-", " ", "{", "a{", "a{x}", "a{,5}", "]", "[",
	"^", "$", ".", "/", "\\", "&", "&&", "~", "--", "a-b", "spiffe://example.org/web", "spike/system/acl", "k", "K", "s",
	"S", "z", "aaa", "aaaa", strings.Repeat("a", 20), "foo bar", "!", "%", "|", "a|b", "(a)", "*", "+", "?", "a b",
}

// subjectsFor makes printable-ASCII subjects for an expression: members of its language, near misses, and noise.
func subjectsFor(random *rand.Rand, pattern string) []string {
	var subjects []string
	add := func(s string) {
		if printable(s) && len(s) <= 200 {
			subjects = append(subjects, s)
		}
	}
	if tree, err := syntax.Parse(pattern, syntax.Perl); err == nil {
		for range 4 {
			var b strings.Builder
			sample(random, tree, &b, 60)
			member := b.String()
			add(member)
			add(mutate(random, member))
		}
	}
	add(noise(random, smallAlphabet, 6))
	add(noise(random, printableAlphabet, 4))
	add(fragments(random, pattern))
	add(noise(random, "aAbBkKsS09_-.:/ ", 3))
	return subjects
}

const smallAlphabet = "abcxyz019-_./ABZ"

var printableAlphabet = func() string {
	var b strings.Builder
	for c := byte(0x20); c < 0x7f; c++ {
		b.WriteByte(c)
	}
	return b.String()
}()

func printable(s string) bool {
	for i := range len(s) {
		if s[i] < 0x20 || s[i] > 0x7e {
			return false
		}
	}
	return true
}

func noise(random *rand.Rand, alphabet string, length int) string {
	var b strings.Builder
	for range random.IntN(length + 1) {
		b.WriteByte(alphabet[random.IntN(len(alphabet))])
	}
	return b.String()
}

// fragments takes a piece of the expression's own text.
func fragments(random *rand.Rand, pattern string) string {
	if pattern == "" {
		return ""
	}
	from := random.IntN(len(pattern))
	to := from + random.IntN(min(len(pattern)-from, 8)+1)
	return pattern[from:to]
}

func mutate(random *rand.Rand, s string) string {
	at := random.IntN(len(s) + 1)
	c := string(printableAlphabet[random.IntN(len(printableAlphabet))])
	switch random.IntN(4) {
	case 0:
		return s[:at] + c + s[at:]
	case 1:
		if at < len(s) {
			return s[:at] + s[at+1:]
		}
		return c + s
	case 2:
		if at < len(s) {
			return s[:at] + c + s[at+1:]
		}
		return s + c
	default:
		return strings.ToUpper(s)
	}
}

// sample writes a text that the expression may match (it need not: assertions are not obeyed).
func sample(random *rand.Rand, re *syntax.Regexp, b *strings.Builder, budget int) {
	if b.Len() > budget {
		return
	}
	switch re.Op {
	case syntax.OpLiteral:
		for _, r := range re.Rune {
			if re.Flags&syntax.FoldCase != 0 && random.IntN(2) == 0 && r >= 'A' && r <= 'Z' {
				r += 'a' - 'A'
			}
			b.WriteRune(r)
		}
	case syntax.OpCharClass:
		sampleClass(random, re.Rune, b)
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		b.WriteByte(printableAlphabet[random.IntN(len(printableAlphabet))])
	case syntax.OpCapture:
		sample(random, re.Sub[0], b, budget)
	case syntax.OpStar, syntax.OpPlus, syntax.OpQuest, syntax.OpRepeat:
		low, high := bounds(re)
		for range low + random.IntN(high-low+1) {
			sample(random, re.Sub[0], b, budget)
		}
	case syntax.OpConcat:
		for _, sub := range re.Sub {
			sample(random, sub, b, budget)
		}
	case syntax.OpAlternate:
		sample(random, re.Sub[random.IntN(len(re.Sub))], b, budget)
	}
}

func bounds(re *syntax.Regexp) (low, high int) {
	switch re.Op {
	case syntax.OpStar:
		return 0, 3
	case syntax.OpPlus:
		return 1, 3
	case syntax.OpQuest:
		return 0, 1
	}
	if re.Max < 0 {
		return re.Min, re.Min + 2
	}
	return re.Min, re.Max
}

func sampleClass(random *rand.Rand, runes []rune, b *strings.Builder) {
	var members []byte
	for i := 0; i+1 < len(runes); i += 2 {
		for c := max(runes[i], 0x20); c <= min(runes[i+1], 0x7e); c++ {
			members = append(members, byte(c))
		}
	}
	if len(members) > 0 {
		b.WriteByte(members[random.IntN(len(members))])
	}
}
