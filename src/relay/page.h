/* What a person sees who opens the relay's address in a browser. */
#ifndef JMESH_RELAY_PAGE_H
#define JMESH_RELAY_PAGE_H

/* At most 8 KiB of HTML, the same for everybody; nothing of a request is in it. */
extern const char page_html[];

/* Its Content-Security-Policy: the page needs nothing but its own style, so nothing else is let in. */
extern const char page_policy[];

#endif
