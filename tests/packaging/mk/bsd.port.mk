# A small stand-in for the Mk/bsd.port.mk of FreeBSD's ports: what jmesh's port needs of it, and nothing
# more. WRKSRC, STAGEDIR and GMAKE are given; the rest as the Porter's Handbook says.

.for name in PORTNAME DISTVERSION CATEGORIES MAINTAINER COMMENT LICENSE LICENSE_FILE LIB_DEPENDS USES \
	WRKSRC STAGEDIR GMAKE
.if empty(${name})
.error ${name} is not set
.endif
.endfor

PREFIX?=	/usr/local
LOCALBASE?=	/usr/local
ETCDIR?=	${PREFIX}/etc/${PORTNAME}
DATADIR?=	${PREFIX}/share/${PORTNAME}
EXAMPLESDIR?=	${PREFIX}/share/examples/${PORTNAME}
STRIP_CMD?=	strip
MKDIR?=		mkdir -p
ALL_TARGET?=	all
INSTALL_TARGET?=	install

.for use in ${USES}
.if ${use:C/:.*//:Ncompiler:Ngmake:Npkgconfig} != ""
.error USES has '${use}', which is not known here
.endif
.endfor
.if empty(USES:Mgmake)
.error USES lacks gmake
.endif
MAKE_CMD=	${GMAKE}

.for need in ${LIB_DEPENDS}
.if ${need:Mlib*.so\:*/*} == ""
.error LIB_DEPENDS has '${need}'
.endif
.endfor
.for need in ${RUN_DEPENDS}
.if ${need:M*\:*/*} == ""
.error RUN_DEPENDS has '${need}'
.endif
.endfor

# WITHOUT=EXAMPLES is how an option that is on by default is switched off.
.for option in ${OPTIONS_DEFINE}
.if ${option} != "EXAMPLES"
.error OPTIONS_DEFINE has '${option}', which is not known here
.endif
.if !empty(WITHOUT:M${option})
MAKE_ARGS+=	${${option}_MAKE_ARGS_OFF}
PORT${option}=	"@comment "
.endif
.endfor

# LIBS and MANPREFIX stand in the real environment too, and must not mislead ours.
MAKE_ENV+=	PREFIX=${PREFIX} LOCALBASE=${LOCALBASE} MANPREFIX=${PREFIX} LIBS= CPPFLAGS= CFLAGS= LDFLAGS=
MAKE_ARGS+=	DESTDIR=${STAGEDIR}

.MAIN: all
.PHONY: all build stage plist rc post-install
all: build
build:
	cd ${WRKSRC} && env ${MAKE_ENV} ${MAKE_CMD} ${MAKE_ARGS} ${ALL_TARGET}

do-install: build
	cd ${WRKSRC} && env ${MAKE_ENV} ${MAKE_CMD} ${MAKE_ARGS} ${INSTALL_TARGET}
.if target(post-install)
post-install: do-install
.endif
stage: do-install post-install
	find ${STAGEDIR}${PREFIX}/share/man -type f -exec gzip -n {} +

plist:
	@sed -e 's|%%PORTEXAMPLES%%|${PORTEXAMPLES:U:S/"//g}|; s|%%DATADIR%%|${DATADIR:S|^${PREFIX}/||}|' \
		-e 's|%%EXAMPLESDIR%%|${EXAMPLESDIR:S|^${PREFIX}/||}|; s|%%ETCDIR%%|${ETCDIR:S|^${PREFIX}/||}|' \
		${.CURDIR}/pkg-plist

# The rc script as it is installed, in the folder STAGEDIR.
rc:
.for script in ${USE_RC_SUBR}
	@${MKDIR} ${STAGEDIR}${PREFIX}/etc/rc.d
	@sed -e 's|%%PREFIX%%|${PREFIX}|g; s|%%LOCALBASE%%|${LOCALBASE}|g' \
		${.CURDIR}/files/${script}.in >${STAGEDIR}${PREFIX}/etc/rc.d/${script}
	@chmod 555 ${STAGEDIR}${PREFIX}/etc/rc.d/${script}
.endfor
