# What FreeBSD's share/mk/sys.mk sets that matters here: the order in which make(1) looks for its file.
.MAKE.MAKEFILE_PREFERENCE= BSDmakefile makefile Makefile
.MAKE.EXPAND_VARIABLES= yes
.SHELL: name=sh path=/bin/sh
