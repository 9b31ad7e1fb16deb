package main

import "strings"

// handWritten is every construct in which Go's dialect is known to differ from its relatives, the limits, and the \p
// names.
func handWritten() []string {
	patterns := []string{
		// ASCII classes and boundaries.
		`^\d$`, `^\w$`, `^\s$`, `^\D$`, `^\W$`, `^\S$`, `\bfoo\b`, `\Bo`, `\b{start}`, `\b{end}`, `\b{start-half}`, `\b{2}`,
		`(?i)^\w$`, `(?i)^\W$`, `(?i)k`, `(?i)s`, `(?i)^[k]$`, `(?i)^[^k]$`, `(?i)\x{212A}`, `(?i)\x{17F}`, `(?i)[\x{212A}]`,
		`(?i)[\x{17F}-\x{180}]`, `\x{212A}`, `[\x{212A}]`, `(?i)[^\x{212A}]`, `(?i)[[:lower:]]`, `(?i)[[:^lower:]]`,
		`(?i)[^[:upper:]]`, `(?i)é`, `é`, `[é]`, `[^é]`, `[é-ü]`, `\é`,
		// Look-alikes of other dialects.
		`\<foo`, `foo\>`, `^[a&&b]$`, `^[+--/]$`, `^[!--]$`, `^[~~]$`, `^[^~~]$`, `^[a[bc]]$`, `^[[.a.]]$`, `^[[=a=]]$`,
		`^[--/]$`, `^[^--^$]$`, `^[]-z]$`, `^[^]-z]$`, `[a--b]`, `[0--]`, `[--\w]`, `[]-\d]`, `[[:foo:]]`, `[[:alpha]`,
		`[[:alpha:`, `[[:alpha:]`, `[[:a]b:]]`, `[:alpha:]`, `[[]`, `[a[]`, `[[a]]`, `[[[]`, `[\w-a]`, `[\d-z]`, `[a-\d]`,
		`[a-]`, `[-a]`, `[a-c-e]`, `[]a]`, `[^]a]`, `[]`, `[^]`, `[`, `[^`, `[a`, `[a-`, `[a-z`, `[z-a]`, `[\b]`, `[\Qa]\E]`,
		`[\Qa]\E`, `[a\]b]`, `[\x41-\x43]`, `[\101-\103]`, `[^\x00-\x{10FFFF}]`, `[\x00-\x{10FFFF}]`, `[^\n]`, `[\D\d]`,
		// Two characters that are 32 apart and no letter in two cases.
		`^[Q1]$`, `^[Z:]$`, `^[0P]$`, `^[-M]$`, "^[@`]$", `^[[{]$`, `^[ @]$`, `^[_\x7f]$`, `^[aA]$`, `^[kK]$`, `(?i)^[Q1]$`, `^[AB]$`, `^[^Z:]$`,
		// Counts.
		`^a{ 1}$`, `^a{1, 2}$`, `^a{01}$`, `{`, `a{`, `a{}`, `a{x}`, `a{,5}`, `a{1,`, `a{1,2`, `a{-1}`, `a{2`, `}`, `a}`,
		`{2}`, `{2,3}`, `^{2}`, `a{0}`, `a{0,0}`, `a{0}b`, `a{1}`, `a{2,}`, `a{2,1}`, `a{1000}`, `a{1001}`, `a{0,1000}`,
		`a{0,1001}`, `a{1000,}`, `a{1001,}`, `(a{100}){10}`, `(a{100}){11}`, `(a*){1000}`, `(a*){1001}`, `((a{10}){10}){10}`,
		`((a{10}){10}){11}`, `(a{33}){33}`, `(a{31}){32}`, `((a{7}){11}){13}`, `(a{0}){1000}`, `((a{1000}){0}){1000}`,
		`(a{1000}){1}`, `(a{1000}){0}`, `(a{1000})*`, `(a{1000})+`, `(a{1000}){0,}`, `(a{1000}){1,}`, `(a{500}){2,}`,
		`(a{501}){2,}`, `(a{2}){0,500}`, `(a{2}){0,501}`, `(a{,3}){1000}`, `a{1000}a{1000}`, `a{99999999999}`,
		`a{4294967297}`, `a{1,4294967297}`, `a{18446744073709551617}`,
		// Stacked repetitions.
		`a**`, `a*+`, `a++`, `a?+`, `a{2}{3}`, `a{2}*`, `a*{2}`, `a*?`, `a+?`, `a??`, `a{2}?`, `a*??`, `a{2}??`, `a*?*`,
		`(?:a*)*`, `(a*)+`, `a*(?i)*`, `a*\Q\E*`, `a\Q\E*`, `*`, `+`, `?`, `(*a)`, `(|*)`, `(a|*)`, `a|*`, `^*`, `$*`, `^+`,
		`\b+`, `\B*`, `^{2}`, `(?i)*`, `(?:)*`, `()*`, `(?:)+a`, `|*`, `(?i)|+`, `\Q*\E*`, `\Qab\E+`, `\Qab\E{2}`, `{x}*`, `a{*`,
		// Flags and groups.
		`(?x)a`, `(?u)a`, `(?R)a`, `(?i)a`, `(?m)^a$`, `(?s).`, `(?U)a+`, `(?)a`, `(?ii)a`, `(?i-i)a`, `(?i-s)a`, `(?-)a`,
		`(?i-)a`, `(?-i)a`, `(?i--s)a`, `(?-:a)`, `(?:a)`, `(?:a`, `(?`, `(?i`, `(?i:`, `(?i:a)`, `(?i:a)a`, `(?i:a)b|ac`,
		`(?i:a)[b]|a[^x]`, `(?i)a(?-i)b`, `((?i)a)b`, `(?i:a|(?-i:b))`, `(?^a)`, `(?#c)`, `(?=a)`, `(?!a)`, `(?<=a)`, `(?<!a)`,
		`(?>a)`, `(?|a)`, `(?P<n>a)`, `(?<n>a)`, `(?'n'a)`, `(?P<n>a)(?P<n>b)`, `(?P<1n>a)`, `(?P<_>a)`, `(?P<n.>a)`,
		`(?P<n[>a)`, `(?P<é>a)`, `(?P<>a)`, `(?<>a)`, `(?P<`, `(?<`, `(?P<n`, `(?P<n>`, `(?P=n)`, `(?P>n)`, `(?P`, `(?<n`, `(?s-m:.$)`,
		`(`, `)`, `()`, `(()`, `())`, `(a`, `a)`, `((a)`, `(a))`, `|`, `a|`, `|a`, `a||b`, `(|a)`, `(|a)*`, `(||)`, `(a|)+`,
		// Escapes.
		`\`, `a\`, `\C`, `\Z`, `\1`, `\8`, `\9`, `\h`, `\e`, `\R`, `\N`, `\K`, `\G`, `\X`, `\c`, `\cA`, `\E`, `\q`, `\y`, `\i`,
		`\u0041`, `\u{41}`, `\U00000041`, `\U{41}`, `\0`, `\07`, `\12`, `\101`, `\123`, `\377`, `\777`, `\08`, `\18`, `\400`,
		`\60`, `\600`, `\0101`, `\x`, `\x4`, `\x41`, `\x4g`, `\x{}`, `\x{41}`, `\x{041}`, `\x{000041}`, `\x{110000}`,
		`\x{10FFFF}`, `\x{D800}`, `\x{41`, `\x{4g}`, `\x{ 41}`, `\x{FFFFFFFFFFFFFFFF}`, `\v`, `\a`, `\f`, `\n`, `\r`, `\t`, `\_`,
		`\-`, `\@`, `\ `, `\"`, `\~`, `\{`, `\}`, `\/`, `\A`, `\z`, `\Aa\z`, `a\Ab`, `a\zb`, `\Q`, `\Qa`, `\Qa\E`, `\Qa.b\E`, `\Q\E`,
		`\Q(\E`, `\Qa\Eb\E`, `\Q\\E`, `a\Q`, `\Q[\Ea]`, `(\Qa\E)`, `(\Qa)`, `(?i)\Qa\E`, `\Q\Qa\E`, `$a`, `a^`, `^^a`, `a$$`,
		`^a$|^b$`, `^a$|acl`, `a.b`, `^.$`, `(?s)^.$`, `^$`, ``, `(^a)`, `(a$)`, `(?m)^a`, `(?m)a$`, `\Aa`, `a\z`,
		// What a factoring parser has to get right.
		`abc|abd`, `abc|ab`, `ab|abc|abd`, `a|b`, `a|b|c|[d-f]`, `[a]b|[a]c`, `[ab]c|[ab]d`, `[ab]{2}c|[ab]{2}d`,
		`(?i)abc|abd`, `(?i:ab)|ab`, `ab|(?i:ab)`, `a*b|a*c`, `^a|^b`, `.a|.b`, `(?s:.)a|.b`, `\d|\D`, `.|\n`, `[^a]|a`, `||a`, `(a)b|(a)c`,
		`^(a|ab)(c|bcd)(d*)$`, `(?:aa|a)*b`, `^(?:(?:a{1,2}){1,2}){1,2}$`, `(a|b)*abb`, `x*y*z*`, `(?:|a)+b`, `(?:a?){10}a{10}`,
		// SPIKE's own.
		`^spiffe://example\.org/web/.*$`, `spiffe://.*`, `^spiffe://.*$`, `^spiffe://example\.org/[^/]+/web$`,
		`^spiffe://example\.org/(a|b)$`, `^spiffe://example\.org/a{2}$`, `^spiffe://a/b$|^spiffe://c/d$`, `spiffe://example.org/acme/*`,
		`^spike/system/acl$`, `(?i)SPIKE/SYSTEM/ACL`, `^a$|^spike/system/acl`, `^[^x]*$`, `.+`, `[a-z]+`, `^tenants/`,
	}
	for _, name := range classNames() {
		patterns = append(patterns, `\p{`+name+`}`, `(?i)^\P{`+strings.ToLower(name)+`}$`)
	}
	patterns = append(patterns,
		`\pL`, `\pLu`, `\PL`, `\p`, `\P`, `\p{`, `\p{}`, `\p{^}`, `\p^L`, `\p{^L}`, `\P{^L}`, `\pé`, `\p{é}`, `\p{L`, `\pX`, `\p{Foo}`,
		`[\pL]`, `[^\pL]`, `[\p{L]`, `[\p{^Lu}]`, `(?i)\p{Lu}`, `(?i)\P{Lu}`, `(?i)[^\p{Lu}]`, `\p{greek}`, `\p{ GREEK }`, `\p{G-r_e ek}`,
		`\p{Script=Greek}`, `\p{scx=Greek}`, `\p{gc=Lu}`, `\p{Alphabetic}`, `\p{lower}`, `\p{isGreek}`, `\p{age=3.0}`, `\p{Emoji}`,
		`\p{latn}`, `\p{Old_Italic}`, `\p{OldItalic}`, `\p{Zyyy}`, `\p{XIDS}`, `\p{Cs}`, `\p{White_Space}`, `\p{__any}`, `\p{_}`,
	)
	return append(patterns, limits()...)
}

// limits are expressions at the edge of Go's nesting limit of 1000 levels.
func limits() []string {
	nested := func(open, inner, closing string, n int) string {
		return strings.Repeat(open, n) + inner + strings.Repeat(closing, n)
	}
	var patterns []string
	for _, n := range []int{249, 250, 251, 998, 999, 1000, 1001, 1002} {
		patterns = append(patterns,
			nested("(", "a", ")", n), nested("(?:", "a", ")", n), nested("(?:", "a", ")*", n), nested("(?:b", "a", ")*", n),
			nested("(", "a|b", ")", n), nested("(", "ab|ac", ")", n), nested("(", "", ")", n), nested("(", "a*", ")", n),
			nested("((?i)", "k|s", ")", n), nested("(?:x|", "aa", ")", n), nested("(", "[ab]c|[ab]d", ")", n))
	}
	for _, n := range []int{332, 333, 334, 498, 499, 500, 501} {
		patterns = append(patterns,
			nested("(?:a", "b", ")*", n), nested("(?:ab|", "ac", ")*", n), nested("(a|bc", "d", ")", n), nested("(?:a(?:b|", "c", ")*)?", n))
	}
	return append(patterns, strings.Repeat("(", 5000), strings.Repeat("a|", 2000)+"b", strings.Repeat("[a-c]", 1500))
}
