#include "relay/page.h"

/* Grey that lets some of the background through is right in the light and in the dark. */
#define STYLE                                                                                     \
	"\n"                                                                                      \
	":root { color-scheme: light dark; font: 1em/1.5 system-ui, sans-serif; }\n"              \
	"main { max-width: 42em; margin: 0 auto; padding: 0 0.5em 2em; overflow-wrap: "           \
	"break-word; }\n"                                                                         \
	"h1, h2 { line-height: 1.2; }\n"                                                          \
	"h2 { margin-top: 2em; }\n"                                                               \
	"ol { padding-left: 1.5em; }\n"                                                           \
	"pre, code { font: 0.9em/1.4 ui-monospace, monospace; background: #8882; border-radius: " \
	"4px; }\n"                                                                                \
	"code { padding: 0.1em 0.3em; }\n"                                                        \
	"pre { padding: 0.7em 1em; overflow-x: auto; }\n"                                         \
	"aside { border-left: 4px solid #c80; padding-left: 1em; }\n"

/* The hash is of STYLE: SHA-256 in base 64. The test of it says another one where they differ. */
const char page_policy[] =
	"default-src 'none'; style-src 'sha256-C6y7PykaynuH4+oYpVbsT8dX6e7ss4US+n4Dwr0QCNQ='; "
	"img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/* The icon is an empty one, or browsers ask for /favicon.ico. */
const char page_html[] =
	"<!DOCTYPE html>\n"
	"<html lang=\"en\">\n"
	"<head>\n"
	"<meta charset=\"utf-8\">\n"
	"<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
	"<meta name=\"robots\" content=\"noindex\">\n"
	"<link rel=\"icon\" href=\"data:,\">\n"
	"<title>jmesh relay</title>\n"
	"<style>" STYLE "</style>\n"
	"</head>\n"
	"<body>\n"
	"<main>\n"
	"<h1>jmesh relay</h1>\n"
	"<p>Two machines meet here to pair: each tells the other which jails it has, and from then "
	"on "
	"those jails reach each other over a private, encrypted mesh. There is nothing to click: "
	"programs use this address.</p>\n"
	"\n"
	"<h2>How to pair two machines</h2>\n"
	"<ol>\n"
	"<li><p>On the first machine, write into <code>mesh.yaml</code>, with the address of this "
	"page as <code>url</code>:</p>\n"
	"<pre>version: 1\n"
	"name: laptop\n"
	"relay:\n"
	"  url: <var>the address of this page</var>\n"
	"jails:\n"
	"  - name: web\n"
	"peers:\n"
	"  - name: office\n"
	"    pair: create\n"
	"</pre></li>\n"
	"<li><p>On the second machine, write the other half:</p>\n"
	"<pre>version: 1\n"
	"name: office\n"
	"relay:\n"
	"  url: <var>the address of this page</var>\n"
	"jails:\n"
	"  - name: postgres\n"
	"peers:\n"
	"  - name: laptop\n"
	"    pair: join\n"
	"</pre></li>\n"
	"<li><p>On the first machine, run this. It prints a code, such as "
	"<code>81-zephyr-night-climb#K7QF-&hellip;</code>, and waits.</p>\n"
	"<pre>jmesh diff\n"
	"jmesh apply\n"
	"</pre></li>\n"
	"<li><p>Tell the whole code to the other side by a way that you trust, such as a call. "
	"There, join with it:</p>\n"
	"<pre>jmesh apply \\\n  --code &#39;laptop=<var>CODE</var>&#39;\n"
	"</pre></li>\n"
	"</ol>\n"
	"\n"
	"<h2>What this relay learns</h2>\n"
	"<p>What is behind the <code>#</code> of a code is the two machines&rsquo; secret. It "
	"never "
	"goes to a relay, and what passes through here is sealed with it. Whoever runs the relay "
	"can keep it back, but neither read it nor change it unnoticed, and cannot let anybody in. "
	"It shows from which addresses two machines pair, when, and how much they have to "
	"say.</p>\n"
	"<aside><p>Nothing is sealed for a peer that says <code>plain: true</code>, and in a "
	"pairing "
	"with <code>jrun pair</code>, because Jailrun&rsquo;s protocol has no secret. Names and "
	"addresses of jails can be read and exchanged here then, and whoever has the code first is "
	"let in. Pair so only at a relay that you trust.</p></aside>\n"
	"<p>A pairing is kept until it is collected or runs out. A code works once, and who tries "
	"too many wrong ones has to wait.</p>\n"
	"</main>\n"
	"</body>\n"
	"</html>\n";
