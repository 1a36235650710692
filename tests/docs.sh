#!/bin/sh
# Holds what is written about jmesh against the program:
#
#   sh tests/docs.sh BUILD_DIR
#
# The table of commands and options (src/cli/words.c) is known here by what `jmesh --help` prints.
# Prints a sentence for each mismatch, and exits 1 when there is one.
set -u
export LC_ALL=C

[ $# -eq 1 ] || { echo 'usage: sh tests/docs.sh BUILD_DIR' >&2; exit 2; }
JMESH=$1/jmesh
MAN=packaging/man
[ -x "$JMESH" ] || { echo "docs: there is no $JMESH; run make first" >&2; exit 1; }

TMP=$(mktemp -d) || exit 1
trap 'rm -rf "$TMP"' EXIT
trap 'exit 1' INT TERM

say() {
	printf 'docs: %s\n' "$*" >&2
	echo >>"$TMP/said"
}

# --- What the program says of itself -------------------------------------------------------------------

commands() {
	"$JMESH" --help | sed -En 's/^  ([a-z]+) .*/\1/p'
}

# The help of a command or, for a page of no command, of all.
help_of() {
	"$JMESH" "$1" --help
}

# Each option that the help tells, as "--wait SECONDS" or "--json".
options_of() {
	help_of "$1" | sed -En 's/^  (--[a-z-]+( [A-Z:=]+)?)  .*/\1/p'
	echo --help
}

names_of() {
	options_of "$1" | sed 's/ .*//' | sort -u
}

# --- What a page says ----------------------------------------------------------------------------------

# section PAGE TITLE: the lines of one section.
section() {
	awk -v title="$2" '/^\.Sh /{ inside = substr($0, 5) == title; next } inside' "$1"
}

# The options that a page lists (.It Fl) and those it names anywhere, as --name.
listed_in() {
	sed -n 's/^\.It Fl //p' "$1" | tr -d '|,' | tr ' ' '\n' | sed -n 's/^-/--/p' | sort -u
}

named_in() {
	sed -n '/^\.Bd/,/^\.Ed/d; s/.*Fl -\([a-z-]*\).*/--\1/p' "$1" | sort -u
}

synopsis_of() {
	section "$1" SYNOPSIS | sed -n 's/.*Fl -\([a-z-]*\).*/--\1/p' | sort -u
}

# only_in A B: the lines of file A that B has not.
only_in() {
	comm -23 "$1" "$2"
}

# --- Checks --------------------------------------------------------------------------------------------

check_options() {
	command=$1 page=$2
	names_of "$command" >"$TMP/has"
	listed_in "$page" >"$TMP/lists"
	for option in $(only_in "$TMP/has" "$TMP/lists"); do
		say "$page does not list $option, which jmesh $command has"
	done
	for option in $(only_in "$TMP/lists" "$TMP/has"); do
		say "$page lists $option, which jmesh $command has not"
	done
	synopsis_of "$page" >"$TMP/synopsis"
	grep -vx -e --help "$TMP/has" >"$TMP/usage"
	for option in $(only_in "$TMP/usage" "$TMP/synopsis") $(only_in "$TMP/synopsis" "$TMP/usage"); do
		say "$page: SYNOPSIS and jmesh $command --help disagree about $option"
	done
	named_in "$page" >"$TMP/names"
	for option in $(only_in "$TMP/names" "$TMP/all"); do
		say "$page names $option, which no command has"
	done
}

# Values, defaults and exit statuses stand in the help; the page has them too.
check_details() {
	command=$1 page=$2
	options_of "$command" | grep ' ' |
	while read -r option value; do
		grep -Eq "^\.It Fl ${option#-} .*Ar " "$page" ||
		    say "$page does not say that $option takes $value"
	done
	help_of "$command" | sed -n 's/^  \(--[a-z-]*\) .*(default \([0-9]*\)).*/\1 \2/p' |
	while read -r option value; do
		awk -v item=".It Fl ${option#-}" -v want="Default: $value." '
			/^\.It /{ inside = index($0, item) == 1 }
			inside && index($0, want) { found = 1 }
			END { exit !found }
		' "$page" || say "$page does not give $option's default, $value"
	done
	section "$page" 'EXIT STATUS' >"$TMP/exit"
	for status in $(help_of "$command" | tr '\n' ' ' |
	    sed 's/.*Exit status: //; s/   *--.*//' | grep -o '[0-9][0-9]*'); do
		grep -Eq "^\.It ([0-9]+ , )*$status( ,|$)" "$TMP/exit" ||
		    say "$page: EXIT STATUS lacks $status"
	done
	case $(help_of "$command") in
	*'Exit status: 0; 1'*)
		grep -q '^\.It 0$' "$TMP/exit" || say "$page: EXIT STATUS lacks 0" ;;
	esac
}

