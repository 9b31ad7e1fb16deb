package main

import (
	"math/rand/v2"
	"strconv"
	"strings"
)

// generate makes an expression: class-focused, of the whole grammar, of SPIKE's alphabets, or an expression spoilt by
// one random edit.
func generate(random *rand.Rand) string {
	g := grammar{random}
	switch random.IntN(10) {
	case 0, 1, 2:
		return g.classFocused()
	case 3, 4, 5, 6:
		return g.wide(3)
	case 7:
		return g.soup("abz019-_./^$()?+*|[]{}\\dwsbQEpPAzU:i,", 14)
	case 8:
		return g.policy()
	default:
		return mutate(random, g.wide(2))
	}
}

type grammar struct {
	*rand.Rand
}

func (g grammar) pick(items ...string) string {
	return items[g.IntN(len(items))]
}

func (g grammar) classFocused() string {
	class := g.class()
	switch g.IntN(4) {
	case 0:
		return "^" + class + "$"
	case 1:
		return g.pick("(?i)", "(?s)", "") + class + g.quantifier()
	case 2:
		return "^(?:" + class + "|" + g.class() + ")" + g.quantifier() + "$"
	default:
		return "^" + g.literal() + class + g.quantifier() + g.literal() + "$"
	}
}

func (g grammar) class() string {
	var b strings.Builder
	b.WriteByte('[')
	b.WriteString(g.pick("", "", "^"))
	b.WriteString(g.pick("", "", "", "]", "-", "--", "]-", "[", "&&", "~~"))
	for range g.IntN(1 + g.IntN(5)) {
		b.WriteString(g.classItem())
	}
	b.WriteString(g.pick("", "", "", "-", "--", "&&", "~~", "["))
	b.WriteString(g.pick("]", "]", "]", "]", "]", "]", "]]", ""))
	return b.String()
}

func (g grammar) classItem() string {
	switch g.IntN(13) {
	case 12:
		// Neighbours in the table of cases: letters in two cases, and what only looks like that.
		c := byte(0x40 + g.IntN(0x20))
		return g.pick(string(c)+string(c^0x20), string(c^0x20)+string(c), string(c)+string(c-0x20), string(c))
	case 0, 1, 2:
		return g.pick("a", "b", "z", "A", "Z", "0", "9", "_", ".", "/", " ", "k", "s")
	case 3, 4:
		return string(g.char()) + "-" + string(g.char())
	case 5:
		return g.pick(`\d`, `\D`, `\w`, `\W`, `\s`, `\S`)
	case 6:
		return g.posix()
	case 7:
		return g.pick("&&", "--", "~~", "[", "-", "^", "[a", "[^", "[[", "a-[", "[-a", "[.a.]", "[=a=]", "[:", ":]")
	case 8:
		return g.charEscape()
	case 9:
		return g.unicode()
	case 10:
		return g.charEscape() + "-" + g.charEscape()
	default:
		return g.pick("$", "|", "(", ")", "*", "+", "?", "{", "}", "{2}", `\]`, `\[`, `\-`, `\^`, `\\`)
	}
}

func (g grammar) char() byte {
	return printableAlphabet[g.IntN(len(printableAlphabet))]
}

func (g grammar) posix() string {
	name := g.pick("alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct", "space",
		"upper", "word", "xdigit", "foo", "Alpha", "")
	return "[:" + g.pick("", "", "^") + name + g.pick(":]", ":]", ":]", ":]", ":]", ":", "]")
}

