package main

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A reader of TOML 1.0 for two documents: the image's metadata.toml and what exec.d programs print. Texts, booleans,
// arrays and tables have their values; numbers and times, which neither document needs, keep their words as a scalar.

type table = map[string]any

type scalar string

type reader struct {
	text string
	at   int
}

func parseTOML(text string) (root table, err error) {
	if !utf8.ValidString(text) {
		return nil, fmt.Errorf("it is not UTF-8")
	}
	r := &reader{text: strings.ReplaceAll(text, "\r\n", "\n")}
	defer func() {
		if stop := recover(); stop != nil {
			wrong, isOurs := stop.(syntaxError)
			if !isOurs {
				panic(stop)
			}
			line := 1 + strings.Count(r.text[:r.at], "\n")
			root, err = nil, fmt.Errorf("line %d: %s", line, string(wrong))
		}
	}()
	root = table{}
	r.document(root)
	return root, nil
}

type syntaxError string

func (r *reader) fail(format string, values ...any) {
	panic(syntaxError(fmt.Sprintf(format, values...)))
}

func (r *reader) document(root table) {
	here := root
	for r.skip(true); r.at < len(r.text); r.skip(true) {
		if r.text[r.at] == '[' {
			here = r.header(root)
		} else {
			r.pair(here)
		}
		r.skip(false)
		if r.at < len(r.text) && r.text[r.at] != '\n' {
			r.fail("something stands behind the value")
		}
	}
}

// Spaces and comments; lines as well where they are all the same.
func (r *reader) skip(lines bool) {
	for r.at < len(r.text) {
		switch c := r.text[r.at]; {
		case c == ' ' || c == '\t' || (lines && c == '\n'):
			r.at++
		case c == '#':
			for r.at < len(r.text) && r.text[r.at] != '\n' {
				r.at++
			}
		default:
			return
		}
	}
}

func (r *reader) take(mark string) bool {
	if strings.HasPrefix(r.text[r.at:], mark) {
		r.at += len(mark)
		return true
	}
	return false
}

func (r *reader) header(root table) table {
	open, shut := "[", "]"
	if strings.HasPrefix(r.text[r.at:], "[[") {
		open, shut = "[[", "]]"
	}
	r.take(open)
	keys := r.keys()
	if !r.take(shut) {
		r.fail("a table's name does not end")
	}
	above := r.below(root, keys[:len(keys)-1])
	last := keys[len(keys)-1]
	if open == "[" {
		return r.below(above, []string{last})
	}
	known, isList := above[last].([]any)
	if _, exists := above[last]; exists && !isList {
		r.fail("%q is there already", last)
	}
	made := table{}
	above[last] = append(known, made)
	return made
}

// The table at the end of a path; of a list of tables it is the last one.
func (r *reader) below(here table, keys []string) table {
	for _, key := range keys {
		switch found := here[key].(type) {
		case nil:
			made := table{}
			here[key], here = made, made
		case table:
			here = found
		case []any:
			if len(found) == 0 {
				r.fail("%q is no table", key)
			}
			last, isTable := found[len(found)-1].(table)
			if !isTable {
				r.fail("%q is no table", key)
			}
			here = last
		default:
			r.fail("%q is no table", key)
		}
	}
	return here
}

func (r *reader) pair(here table) {
	keys := r.keys()
	if !r.take("=") {
		r.fail("a key without =")
	}
	r.skip(false)
	owner, last := r.below(here, keys[:len(keys)-1]), keys[len(keys)-1]
	if _, exists := owner[last]; exists {
		r.fail("%q is there twice", last)
	}
	owner[last] = r.value()
}

func (r *reader) keys() []string {
	var found []string
	for {
		r.skip(false)
		found = append(found, r.key())
		r.skip(false)
		if !r.take(".") {
			return found
		}
	}
}

func (r *reader) key() string {
	if r.at < len(r.text) && (r.text[r.at] == '"' || r.text[r.at] == '\'') {
		return r.quoted()
	}
	began := r.at
	for r.at < len(r.text) && isBare(r.text[r.at]) {
		r.at++
	}
	if r.at == began {
		r.fail("a key is missing")
	}
	return r.text[began:r.at]
}

func isBare(c byte) bool {
	return c == '_' || c == '-' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

func (r *reader) value() any {
	switch {
	case r.at == len(r.text):
		r.fail("a value is missing")
	case r.text[r.at] == '"' || r.text[r.at] == '\'':
		return r.quoted()
	case r.take("["):
		return r.array()
	case r.take("{"):
		return r.inline()
	}
	began := r.at
	for r.at < len(r.text) && !strings.ContainsRune(",]}#\n", rune(r.text[r.at])) {
		r.at++
	}
	switch word := strings.TrimSpace(r.text[began:r.at]); word {
	case "true":
		return true
	case "false":
		return false
	case "":
		r.fail("a value is missing")
	default:
		return scalar(word)
	}
	return nil
}

func (r *reader) array() []any {
	found := []any{}
	for r.skip(true); !r.take("]"); r.skip(true) {
		found = append(found, r.value())
		r.skip(true)
		if !r.take(",") && (r.at == len(r.text) || r.text[r.at] != ']') {
			r.fail("a list does not end")
		}
	}
	return found
}

func (r *reader) inline() table {
	found := table{}
	r.skip(false)
	if r.take("}") {
		return found
	}
	for {
		r.pair(found)
		r.skip(false)
		if r.take("}") {
			return found
		}
		if !r.take(",") {
			r.fail("a table does not end")
		}
	}
}

// All four kinds of texts.
func (r *reader) quoted() string {
	mark := r.text[r.at : r.at+1]
	isLong := r.take(mark + mark + mark)
	if isLong {
		mark += mark + mark
		r.take("\n")
	} else {
		r.at++
	}
	var found strings.Builder
	for {
		if r.at == len(r.text) || (!isLong && r.text[r.at] == '\n') {
			r.fail("a text does not end")
		}
		if r.take(mark) {
			for isLong && r.at < len(r.text) && r.text[r.at] == mark[0] {
				found.WriteByte(mark[0]) // a quote just before the end
				r.at++
			}
			return found.String()
		}
		if r.text[r.at] == '\\' && mark[0] == '"' {
			r.escaped(&found, isLong)
			continue
		}
		found.WriteByte(r.text[r.at])
		r.at++
	}
}

var escapes = map[byte]string{'b': "\b", 't': "\t", 'n': "\n", 'f': "\f", 'r': "\r", 'e': "\x1b", '"': `"`, '\\': `\`}

func (r *reader) escaped(found *strings.Builder, isLong bool) {
	r.at++
	if r.at == len(r.text) {
		r.fail("a text does not end")
	}
	c := r.text[r.at]
	if text, known := escapes[c]; known {
		found.WriteString(text)
		r.at++
		return
	}
	digits := map[byte]int{'x': 2, 'u': 4, 'U': 8}[c]
	if digits > 0 && r.at+1+digits <= len(r.text) {
		code, err := strconv.ParseUint(r.text[r.at+1:r.at+1+digits], 16, 32)
		if err != nil || !utf8.ValidRune(rune(code)) {
			r.fail("\\%c is no character", c)
		}
		found.WriteRune(rune(code))
		r.at += 1 + digits
		return
	}
	if rest := strings.TrimLeft(r.text[r.at:], " \t"); isLong && strings.HasPrefix(rest, "\n") {
		r.at = len(r.text) - len(strings.TrimLeft(rest, " \t\n")) // a line that goes on
		return
	}
	r.fail("\\%c is unknown", c)
}