check_commands() {
	echo --version >"$TMP/all.new"
	echo --completion >>"$TMP/all.new"
	for command in $(commands); do
		names_of "$command" >>"$TMP/all.new"
	done
	sort -u "$TMP/all.new" >"$TMP/all"
	for command in $(commands); do
		page=$MAN/jmesh-$command.1
		[ -f "$page" ] || { say "jmesh $command has no page $page"; continue; }
		grep -q "^\.It Cm $command\$" $MAN/jmesh.1 || say "$MAN/jmesh.1 does not list $command"
		grep -q "($page)" README.md || say "README.md has no link to $page"
		words=$(help_of "$command" | sed -n '1s/^[^:]*: //p')
		grep -qxF ".Nd $words" "$page" || say "$page: .Nd and jmesh --help call $command differently"
		check_options "$command" "$page"
		check_details "$command" "$page"
	done
	for page in "$MAN"/jmesh-*.1; do
		command=${page##*/jmesh-}
		commands | grep -qx "${command%.1}" || say "$page is about no command of jmesh"
	done
	named_in $MAN/jmesh.1 >"$TMP/names"
	for option in $(only_in "$TMP/names" "$TMP/all"); do
		say "$MAN/jmesh.1 names $option, which jmesh has not"
	done
}

check_pages() {
	for page in "$MAN"/*.[1-8]; do
		mandoc -T lint -W warning "$page" >"$TMP/lint" 2>&1 || :
		[ ! -s "$TMP/lint" ] || say "$(cat "$TMP/lint")"
		for title in EXAMPLES 'SEE ALSO'; do
			[ -n "$(section "$page" "$title")" ] || say "$page has no section $title"
		done
		case $page in
		*.1)	[ -n "$(section "$page" 'EXIT STATUS')" ] ||
			    say "$page has no section EXIT STATUS" ;;
		esac
		sed -En 's/^\.Xr (jmesh[a-z-]*|mesh\.yaml) ([15]).*/\1.\2/p' "$page" | sort -u |
		while read -r other; do
			[ -f "$MAN/$other" ] || say "$page refers to $other, which is not there"
		done
	done
}

check_completion() {
	file=packaging/completions/jmesh.bash
	"$JMESH" --completion >"$TMP/completion"
	cmp -s "$TMP/completion" $file ||
	    say "$file is not what jmesh --completion prints; write it anew with that"
	bash -n $file 2>"$TMP/bash" || say "$file is no script for bash: $(cat "$TMP/bash")"
}

# Each key of the schema as "SECTION<tab>KEY", in the words of mesh.yaml(5).
schema_keys() {
	python3 - schema/mesh.schema.json <<-'PYTHON'
	import json, sys

	schema = json.load(open(sys.argv[1], encoding="utf-8"))
	titles = {"": "Top level", ".jails": "jails", ".peers": "peers", ".peers.jails": "jails of a peer"}

	def walk(node, path, seen):
	    if not isinstance(node, dict):
	        return
	    if "$ref" in node and node["$ref"] not in seen:
	        target = schema
	        for step in node["$ref"].lstrip("#/").split("/"):
	            target = target[step]
	        walk(target, path, seen | {node["$ref"]})
	    for key, value in node.get("properties", {}).items():
	        if value is not False:
	            print(titles.get(path, path[1:]), key, sep="\t")
	            walk(value, f"{path}.{key}", seen)
	    walk(node.get("items"), path, seen)
	    for word in ("allOf", "anyOf", "oneOf"):
	        for part in node.get(word, []):
	            walk(part, path, seen)

	walk(schema, "", frozenset())
	PYTHON
}

page_keys() {
	awk -F'\t' '
		/^\.Ss /{ title = substr($0, 5) }
		/^\.Sh /{ title = "" }
		title != "" && /^\.It Ic /{
			n = split(substr($0, 8), keys, " , ")
			for (i = 1; i <= n; i++)
				print title "\t" keys[i]
		}
	' $MAN/mesh.yaml.5
}

check_keys() {
	[ -f schema/mesh.schema.json ] || { say "schema/mesh.schema.json is not there"; return; }
	schema_keys | sort -u >"$TMP/schema"
	page_keys | sort -u >"$TMP/page"
	[ -s "$TMP/schema" ] || say "schema/mesh.schema.json has no keys"
	only_in "$TMP/schema" "$TMP/page" | while IFS='	' read -r title key; do
		say "$MAN/mesh.yaml.5: '$title' lacks the key $key"
	done
	only_in "$TMP/page" "$TMP/schema" | while IFS='	' read -r title key; do
		say "$MAN/mesh.yaml.5: '$title' has $key, which schema/mesh.schema.json has not"
	done
}

# --- README --------------------------------------------------------------------------------------------

# The anchor that a heading of Markdown gets.
anchors() {
	sed -n 's/^##* //p' README.md | tr '[:upper:]' '[:lower:]' | sed 's/[^a-z0-9 _-]//g; s/ /-/g'
}

check_links() {
	grep -o ']([^)]*)' README.md | sed 's/^](//; s/)$//' | sort -u | while read -r link; do
		case $link in
		http://* | https://*) ;;
		'#'*)	anchors | grep -qx -e "${link#?}" || say "README.md: no heading for $link" ;;
		*)	[ -e "${link%%#*}" ] || say "README.md: the link $link leads nowhere" ;;
		esac
	done
}