func (g grammar) charEscape() string {
	switch g.IntN(5) {
	case 0:
		return `\` + string(g.char())
	case 1:
		return `\x` + strconv.FormatInt(int64(g.IntN(256)), 16)
	case 2:
		return `\x{` + strconv.FormatInt(int64(g.IntN(0x180)), 16) + g.pick("}", "}", "}", "}", "")
	case 3:
		return `\` + strconv.FormatInt(int64(g.IntN(512)), 8)
	default:
		return g.pick(`\n`, `\t`, `\r`, `\f`, `\v`, `\a`, `\.`, `\/`, `\-`, `\_`, `\0`, `\x20`, `\x{212A}`, `\x{17f}`, `\101`)
	}
}

func (g grammar) unicode() string {
	names := []string{"L", "Lu", "Ll", "N", "Nd", "P", "S", "Z", "C", "Cs", "Latin", "Greek", "Common", "Any", "ASCII",
		"Assigned", "LC", "Letter", "uppercase_letter", "greek", "latn", "Old_Italic", "M", "^L", "^Any", "", "Foo", "digit",
		"punct", "Decimal-Number", "SIGNWRITING", "Inherited"}
	name := names[g.IntN(len(names))]
	head := g.pick(`\p`, `\p`, `\P`)
	if len(name) == 1 && g.IntN(2) == 0 {
		return head + name
	}
	return head + "{" + name + g.pick("}", "}", "}", "}", "}", "")
}

func (g grammar) wide(depth int) string {
	var b strings.Builder
	for i := range 1 + g.IntN(3) {
		if i > 0 {
			b.WriteByte('|')
		}
		for range g.IntN(4) {
			b.WriteString(g.atom(depth))
			if g.IntN(3) == 0 {
				b.WriteString(g.quantifier())
			}
		}
	}
	return b.String()
}

func (g grammar) atom(depth int) string {
	if depth > 0 && g.IntN(4) == 0 {
		return g.groupHead() + g.wide(depth-1) + g.pick(")", ")", ")", ")", ")", ")", ")", "")
	}
	switch g.IntN(14) {
	case 0, 1, 2, 3:
		return g.literal()
	case 4:
		return g.class()
	case 5:
		return g.pick(".", ".*", "[^/]+", `\.`)
	case 6:
		return g.pick("^", "$", `\b`, `\B`, `\A`, `\z`)
	case 7:
		return g.pick(`\d`, `\D`, `\w`, `\W`, `\s`, `\S`)
	case 8:
		return g.charEscape()
	case 9:
		return g.unicode()
	case 10:
		return `\Q` + g.pick("a.b", "(", "*", `\`, "a", "", "[x]", "{2}") + g.pick(`\E`, `\E`, `\E`, "", `\E\E`)
	case 11:
		return g.pick("{", "}", "a{", "{x}", "{,5}", "{1", "{01}", "{ 1}", "{1,", "{1,2", "{-1}", "{}")
	case 12:
		return g.pick("(?i)", "(?m)", "(?s)", "(?U)", "(?-i)", "(?i-s)", "(?im-sU)", "(?ii)", "(?)", "(?i-i)", "(?x)", "(?-)", "(?i-)")
	default:
		return g.pick(`\C`, `\Z`, `\1`, `\G`, `\K`, `\E`, `\u0041`, `\U00000041`, `\<`, `\>`, `\b{start}`, `\h`, `\e`, `\c`,
			`\N`, `\R`, `\X`, "&&", "--", "~~", "a**", "(*a)", `\é`, "é", "(?=a)", "(?!a)", "(?<=a)", "(?>a)", "(?#c)")
	}
}

func (g grammar) groupHead() string {
	return g.pick("(", "(", "(?:", "(?:", "(?i:", "(?s:", "(?-i:", "(?im-s:", "(?P<n>", "(?<n1>", "(?P<1n>", "(?P<n.>", "(?P<>",
		"(?P<n", "(?i-", "(?x:", "(?R:", "(?P=n")
}

func (g grammar) literal() string {
	return g.pick("a", "b", "ab", "abc", "x", "k", "s", "K", "0", "/", "-", "_", " ", "foo", "aa", "a1", ":", "&", "~", "<", "]")
}

func (g grammar) quantifier() string {
	count := func() string { return strconv.Itoa(g.IntN(4)) }
	switch g.IntN(12) {
	case 0, 1:
		return "*"
	case 2, 3:
		return "+"
	case 4, 5:
		return "?"
	case 6:
		return "{" + count() + "}"
	case 7:
		return "{" + count() + ",}"
	case 8:
		return "{" + count() + "," + count() + "}"
	case 9:
		return g.pick("*?", "+?", "??", "{2}?", "{0,1}?")
	case 10:
		return g.pick("**", "*+", "++", "?+", "{2}{3}", "*{2}", "{2}*", "{,2}", "{01}", "{2, 3}", "{1000}", "{1001}", "{40}",
			"{3000000000}", "{99999999999999999999}", "{2,1}", "{0}", "{0,0}", "{x}", "{1,")
	default:
		return ""
	}
}

func (g grammar) soup(alphabet string, length int) string {
	var b strings.Builder
	for range 1 + g.IntN(length) {
		b.WriteByte(alphabet[g.IntN(len(alphabet))])
	}
	return b.String()
}

// policy makes what operators write for SPIFFE IDs and paths.
func (g grammar) policy() string {
	var b strings.Builder
	b.WriteString(g.pick("^", "^", "", "(?i)^"))
	b.WriteString(g.pick("spiffe://", "spiffe://", ""))
	b.WriteString(g.pick(`example\.org`, "example.org", `[a-z]+\.org`, "spike/system", "secrets", "(a|b)"))
	for range g.IntN(4) {
		b.WriteString(g.pick("/", "/", "//", `\/`))
		b.WriteString(g.pick("web", "db", ".*", "[^/]+", "[a-z0-9-]+", "*", "(a|b|ab)", `\d{2,3}`, "(?:x|y)+", "acl$|secret", "ns", "v1", ""))
	}
	b.WriteString(g.pick("$", "$", "$", "", "/.*", "/*", ".+$", `\z`, "|x$"))
	return b.String()
}