# The blocks of one language, each after a line "```", without the indentation of the list around them.
fenced() {
	awk -v language="$1" '
		{ line = $0; sub(/^ */, "", line) }
		!inside && line == "```" language {
			inside = 1
			indent = length($0) - length(line)
			print "```"
			next
		}
		inside && line == "```" { inside = 0 }
		inside { print substr($0, indent + 1) }
	' README.md
}

# Blocks that are whole mesh files: from README fenced, from the page literal; they begin with version.
check_mesh_files() {
	fenced yaml | awk -v dir="$TMP" '
		/^```/ { n++; next }
		{ print > (dir "/README.md." n ".yaml") }
	'
	sed 's/\\&//g' $MAN/mesh.yaml.5 | awk -v dir="$TMP" '
		/^\.Bd -literal/ { n++; out = dir "/mesh.yaml.5." n ".yaml"; next }
		/^\.Ed/ { out = "" }
		out != "" { print > out }
	'
	whole=0
	for file in "$TMP"/*.yaml examples/*.yaml; do
		if [ ! -f "$file" ] || ! grep -q '^version:' "$file"; then
			continue
		fi
		whole=$((whole + 1))
		"$JMESH" validate - <"$file" >"$TMP/validate" 2>&1 ||
		    say "${file##*/} is no good mesh file: $(cat "$TMP/validate")"
	done
	[ "$whole" -ge 3 ] || say "only $whole mesh files were found in README.md and mesh.yaml.5"
}

# The commands of README's shell blocks and of the pages' examples.
shell_lines() {
	fenced sh
	for page in "$MAN"/*.1; do
		section "$page" EXAMPLES | awk '/^\.Bd/ { inside = 1; next } /^\.Ed/ { inside = 0 } inside'
	done | sed 's/^[$#] //'
}

check_shell() {
	shell_lines | sed 's/#.*//; s/[|;>&].*//' >"$TMP/shell"
	sed -En 's/^(sudo )?jmesh //p' "$TMP/shell" |
	while read -r command words; do
		case $command in --*)
			grep -qx -e "$command" "$TMP/all" || say "an example runs jmesh $command"
			continue ;;
		esac
		commands | grep -qx "$command" || { say "an example runs jmesh $command"; continue; }
		for word in $words; do
			case $word in --*)
				names_of "$command" | grep -qx -e "$word" ||
				    say "an example runs jmesh $command $word" ;;
			esac
		done
	done
	grep -oE '(`|setup\.sh |sudo )make [a-z-]+' README.md | sed 's/.*make //' | sort -u |
	while read -r target; do
		grep -q "^$target:" Makefile || say "README.md runs make $target, and Makefile has none"
	done
	grep -o 'sh packaging/[a-z./-]*' README.md | sort -u | while read -r _ file; do
		[ -f "$file" ] || say "README.md runs $file, which is not there"
	done
}

# The messages that README explains: in the first column of the table, in pieces around what varies.
check_messages() {
	find src schema reconciler -name '*.c' -exec cat {} + | tr '\n\t' '  ' |
	sed 's/"  *"//g; s/" YGGDRASIL_OLDEST "/0.5.10/g' >"$TMP/sources"
	awk '/^## Trouble/ { inside = 1; next } /^## / { inside = 0 } inside && /^\| `/' README.md |
	cut -d '`' -f 2 >"$TMP/messages"
	[ -s "$TMP/messages" ] || say "README.md explains no message"
	awk '{ n = split($0, piece, /\.\.\./); for (i = 1; i <= n; i++) print piece[i] }' "$TMP/messages" |
	sed 's/^ *//; s/ *$//' | grep . | while read -r piece; do
		grep -qF -e "$piece" "$TMP/sources" ||
		    say "README.md explains a message with '$piece', and no source says it"
	done
}

check_demo() {
	for mark in 'demo: begin' 'demo: end'; do
		[ "$(grep -c "^<!-- $mark -->\$" README.md)" = 1 ] ||
		    say "README.md must have one line '<!-- $mark -->'"
	done
}

check_schemas() {
	python3 - schema/*.schema.json <<-'PYTHON' 2>"$TMP/schemas" || say "$(tail -n 1 "$TMP/schemas")"
	import json, sys
	import jsonschema

	for name in sys.argv[1:]:
	    try:
	        jsonschema.Draft202012Validator.check_schema(json.load(open(name, encoding="utf-8")))
	    except Exception as problem:
	        sys.exit(f"{name} is no schema: {problem}".splitlines()[0])
	PYTHON
	sed -n 's/^\.Pa \([a-z.]*schema\.json\).*/\1/p' "$MAN"/*.[15] | sort -u | while read -r file; do
		[ -f "schema/$file" ] || say "a page names $file, which is not in schema/"
	done
}

: >"$TMP/said"
check_commands
check_pages
check_completion
check_keys
check_links
check_mesh_files
check_shell
check_messages
check_demo
check_schemas
[ ! -s "$TMP/said" ] || exit 1
set -- "$MAN"/*.[1-8]
echo "docs: $# pages"
